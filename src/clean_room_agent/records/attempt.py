"""From a package to a verified patch: edits, trials, test results, validations.

Takes: nothing. Gives: what `repair` and `execute` propose, `sandbox` and `validation` answer.
Does not know: how edits are found, or how tests are run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replace `[start_byte, end_byte)` of one file, whose whole content hashes to `before_sha256`.

    A replacement of an absent file has `before_sha256 == ""` and the range `[0, 0)`.
    """

    path: str
    start_byte: int
    end_byte: int
    new_bytes: bytes
    before_sha256: str


@dataclass(frozen=True, slots=True)
class PatchCandidate:
    """One proposed change: replacements (all or none), its template, and why it is tried now.

    `normal_form` is equal for candidates that mean the same program text; `suspiciousness` is
    the spectrum score of the line, `prior` that of the template; `order_key` sorts ascending.
    """

    replacements: tuple[Replacement, ...]
    template: str
    summary: str
    line: int
    suspiciousness: float
    prior: float
    normal_form: str

    @property
    def candidate_id(self) -> str:
        return hashlib.sha256(self.normal_form.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class TestOutcome(StrEnum):
    """What one test did. `absent`: expected, but never individually reported."""

    __test__ = False

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of one run; `detail` is the (bounded) failure text."""

    __test__ = False

    test_id: str
    outcome: TestOutcome
    seconds: float
    detail: str = ""


class RunStatus(StrEnum):
    """How a test run ended, apart from what its tests said."""

    COMPLETED = "completed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    RESOURCE = "resource"
    CRASHED = "crashed"
    NOT_STARTED = "not_started"
    TAMPERED = "tampered"


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of the test command in the sandbox."""

    __test__ = False

    status: RunStatus
    exit_code: int | None
    results: tuple[TestResult, ...]
    seconds: float
    output_head: bytes
    output_tail: bytes
    output_bytes: int
    reason: str = ""

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(r.test_id for r in self.results if r.outcome is TestOutcome.PASSED)

    @property
    def failed(self) -> tuple[str, ...]:
        bad = (TestOutcome.FAILED, TestOutcome.ERROR)
        return tuple(r.test_id for r in self.results if r.outcome in bad)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Which lines each traced test executed: path -> line -> tests; and how each test ended."""

    failing: tuple[str, ...]
    passing: tuple[str, ...]
    lines: Mapping[str, Mapping[int, frozenset[str]]] = field(default_factory=dict)
    complete: bool = True


class TrialOutcome(StrEnum):
    """What a trial of one candidate in the warm process showed."""

    PLAUSIBLE = "plausible"
    FAILED = "failed"
    BROKE = "broke"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Trial:
    """One tried candidate: outcome, the first test that spoke against it, seconds."""

    candidate_id: str
    outcome: TrialOutcome
    seconds: float
    test_id: str = ""
    detail: str = ""


class ValidationVerdict(StrEnum):
    """The graded answer for a patch in a fresh tree."""

    SOLVED = "solved"
    NOT_SOLVED = "not_solved"
    TAMPERED = "tampered"
    FLAKY = "flaky"
    INFRASTRUCTURE = "infrastructure"


@dataclass(frozen=True, slots=True)
class Validation:
    """A patch graded: expected tests against what was individually reported, and flags.

    `flags` name what was not carried over or looks like interference (test files changed,
    conftest added, configuration changed, canary passed, ...).
    """

    verdict: ValidationVerdict
    reason: str
    fail_to_pass: Mapping[str, TestOutcome]
    pass_to_pass: Mapping[str, TestOutcome]
    flags: tuple[str, ...]
    run: TestRun
