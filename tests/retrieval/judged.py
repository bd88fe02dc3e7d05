"""A judged retrieval over the sample repository: a real client and log, a scripted model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import Chunk, Final, WireRequest
from clean_room_agent.prompts.framing import split_frames
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.context import ContextPackage, FragmentKind
from clean_room_agent.records.task import Mode, Task, TaskId
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.leads import Leads
from clean_room_agent.retrieval.listing import Listings
from clean_room_agent.retrieval.model_analysis import ModelAnalyst
from clean_room_agent.retrieval.model_judge import Limits, ModelJudge
from clean_room_agent.retrieval.prompting import JudgedTask
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.store.curated_reader import CuratedReader
from tests.llm.support import RUN, OpenClient, open_client
from tests.support.curated import CuratedRepo

TASK_ID = TaskId("t-1")
PACKAGE = "k-1"
STAGES = {
    "Name what a programmer": "analysis",
    "Decide for each candidate file": "scope",
    "Decide for each candidate item": "precision",
    "The chosen items do not fit": "reprioritise",
}
Verdict = Callable[[Mapping[str, Any]], str]


def stage_of(prompt: str) -> str:
    return next(stage for words, stage in STAGES.items() if words in prompt)


def shown_lines(prompt: str) -> list[dict[str, Any]]:
    """Return what the frame of candidates holds, each line with its id, trusting lengths alone."""
    frames = [c for name, c in split_frames(prompt.encode("utf-8")) if name == "candidates"]
    lines = [line.split(" ", 1) for frame in frames for line in frame.decode().splitlines()]
    return [{"id": key, **json.loads(data)} for key, data in lines]


def verdicts(lines: Sequence[Mapping[str, Any]], decide: Verdict) -> str:
    answers = {line["id"]: {"reason": "as told", "verdict": decide(line)} for line in lines}
    return json.dumps(answers)


def everything(_line: Mapping[str, Any]) -> str:
    return "include"


@dataclass
class Model:
    """Answers each stage with a function of its lines; by default it includes everything."""

    judge: Verdict = everything
    analysis: Mapping[str, Sequence[str]] | str = field(
        default_factory=lambda: {"identifiers": [], "paths": [], "search": []}
    )
    order: Callable[[list[dict[str, Any]]], Sequence[str]] = lambda lines: [
        line["id"] for line in lines
    ]
    prompts: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, request: WireRequest) -> str:
        stage, lines = stage_of(request.prompt), shown_lines(request.prompt)
        self.prompts.append((stage, request.prompt))
        return self.answer(stage, lines, request.prompt)

    def answer(self, stage: str, lines: list[dict[str, Any]], _prompt: str) -> str:
        if stage == "analysis":
            return self.analysis if isinstance(self.analysis, str) else json.dumps(self.analysis)
        if stage == "reprioritise":
            return json.dumps({"order": list(self.order(lines))})
        return verdicts(lines, self.judge)

    def of(self, stage: str) -> list[str]:
        return [prompt for name, prompt in self.prompts if name == stage]


class CutTransport(ScriptedTransport):
    """Gives each answer as one that the output limit cut."""

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        for chunk in super().stream(request, cancel):
            yield Chunk(chunk.text, Final("length") if chunk.final else None)


@dataclass(frozen=True)
class Judged:
    """A package with the client and log that it was made with."""

    package: ContextPackage
    opened: OpenClient

    @property
    def code(self) -> list[tuple[str, str]]:
        found = self.package.fragments
        return [(f.path, f.symbol) for f in found if f.kind is FragmentKind.CODE]

    @property
    def warnings(self) -> dict[str, tuple[str, ...]]:
        return {stage.name: stage.warnings for stage in self.package.stages}


@contextmanager
def judged(
    repo: CuratedRepo,
    script: Callable[[WireRequest], str] | ScriptedTransport,
    task: str,
    *overrides: str,
    budget_tokens: int = 4_000,
    limits: Limits | None = None,
    analyse: bool = False,
    describe: Callable[[Any], str] | None = None,
    observation: str = "",
) -> Iterator[Judged]:
    """Run one retrieval whose judges ask `script`."""
    with (
        open_client(repo.root, script, *overrides) as opened,
        CuratedReader(repo.root) as reader,
    ):
        opened.raw.append_task(Task(TASK_ID, RUN, Mode.CONTEXT, task, ""))
        about = JudgedTask(task, TASK_ID, PACKAGE)
        sources = Sources(repo.read_source)
        listings = Listings(reader, sources, *([describe] if describe else []))
        package = retrieve(
            task,
            reader=reader,
            read_source=repo.read_source,
            budget_tokens=budget_tokens,
            judge=ModelJudge(opened.client, about, listings.line, limits or Limits(40, 80)),
            counter=opened.client.counter(CallStage.IMPLEMENT),
            leads=Leads(observation, ModelAnalyst(opened.client, about) if analyse else None),
        )
        yield Judged(package, opened)


def many_files(count: int) -> dict[str, str]:
    return {f"m{n:02}.py": f"def needle_{n}():\n    return {n}\n" for n in range(count)}
