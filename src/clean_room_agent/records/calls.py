"""A call of a model: what is asked of which model, and what came back.

Takes: nothing. Gives: what `llm` sends and logs, what stages ask with.
Does not know: any server, how a prompt is laid out, or what an answer means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clean_room_agent.records.context import Fragment
from clean_room_agent.records.task import RunId, TaskId


class Role(StrEnum):
    """The two models of a configuration: one writes code, one judges and plans."""

    CODING = "coding"
    REASONING = "reasoning"


class CallStage(StrEnum):
    """The closed set of places in the pipeline that ask a model."""

    ANALYSIS = "analysis"
    SCOPE = "scope"
    PRECISION = "precision"
    REPRIORITISE = "reprioritise"
    PLAN = "plan"
    IMPLEMENT = "implement"
    REFLECT = "reflect"
    TESTS = "tests"
    SELECT = "select"
    ASK = "ask"
    ENRICH = "enrich"


class EditFormat(StrEnum):
    """How a model writes an edit: search/replace blocks, or whole symbols (small models)."""

    BLOCKS = "blocks"
    SYMBOLS = "symbols"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; `max_output_tokens` is set aside in the window."""

    temperature: float
    top_p: float
    seed: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What the router answers for a stage: the model, where it is served, how it is sampled."""

    stage: CallStage
    role: Role
    backend: str
    base_url: str
    model: str
    adapter: str
    tokenizer: str
    context_tokens: int
    sampling: Sampling
    edit_format: EditFormat
    think: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as typed fragments. The bytes sent are their contents, one after the other.

    `package_id` names the context package whose decisions let the code fragments in.
    """

    fragments: tuple[Fragment, ...]
    package_id: str = ""

    @property
    def data(self) -> bytes:
        return b"".join(fragment.content for fragment in self.fragments)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call as it is logged before it is sent. `tokens` were counted by `counter`."""

    request_id: str
    run_id: RunId
    task_id: TaskId | None
    choice: ModelChoice
    prompt: Prompt
    schema: Mapping[str, object] | None
    tokens: int
    counter: str
    at: str = ""


class ReplyStatus(StrEnum):
    """How one try of a call ended, as the wire saw it. Only `ok` carries an answer."""

    OK = "ok"
    CONNECT = "connect"
    FIRST_TOKEN = "first_token"
    IDLE = "idle"
    TOTAL = "total"
    CLOSED = "closed"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    UNKNOWN_MODEL = "unknown_model"
    CONTEXT = "context"
    GARBAGE = "garbage"
    TOO_LONG = "too_long"
    TRUNCATED = "truncated"
    CANCELLED = "cancelled"
    DIVERGED = "diverged"


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One try of a call as it is logged before it is parsed; tokens are the server's own count.

    `text` holds what arrived, also of a try that failed. `seconds_to_first_token` is None where
    nothing arrived.
    """

    request_id: str
    try_number: int
    status: ReplyStatus
    text: str
    finish_reason: str
    model: str
    digest: str
    prompt_tokens: int | None
    output_tokens: int | None
    seconds_to_first_token: float | None
    seconds: float
    error: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request as logged; fragments are read by its id, the prompt is the blob `prompt_sha256`."""

    seq: int
    request_id: str
    run_id: RunId
    task_id: TaskId | None
    stage: CallStage
    role: Role
    package_id: str
    choice: Mapping[str, object]
    prompt_sha256: str
    schema_sha256: str
    tokens: int
    counter: str
    at: str


@dataclass(frozen=True, slots=True)
class LoggedReply:
    """A reply as logged."""

    seq: int
    reply: ModelReply
