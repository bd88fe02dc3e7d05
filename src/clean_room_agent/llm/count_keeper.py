"""Keep what a server counted, so that its run can be run again without the server.

Takes: an open transport, the log. Gives: the same transport; at its end one event with every count.
Does not know: what is counted, or how the counts are used (`replaying` reads them).

Counts of candidates that were never shown are in no other row: without them a run whose budget was
counted by a server could not be replayed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

from clean_room_agent.llm.wire import Chunk, ServedModel, Transport, WireRequest
from clean_room_agent.records.log import Event
from clean_room_agent.records.task import RunId
from clean_room_agent.store.raw import RawLog

COUNTED = "model.counted"


class CountKeeper:
    """Passes everything on; remembers each count by model and by the text's SHA-256."""

    def __init__(self, inner: Transport, raw: RawLog, run_id: RunId) -> None:
        self.inner = inner
        self._raw = raw
        self._run_id = run_id
        self._counts: dict[str, dict[str, int]] = {}

    @property
    def name(self) -> str:
        return self.inner.name

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        return self.inner.stream(request, cancel)

    def describe(self, model: str) -> ServedModel:
        return self.inner.describe(model)

    def count_tokens(self, model: str, text: str) -> int | None:
        counted = self.inner.count_tokens(model, text)
        if counted is not None:
            sha256 = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
            self._counts.setdefault(model, {})[sha256] = counted
        return counted

    def close(self) -> None:
        """Log the counts, once, then close."""
        counts, self._counts = self._counts, {}
        for model, found in sorted(counts.items()):
            data = {"model": model, "counts": found}
            self._raw.append_event(Event(self._run_id, COUNTED, data))
        self.inner.close()
