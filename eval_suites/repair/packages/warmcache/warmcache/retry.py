"""Waiting times between attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from warmcache.clock import ManualClock
from warmcache.limits import TokenBucket

Result = TypeVar("Result")


def delays(first: float, factor: float = 2.0, longest: float = 60.0) -> Iterator[float]:
    """Growing waiting times without end, none over the longest."""
    current = first
    while True:
        yield min(current, longest)
        current *= factor


def call_with_retries(
    action: Callable[[], Result], clock: ManualClock, attempts: int, first: float = 1.0
) -> Result:
    """Run an action until it works, at most so many times."""
    waits = delays(first)
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except OSError:
            if attempt == attempts:
                raise
            clock.advance(next(waits))
    raise ValueError("attempts must be at least 1")


def drain(bucket: TokenBucket, clock: ManualClock, costs: list[float]) -> list[float]:
    """Do paid work as early as a bucket allows; the moments at which each began."""
    started: list[float] = []
    for cost in costs:
        clock.advance(bucket.wait_time(cost))
        bucket.take(cost)
        started.append(clock.now())
    return started
