"""From a task to the room: candidates, signals, decisions, fragments, the context package.

Takes: nothing. Gives: what the retrieval stages hand each other, what the log keeps of them.
Does not know: how a candidate was found or a judgment made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from clean_room_agent.records.code import BlobId, Span


class SubjectKind(StrEnum):
    """What a candidate is."""

    FILE = "file"
    SYMBOL = "symbol"


class Verdict(StrEnum):
    """The outcome of a judgment. Nothing without `included` is ever shown (default-deny)."""

    INCLUDED = "included"
    EXCLUDED = "excluded"


class Detail(StrEnum):
    """How much of a subject is shown; never less than was decided (no degradation)."""

    FULL = "full"
    SYMBOL = "symbol"
    SIGNATURE = "signature"


class FragmentKind(StrEnum):
    """The closed set of things a prompt is made of."""

    INSTRUCTION = "instruction"
    TASK = "task"
    CODE = "code"
    PLAN_STEP = "plan_step"
    TEST_OUTPUT = "test_output"
    FRAMING = "framing"
    CANDIDATE = "candidate"
    INSTRUCTION_FILE = "instruction_file"
    EDIT = "edit"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Signal:
    """One deterministic measurement of a candidate: its raw value, weight, and the evidence."""

    name: str
    value: float
    weight: float
    evidence: str = ""

    @property
    def contribution(self) -> float:
        return self.value * self.weight


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file or symbol that a prefilter proposes, with every signal that spoke for it."""

    kind: SubjectKind
    path: str
    symbol: str
    span: Span | None
    blob_id: BlobId
    tokens: int
    signals: tuple[Signal, ...]

    @property
    def score(self) -> float:
        return sum(signal.contribution for signal in self.signals)


@dataclass(frozen=True, slots=True)
class Decision:
    """A judgment on one candidate: rank within its stage, verdict, reason, detail level."""

    candidate: Candidate
    stage: str
    judge: str
    rank: int
    verdict: Verdict
    reason: str
    detail: Detail | None = None


@dataclass(frozen=True, slots=True)
class TaskAnalysis:
    """What the task text itself names, found by parsing it, before any search.

    `targets` resolved in the index; `unknown` named but not in the index (logged, never invented).
    """

    query: str
    title: str
    paths: tuple[str, ...]
    identifiers: tuple[str, ...]
    traceback_frames: tuple[tuple[str, int, str], ...]
    test_ids: tuple[str, ...]
    error_lines: tuple[str, ...]
    targets: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage as it ran: what it read, what it decided, how long it took."""

    name: str
    judge: str
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Fragment:
    """One typed piece of a prompt. `content` is exactly the bytes that are rendered.

    Code and instruction-file fragments carry blob, byte range, path and detail, and the index of
    the `Decision` (in the package's flat decision list) that let them in. A candidate carries the
    path, symbol, blob and span of what a judge is asked about. `source` names the row of the log
    that any other content follows from: `test_run:ID`, `request:ID`, `plan:ID`, `template:ID`.
    """

    kind: FragmentKind
    content: bytes
    tokens: int
    template: str = ""
    path: str = ""
    symbol: str = ""
    blob_id: BlobId | None = None
    span: Span | None = None
    detail: Detail | None = None
    decision: int | None = None
    source: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class ContextPackage:
    """The clean room: fragments in order under a token budget, and every decision behind them."""

    task_text: str
    analysis: TaskAnalysis
    stages: tuple[StageRecord, ...]
    fragments: tuple[Fragment, ...]
    budget_tokens: int
    counter: str

    @property
    def tokens(self) -> int:
        return sum(fragment.tokens for fragment in self.fragments)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(d for stage in self.stages for d in stage.decisions)
