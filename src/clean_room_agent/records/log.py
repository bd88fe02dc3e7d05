"""What the log keeps that no room hands over: runs, events, packages as logged, applications.

Takes: the other records. Gives: what `store.raw` appends and `store.raw_reader` returns.
Does not know: SQL, or who asks.

Times are UTC text with milliseconds and only describe; order is always `seq`. A record with an
empty `at` / `started_at` / `ended_at` is stamped when it is appended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clean_room_agent.records.attempt import Replacement, TestOutcome, TestRun, Trial
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Decision, Detail, FragmentKind
from clean_room_agent.records.task import RunId, Task, TaskId


class EventLevel(StrEnum):
    """How loud an event is; default-deny warnings are `warning`."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ApplicationAction(StrEnum):
    """What is done to the user's tree."""

    APPLY = "apply"
    UNDO = "undo"


class ApplicationPhase(StrEnum):
    """An `intent` is logged before the tree changes, an outcome after it."""

    INTENT = "intent"
    DONE = "done"
    ROLLED_BACK = "rolled_back"


class WorktreeAction(StrEnum):
    """What became of a worktree that we registered."""

    CREATED = "created"
    REMOVED = "removed"
    SALVAGED = "salvaged"


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a verb; `config` is the effective configuration with overrides."""

    run_id: RunId
    verb: str
    arguments: tuple[str, ...]
    config: Mapping[str, object]
    version: str
    pid: int
    started_at: str = ""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. A run without one was killed, or is still running."""

    run_id: RunId
    status: str
    exit_code: int
    summary: Mapping[str, object] = field(default_factory=dict)
    ended_at: str = ""


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run with its end, if it has one."""

    seq: int
    run: Run
    end: RunEnd | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth keeping that has no table of its own; `kind` is a dotted name."""

    run_id: RunId
    kind: str
    data: Mapping[str, object] = field(default_factory=dict)
    level: EventLevel = EventLevel.INFO
    task_id: TaskId | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class LoggedIndexRun:
    """One `cra index` as logged: the report is the JSON form of `IndexReport`."""

    seq: int
    run_id: RunId
    head: str
    report: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LoggedTask:
    """A task as it was fixed before work started."""

    seq: int
    task: Task
    at: str


@dataclass(frozen=True, slots=True)
class LoggedPackage:
    """The head of a logged context package; fragments and decisions are read by its id."""

    seq: int
    package_id: str
    task_id: TaskId
    prompt_sha256: str
    tokens: int
    budget_tokens: int
    counter: str


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A decision as logged; `position` counts in the package's flat list of decisions."""

    seq: int
    package_id: str
    stage_id: str
    task_id: TaskId
    position: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class LoggedFragment:
    """A fragment as logged. Its exact bytes are the blob `content_sha256`."""

    seq: int
    package_id: str
    position: int
    kind: FragmentKind
    template: str
    path: str
    symbol: str
    blob_id: BlobId | None
    start_byte: int | None
    end_byte: int | None
    start_line: int | None
    end_line: int | None
    detail: Detail | None
    decision: int | None
    tokens: int
    content_sha256: str


@dataclass(frozen=True, slots=True)
class LoggedTestRun:
    """A test run as logged: why it ran, under which sandbox backend, what came out."""

    seq: int
    test_run_id: str
    task_id: TaskId
    purpose: str
    sandbox: str
    run: TestRun


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a generator at a task; `spectrum` summarises what localisation saw."""

    attempt_id: str
    task_id: TaskId
    generator: str
    limits: Mapping[str, object] = field(default_factory=dict)
    spectrum: Mapping[str, object] = field(default_factory=dict)
    at: str = ""


@dataclass(frozen=True, slots=True)
class LoggedTrial:
    """One tried candidate with the place it changed."""

    seq: int
    attempt_id: str
    position: int
    template: str
    summary: str
    path: str
    line: int
    suspiciousness: float
    prior: float
    trial: Trial


@dataclass(frozen=True, slots=True)
class Patch:
    """A plausible patch in its final rank (1 is the answer); `diff` are the exact diff bytes."""

    patch_id: str
    attempt_id: str
    candidate_id: str
    rank: int
    diff: bytes
    replacements: tuple[Replacement, ...]
    score: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedValidation:
    """A graded patch as logged; the test run behind it is read by `test_run_id`."""

    seq: int
    validation_id: str
    patch_id: str
    test_run_id: str
    verdict: str
    reason: str
    flags: tuple[str, ...]
    fail_to_pass: Mapping[str, TestOutcome]
    pass_to_pass: Mapping[str, TestOutcome]


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file before and after a change by content; `None` on a side where it does not exist."""

    path: str
    before_sha256: str | None
    after_sha256: str | None
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Application:
    """One phase of changing the user's tree with a patch (`apply`) or back (`undo`)."""

    application_id: str
    run_id: RunId
    patch_id: str
    action: ApplicationAction
    phase: ApplicationPhase
    files: tuple[ChangedFile, ...]
    at: str = ""


@dataclass(frozen=True, slots=True)
class WorktreeEvent:
    """A worktree made or removed. `path` is an absolute path of the machine, kept local."""

    task_id: TaskId
    path: str
    action: WorktreeAction
    detail: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class SessionArchive:
    """The whole content of one session, archived as the blob `sha256`."""

    seq: int
    task_id: TaskId
    sha256: str
    entries: int
    at: str
