"""The failing and passing tests as one sequence with known base behaviour.

Takes: collected items, the ids wanted. Gives: `Suite`: verdicts, times, ticks of the unpatched
tree, and `evaluate`. Does not know: candidates.

Tests keep file order, because tests share state; the failing ones come first unless that alone
changes a verdict. A test whose verdict differs when called directly is run by pytest; one that
still differs is left out and named.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from .children import Ending, lines_of
from .direct import Test
from .limits import Seen, TestLimits
from .meter import Meter, guard_memory, timed

if TYPE_CHECKING:
    from .children import Emit

_MEASURE_SECONDS = 10.0
_SLOW_SECONDS = 3.0
_UNLIMITED_TICKS = 1 << 60
_STALL_SECONDS = 90.0


class Suite:
    """The tests that candidates are tried against."""

    def __init__(self, items: list[Any], failing: list[str], passing: list[str], fd: int) -> None:
        by_id = {item.nodeid: item for item in items}
        wanted = [i for i in [*failing, *passing] if i in by_id]
        self.tests = {i: Test(by_id[i]) for i in wanted}
        position = {item.nodeid: at for at, item in enumerate(items)}
        self.failing = sorted((i for i in failing if i in by_id), key=position.__getitem__)
        self.passing = sorted((i for i in passing if i in by_id), key=position.__getitem__)
        self.order = [*self.failing, *self.passing]
        self._position = position
        self.missing = [i for i in failing if i not in by_id]
        self.excluded: list[str] = [i for i in passing if i not in by_id]
        self.seen: dict[str, Seen] = {}
        self.memory_bytes = 1 << 29
        self.meter = Meter()
        self.meter.start(_UNLIMITED_TICKS)
        self.limits = TestLimits()
        self._shares_state = False
        self._kept: dict[tuple[str, ...], list[str]] = {}
        self._coverage: dict[str, list[str]] | None = None
        self.close = [fd]

    def cover(self, coverage: dict[str, list[str]] | None) -> None:
        """Say which passing tests run which file; the others need not be asked about it."""
        self._coverage = coverage

    def order_for(self, paths: list[str]) -> list[str]:
        """Return the tests to ask about a change of `paths`; all, where that is not known."""
        known = self._coverage
        if known is None or self._shares_state or any(path not in known for path in paths):
            return self.order
        key = tuple(sorted(set(paths)))
        if key not in self._kept:
            asked = set(self.failing).union(*(known[path] for path in key))
            self._kept[key] = [i for i in self.order if i in asked]
        return self._kept[key]

    # -- the unpatched tree ------------------------------------------------------------------

    def check(self) -> None:
        """Settle how each test is run, in which order, and which are left out."""
        wrong = self._wrong(self.order)
        for test_id in wrong:
            self.tests[test_id].direct = None
        if wrong:
            wrong = self._wrong(self.order)
        if wrong:
            in_file_order = sorted(self.order, key=self._position.__getitem__)
            again = self._wrong(in_file_order)
            if len(again) < len(wrong):
                self.order, wrong = in_file_order, again
                self._shares_state = True
        if wrong:
            self.excluded += wrong
            self.order = [i for i in self.order if i not in wrong]
            self.failing = [i for i in self.failing if i not in wrong]
            self.passing = [i for i in self.passing if i not in wrong]
            self.measure()
        self.limits.learn({i: self.seen[i] for i in self.order}, self.failing)

    def _wrong(self, order: list[str]) -> list[str]:
        self.seen = self._observe(order)
        goal = set(self.failing)
        return [i for i in order if self.seen[i].passed is (i in goal)]

    def measure(self, paths: list[str] | None = None) -> None:
        """Observe the unpatched tree again: times and ticks change when files are instrumented.

        Shows too whether the tests of one file, without the others, still behave as told.
        """
        goal = set(self.failing)
        for order in [self.order_for([p]) for p in paths] if paths else [self.order]:
            seen = self._observe(order)
            if len(order) < len(self.order) and any(seen[i].passed is (i in goal) for i in order):
                self._shares_state = True
                seen = self._observe(self.order)
            self.seen.update(seen)
        self.limits.learn({i: self.seen[i] for i in self.order}, self.failing)

    def _observe(self, order: list[str]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        rest = list(order)
        while rest:
            ending = Ending()
            work = functools.partial(self._observe_in_child, rest)
            for test_id, *values in lines_of(work, self.close, _STALL_SECONDS, ending):
                seen[test_id] = Seen(*values)
            done = sum(1 for i in rest if i in seen)
            if done < len(rest):
                seen[rest[done]] = Seen(False, _MEASURE_SECONDS, -1, ending.detail)
                done += 1
            rest = rest[done:]
        return seen

    def _observe_in_child(self, order: list[str], emit: Emit, copied: bool = False) -> None:
        guard_memory(self.memory_bytes)
        slowest = 0.2
        for test_id in order:
            goal = test_id in self.failing
            self.meter.start(5_000_000 if goal else _UNLIMITED_TICKS)
            begin = time.perf_counter()
            with timed(min(_MEASURE_SECONDS, 10 * slowest) if goal else _MEASURE_SECONDS):
                verdict = self.tests[test_id].run(copy_params=copied)
            seconds = time.perf_counter() - begin
            slowest = slowest if goal else max(slowest, seconds)
            ticks = -1 if self.meter.overruns else self.meter.used()
            emit([test_id, verdict.passed, seconds, ticks, verdict.detail])

    def repeats(self) -> bool:
        """Whether one process can run the sequence twice with equal verdicts; no for slow tests."""
        if sum(self.seen[i].seconds for i in self.order) > _SLOW_SECONDS:
            return False  # beside them a fork costs nothing, and asking costs two whole rounds
        known = [(i, self.seen[i].passed) for i in self.order]
        got: list[tuple[str, bool]] = []
        ending = Ending()

        def work(emit: Emit) -> None:
            self._observe_in_child(self.order, emit, True)
            self._observe_in_child(self.order, emit, True)

        for test_id, passed, *_ in lines_of(work, self.close, _STALL_SECONDS, ending):
            got.append((test_id, passed))
        return ending.status == "done" and got == known + known

    # -- a patched tree, in a child ----------------------------------------------------------

    def evaluate(self, order: list[str], copied: bool) -> tuple[str, str, str]:
        """Run the sequence until a test speaks against it: (outcome, test id, detail)."""
        for test_id in order:
            outcome = self._outcome(test_id, copied)
            if outcome is not None:
                return outcome
        return ("plausible", "", "")

    def _outcome(self, test_id: str, copied: bool) -> tuple[str, str, str] | None:
        self.meter.start(self.limits.ticks(test_id))
        with timed(self.limits.cpu_seconds(test_id)):
            verdict = self.tests[test_id].run(copy_params=copied)
        if self.meter.overruns:
            return ("timeout", test_id, "loop limit")
        if verdict.passed:
            return None
        return ("failed" if test_id in self.failing else "broke", test_id, verdict.detail)

    def quick_check(self) -> list[str]:
        """Tests that together tell cheaply whether a process is still as it was."""
        cheap: list[str] = []
        seconds = 0.0
        for test_id in self.order:
            one = self.seen[test_id]
            if one.ticks >= 0 and seconds + one.seconds < 0.01:
                cheap.append(test_id)
                seconds += one.seconds
        return cheap

    def is_clean(self, cheap: list[str]) -> bool:
        """Whether the unpatched tree, in this used process, still gives the known verdicts."""
        for test_id in cheap:
            self.meter.start(self.limits.ticks(test_id))
            with timed(self.limits.cpu_seconds(test_id)):
                verdict = self.tests[test_id].run(copy_params=True)
            if verdict.passed is not self.seen[test_id].passed:
                return False
        return True
