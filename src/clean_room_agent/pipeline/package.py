"""The room of one task, built and logged before anything looks at it.

Takes: a `TaskRoom`, a `Task`, the suspicious lines where a failing test is known, the output of an
earlier attempt's tests. Gives: `BuiltPackage`. Does not know: the stages' workings.

With a model every judge is one, and the package is counted and bounded as the model that will read
it counts; without one every judge is the ranked cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.enrichment.promote import promoted_about
from clean_room_agent.pipeline.embedding import open_meaning
from clean_room_agent.pipeline.judges import Judges
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.stages import reader_of
from clean_room_agent.prompts.tokens import TokenCounter, UpperBoundCounter
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import ContextPackage, FragmentKind
from clean_room_agent.records.task import Mode, Task
from clean_room_agent.retrieval import render, retrieve
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.listing import Listings
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.raw import new_id


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A logged package and the exact bytes it renders to."""

    package_id: str
    package: ContextPackage
    prompt: bytes


def build_package(
    room: TaskRoom,
    task: Task,
    *,
    failing: Mapping[str, Mapping[int, float]] | None = None,
    observation: str = "",
) -> BuiltPackage:
    """Run the retrieval stages for `task` and append the package to raw.

    `observation` is the output of a failing test run: what it names leads to code; it is not shown.

    Raises:
        CraError: there is no index, a file changed since it was indexed, or a model call failed.
    """
    room.progress("curating the context", 0, 0, "")
    limit = room.config.index.max_file_bytes
    package_id = new_id("k")

    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return room.repository.read_file(path, limit_bytes=limit)

    with CuratedReader(room.root) as reader:
        listings = Listings(reader, Sources(read_source), promoted_about(reader))
        judges = _choose_judges(room, task, package_id, listings, observation)
        package = retrieve(
            task.text,
            reader=reader,
            read_source=read_source,
            budget_tokens=judges.budget_tokens,
            judge=judges.judge,
            counter=judges.counter,
            suspicious=failing,
            leads=judges.leads,
            instruction_bytes=room.config.budget.instruction_bytes,
            meaning=open_meaning(reader, room.raw.repo_path, room.config.embed),
        )
    prompt = render(package)
    room.raw.append_package(task.task_id, package, prompt, package_id=package_id)
    return BuiltPackage(package_id, package, prompt)


def _choose_judges(
    room: TaskRoom, task: Task, package_id: str, listings: Listings, observation: str
) -> Judges:
    """Put a model behind every judge where there is one, else the ranked cut."""
    budget = room.config.budget
    if room.models is None:
        ranked = RankedJudge()
        return Judges(ranked, Leads(observation), UpperBoundCounter(), budget.context_tokens)
    # Without a model nothing that asks one is loaded.
    from clean_room_agent.pipeline.model_desk import ModelDesk
    from clean_room_agent.retrieval.prompting import JudgedTask

    desk = ModelDesk(room.models, budget, reader_of(task.mode))
    return desk.judges(JudgedTask(task.text, task.task_id, package_id), listings, observation)


def reader_counter(room: TaskRoom, mode: Mode) -> TokenCounter:
    """Return the counter that a package of this mode is counted with."""
    return UpperBoundCounter() if room.models is None else room.models.counter(reader_of(mode))


def is_empty(package: ContextPackage) -> bool:
    """Say whether a package shows no code at all; `why_nothing` says why."""
    return not any(fragment.kind is FragmentKind.CODE for fragment in package.fragments)
