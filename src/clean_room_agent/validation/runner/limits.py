"""Limits of each test, derived from what it did in the unpatched tree.

Takes: what was seen there. Gives: seconds, ticks, and who gets a second, longer chance.
Does not know: how a test is run.

Two stages, because a limit from base times is wrong where the bug made the run short: the first is
tight, and candidates that ran out of CPU are tried again with a long one, in a small share of the
time, so that endless candidates cannot eat the search.
"""

from __future__ import annotations

import time
from typing import NamedTuple

_LEAST_FAILING, _LEAST_PASSING = 0.25, 0.15
_MOST_FAILING = 2.0
_PATIENCE = 8.0
_PATIENT_START = 2.0
_PATIENT_SHARE = 0.1
_TICKS_LEAST_PASSING = 20_000
_TICKS_LEAST_FAILING = 200_000


class Seen(NamedTuple):
    """What one test did in the unpatched tree. `ticks` of -1: it was ended there."""

    passed: bool
    seconds: float
    ticks: int
    detail: str = ""


class TestLimits:
    """Limits for the tests in `seen`; `failing` ones are those a candidate has to mend."""

    __test__ = False

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.failing: frozenset[str] = frozenset()
        self.patient = False
        self._slowest = 0.1

    def learn(self, seen: dict[str, Seen], failing: list[str]) -> None:
        """Take in what the unpatched tree did."""
        self.seen = seen
        self.failing = frozenset(failing)
        passing = [one.seconds for i, one in seen.items() if i not in self.failing]
        self._slowest = max(passing, default=0.1)

    def cpu_seconds(self, test_id: str) -> float:
        """CPU seconds for one test: from its own time, and generous where a bug ends it early."""
        one = self.seen.get(test_id)
        own = one.seconds if one is not None and one.ticks >= 0 else 0.0
        if test_id in self.failing:
            likely = min(_MOST_FAILING, 5 * self._slowest)
            limit = max(_LEAST_FAILING, 5 * own, likely)
        else:
            limit = max(_LEAST_PASSING, 10 * own)
        return limit * (_PATIENCE if self.patient else 1.0)

    def ticks(self, test_id: str) -> int:
        """Loop ticks for one test, from its count in the unpatched tree."""
        least = _TICKS_LEAST_FAILING if test_id in self.failing else _TICKS_LEAST_PASSING
        one = self.seen.get(test_id)
        return max(least, 10 * one.ticks) if one is not None else least


class Patience:
    """Seconds left for second chances: a small share of the time since the start."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._began = time.perf_counter()
        self._spent = 0.0

    def is_left(self) -> bool:
        elapsed = time.perf_counter() - self._began
        return self._spent < min(self._most, _PATIENT_START + _PATIENT_SHARE * elapsed)

    def spend(self, seconds: float) -> None:
        self._spent += seconds
