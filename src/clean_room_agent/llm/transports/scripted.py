"""Answers from a script: for tests, and for running a logged task again.

Takes: a function from a request to an answer, or the replies of the log. Gives: `Transport`s.
Does not know: networks, or what an answer means.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.llm.wire import (
    Chunk,
    Final,
    ServedModel,
    Transport,
    TransportError,
    WireRequest,
)
from clean_room_agent.records.calls import ReplyStatus

Script = Callable[[WireRequest], str]


class ScriptedTransport:
    """Answers each request with what `script` returns; it may raise `TransportError`."""

    def __init__(self, script: Script, *, context_tokens: int | None = None) -> None:
        self._script = script
        self._context_tokens = context_tokens
        self._lock = threading.Lock()
        self.requests: list[WireRequest] = []

    @property
    def name(self) -> str:
        return "scripted"

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        with self._lock:
            self.requests.append(request)
        text = self._script(request)
        if cancel.is_set():
            raise TransportError(ReplyStatus.CANCELLED, "cancelled")
        yield Chunk(text)
        yield Chunk(final=Final("stop", model=request.model, digest="scripted"))

    def describe(self, model: str) -> ServedModel:
        return ServedModel(model, self._context_tokens, digest="scripted")

    def count_tokens(self, model: str, text: str) -> int | None:
        del model, text
        return None

    def close(self) -> None:
        """Nothing is held."""


Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One ended call of the log, by what decides its answer.

    `prompt_sha256` is that of the text as it crossed the wire. With a `fault` the call failed so.
    """

    model: str
    adapter: str
    seed: int
    prompt_sha256: str
    text: str
    final: Final
    fault: ReplyStatus | None = None
    error: str = ""

    @property
    def key(self) -> Key:
        return (self.model, self.adapter, self.seed, self.prompt_sha256)


def wire_sha256(prompt: str) -> str:
    """Return the SHA-256 by which a prompt on the wire is known again."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogateescape")).hexdigest()


class RecordedTransport:
    """Gives logged answers to equal requests, each as often as it was logged.

    A request that was never logged goes to `live`; without one it diverges: the call fails with
    status `diverged`. Safe for several threads: equality decides, not order.
    """

    def __init__(
        self,
        records: Sequence[Recorded],
        served: Mapping[str, ServedModel],
        live: Transport | None = None,
    ) -> None:
        self._answers: dict[Key, deque[Recorded]] = {}
        for record in records:
            self._answers.setdefault(record.key, deque()).append(record)
        self._served = served
        self._live = live
        self._lock = threading.Lock()
        self.reused = 0

    @property
    def name(self) -> str:
        return f"recorded+{self._live.name}" if self._live else "recorded"

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        sha256 = wire_sha256(request.prompt)
        key = (request.model, request.adapter, request.sampling.seed, sha256)
        with self._lock:
            queue = self._answers.get(key)
            found = queue.popleft() if queue else None
            self.reused += found is not None
        if found is not None and found.fault is not None:
            raise TransportError(found.fault, found.error, received=found.text)
        if found is not None:
            yield Chunk(found.text)
            yield Chunk(final=found.final)
        elif self._live is not None:
            yield from self._live.stream(request, cancel)
        else:
            raise TransportError(ReplyStatus.DIVERGED, "this call is not in the log")

    def describe(self, model: str) -> ServedModel:
        if self._live is not None:
            return self._live.describe(model)
        return self._served.get(model, ServedModel(model))

    def count_tokens(self, model: str, text: str) -> int | None:
        return self._live.count_tokens(model, text) if self._live else None

    def close(self) -> None:
        if self._live is not None:
            self._live.close()
