"""`cra plan` and `cra solve` with a model behind a real server: good ones, bad ones, dying ones.

Reliability cases 17-30 and 84-92 as they show in the whole verb. Whatever a model answers: the
verdict is what the tests say, the exit code is the documented one, the log verifies, and the user's
tree is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import BUGGY, FIXED, TASK, TESTS, Journey, new_journey
from tests.support.model_server import Answer, Fault, ModelServer, Trouble, throttled
from tests.support.scripted_models import Competent, Reply, stage_of

FILES = {"money.py": BUGGY, "test_money.py": TESTS}
OLD = "    return [base + (1 if index <= rest else 0) for index in range(people)]\n"
GOOD_MODEL = Competent(FILES, {"money.py": FIXED})
REFLECTION = {"diagnosis": "the bound is wrong", "next": "try the other comparison"}


def settings(server: ModelServer, *, generators: str = '["llm"]', attempts: int = 1) -> str:
    return (
        f'[models]\nbackend = "ollama"\nbase_url = "{server.base_url}"\ncontext_tokens = 8192\n'
        "retries = 0\nfirst_token_seconds = 5\nidle_seconds = 2\n"
        '[coding]\nmodel = "tiny"\nmax_output_tokens = 1024\n'
        '[reasoning]\nmodel = "tiny"\nmax_output_tokens = 1024\n'
        f"[attempts]\ngenerators = {generators}\nattempts = {attempts}\nsteps = 8\n"
        "[solve]\nseconds = 10\n"
    )


def with_model(folder: Path, server: ModelServer, **options: Any) -> Journey:
    journey = new_journey(folder, dict(FILES))
    journey.ok("init", "--offline")
    (journey.root / ".clean_room" / "config.toml").write_text(settings(server, **options))
    return journey


def edits(answer: str | Callable[[int], str]) -> Reply:
    """A model that judges well and then writes `answer`, perhaps by the number of the turn."""
    turn = 0

    def reply(request: dict[str, Any]) -> Answer:
        nonlocal turn
        if "diagnosis" in json.dumps(request.get("format")):
            return Answer(json.dumps(REFLECTION))
        if stage_of(request) != "implement":
            return GOOD_MODEL(request)
        turn += 1
        return Answer(answer if isinstance(answer, str) else answer(turn))

    return reply


def block(search: str, replace: str, path: str = "money.py", **new_files: str) -> str:
    files = [{"path": name, "content": text} for name, text in new_files.items()]
    changed = [{"path": path, "search": search, "replace": replace}] if search else []
    return json.dumps({"edits": changed, "new_files": files, "summary": "all tests pass now"})


def test_a_competent_model_plans_and_solves(tmp_path: Path) -> None:
    with ModelServer("ollama", GOOD_MODEL) as server:
        journey = with_model(tmp_path, server)
        before = journey.state()
        plan = journey.ok("plan", TASK)
        solved = journey.ok("solve", TASK, "--test", "pytest -q", "--plan", plan["plan_id"])
        assert journey.state() == before
        assert (solved["status"], solved["generator"]) == ("solved", "llm")
        assert solved["calls"] == len(server.chats) - plan["calls"]
        assert solved["output_tokens"] > 0
        assert journey.ok("verify")["clean"]
        journey.ok("apply", "last")
        assert (journey.root / "money.py").read_text() == FIXED
        journey.ok("undo")
        assert journey.state() == before
        said = journey.cra("solve", TASK, "--test", "pytest -q").stdout
        assert "solved by llm" in said
        assert "tokens in" in said


LOOP = block(OLD, OLD.replace("<= rest", "<= rest + 1"))
CONFTEST = "def pytest_collection_modifyitems(items):\n    items.clear()\n"
OUTSIDE = {"path": "../escaped.py", "content": "x = 1\n"}
BAD: dict[str, tuple[str | Callable[[int], str], set[str], int]] = {
    # name: what it writes, outcomes its turns may have, the exit code
    "malformed": ('{"edits": [', {"unusable"}, 1),
    "empty": ("", {"unusable"}, 1),
    "prose": ("Fixed. All tests pass.", {"unusable"}, 1),
    "wrong types": ('{"edits": "all", "summary": 3}', {"unusable"}, 1),
    "looping": (LOOP, {"reverted", "reflected"}, 1),
    "no change": (block(OLD, OLD), {"no_change", "reflected"}, 1),
    "unknown text": (block("    return nothing\n", "x\n"), {"unusable"}, 1),
    "edits tests": (block("", "", **{"conftest.py": CONFTEST}), {"refused", "reflected"}, 1),
    "escapes": (
        json.dumps({"edits": [], "new_files": [OUTSIDE], "summary": "x"}), {"unusable"}, 1,
    ),
    "git": (block("", "", **{".git/hooks/pre-commit": "x\n"}), {"unusable"}, 1),
    "exits early": (
        block(OLD, "    import os\n    os._exit(0)\n"), {"reverted", "reflected"}, 1,
    ),
}  # fmt: skip


@pytest.mark.reliability(86)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_model_is_told_from_a_good_one(tmp_path: Path, kind: str) -> None:
    answer, outcomes, code = BAD[kind]
    with ModelServer("ollama", edits(answer)) as server:
        journey = with_model(tmp_path, server)
        before = journey.state()
        done = journey.cra("solve", TASK, "--test", "pytest -q", "--json")
        document = done.document
        assert (done.code, document["status"]) == (code, "not_solved"), done.stderr
        assert document["patch"] == ""
        assert document["worktree"] is None
        assert document["turns"] <= 8
        assert journey.state() == before
        assert not (journey.root.parent / "escaped.py").exists()
        assert len(journey.git("worktree", "list").splitlines()) == 1
        assert turn_outcomes(journey) <= outcomes
        assert journey.ok("verify")["clean"]


def turn_outcomes(journey: Journey) -> set[str]:
    from clean_room_agent.store.raw_reader import RawReader

    with RawReader(journey.root) as reader:
        task = reader.read_tasks(limit=1)[0].task.task_id
        (attempt,) = reader.read_attempts(task)
        return {str(turn.outcome) for turn in reader.read_turns(attempt.attempt_id)}


@pytest.mark.reliability(27)
def test_a_truncated_answer_is_never_half_applied(tmp_path: Path) -> None:
    whole = block(OLD, OLD.replace("<=", "<"))

    def cut(request: dict[str, Any]) -> Answer:
        if stage_of(request) != "implement":
            return GOOD_MODEL(request)
        # A whole answer that says it was cut is not trusted either.
        return Answer(whole, finish="length")

    with ModelServer("ollama", cut) as server:
        journey = with_model(tmp_path, server)
        before = journey.state()
        done = journey.cra("solve", TASK, "--test", "pytest -q", "--json")
        assert (done.code, done.document["status"]) == (1, "not_solved")
        assert turn_outcomes(journey) == {"unusable"}
        assert journey.state() == before
    # The control: the same answer, not cut, is the fix.
    with ModelServer("ollama", edits(whole)) as server:
        (journey.root / ".clean_room" / "config.toml").write_text(settings(server))
        assert journey.ok("solve", TASK, "--test", "pytest -q")["status"] == "solved"


FAULTS = {
    "closed": Answer(LOOP, fault=Fault(Trouble.CLOSE, after=1)),
    "hung": Answer(LOOP, fault=Fault(Trouble.HANG, after=1)),
    "slow": Answer(LOOP, fault=Fault(Trouble.SLOW_FIRST, seconds=8)),
    "server error": Answer(fault=Fault(Trouble.STATUS, code=500, body='{"error": "boom"}')),
    "throttled": Answer(fault=throttled("1")),
    "truncating": Answer("{}", prompt_tokens=12),
    "garbage": Answer(LOOP, fault=Fault(Trouble.GARBAGE, after=1)),
    "another model": Answer("{}", model="other"),
}


class Failing:
    """Fails at the second edit until it is mended; then it knows the fix."""

    def __init__(self, fault: Answer) -> None:
        self._fault = fault
        self.mended = False
        self.asked: list[str] = []
        self._edits = 0

    def __call__(self, request: dict[str, Any]) -> Answer:
        stage = stage_of(request)
        self.asked.append(stage)
        if stage != "implement":
            return GOOD_MODEL(request)
        self._edits += 1
        if self.mended:
            return GOOD_MODEL(request)
        return Answer(LOOP) if self._edits == 1 else self._fault


@pytest.mark.reliability(84)
@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_fails_in_the_middle_ends_with_its_code_loses_nothing_and_is_resumed(
    tmp_path: Path, name: str
) -> None:
    model = Failing(FAULTS[name])
    with ModelServer("ollama", model) as server:
        journey = with_model(tmp_path, server, generators='["llm", "templates"]')
        before = journey.state()
        done = journey.cra("solve", TASK, "--test", "pytest -q", "--json")
        expected = 3 if name == "another model" else 4
        assert done.code == expected, done.stderr
        assert turn_outcomes(journey) == {"reverted"}
        assert journey.state() == before
        assert len(journey.git("worktree", "list").splitlines()) == 1
        assert journey.ok("verify")["clean"]
        if expected == 3:
            return
        assert "cra resume r-" in done.stderr
        assert journey.ok("runs", "--verb", "solve")["runs"][0]["status"] == "model"
        model.mended, asked = True, len(model.asked)
        resumed = journey.ok("resume")
        assert resumed["status"] == "solved"
        assert model.asked[asked:] == ["implement"], "what was answered was asked again"
        assert journey.ok("verify")["clean"]


def test_both_generators_stand_side_by_side_on_the_terminal(tmp_path: Path) -> None:
    with ModelServer("ollama", edits("no idea")) as server:
        journey = with_model(tmp_path, server, generators='["llm", "templates"]')
        done = journey.cra("solve", TASK, "--test", "pytest -q")
        assert done.code == 0, done.stderr
        assert "solved by templates" in done.stdout
        assert "tried (llm): 1 attempt, 3 turns" in done.stdout
        assert "tried (templates): " in done.stdout
