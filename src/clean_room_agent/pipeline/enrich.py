"""Describe files one after the other, each logged at once, while the token budget has room.

Takes: a `TaskRoom` with a model. Gives: `EnrichReport`; `promote` copies by a person's word.
Does not know: what a description says, or how anything is printed.

Every prompt is a package of a task of its own, with the one decision that lets its file in. A
killed run loses at most the file it was at; the next run begins with what is not described yet.
A file that may take more than is left of the budget is passed over for later ones that may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clean_room_agent.enrichment.describe import describe, describing_tokens, least_tokens
from clean_room_agent.enrichment.promote import choose_promotions
from clean_room_agent.enrichment.queue import Waiting, read_queue
from clean_room_agent.enrichment.room import build_room, task_text
from clean_room_agent.errors import RepositoryError
from clean_room_agent.llm.answers import REPAIR_TOKENS
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.answers import Enrichment, Promotion
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import ContextPackage
from clean_room_agent.records.log import EventLevel
from clean_room_agent.records.task import Mode, RunId, Task, TaskId
from clean_room_agent.redaction import why_withheld
from clean_room_agent.store.connect import Role
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.curated_writer import CuratedWriter
from clean_room_agent.store.locks import write_lock
from clean_room_agent.store.promoted import copy_promoted
from clean_room_agent.store.raw import new_id
from clean_room_agent.store.raw_reader import RawReader


@dataclass(slots=True)
class EnrichReport:
    """What one run did. `remaining` files have no description by this model yet.

    `passed_over` names the files that may take more than was left of the budget, `next_tokens` is
    the least that one of them may take, else 0. `details` has the whole fault of what is unusable.
    """

    described: list[Enrichment] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unusable: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    total: int = 0
    remaining: int = 0
    tokens: int = 0
    next_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the descriptions of the present files stand."""

    total: int
    described: tuple[Enrichment, ...]
    promoted: frozenset[str]


def enrich(
    room: TaskRoom, models: ModelClient, report: EnrichReport, *, as_of: RunId | None = None
) -> None:
    """Describe what waits, best first, and note it in `report`, which is true at any moment.

    With `as_of`, what waits is what waited when that run started: for running it again.
    Raises: ModelCallError, BudgetError, ConfigError.
    """
    name = _model_name(models)
    with RawReader(room.raw.repo_path) as log:
        known = _known_before(log, as_of) if as_of else log.read_enrichments()
        done = {one.blob_id for one in known if one.model == name}
    with CuratedReader(room.root) as reader:
        queue = read_queue(reader, done)
        report.total, report.remaining = queue.total, len(queue.waiting)
        for number, waiting in enumerate(queue.waiting):
            room.progress("describing", number, len(queue.waiting), waiting.file.path)
            package = _package(room, models, reader, waiting)
            if isinstance(package, str):
                _skip(room, report, waiting, package)
                continue
            most = describing_tokens(models, package)
            left = room.config.enrich.tokens - models.usage.tokens
            if most <= left:
                _describe(room, models, report, (waiting, package))
                continue
            reason = f"it may take {most:,} tokens, {max(0, left):,} are left"
            report.passed_over.append((waiting.file.path, reason))
            report.next_tokens = min(most, report.next_tokens or most)
            if left < least_tokens(models):
                return  # not even an empty file would fit


def _known_before(log: RawReader, run_id: RunId) -> list[Enrichment]:
    """Return the descriptions that earlier runs wrote."""
    start = log.read_run(run_id).seq
    every = log.read_enrichments()
    earlier = {one.run_id for one in every if log.read_run(one.run_id).seq < start}
    return [one for one in every if one.run_id in earlier]


