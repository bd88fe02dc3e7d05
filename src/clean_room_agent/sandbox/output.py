"""What a program prints, kept in bounded memory and shown without its control characters.

Takes: bytes as they come. Gives: their head, their tail, their count. Does not know: verdicts;
nothing printed is ever read for one.
"""

from __future__ import annotations

from collections import deque

from clean_room_agent.records.spelling import spell_out


class HeadTail:
    """The first and the last half of `limit_bytes` of a stream, and how long it was."""

    def __init__(self, limit_bytes: int) -> None:
        self._half = max(1, limit_bytes // 2)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total_bytes = 0

    def add(self, data: bytes) -> None:
        self.total_bytes += len(data)
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not data:
            return
        data = data[-self._half :]
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def head(self) -> bytes:
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        return b"".join(self._tail)[-self._half :]


def printable(data: bytes) -> str:
    """Return text that a terminal can be given: every control character is spelled out."""
    return spell_out(data.decode("utf-8", "replace"), keep="\n\t")
