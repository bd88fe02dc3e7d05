"""Stretches of time that include their start and exclude their end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from roombook.clock import format_time, parse_time


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time within a day."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"span is empty: {self.start} to {self.end}")

    def __str__(self) -> str:
        return f"{format_time(self.start)}-{format_time(self.end)}"

    @property
    def length(self) -> int:
        """How many minutes it lasts."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether two spans share time; touching is not sharing."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether another span lies wholly inside."""
        return self.start <= other.start and other.end <= self.end

    def shared(self, other: Span) -> Span | None:
        """The time that two spans share."""
        if not self.overlaps(other):
            return None
        return Span(max(self.start, other.start), min(self.end, other.end))


def parse_span(text: str) -> Span:
    """Read ``09:30-11:00``."""
    start, _, end = text.partition("-")
    return Span(parse_time(start), parse_time(end))


def merge(spans: Iterable[Span]) -> list[Span]:
    """The same time as few spans as possible; touching ones are joined."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            last = merged.pop()
            merged.append(Span(last.start, max(last.end, span.end)))
        else:
            merged.append(span)
    return merged


def subtract(whole: Span, taken: Iterable[Span]) -> Iterator[Span]:
    """What is left of a span when others are taken out of it."""
    position = whole.start
    for span in merge(taken):
        if span.end <= position:
            continue
        if span.start >= whole.end:
            break
        if span.start > position:
            yield Span(position, span.start)
        position = span.end
    if position < whole.end:
        yield Span(position, whole.end)


def total_length(spans: Iterable[Span]) -> int:
    """Minutes covered, counting shared time once."""
    return sum(span.length for span in merge(spans))
