"""Which failing tests a patch must turn, and which passing ones it must leave alone.

Takes: the baseline run, what the user named, the task text. Gives: `Targets`.
Does not know: how tests run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clean_room_agent.errors import NotSolvedError, TamperedError, UsageError
from clean_room_agent.records.attempt import RunStatus, TestOutcome, TestRun


@dataclass(frozen=True, slots=True)
class Targets:
    """`fail_to_pass` must pass afterwards, `pass_to_pass` still; other failures may stay."""

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    other_failures: tuple[str, ...]


# In the order in which they ran; the rest is in the log.
FAILING_SHOWN = 5
_REFUSALS = {
    RunStatus.NOT_STARTED: "the test command did not start",
    RunStatus.TIMEOUT: "the tests ran into the time limit",
    RunStatus.MEMORY: "the tests ran into the memory limit",
    RunStatus.RESOURCE: "the tests ran into a resource limit",
    RunStatus.CRASHED: "the test process crashed",
}


def choose_targets(run: TestRun, named: Sequence[str], task_text: str) -> Targets:
    """Return the targets: the tests named by `--fix`, else those the task names, else all failing.

    Raises:
        UsageError: the command did not start or ran no test; a named test is unknown.
        NotSolvedError: no test fails, so nothing shows the problem; or the named ones pass.
        TamperedError: the tests interfere with the oracle before anything was changed.
    """
    _require_verdicts(run)
    failing = run.failed
    if not failing:
        raise NotSolvedError(
            f"all {len(run.passed)} tests pass already: no failing test shows the problem",
            hint="write a test that fails because of it, then run this again",
        )
    wanted = tuple(named) or tuple(t for t in failing if _is_named(t, task_text))
    known = {result.test_id for result in run.results}
    for test_id in named:
        if test_id not in known:
            raise UsageError(
                f"--fix names an unknown test: {test_id}",
                hint=f"the failing ones are {', '.join(failing[:FAILING_SHOWN])}",
            )
        if test_id not in failing:
            raise NotSolvedError(f"the test named by --fix passes already: {test_id}")
    chosen = wanted or failing
    others = tuple(t for t in failing if t not in chosen)
    return Targets(chosen, run.passed, others)


def _require_verdicts(run: TestRun) -> None:
    if run.status is RunStatus.TAMPERED:
        raise TamperedError(f"the tests interfere with their own verdict: {run.reason}")
    if run.status in _REFUSALS:
        absent = [r.test_id for r in run.results if r.outcome is TestOutcome.ABSENT]
        unfinished = (
            f"; {len(absent)} tests were not reported, the first: {absent[0]}" if absent else ""
        )
        raise UsageError(
            f"{_REFUSALS[run.status]}{unfinished}",
            where=_last_words(run) or run.reason,
            hint="run the command by hand, leave that test out, or see [sandbox] of the settings",
        )
    if not run.results:
        raise UsageError(
            "the test command ran no test",
            where=_last_words(run),
            hint="check what stands after --test; paths count from the repository's root",
        )


def _last_words(run: TestRun) -> str:
    """Return the last lines that the test command printed; pytest says there what was wrong."""
    # A short output stands in the head alone.
    lines = (run.output_tail or run.output_head).decode("utf-8", "replace").splitlines()
    return " | ".join(line.strip() for line in lines if line.strip())[-300:]


def _is_named(test_id: str, text: str) -> bool:
    """Whether the task names this test: its whole id, or its function name as a word."""
    name = test_id.rsplit("::", 1)[-1].split("[", 1)[0]
    words = {word.strip("`'\"().,:;") for word in text.split()}
    return test_id in text or name in words or any(w.endswith("::" + name) for w in words)
