"""Limits around one test: loop ticks, processor time, real time, memory.

Takes: numbers. Gives: `Meter`, `guard_memory`. Does not know: tests or candidates.

The kernel delivers the timers with their default action, so that they end huge-integer arithmetic
and C loops too. `Overrun` is a BaseException; code that swallows it again and again is ended.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH123

from __future__ import annotations

import builtins
import contextlib
import itertools
import operator
import os
import resource
import signal
from collections.abc import Iterator
from typing import Any

TICKS_EXIT = 86
_SWALLOWED_LIMIT = 200


class Overrun(BaseException):
    """The loop counters reached their cap."""


class _Stop:
    """The end of the ticks: raises at each further tick."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __iter__(self) -> _Stop:
        return self

    def __next__(self) -> None:
        self._meter.overruns += 1
        if self._meter.overruns > _SWALLOWED_LIMIT:
            os._exit(TICKS_EXIT)
        raise Overrun("loop limit")


class Meter:
    """Counts ticks of the test under way."""

    def __init__(self) -> None:
        self.overruns = 0
        self._left: Any = itertools.repeat(None, 0)
        self._cap = 0

    def start(self, cap: int) -> None:
        """Begin a test that may tick `cap` times."""
        self.overruns = 0
        self._cap = cap
        self._left = itertools.repeat(None, cap)
        ticks = itertools.chain(self._left, _Stop(self))
        vars(builtins)["__cra_tick__"] = ticks.__next__

    def used(self) -> int:
        """Ticks since `start`."""
        return self._cap - operator.length_hint(self._left)


@contextlib.contextmanager
def timed(cpu_seconds: float) -> Iterator[None]:
    """End this process when the block takes `cpu_seconds` of CPU, or far longer asleep."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, 4 * cpu_seconds + 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def guard_memory(extra_bytes: int) -> None:
    """Bound this process's address space to what it has plus `extra_bytes`."""
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[0])
    bound = pages * resource.getpagesize() + extra_bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    for known in (soft, hard):
        if known != resource.RLIM_INFINITY:
            bound = min(bound, known)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
