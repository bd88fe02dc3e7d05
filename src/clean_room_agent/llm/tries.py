"""One try of a call: what the wire gave, as data, whatever happened.

Takes: a transport and a wire request. Gives: `Tried`. Does not know: the log, or other calls.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from clean_room_agent.llm.wire import Transport, TransportError, WireRequest, complete
from clean_room_agent.records.calls import ModelReply, ReplyStatus

# Faults that may pass by themselves. A cut prompt or an unknown model does not.
PASSING = frozenset(
    {
        ReplyStatus.CONNECT,
        ReplyStatus.CLOSED,
        ReplyStatus.THROTTLED,
        ReplyStatus.SERVER_ERROR,
        ReplyStatus.IDLE,
    }
)
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Tried:
    """How one try ended. `wait_seconds` is how long to wait before the next."""

    number: int
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
    wait_seconds: float = 0.0

    def failed(self, status: ReplyStatus, error: str) -> Tried:
        """Return this try as a failure."""
        return replace(self, status=status, error=error)

    def as_reply(self, request_id: str) -> ModelReply:
        """Return the record that is logged."""
        return ModelReply(
            request_id=request_id,
            try_number=self.number,
            status=self.status,
            text=self.text,
            finish_reason=self.finish_reason,
            model=self.model,
            digest=self.digest,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            seconds_to_first_token=self.seconds_to_first_token,
            seconds=self.seconds,
            error=self.error,
        )


def is_passing(status: ReplyStatus) -> bool:
    """Say whether another try may help."""
    return status in PASSING


def try_call(
    transport: Transport, request: WireRequest, cancel: threading.Event, number: int
) -> Tried:
    """Try once; a fault on the wire is an outcome, not an exception."""
    started = time.monotonic()
    try:
        reply = complete(transport, request, cancel)
    except TransportError as error:
        return Tried(
            number=number,
            status=error.status,
            text=error.received,
            finish_reason="",
            model="",
            digest="",
            prompt_tokens=None,
            output_tokens=None,
            seconds_to_first_token=error.seconds_to_first_token,
            seconds=time.monotonic() - started,
            error=error.message,
            wait_seconds=_wait(number, error.retry_after),
        )
    final = reply.final
    return Tried(
        number=number,
        status=ReplyStatus.OK,
        text=reply.text,
        finish_reason=final.finish_reason,
        model=final.model,
        digest=final.digest,
        prompt_tokens=final.prompt_tokens,
        output_tokens=final.output_tokens,
        seconds_to_first_token=reply.seconds_to_first_token,
        seconds=reply.seconds,
    )


def _wait(number: int, wished: float) -> float:
    """Wait twice as long each time, or as long as the server wishes, within reason."""
    own = FIRST_WAIT_SECONDS * float(2 ** (number - 1))
    return min(LONGEST_WAIT_SECONDS, max(wished, own))
