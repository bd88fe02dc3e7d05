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
from typing import TYPE_CHECKING, Any, NamedTuple

from .children import Ending, lines_of
from .direct import Test
from .meter import Meter, guard_memory, timed

if TYPE_CHECKING:
    from .children import Emit

_MEASURE_SECONDS = 10.0
_TICKS_LEAST_PASSING = 20_000
_TICKS_LEAST_FAILING = 200_000
_UNLIMITED_TICKS = 1 << 60
_STALL_SECONDS = 90.0


class Seen(NamedTuple):
    """What one test did in the unpatched tree."""

    passed: bool
    seconds: float
    ticks: int
    detail: str = ""


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
        self.patience = 1.0
        self.close = [fd]

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
        if wrong:
            self.excluded += wrong
            self.order = [i for i in self.order if i not in wrong]
            self.failing = [i for i in self.failing if i not in wrong]
            self.passing = [i for i in self.passing if i not in wrong]
            self.measure()

    def _wrong(self, order: list[str]) -> list[str]:
        self.seen = self._observe(order)
        goal = set(self.failing)
        return [i for i in order if self.seen[i].passed is (i in goal)]

    def measure(self) -> None:
        """Observe the unpatched tree again: times and ticks change when files are instrumented."""
        self.seen = self._observe(self.order)

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
                seen[rest[done]] = Seen(False, _MEASURE_SECONDS, 0, ending.detail)
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
        """Whether one process can run the sequence twice with equal verdicts."""
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

    def cpu_limit(self, test_id: str) -> float:
        """CPU seconds for one test: from its own time, and generous where a bug ends it early."""
        seen = self.seen[test_id]
        slowest = max([self.seen[i].seconds for i in self.passing], default=0.1)
        if test_id in self.failing:
            known = 0.0 if seen.seconds >= _MEASURE_SECONDS or seen.ticks < 0 else seen.seconds
            limit = max(0.5, 5 * known, min(5.0, 5 * slowest))
        else:
            limit = max(0.3, 10 * seen.seconds)
        return limit * self.patience

    def tick_cap(self, test_id: str) -> int:
        """Loop ticks for one test, from its count in the unpatched tree."""
        seen = self.seen[test_id]
        least = _TICKS_LEAST_FAILING if test_id in self.failing else _TICKS_LEAST_PASSING
        return max(least, 10 * seen.ticks)

    def evaluate(self, copied: bool) -> tuple[str, str, str]:
        """Run the sequence until a test speaks against it: (outcome, test id, detail)."""
        for test_id in self.order:
            outcome = self._outcome(test_id, copied)
            if outcome is not None:
                return outcome
        return ("plausible", "", "")

    def _outcome(self, test_id: str, copied: bool) -> tuple[str, str, str] | None:
        self.meter.start(self.tick_cap(test_id))
        with timed(self.cpu_limit(test_id)):
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
            self.meter.start(self.tick_cap(test_id))
            with timed(self.cpu_limit(test_id)):
                verdict = self.tests[test_id].run(copy_params=True)
            if verdict.passed is not self.seen[test_id].passed:
                return False
        return True
