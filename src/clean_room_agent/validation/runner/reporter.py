"""A pytest plugin that reports every test phase on the wire, and the hidden canary.

Takes: a wire and a configuration. Gives: one record per phase, the collected ids, an end record.
Does not know: what is expected of any test. Nothing it says goes through stdout (case 50).
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from . import hygiene

_DETAIL_CHARS = 4000
_SHORTEST_LIMIT_SECONDS = 1.0
_LIKELY_FACTOR = 20.0
_WALL_FACTOR = 4.0
_REPEAT_SECONDS = 1.0


def narrow_arguments(config: Any, select: list[str]) -> None:
    """Collect only the files that hold the selected tests, when all of them can be found."""
    if not select or config.getoption("pyargs", False):
        return
    files = []
    for test_id in select:
        file = os.path.join(str(config.rootpath), test_id.split("::")[0])
        if file not in files:
            files.append(file)
    if all(os.path.isfile(file) for file in files):
        config.args = files


def make_canary(items: list[Any], name: str) -> Any:
    """Build a test that must fail, as a plain sibling of a test that may pass (case 48)."""
    plain = [i for i in items if isinstance(i, pytest.Function)]
    free = [i for i in plain if not any(i.iter_markers(n) for n in ("skip", "skipif", "xfail"))]
    unmarked = [i for i in plain if not list(i.iter_markers())]
    near = (unmarked or free or plain or items)[0]
    module = near.getparent(pytest.Module)
    if module is None:
        return None
    seed = random.Random(name).randrange(3, 97)
    source = f"def {name}():\n    value = {seed}\n    assert value * 2 == {seed * 2 + 1}\n"
    space: dict[str, Any] = {}
    exec(
        compile(source, str(near.path) if hasattr(near, "path") else str(near.fspath), "exec"),
        space,
    )
    return pytest.Function.from_parent(module, name=name, callobj=space[name])


def outcome_of(report: Any) -> str:
    """`passed`, `failed`, `skipped` or `xfailed` for one phase."""
    if hasattr(report, "wasxfail") and report.outcome == "skipped":
        return "xfailed"
    return str(report.outcome)


class EndlessTest(BaseException):
    """Raised inside a test that ran over its limit; `except Exception` does not stop it."""


class Clock:
    """Ends a test that takes too much processor time, or far too much time, and lets the rest run.

    After the first one that did, the limit shrinks to what the finished tests make likely: where
    one loop is endless, often many are. A test that sets timers of its own keeps them.
    """

    def __init__(self, seconds: float) -> None:
        self._limit = seconds
        self._longest = 0.0
        self._started = 0.0

    def start(self) -> None:
        """Begin to count for one test; a timeout plugin sets its own alarm over ours."""
        self._started = time.perf_counter()
        signal.signal(signal.SIGVTALRM, self._end)
        signal.setitimer(signal.ITIMER_VIRTUAL, self._limit, _REPEAT_SECONDS)
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, _WALL_FACTOR * self._limit, _REPEAT_SECONDS)

    def stop(self) -> None:
        """The test is over."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if signal.getsignal(signal.SIGALRM) == self._end:
            signal.setitimer(signal.ITIMER_REAL, 0)
        taken = time.perf_counter() - self._started
        if taken < self._limit:
            self._longest = max(self._longest, taken)

    def _end(self, *_: Any) -> None:
        limit = self._limit
        likely = max(_SHORTEST_LIMIT_SECONDS, _LIKELY_FACTOR * self._longest)
        self._limit = min(self._limit, likely)
        raise EndlessTest(f"the test ran longer than {limit:g} s and was ended")


def make_reporter(send: Callable[[Any], None], settings: dict[str, Any]) -> Any:
    """Return the plugin; `send` lives in closures only, not on the plugin object."""
    select: list[str] = settings["select"]
    wanted = frozenset(select)
    canary: str = settings["canary"]
    place = random.Random(canary)
    clock = Clock(float(settings["one_test_seconds"]))

    class Reporter:
        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self) -> Any:
            clock.start()
            try:
                yield
            finally:
                clock.stop()

        def pytest_addoption(self, parser: Any) -> None:
            hygiene.add_dummy_options(parser)

        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config: Any) -> None:
            narrow_arguments(config, select)

        @pytest.hookimpl(hookwrapper=True, tryfirst=True)
        def pytest_collection_modifyitems(self, items: list[Any]) -> Any:
            yield
            if wanted:
                items[:] = [item for item in items if item.nodeid in wanted]
            hidden = make_canary(items, canary) if canary and items else None
            if hidden is not None:
                items.insert(place.randrange(len(items) + 1), hidden)
            send({"kind": "collected", "ids": [item.nodeid for item in items]})

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                detail = str(report.longrepr)[-_DETAIL_CHARS:]
                send({"kind": "collect_error", "id": report.nodeid, "detail": detail})

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_logreport(self, report: Any) -> None:
            record = {"kind": "phase", "id": report.nodeid, "when": report.when}
            record.update(outcome=outcome_of(report), seconds=report.duration)
            if report.failed:
                record["detail"] = str(report.longrepr)[-_DETAIL_CHARS:]
            send(record)

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(self, exitstatus: Any) -> None:
            send({"kind": "end", "exit": int(exitstatus)})

    return Reporter()


def main(wire: Any, settings: dict[str, Any]) -> int:
    """Run pytest once, reporting on the wire."""
    arguments = hygiene.pytest_arguments(settings["arguments"], plain=settings["plain"])
    return int(pytest.main(arguments, plugins=[make_reporter(wire.send, settings)]))