def promote(room: TaskRoom, paths: Sequence[str]) -> tuple[list[Enrichment], str]:
    """Log the promotion of descriptions, then copy them into curated; return them and the rule.

    Raises: UsageError for a path without a description.
    """
    with RawReader(room.raw.repo_path) as log, CuratedReader(room.root) as reader:
        promoted = {one.enrichment_id for one in log.read_promotions()}
        every, files = log.read_enrichments(), reader.read_all_files()
    chosen, rule = choose_promotions(every, promoted, files, paths)
    with room.raw.batch():
        for one in chosen:
            room.raw.append_promotion(Promotion(new_id("m"), one.enrichment_id, room.run_id, rule))
    waits = room.config.store.lock_wait_seconds
    with (
        write_lock(Role.CURATED, repo_path=room.root, wait_seconds=waits),
        CuratedWriter(repo_path=room.root) as writer,
    ):
        copy_promoted(writer, room.root)
    return chosen, rule


def read_standing(room: TaskRoom) -> Standing:
    """Return the newest description of each present content, whatever model wrote it."""
    with RawReader(room.raw.repo_path) as log, CuratedReader(room.root) as reader:
        newest = {one.blob_id: one for one in log.read_enrichments()}
        promoted = frozenset(one.enrichment_id for one in log.read_promotions())
        none: frozenset[BlobId] = frozenset()
        waiting = read_queue(reader, none).waiting
    described = [newest[w.file.blob_id] for w in waiting if w.file.blob_id in newest]
    return Standing(len(waiting), tuple(described), promoted)


def _package(
    room: TaskRoom, models: ModelClient, reader: CuratedReader, waiting: Waiting
) -> ContextPackage | str:
    """Return the package of one file, or why it is not shown."""
    file = waiting.file
    try:
        data = room.repository.read_file(file.path, limit_bytes=room.config.index.max_file_bytes)
    except RepositoryError as error:
        return error.message
    if room.repository.hash_bytes(data) != file.blob_id:
        return "it changed since it was indexed"
    if reason := why_withheld(data):
        return f"it {reason}"
    window = models.prompt_tokens(CallStage.ENRICH) - REPAIR_TOKENS
    return build_room(
        waiting,
        data,
        [row.symbol for row in reader.read_definitions(file.file_pk)],
        counter=models.counter(CallStage.ENRICH),
        budget_tokens=min(room.config.budget.context_tokens, window),
    )


def _skip(room: TaskRoom, report: EnrichReport, waiting: Waiting, reason: str) -> None:
    data = {"path": waiting.file.path, "blob_id": waiting.file.blob_id, "reason": reason}
    room.event("enrich.skipped", data, level=EventLevel.WARNING)
    report.skipped.append((waiting.file.path, reason))


def _describe(
    room: TaskRoom,
    models: ModelClient,
    report: EnrichReport,
    item: tuple[Waiting, ContextPackage],
) -> None:
    waiting, package = item
    file = waiting.file
    base = room.repository.head or ""
    task = Task(TaskId(new_id("t")), room.run_id, Mode.ENRICH, task_text(file.path), base)
    with room.raw.batch():
        room.raw.append_task(task)
        prompt = b"".join(fragment.content for fragment in package.fragments)
        package_id = room.raw.append_package(task.task_id, package, prompt)
    try:
        found = describe(models, package, package_id, task.task_id)
    finally:
        report.tokens = models.usage.tokens
    if found.description is None:
        data = {"path": file.path, "blob_id": file.blob_id, "warnings": list(found.warnings)}
        room.event("enrich.unusable", data, task.task_id, EventLevel.WARNING)
        report.unusable.append((file.path, found.told))
        report.details[file.path] = found.problem
        return
    enrichment = Enrichment(
        enrichment_id=new_id("n"),
        run_id=room.run_id,
        request_id=found.request_id,
        path=file.path,
        blob_id=file.blob_id,
        model=_model_name(models),
        description=found.description,
    )
    room.raw.append_enrichment(enrichment)
    report.described.append(enrichment)
    report.remaining -= 1


def _model_name(models: ModelClient) -> str:
    """Return what wrote a description: the model, and the adapter it had on."""
    choice = models.choice(CallStage.ENRICH)
    return f"{choice.model}+{choice.adapter}" if choice.adapter else choice.model
