"""A place in bytes that something was found at, and what can be put there without moving the rest.

Takes: bytes and spans. Gives: `Found`, `blank`. Does not know: what is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_KEEP_LINES = bytes(byte if byte in b"\0\r\n" else ord(" ") for byte in range(256))


@dataclass(frozen=True, slots=True)
class Found:
    """One hit: its kind and the bytes `start` to `end` that must not be seen."""

    kind: str
    start: int
    end: int

    def line_in(self, data: bytes) -> int:
        """Return the line it begins in, from 1."""
        return data.count(b"\n", 0, self.start) + 1


def disjoint(found: Iterable[Found]) -> tuple[Found, ...]:
    """Put hits in order; of two that overlap the earlier grows over the later one."""
    merged: list[Found] = []
    for hit in sorted(found, key=lambda hit: (hit.start, -hit.end)):
        if merged and hit.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Found(last.kind, last.start, max(last.end, hit.end))
        else:
            merged.append(hit)
    return tuple(merged)


def blank(data: bytes, found: Sequence[Found]) -> bytes:
    """Return `data` with blanks in place of each hit: every other byte and line stays in place."""
    if not found:
        return data
    parts, at = [], 0
    for hit in found:
        parts += [data[at : hit.start], data[hit.start : hit.end].translate(_KEEP_LINES)]
        at = hit.end
    return b"".join([*parts, data[at:]])
