"""The room of one task, built and logged before anything looks at it.

Takes: a `TaskRoom`, a `Task`, the suspicious lines where a failing test is known, the output of an
earlier attempt's tests. Gives: `BuiltPackage`. Does not know: the stages' workings.

With a model every judge is one, and the package is counted and bounded as the model that will read
it counts; without one every judge is the ranked cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.config.schema import BudgetConfig
from clean_room_agent.enrichment import promoted_about
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.stages import reader_of
from clean_room_agent.prompts.tokens import TokenCounter, UpperBoundCounter
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import ContextPackage, FragmentKind
from clean_room_agent.records.task import Mode, Task
from clean_room_agent.retrieval import render, retrieve
from clean_room_agent.retrieval.judge import Judge, RankedJudge
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.listing import Listings
from clean_room_agent.retrieval.model_analysis import ModelAnalyst
from clean_room_agent.retrieval.model_judge import Limits, ModelJudge
from clean_room_agent.retrieval.prompting import JudgedTask
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.raw import new_id

# What a reader's prompt adds to the package: its instruction, a plan, feedback of an attempt.
RESERVE_TOKENS = 3_000
RESERVE_SHARE = 0.25  # of a small window, where that is less


@dataclass(frozen=True, slots=True)
class BuiltPackage:
    """A logged package and the exact bytes it renders to."""

    package_id: str
    package: ContextPackage
    prompt: bytes


@dataclass(frozen=True, slots=True)
class _Judges:
    """Who judges, who reads the task beside the parser, and how the reader counts."""

    judge: Judge
    leads: Leads
    counter: TokenCounter
    budget_tokens: int


@dataclass(frozen=True, slots=True)
class _Desk:
    """The models of a task, and who will read its package."""

    models: ModelClient
    budget: BudgetConfig
    reader: CallStage

    def judges(self, task: JudgedTask, listings: Listings, observation: str) -> _Judges:
        limits = Limits(self.budget.judged_files, self.budget.judged_items)
        prompt_tokens = self.models.prompt_tokens(self.reader)
        return _Judges(
            judge=ModelJudge(self.models, task, listings.line, limits),
            leads=Leads(observation, ModelAnalyst(self.models, task)),
            counter=self.models.counter(self.reader),
            budget_tokens=package_tokens(self.budget.context_tokens, prompt_tokens),
        )


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
        judged = JudgedTask(task.text, task.task_id, package_id)
        judges = _choose_judges(room, task.mode, judged, listings, observation)
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
        )
    prompt = render(package)
    room.raw.append_package(task.task_id, package, prompt, package_id=package_id)
    return BuiltPackage(package_id, package, prompt)


def _choose_judges(
    room: TaskRoom, mode: Mode, judged: JudgedTask, listings: Listings, observation: str
) -> _Judges:
    """Put a model behind every judge where there is one, else the ranked cut."""
    budget = room.config.budget
    if room.models is not None:
        return _Desk(room.models, budget, reader_of(mode)).judges(judged, listings, observation)
    ranked = RankedJudge()
    return _Judges(ranked, Leads(observation), UpperBoundCounter(), budget.context_tokens)


def is_empty(package: ContextPackage) -> bool:
    """Say whether a package shows no code at all; `why_nothing` says why."""
    return not any(fragment.kind is FragmentKind.CODE for fragment in package.fragments)


def package_tokens(config_tokens: int, prompt_tokens: int) -> int:
    """Tokens of a package whose reader has a prompt of `prompt_tokens`, its own words set aside."""
    reserve = min(RESERVE_TOKENS, int(max(0, prompt_tokens) * RESERVE_SHARE))
    return min(config_tokens, prompt_tokens - reserve)
