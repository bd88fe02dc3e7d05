"""The graded answer for a patch, in a fresh tree that holds nothing but its accepted source diff.

Takes: a command, that tree, an `Isolation`, what is expected of which test. Gives: `Validation`.
Does not know: how the patch was found, or how the tree was made.

NOT guarded: an object that compares equal to everything passes any assert; `screen.scan_diff`
flags it, and only stronger hidden tests refute it (case 51).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clean_room_agent.records.attempt import (
    RunStatus,
    TestOutcome,
    TestRun,
    Validation,
    ValidationVerdict,
)
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.isolation import Isolation
from clean_room_agent.validation.runs import run_tests


@dataclass(frozen=True, slots=True)
class Expectations:
    """Tests that must come to pass, tests that must stay passing, and flags already raised."""

    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def all_ids(self) -> tuple[str, ...]:
        return (*self.fail_to_pass, *self.pass_to_pass)

    def narrowed_to(self, broken: Collection[str]) -> Expectations:
        """Return these expectations without the passing tests that are not in `broken`."""
        return replace(self, pass_to_pass=tuple(i for i in self.pass_to_pass if i in broken))


def grade(
    command: TestCommand,
    tree: Path,
    isolation: Isolation,
    expectations: Expectations,
    limits: Limits,
) -> Validation:
    """Run the whole command in `tree`; SOLVED needs each expected test reported passed.

    What the verdict hangs on is run twice: the tests that came to pass, or those that broke.

    Raises:
        UsageError: pytest is not installed in the interpreter of the command.
        SandboxError: the process could not be started.
    """
    if not expectations.fail_to_pass:
        raise ValueError("nothing is expected to pass, so nothing can be graded")
    first = run_tests(command, tree, isolation, limits)
    verdict, reason = judge(first, expectations)
    if verdict is ValidationVerdict.SOLVED or _only_stays_broken(first, expectations):
        # The repeat asks what the verdict hangs on, not the whole suite again.
        doubted = expectations.narrowed_to(missing_of(first, expectations))
        second = run_tests(command, tree, isolation, limits, select=doubted.all_ids)
        again, why = judge(second, doubted)
        if again is not verdict:
            verdict = again if again in _OVERRULES else ValidationVerdict.FLAKY
            reason = f"two runs disagree: {reason or 'solved'}; then {why or 'solved'}"
    flags = expectations.flags
    if verdict is ValidationVerdict.TAMPERED:
        flags = (*flags, f"tampered:{reason}")
    return Validation(
        verdict=verdict,
        reason=reason,
        fail_to_pass=_outcomes(first, expectations.fail_to_pass),
        pass_to_pass=_outcomes(first, expectations.pass_to_pass),
        flags=flags,
        run=first,
    )


_OVERRULES = (ValidationVerdict.TAMPERED, ValidationVerdict.INFRASTRUCTURE)


def judge(run: TestRun, expectations: Expectations) -> tuple[ValidationVerdict, str]:
    """Judge one run: absent, skipped and expected-to-fail are not passed (case 49)."""
    if run.status is RunStatus.TAMPERED:
        return ValidationVerdict.TAMPERED, run.reason
    if run.status is RunStatus.NOT_STARTED:
        return ValidationVerdict.INFRASTRUCTURE, run.reason
    outcomes = _outcomes(run, expectations.all_ids)
    missing = missing_of(run, expectations)
    if missing:
        first = f"{missing[0]} is {outcomes[missing[0]].value}"
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        ending = f" (run {run.status.value})" if run.status is not RunStatus.COMPLETED else ""
        return ValidationVerdict.NOT_SOLVED, first + more + ending
    if run.status is not RunStatus.COMPLETED:
        return ValidationVerdict.NOT_SOLVED, f"the run ended {run.status.value}: {run.reason}"
    return ValidationVerdict.SOLVED, ""


def missing_of(run: TestRun, expectations: Expectations) -> list[str]:
    """List the expected tests that were not individually reported passed, in order."""
    outcomes = _outcomes(run, expectations.all_ids)
    return [i for i, outcome in outcomes.items() if outcome is not TestOutcome.PASSED]


def _outcomes(run: TestRun, expected: Collection[str]) -> Mapping[str, TestOutcome]:
    reported = {result.test_id: result.outcome for result in run.results}
    return {test_id: reported.get(test_id, TestOutcome.ABSENT) for test_id in expected}


def _only_stays_broken(run: TestRun, expectations: Expectations) -> bool:
    """Whether the goal is met and only formerly passing tests speak against the patch."""
    goal = _outcomes(run, expectations.fail_to_pass).values()
    return run.status is RunStatus.COMPLETED and all(o is TestOutcome.PASSED for o in goal)
