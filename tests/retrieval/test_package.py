"""The package of a task in a real repository: judged by a model, bounded as its reader counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from clean_room_agent.indexing import index_repository
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.llm.rooms import ModelRoom
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.pipeline.model_desk import package_tokens
from clean_room_agent.pipeline.package import BuiltPackage, build_package
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import FragmentKind, Verdict
from clean_room_agent.records.log import Run
from clean_room_agent.records.task import Mode, RunId, Task, TaskId
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.audit import audit_raw
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from tests.llm.support import model_config
from tests.retrieval.judged import Model
from tests.support.journey import TASK, new_journey

RUN = RunId("r-1")
FILES = {
    "money.py": "def share(total, people):\n    return total // people\n",
    "store.py": "class Till:\n    def open(self):\n        return 0\n",
    "test_money.py": "from money import share\n\n\ndef test_it():\n    assert share(4, 2) == 2\n",
    "AGENTS.md": "# Rules\n\nUse integers.\n",
}


@dataclass(frozen=True)
class Workroom:
    """A room over a real repository, and ways to build packages in it."""

    room: TaskRoom
    root: Path

    def build(
        self, text: str = TASK, *, mode: Mode = Mode.SOLVE, observation: str = ""
    ) -> BuiltPackage:
        with RawReader(self.root) as reader:
            number = len(reader.read_requests(run_id=RUN))
        task = Task(TaskId(f"t-{number}-{mode}-{len(observation)}"), RUN, mode, text, "")
        self.room.raw.append_task(task)
        return build_package(self.room, task, observation=observation)


@contextmanager
def workroom(
    folder: Path, script: Callable[[WireRequest], str] | None = None, *overrides: str
) -> Iterator[Workroom]:
    """Index a fresh repository and open a room in it, with a model where `script` is given."""
    journey = new_journey(folder, FILES)
    (journey.root / "CLAUDE.md").symlink_to("AGENTS.md")
    (journey.root / "sub").mkdir()
    (journey.root / "sub" / "AGENTS.md").symlink_to("../AGENTS.md")
    journey.commit({"sub/share.py": "def share_more():\n    return 1\n"})
    repository = open_repository(journey.root)
    index_repository(repository, repo_path=journey.root, full=True)
    config = model_config(journey.root, *overrides)
    with RawLog(journey.root) as raw:
        raw.append_run(Run(RUN, "test", (), {}, "0", 1))
        models = None
        if script is not None:
            transport = ScriptedTransport(script)
            models = ModelClient(ModelRoom(Router(config), transport, lambda _m: ()), raw, RUN)
        room = TaskRoom(repository, raw, RUN, config, _ignore, lambda _text: None, models)
        yield Workroom(room, journey.root)


def _ignore(_what: str, _done: int, _wanted: int, _unit: str) -> None:
    """Progress is not looked at here."""


def test_judges_log_their_calls_under_the_package_that_they_build(tmp_path: Path) -> None:
    model = Model()
    with workroom(tmp_path, model) as work:
        built = work.build()
        with RawReader(work.root) as reader:
            requests = reader.read_requests(run_id=RUN)
            package = reader.read_package_by_id(built.package_id)
            assert reader.read_blob(package.prompt_sha256) == built.prompt
        repository = work.room.repository
        report = audit_raw(
            work.root, lambda blob: repository.read_blobs([BlobId(blob)]).get(BlobId(blob))
        )
        assert report.breaks == []
        assert report.requests == len(requests)
    assert {request.package_id for request in requests} == {built.package_id}
    assert {request.task_id for request in requests} == {package.task_id}
    assert [request.stage for request in requests] == ["analysis", "scope", "precision"]
    judges = {stage.name: stage.judge for stage in built.package.stages}
    assert judges == {
        "analysis": "model/thinker",
        "scope": "model/thinker",
        "precision": "model/thinker",
        "instructions": "ranked/1",
        "assembly": "none",
    }


def test_without_a_model_nothing_is_asked_and_the_ranked_judge_decides(tmp_path: Path) -> None:
    with workroom(tmp_path) as work:
        built = work.build()
        with RawReader(work.root) as reader:
            assert reader.read_requests(run_id=RUN) == ()
    judges = {stage.judge for stage in built.package.stages}
    assert judges == {"none", "ranked/1"}
    assert built.package.counter == "upper-bound/1"
    assert built.package.budget_tokens == 32_768


@pytest.mark.reliability(88)
def test_links_to_instruction_files_are_not_followed_and_said(tmp_path: Path) -> None:
    with workroom(tmp_path) as work:
        package = work.build("`share_more` and `share` lose a cent").package
    shown = [f for f in package.fragments if f.kind is FragmentKind.INSTRUCTION_FILE]
    assert [(f.path, f.content) for f in shown] == [("AGENTS.md", FILES["AGENTS.md"].encode())]
    instructions = package.stages[3]
    assert {d.candidate.path: d.verdict for d in instructions.decisions} == {
        "AGENTS.md": Verdict.INCLUDED
    }
    assert any(w.startswith("sub/AGENTS.md was not read: ") for w in instructions.warnings)


def test_the_budget_leaves_the_reader_of_the_package_room_for_its_own_words(
    tmp_path: Path,
) -> None:
    words = ("models.context_tokens=12000", "coding.max_output_tokens=4000",
             "reasoning.max_output_tokens=1000")  # fmt: skip
    with workroom(tmp_path, Model(), *words) as work:
        solve, ask = work.build(mode=Mode.SOLVE), work.build(mode=Mode.ASK)
        client = work.room.models
        assert client is not None
        assert client.prompt_tokens(CallStage.IMPLEMENT) == 12_000 - 4_000 - 64
    assert solve.package.budget_tokens == 7_936 - 1_984
    assert ask.package.budget_tokens == 10_936 - 2_734
    assert solve.package.counter == "calibrated:1.000"


@pytest.mark.parametrize(
    ("config", "prompt", "package"),
    [(32_768, 28_608, 25_608), (16_000, 28_608, 16_000), (32_768, 4_000, 3_000), (9, 0, 0)],
)
def test_the_reserve_is_stated_and_smaller_in_a_small_window(
    config: int, prompt: int, package: int
) -> None:
    assert package_tokens(config, prompt) == package


def test_an_observation_re_curates_the_room_and_is_not_in_it(tmp_path: Path) -> None:
    observed = 'File "/tree/store.py", line 3, in open\nFAILED with CANARY_WORD\n'
    with workroom(tmp_path) as work:
        before, after = work.build(), work.build(observation=observed)
    assert "store.py" not in {f.path for f in before.package.fragments}
    assert "store.py" in {f.path for f in after.package.fragments}
    assert b"CANARY_WORD" not in after.prompt
