"""The attempt loop: turns, verification, fresh prompts, limits, and going in circles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clean_room_agent.llm.wire import TransportError, WireRequest
from clean_room_agent.records.answers import TurnOutcome
from clean_room_agent.records.calls import ReplyStatus
from tests.pipeline.support import GOOD, NEW, OLD, OTHER_WRONG, WRONG, Bench, Script, block
from tests.support.journey import BUGGY, FIXED, TESTS

LLM = 'attempts.generators=["llm"]'
REFLECTION = '{"diagnosis": "the bound is wrong", "next": "compare strictly"}'
DISTINCT = [block(OLD, OLD.replace("1 if", f"{n} if"), summary=f"{n} each") for n in range(2, 9)]
PROSE = "I have fixed the bug, all tests pass now."


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_first_edit_that_passes_ends_the_attempt_and_is_graded(bench: Bench) -> None:
    before = bench.journey.state()
    ended = bench.solve(Script([GOOD]), LLM)
    assert ended.code == 0
    assert ended.document["generator"] == "llm"
    assert "-    return [base + (1 if index <= rest" in ended.document["patch"]
    assert (ended.document["attempts"], ended.document["turns"]) == (1, 1)
    assert ended.document["calls"] == ended.document["calls_by_stage"]["implement"] + sum(
        n for stage, n in ended.document["calls_by_stage"].items() if stage != "implement"
    )
    assert ended.document["prompt_tokens"] > 0
    assert [t.outcome for t in bench.turns()] == [TurnOutcome.SOLVED]
    assert bench.endings() == ["plausible"]
    assert bench.journey.state() == before


def test_what_failed_is_told_to_a_fresh_prompt_and_not_the_turn_before_it(bench: Bench) -> None:
    script = Script([WRONG, OTHER_WRONG, GOOD])
    ended = bench.solve(script, LLM)
    assert ended.code == 0
    turns = bench.turns()
    assert [t.outcome for t in turns] == ["reverted", "reverted", "solved"]
    first, second, third = script.prompts["implement"]
    assert "tried-edit" not in first
    assert "<= rest + 1" in second
    assert "2 if index" in third
    # Never a transcript: the turn before the last one is gone.
    assert "<= rest + 1" not in third
    # Each edit is one of the base, so no prompt shows an edited file.
    assert all(OLD in prompt for prompt in (first, second, third))
    # Each turn has its test run, and the next prompt names it as its source.
    with bench.log() as reader:
        runs = {run.test_run_id: run for run in reader.read_test_runs(bench.task_id)}
        fragments = reader.read_prompt_fragments(turns[1].request_id)
        packages = reader.read_packages(bench.task_id)
    assert all(runs[turn.test_run_id].purpose == "turn" for turn in turns)
    assert f"test_run:{turns[0].test_run_id}" in {source for _, source in fragments}
    # The failures named nothing that was not shown, so the package stayed the same.
    assert len(packages) == 1
    assert bench.events("package.rebuilt") == ()
    tree = Path(ended.document["worktree"])
    assert (tree / "money.py").read_text() == FIXED
    assert (tree / "test_money.py").read_text() == TESTS


@pytest.mark.parametrize(
    ("edits", "override", "limit", "code"),
    [
        (DISTINCT, "attempts.steps=2", "steps", 5),
        (DISTINCT, "attempts.tokens=1", "tokens", 5),
        (DISTINCT, "attempts.seconds=0.001", "seconds", 5),
        ([PROSE, "{}", '{"edits": 3}', "[]", PROSE, "null"], "attempts.format_errors=2",
         "format_errors", 1),
    ],
)  # fmt: skip
def test_each_limit_ends_the_attempt_and_is_named(
    bench: Bench, edits: list[str], override: str, limit: str, code: int
) -> None:
    ended = bench.solve(Script(edits), LLM, "attempts.attempts=1", override)
    assert bench.endings() == [limit]
    assert (ended.code, ended.document["status"]) == (code, "not_solved")
    assert ended.document["patch"] == ""


def test_attempts_differ_by_their_seed_and_are_counted(bench: Bench) -> None:
    ended = bench.solve(Script(DISTINCT), LLM, "attempts.attempts=2", "attempts.steps=1")
    assert ended.document["attempts"] == 2
    assert bench.endings() == ["steps", "steps"]
    seeds = [attempt.limits["seed"] for attempt in bench.attempts()]
    assert seeds == [1, 2]
    assert bench.events("generator.ended")[0].data["limit"] == "attempts"
    assert bench.transport is not None
    asked = [r for r in bench.transport.requests if "edits" in (r.schema or {})["properties"]]
    assert [r.sampling.seed for r in asked] == seeds


def test_the_same_edit_for_ever_is_reflected_on_once_and_then_stopped(bench: Bench) -> None:
    script = Script([WRONG], {"reflect": REFLECTION})
    ended = bench.solve(script, LLM, "attempts.attempts=1", "attempts.steps=50")
    outcomes = [turn.outcome for turn in bench.turns()]
    assert outcomes == ["reverted", "reverted", "reflected", "reverted"]
    assert bench.endings() == ["stuck"]
    assert ended.code == 1
    assert "compare strictly" in script.prompts["implement"][-1]
    assert all("compare strictly" not in p for p in script.prompts["implement"][:-1])


def test_two_edits_in_turns_are_a_circle_too(bench: Bench) -> None:
    edits = [WRONG, OTHER_WRONG] * 10
    bench.solve(Script(edits, {"reflect": REFLECTION}), LLM, "attempts.attempts=1",
                "attempts.steps=20")  # fmt: skip
    assert bench.endings() == ["stuck"]
    reflections = [t for t in bench.turns() if t.outcome is TurnOutcome.REFLECTED]
    assert [t.action for t in reflections] == ["reflect: two actions alternate"]


def test_a_reflection_that_helps_lets_the_attempt_go_on(bench: Bench) -> None:
    script = Script([WRONG, WRONG, GOOD], {"reflect": REFLECTION})
    assert bench.solve(script, LLM).code == 0
    assert [t.outcome for t in bench.turns()] == ["reverted", "reverted", "reflected", "solved"]


def test_edits_of_tests_are_left_out_flagged_and_the_rest_is_tried(bench: Bench) -> None:
    cheat = {"test_extra.py": "def test_extra():\n    assert True\n"}
    both = block(OLD, NEW, summary="compare strictly", new_files=cheat)
    ended = bench.solve(Script([both]), LLM)
    assert ended.code == 0
    assert "test-changed:test_extra.py" in ended.document["flags"]
    assert "test_extra" not in ended.document["patch"]


@pytest.mark.reliability(45)
def test_edits_of_tests_alone_solve_nothing(bench: Bench) -> None:
    conftest = "def pytest_collection_modifyitems(items):\n    items.clear()\n"
    only = block("", "", summary="all tests pass", new_files={"conftest.py": conftest})
    script = Script([only], {"reflect": REFLECTION})
    ended = bench.solve(script, LLM, "attempts.attempts=1")
    assert ended.code == 1
    assert {t.outcome for t in bench.turns()} <= {TurnOutcome.REFUSED, TurnOutcome.REFLECTED}
    assert "conftest-changed:conftest.py" in bench.turns()[0].observation
    # The control: with that file in the tree, the failing test is gone and nothing fails.
    (bench.journey.root / "conftest.py").write_text(conftest)
    control = bench.journey.cra("solve", "x", "--test", "pytest -q", "--json")
    assert "no test" in control.document["error"]["message"]


def test_no_change_is_told_and_a_circle(bench: Bench) -> None:
    script = Script([block(OLD, OLD)], {"reflect": REFLECTION})
    bench.solve(script, LLM, "attempts.attempts=1", "attempts.steps=9")
    outcomes = [turn.outcome for turn in bench.turns()]
    assert outcomes == ["no_change", "no_change", "reflected", "no_change"]


def test_a_failing_model_ends_the_run_with_everything_logged(bench: Bench) -> None:
    answers = Script([WRONG])

    def dies(request: WireRequest) -> str:
        text = answers(request)
        if answers.seen.get("implement", 0) > 1:
            raise TransportError(ReplyStatus.GARBAGE, "not a reply")
        return text

    before = bench.journey.state()
    ended = bench.solve(dies)
    assert ended.code == 4
    assert ended.error is not None
    with bench.log() as reader:
        run = reader.read_runs(limit=1)[0]
    assert f"cra resume {run.run.run_id}" in ended.error.hint
    assert run.end is not None
    assert run.end.exit_code == 4
    assert run.end.summary["calls_by_stage"]["implement"] == 2
    assert [t.outcome for t in bench.turns()] == ["reverted"]
    assert bench.endings() == ["model"]
    # No silent fallback: the templates that stand after the model did not run.
    assert [a.generator for a in bench.attempts()] == ["llm"]
    assert bench.journey.state() == before
    assert len(bench.journey.git("worktree", "list").splitlines()) == 1
    assert bench.journey.ok("verify")["clean"]


def test_templates_may_repair_what_a_model_did_not(bench: Bench) -> None:
    script = Script([WRONG], {"reflect": REFLECTION})
    ended = bench.solve(script, "attempts.attempts=1", "attempts.steps=1")
    assert ended.code == 0
    assert ended.document["generator"] == "templates"
    assert [g["generator"] for g in ended.document["generators"]] == ["llm", "templates"]
    assert ended.document["stopped"].startswith("llm: the last attempt used its steps; templates: ")


def test_both_generators_are_compared_and_equal_patches_are_one(bench: Bench) -> None:
    ended = bench.solve(Script([GOOD]))
    assert ended.code == 0
    with bench.log() as reader:
        patches = reader.read_patches(task_id=bench.task_id)
    same = [p for p in patches if p.diff.decode() == ended.document["patch"]]
    assert len(same) == 1
    assert same[0].score["generators"] == ["llm", "templates"]
    assert same[0].score["votes"] == 2


def test_the_later_generator_is_bounded_only_behind_a_patch_that_passes(tmp_path: Path) -> None:
    seconds = []
    for name, script in (("good", Script([GOOD])), ("bad", Script([WRONG]))):
        bench = Bench(tmp_path / name)
        bench.solve(script, "attempts.attempts=1", "attempts.steps=1", "solve.seconds=20",
                    "solve.tie_break_seconds=0.5")  # fmt: skip
        seconds.append([a.limits["seconds"] for a in bench.attempts()][1])
    assert seconds == [0.5, 20.0]


def _lets_nothing_in(script: Script) -> Callable[[WireRequest], str]:
    def answer(request: WireRequest) -> str:
        said = script(request)
        names = dict(request.schema or {})["properties"]
        if not all(name.startswith("c") and name[1:].isdigit() for name in names):
            return said
        return json.dumps({n: {"reason": "unrelated", "verdict": "exclude"} for n in names})

    return answer


def test_an_empty_room_is_not_asked_about(bench: Bench) -> None:
    script = Script([GOOD])
    ended = bench.solve(_lets_nothing_in(script), LLM)
    assert (ended.code, ended.document["status"]) == (1, "not_solved")
    # One attempt and no turn: the others would begin in the same room.
    assert bench.endings() == ["empty_room"]
    assert (ended.document["attempts"], ended.document["turns"]) == (1, 0)
    assert "implement" not in script.seen
    assert "the room is empty" in ended.document["reason"]
    assert "none was let in" in ended.document["reason"]
    assert "cra why" in ended.document["reason"]


def test_an_empty_room_gets_no_plan(bench: Bench) -> None:
    script = Script([GOOD])
    ended = bench.plan(_lets_nothing_in(script))
    assert (ended.code, ended.document["status"]) == (1, "no_plan")
    assert "plan" not in script.seen
    assert "none was let in" in ended.document["reason"]
    assert bench.plan(script).code == 0
    assert script.seen["plan"] == 1


HELPER = "def clamp(value):\n    return value + 1\n"
USES = "import helper\n\n\ndef spread(value):\n    return helper.clamp(value)\n"
SPREAD_TEST = "from spread import spread\n\n\ndef test_spread():\n    assert spread(1) == 1\n"
RAISES = "def spread(value):\n    import helper\n    return helper.clamp(str(value))\n"


def test_a_failure_that_names_code_not_shown_rebuilds_the_package_once(tmp_path: Path) -> None:
    files = {"helper.py": HELPER, "spread.py": USES, "test_spread.py": SPREAD_TEST}
    bench = Bench(tmp_path, files)
    # The judge shows only spread.py at first: what fails then is in helper.py, by its traceback.
    script = Script(
        [block(USES, RAISES, path="spread.py"),
         block(USES, RAISES.replace("str", "repr"), path="spread.py"),
         block(USES, "def spread(value):\n    return value\n", path="spread.py")],
        before={"spread.py": USES}, after={"spread.py": RAISES},
    )  # fmt: skip
    ended = bench.solve(
        script, LLM, task="spread of 1 is not 1", fix=("test_spread.py::test_spread",)
    )
    assert ended.code == 0
    rebuilt = bench.events("package.rebuilt")
    assert len(rebuilt) == 1
    assert rebuilt[0].data["named"] == ["helper.py"]
    with bench.log() as reader:
        assert len(reader.read_packages(bench.task_id)) == 2


def test_a_prompt_shows_the_base_and_not_the_users_edits_meanwhile(bench: Bench) -> None:
    answers = Script([WRONG, GOOD])

    def edits_meanwhile(request: WireRequest) -> str:
        text = answers(request)
        if answers.seen.get("implement") == 1:
            (bench.journey.root / "money.py").write_text(BUGGY + "# mine\n")
        return text

    ended = bench.solve(edits_meanwhile, LLM)
    assert ended.code == 0
    assert all("# mine" not in p for p in answers.prompts["implement"])
    assert (bench.journey.root / "money.py").read_text() == BUGGY + "# mine\n"
