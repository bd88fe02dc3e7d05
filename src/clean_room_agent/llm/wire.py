"""What crosses the wire to a model server, whatever its dialect.

Takes: nothing. Gives: `WireRequest`, `Chunk`, `ServedModel`, the `Transport` protocol, and
`complete`, which reads a stream to its end and times it.
Does not know: HTTP, prompts as fragments, retries, or the log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from clean_room_agent.records.calls import ReplyStatus, Sampling

MAX_REPLY_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, to the first token, between two, and for the whole call.

    A token is an answer's or a thought's; bytes that carry neither do not count as one.
    """

    connect: float
    first_token: float
    idle: float
    total: float


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One call. The prompt is the whole text of one user message; there is no history.

    `schema` is a JSON schema that the answer must satisfy where the server can enforce it.
    """

    model: str
    prompt: str
    sampling: Sampling
    context_tokens: int
    timeouts: Timeouts
    schema: Mapping[str, object] | None = None
    adapter: str = ""
    think: bool = False


@dataclass(frozen=True, slots=True)
class Final:
    """The end of a stream as the server tells it; `None` where it does not tell.

    `finish_reason` is "stop" or "length", or the server's own word.
    """

    finish_reason: str
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    model: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the answer; the last one carries `final`."""

    text: str = ""
    final: Final | None = None


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a server says of a model; `None` and "" where it does not say."""

    name: str
    context_tokens: int | None = None
    digest: str = ""
    adapters: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WireReply:
    """A whole answer with its times in seconds."""

    text: str
    final: Final
    seconds_to_first_token: float
    seconds: float


class TransportError(Exception):
    """A call failed on the wire. `status` classifies it; `retry_after` is the server's wish.

    `received` holds the text that had arrived.
    """

    def __init__(
        self, status: ReplyStatus, message: str, *, retry_after: float = 0.0, received: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after
        self.received = received
        self.seconds_to_first_token: float | None = None


class Transport(Protocol):
    """One way to reach models. Safe for calls from several threads at once."""

    @property
    def name(self) -> str: ...

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        """Yield the answer as it arrives; the last chunk carries `final`.

        Raises: TransportError. Ends with status `cancelled` soon after `cancel` is set.
        """
        ...

    def describe(self, model: str) -> ServedModel:
        """Ask the server about a model. Raises: TransportError (`unknown_model`, `connect`)."""
        ...

    def count_tokens(self, model: str, text: str) -> int | None:
        """Count with the server's tokenizer, template excluded; None where it has no such door."""
        ...

    def close(self) -> None:
        """Give connections and memory back."""
        ...


def complete(transport: Transport, request: WireRequest, cancel: threading.Event) -> WireReply:
    """Read one answer to its end.

    Raises: TransportError; what had arrived is in `received`.
    """
    started = time.monotonic()
    parts: list[str] = []
    first: float | None = None
    size = 0
    try:
        for chunk in transport.stream(request, cancel):
            if first is None and (chunk.text or chunk.final is not None):
                first = time.monotonic() - started
            parts.append(chunk.text)
            size += len(chunk.text)
            if size > MAX_REPLY_CHARACTERS:
                raise TransportError(
                    ReplyStatus.TOO_LONG, f"the answer passed {MAX_REPLY_CHARACTERS:,} characters"
                )
            if chunk.final is not None:
                seconds = time.monotonic() - started
                return WireReply("".join(parts), chunk.final, first or seconds, seconds)
    except TransportError as error:
        error.received = error.received or "".join(parts)
        error.seconds_to_first_token = first
        raise
    raise TransportError(
        ReplyStatus.CLOSED, "the stream ended before its last chunk", received="".join(parts)
    )
