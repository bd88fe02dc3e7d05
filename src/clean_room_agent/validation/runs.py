"""One run of the test command in isolation, told test by test.

Takes: a command, a tree, an `Isolation`. Gives: `TestRun`. Does not know: what is expected.
stdout is kept for people and never parsed (case 50); an exit code decides nothing (case 49).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clean_room_agent.errors import TamperedError, UsageError
from clean_room_agent.records.attempt import RunStatus, TestOutcome, TestResult, TestRun
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.channel import Job, Runner
from clean_room_agent.validation.isolation import IsolatedRun, Isolation

_WORDS = ("adds", "edge", "empty", "index", "items", "limit", "order", "parse", "range", "shape")
_BAD = (TestOutcome.FAILED, TestOutcome.ERROR)


@dataclass(slots=True)
class _Test:
    """What has been reported of one test so far."""

    outcome: TestOutcome = TestOutcome.ABSENT
    seconds: float = 0.0
    detail: str = ""
    finished: bool = False


@dataclass(slots=True)
class _Tally:
    """Everything reported on the channel of one run."""

    started: bool = False
    no_pytest: str = ""
    ended: bool = False
    tests: dict[str, _Test] = field(default_factory=dict)
    collect_errors: list[TestResult] = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        match record["kind"]:
            case "start":
                self.started = True
            case "no_pytest":
                self.no_pytest = record["detail"]
            case "collected":
                self.tests = {test_id: _Test() for test_id in record["ids"]}
            case "collect_error":
                result = TestResult(record["id"], TestOutcome.ERROR, 0.0, record["detail"])
                self.collect_errors.append(result)
            case "phase":
                _add_phase(self.tests.setdefault(record["id"], _Test()), record)
            case "end":
                self.ended = True

    def results(self, canary: str) -> tuple[TestResult, ...]:
        """Results of finished tests; one that never finished is absent, whatever it said."""
        found = [
            TestResult(i, t.outcome if t.finished else TestOutcome.ABSENT, t.seconds, t.detail)
            for i, t in self.tests.items()
            if not _is_canary(i, canary)
        ]
        return (*found, *self.collect_errors)

    def canary_betrayed(self, canary: str) -> bool:
        """Whether something passed although the test that must fail was not reported failed."""
        outcomes = {i: t.outcome for i, t in self.tests.items() if t.finished}
        ours = [outcome for i, outcome in outcomes.items() if _is_canary(i, canary)]
        if TestOutcome.PASSED not in outcomes.values():
            return False
        if not ours and not self.ended:
            return False  # the run died before it came to the canary
        return len(ours) != 1 or ours[0] not in _BAD


def _is_canary(test_id: str, canary: str) -> bool:
    return bool(canary) and test_id.rsplit("::", 1)[-1] == canary


def _add_phase(test: _Test, record: dict[str, Any]) -> None:
    outcome = TestOutcome(record["outcome"]) if record["outcome"] in set(TestOutcome) else None
    if outcome is None:
        return  # "rerun" and the like: the last attempt counts
    test.seconds += float(record["seconds"])
    if outcome is TestOutcome.FAILED:
        failed_in_call = record["when"] == "call"
        test.outcome = TestOutcome.FAILED if failed_in_call else TestOutcome.ERROR
        test.detail = record.get("detail", "")
    elif record["when"] == "setup":
        # A setup that starts over (a rerun) wipes what the earlier attempt said.
        test.outcome = TestOutcome.ABSENT if outcome is TestOutcome.PASSED else outcome
        test.detail = ""
    elif record["when"] == "call" and test.outcome not in _BAD:
        test.outcome = outcome
    test.finished = record["when"] == "teardown"


def run_tests(
    command: TestCommand,
    tree: Path,
    isolation: Isolation,
    limits: Limits,
    *,
    select: Sequence[str] | None = None,
    canary: bool = True,
) -> TestRun:
    """Run the tests (only `select`, when given) and return each one's own outcome.

    With `canary`, a hidden test that must fail runs among them; if it does not fail while others
    pass, the status is `tampered` (case 48).

    Raises:
        UsageError: pytest is not installed in the interpreter of the command.
        SandboxError: the process could not be started.
    """
    name = _canary_name() if canary else ""
    settings = {
        "select": list(select or ()),
        "canary": name,
        "plain": False,
        "one_test_seconds": limits.one_test_seconds,
    }
    tally, forged = _Tally(), ""
    with Runner.start(command, tree, isolation, limits, Job("reporter", (), settings)) as runner:
        try:
            _listen(runner, tally, limits.wall_seconds + limits.grace_seconds + 5.0)
        except TamperedError as error:
            forged = error.message
            runner.kill()
        ending = runner.wait()
    if tally.no_pytest:
        raise UsageError(
            f"{command.interpreter} cannot import pytest ({tally.no_pytest})",
            hint="install pytest in that environment, or name the interpreter that has it",
        )
    return _conclude(tally, ending, name, forged)


def _listen(runner: Runner, tally: _Tally, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not runner.ended and (left := deadline - time.monotonic()) > 0:
        record = runner.receive(left)
        if record is not None:
            tally.add(record)
    if not runner.ended:
        runner.kill()


def _conclude(tally: _Tally, ending: IsolatedRun, canary: str, forged: str) -> TestRun:
    status, reason = ending.status, ending.reason
    if forged:
        status, reason = RunStatus.TAMPERED, forged
    elif canary and tally.canary_betrayed(canary):
        status = RunStatus.TAMPERED
        reason = "a hidden test that must fail was not reported failed"
    elif not tally.started and status in (RunStatus.COMPLETED, RunStatus.CRASHED):
        status, reason = RunStatus.NOT_STARTED, reason or "the runner did not start"
    elif status is RunStatus.COMPLETED and not tally.ended:
        status, reason = RunStatus.CRASHED, "the test process ended before its tests did"
    return TestRun(
        status=status,
        exit_code=ending.exit_code,
        results=tally.results(canary),
        seconds=ending.seconds,
        output_head=ending.output_head,
        output_tail=ending.output_tail,
        output_bytes=ending.output_bytes,
        reason=reason,
    )


def _canary_name() -> str:
    words = [secrets.choice(_WORDS) for _ in range(2)]
    return f"test_{words[0]}_{words[1]}_{secrets.randbelow(10_000)}"
