"""The first difference between a run and its repetition is found and shown, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from clean_room_agent.pipeline.replay import Comparison, compare_runs
from clean_room_agent.records.answers import Plan, PlanStep, StepAction, Turn, TurnOutcome
from clean_room_agent.records.calls import CallStage, ModelRequest
from clean_room_agent.records.context import ContextPackage, Fragment, FragmentKind, Verdict
from clean_room_agent.records.log import Attempt, RunEnd
from clean_room_agent.records.task import RunId, TaskId
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from tests.store import call_samples, samples

HAPPENED = "happened in the replay only"
PACKAGE = samples.a_package()


@dataclass(frozen=True)
class Sample:
    """One run: two judges in flight together, a package, an edit with its turn, a plan."""

    judges: tuple[bytes, ...] = (b"judge one\n", b"judge two\n")
    package: ContextPackage = PACKAGE
    edit: bytes = b"mend it\nplease\n"
    later: tuple[bytes, ...] = ()
    seed: int = 1
    schema: str = "object"
    outcome: TurnOutcome = TurnOutcome.REVERTED
    generator: str = "llm"
    diff: bytes = b"--- a\n+++ b\n"
    summary: str = "make it add"
    status: str = "solved"
    exit_code: int | None = 0
    stopped: str = ""

    def log(self, raw: RawLog, number: int) -> None:
        run, task = RunId(f"r-{number}"), TaskId(f"t-{number}")
        raw.append_run(samples.a_run(run))
        raw.append_task(samples.a_task(task, run))
        package_id = f"k-{number}"
        judges = [
            self._call(f"q-{number}-{n}", CallStage.SCOPE, content, number)
            for n, content in enumerate(self.judges)
        ]
        raw.append_requests(judges)
        prompt = samples.prompt_of(self.package)
        raw.append_package(task, self.package, prompt, package_id=package_id)
        edit = self._call(f"q-{number}-edit", CallStage.IMPLEMENT, self.edit, number)
        raw.append_requests([replace(edit, schema={"type": self.schema})])
        attempt_id = f"a-{number}"
        raw.append_attempt(Attempt(attempt_id, task, self.generator))
        turn = Turn(f"n-{number}", attempt_id, 0, edit.request_id, "edit", self.outcome, "seen")
        raw.append_turn(turn)
        for n, content in enumerate(self.later):
            call = self._call(f"q-{number}-later-{n}", CallStage.REFLECT, content, number)
            raw.append_requests([call])
        step = PlanStep(StepAction.MODIFY, "calc.py", "add", "mend")
        raw.append_plan(task, edit.request_id, Plan(self.summary, (step,)))
        raw.append_patch(
            replace(
                samples.a_patch(), patch_id=f"p-{number}", attempt_id=attempt_id, diff=self.diff
            )
        )
        if self.exit_code is not None:
            summary = {"stopped": self.stopped}
            raw.append_run_end(RunEnd(run, self.status, self.exit_code, summary))

    def _call(self, name: str, stage: CallStage, content: bytes, number: int) -> ModelRequest:
        fragments = [
            call_samples.instruction(),
            Fragment(FragmentKind.NOTE, content, 3, template="n/1"),
        ]
        seed = self.seed if stage is CallStage.IMPLEMENT else 1
        made = call_samples.a_request(name, stage, fragments, f"k-{number}", seed=seed)
        return replace(made, run_id=RunId(f"r-{number}"), task_id=TaskId(f"t-{number}"))


PLAIN = Sample()
Compare = Callable[[Sample, Sample], Comparison]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    def compared(before: Sample, after: Sample) -> Comparison:
        with RawLog(tmp_path) as raw:
            before.log(raw, 1)
            after.log(raw, 2)
        with RawReader(tmp_path) as reader:
            return compare_runs(reader, reader.read_run("r-1"), reader.read_run("r-2"))

    return compared


def excluded() -> ContextPackage:
    package = samples.a_package()
    (stage,) = package.stages
    first, second = stage.decisions
    turned = replace(first, verdict=Verdict.EXCLUDED, detail=None)
    return replace(package, stages=(replace(stage, decisions=(turned, second)),))


def test_equal_runs_do_not_differ(compare: Compare) -> None:
    found = compare(PLAIN, PLAIN)
    assert found.divergence is None
    assert (found.calls, found.packages, found.decisions, found.turns) == (3, 1, 2, 1)
    assert (found.notes, found.is_cut_short) == ((), False)


def test_calls_in_flight_together_may_change_places(compare: Compare) -> None:
    assert compare(PLAIN, replace(PLAIN, judges=PLAIN.judges[::-1])).divergence is None


@pytest.mark.parametrize(
    ("after", "where", "what", "detail"),
    [
        (
            replace(PLAIN, judges=(b"judge one\n", b"judge 2\n")),
            "call 2 (scope, q-1-1)", "fragment 1 (note) differs", "+judge 2",
        ),
        (
            replace(PLAIN, edit=b"mend it\nat once\n"),
            "call 3 (implement, q-1-edit)", "fragment 1 (note) differs", "-please",
        ),
        (
            replace(PLAIN, judges=(b"judge one\n",)),
            "call 2 (scope, q-1-1)", "did not happen in the replay", "",
        ),
        (
            replace(PLAIN, judges=(*PLAIN.judges, b"more\n")),
            "call 3 (scope, q-2-2)", "happened in the replay only", "",
        ),
        (replace(PLAIN, seed=2), "call 3", "another model or sampling was asked", "'seed': 2"),
        (replace(PLAIN, schema="array"), "call 3", "its schema is another one", "array"),
        (
            replace(PLAIN, package=excluded()),
            "package 1 (k-1)", "decision 0 differs", "calc.py::add [",
        ),
        (
            replace(PLAIN, package=samples.a_package("lib.py")),
            "package 1 (k-1)", "decision 0 differs", "+ precision lib.py::add",
        ),
        (
            replace(PLAIN, outcome=TurnOutcome.REFUSED),
            "turn 0 of attempt 1: reverted", "ended otherwise", "+ turn 0 of attempt 1: refused",
        ),
        (replace(PLAIN, summary="another"), "plan 1", "is another one", "another"),
        (replace(PLAIN, diff=b"other\n"), "patches", "1 were logged, 1 others now", ""),
        (
            replace(PLAIN, status="not_solved", exit_code=1),
            "the end", "the run ended solved (0), the replay not_solved (1)", "",
        ),
    ],
    ids=[
        "judge", "edit", "fewer", "more", "seed", "schema", "verdict", "path", "turn", "plan",
        "patch", "end",
    ],
)  # fmt: skip
def test_the_first_difference_is_named_and_shown(
    compare: Compare, after: Sample, where: str, what: str, detail: str
) -> None:
    found = compare(PLAIN, after).divergence
    assert found is not None
    assert found.where.startswith(where)
    assert found.what == what
    assert any(detail in line for line in found.details) or not detail, found.details


def test_of_two_differences_the_earlier_one_is_named(compare: Compare) -> None:
    """The package differs because a judge was asked otherwise: the judge came first."""
    after = replace(PLAIN, judges=(b"other\n", b"judge two\n"), package=excluded(), edit=b"x\n")
    found = compare(PLAIN, after).divergence
    assert found is not None and found.where.startswith("call 1 (scope")


def test_a_package_that_differs_comes_before_the_call_it_changes(compare: Compare) -> None:
    found = compare(PLAIN, replace(PLAIN, package=excluded(), edit=b"x\n")).divergence
    assert found is not None and found.where.startswith("package 1")


@pytest.mark.parametrize("exit_code", [None, 4, 130, 143])
def test_a_run_that_was_cut_short_is_compared_as_far_as_it_came(
    compare: Compare, exit_code: int | None
) -> None:
    before = replace(PLAIN, judges=(b"judge one\n",), exit_code=exit_code)
    found = compare(before, replace(PLAIN, judges=(b"judge one\n",), summary="more came"))
    assert found.divergence is None and found.is_cut_short


def test_a_run_that_was_cut_short_may_differ_before(compare: Compare) -> None:
    before = replace(PLAIN, exit_code=None)
    assert compare(before, replace(PLAIN, edit=b"x\n")).divergence is not None


def test_what_a_timed_search_found_makes_a_note(compare: Compare) -> None:
    before = replace(PLAIN, generator="templates")
    after = replace(before, diff=b"other\n", status="not_solved", exit_code=5)
    found = compare(before, after)
    assert found.divergence is None
    assert "the timed search found other patches" in found.notes[0]
    assert "a timed search had the last word" in found.notes[1]


def test_a_faster_replay_of_a_run_that_the_clock_stopped_may_go_on(compare: Compare) -> None:
    before = replace(PLAIN, stopped="llm: the time is up; templates: every candidate was tried")
    found = compare(before, replace(before, later=(b"and on\n",)))
    assert found.divergence is None
    assert found.notes == ("the clock stopped the logged run; the replay was faster and went on",)


def test_a_replay_of_a_run_that_ended_by_itself_may_not(compare: Compare) -> None:
    """The time of the templates is no excuse: they ask no model."""
    before = replace(PLAIN, stopped="llm: plausible patches found; templates: the time is up")
    found = compare(before, replace(before, later=(b"and on\n",))).divergence
    assert found is not None
    assert (found.where, found.what) == ("call 4 (reflect, q-2-later-0)", HAPPENED)
