"""Which lines of the tree each test executes, under caps: a failing test may never end.

Takes: failing and passing ids, caps. Gives: a record of lines per test. Does not know: scores.

Each failing test runs in a child of its own, the passing tests of a file share one. A child that
is out of events stops noting; one that is out of CPU reports what it has. Partial is fine.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH109, PTH118, PTH120

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from . import hygiene, reporter
from .children import Ending, lines_of
from .direct import reports_of
from .meter import guard_memory
from .warm_server import silence

if TYPE_CHECKING:
    from .children import Emit

    Lines = dict[str, list[int]]

_STALL_SECONDS = 120.0


class LineTracer:
    """Notes the lines executed in files below a root; installed packages are not looked at."""

    def __init__(self, root: str, events: int, on_new: Callable[[str, int], None]) -> None:
        self._on_new = on_new
        self._inside = os.path.realpath(root) + os.sep
        self._skip = os.path.realpath(sys.prefix) + os.sep
        self._paths: dict[str, str | None] = {}
        self._known: dict[Any, set[int]] = {}
        self._events = events
        self.capped = False
        self.lines: dict[str, set[int]] = {}

    def _path(self, filename: str) -> str | None:
        if filename not in self._paths:
            full = os.path.realpath(filename) if filename[:1] != "<" else ""
            ours = full.startswith(self._inside) and not full.startswith(self._skip)
            self._paths[filename] = full[len(self._inside) :] if ours else None
        return self._paths[filename]

    def _global(self, frame: Any, *_: Any) -> Any:
        code = frame.f_code
        path = self._path(code.co_filename)
        if path is None or self.capped:
            return None
        noted = self.lines.setdefault(path, set())
        todo = self._known.get(code)
        if todo is None:
            todo = self._known[code] = {n for *_, n in code.co_lines() if n} if _HAS_LINES else {0}
        if todo and not todo - noted:
            return None  # every line of this code has been noted already

        on_new = self._on_new

        def local(frame: Any, event: str, _: Any) -> Any:
            if event == "line":
                if frame.f_lineno not in noted:
                    noted.add(frame.f_lineno)
                    on_new(path, frame.f_lineno)
                self._events -= 1
                if self._events <= 0:
                    self.capped = True
                    return None
            return None if self.capped else local

        noted.add(frame.f_lineno)
        return local

    def start(self) -> None:
        self.lines = {}
        if _HAS_MONITORING:
            self._monitor()
        else:
            sys.settrace(self._global)

    def stop(self) -> Lines:
        if _HAS_MONITORING:
            sys.monitoring.set_events(sys.monitoring.COVERAGE_ID, 0)  # type: ignore[attr-defined]
            sys.monitoring.free_tool_id(sys.monitoring.COVERAGE_ID)  # type: ignore[attr-defined]
        else:
            sys.settrace(None)
        return {path: sorted(numbers - {0}) for path, numbers in self.lines.items()}

    def _monitor(self) -> None:
        """Python 3.12+: each line reports once and is then free of charge."""
        tools: Any = sys.monitoring  # type: ignore[attr-defined]
        tools.use_tool_id(tools.COVERAGE_ID, "cra")

        def on_line(code: Any, number: int) -> Any:
            path = self._path(code.co_filename)
            if path is not None:
                self.lines.setdefault(path, set()).add(number)
                self._on_new(path, number)
            return tools.DISABLE

        def on_start(code: Any, _: int) -> Any:
            return on_line(code, code.co_firstlineno)

        wanted = tools.events.LINE | tools.events.PY_START
        tools.register_callback(tools.COVERAGE_ID, tools.events.LINE, on_line)
        tools.register_callback(tools.COVERAGE_ID, tools.events.PY_START, on_start)
        tools.set_events(tools.COVERAGE_ID, wanted)
        tools.restart_events()


_HAS_MONITORING = sys.version_info >= (3, 12)
_HAS_LINES = sys.version_info >= (3, 10)


def relevance(items: list[Any], failing: list[Any], covered: set[str]) -> Callable[[Any], Any]:
    """Order passing tests: same file as a failing one, then imports a covered file, same folder."""
    files = {str(item.fspath) for item in failing}
    folders = {os.path.dirname(file) for file in files}
    position = {item.nodeid: at for at, item in enumerate(items)}
    touching: dict[str, bool] = {}

    def key(item: Any) -> tuple[bool, bool, bool, int]:
        file = str(item.fspath)
        if file not in touching:
            touching[file] = bool(_imported(item) & covered)
        far = os.path.dirname(file) not in folders
        return (file not in files, not touching[file], far, position[item.nodeid])

    return key


def _imported(item: Any) -> set[str]:
    """Real paths of modules that the test's module holds a name of."""
    module = getattr(item, "module", None)
    found = set()
    for value in list(vars(module).values()) if module else []:
        try:
            name = getattr(value, "__module__", None)
        except Exception:  # noqa: BLE001 - a lazy or hostile object in a test module
            name = None
        owner = value if isinstance(value, type(sys)) else sys.modules.get(str(name))
        file = getattr(owner, "__file__", None)
        if isinstance(file, str):
            found.add(os.path.realpath(file))
    return found


class TraceRun:
    """Traces the tests of one session and sends what it sees."""

    def __init__(self, wire: Any, session: Any, settings: dict[str, Any]) -> None:
        self._wire = wire
        self._items = session.items
        self._settings = settings
        self._root = os.getcwd()
        self._covered: set[str] = set()

    def run(self) -> None:
        """Failing tests first, then passing ones by relevance until the time is up."""
        deadline = time.monotonic() + self._settings["seconds"]
        wanted = set(self._settings["failing"])
        failing = [item for item in self._items if item.nodeid in wanted]
        for item in failing:
            self._trace([item], deadline)
        kept = set(self._settings["passing"]) - wanted
        passing = [item for item in self._items if item.nodeid in kept]
        passing.sort(key=relevance(self._items, failing, self._covered))
        for group in _by_file(passing):
            if time.monotonic() > deadline:
                self._wire.send({"kind": "capped"})
                return
            self._trace(group, deadline)

    def _trace(self, group: list[Any], deadline: float) -> None:
        left = max(0.5, min(self._settings["cpu_seconds"], deadline - time.monotonic()))
        ending = Ending()
        seen = 0
        partial: dict[str, set[int]] = {}

        def work(emit: Emit) -> None:
            guard_memory(self._settings["memory_bytes"])
            cap_cpu(left * len(group))
            trace_group(group, self._root, self._settings["events"], left, emit)

        for record in lines_of(work, [self._wire.fileno], _STALL_SECONDS, ending):
            if record["kind"] == "new":
                partial.setdefault(record["path"], set()).add(record["line"])
                continue
            seen += 1
            partial = {}
            self._covered.update(os.path.join(self._root, path) for path in record["lines"])
            self._wire.send(record)
        if seen < len(group) and not partial:
            self._wire.send({"kind": "capped"})
        elif seen < len(group):
            lines = {path: sorted(numbers) for path, numbers in partial.items()}
            self._wire.send(_record(group[seen], lines, False, True))


def cap_cpu(seconds: float) -> None:
    """Let the kernel end this process when a C loop keeps Python's own signal handler out."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    bound = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or bound < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (bound, hard))


def trace_group(group: list[Any], root: str, events: int, cpu_seconds: float, emit: Emit) -> None:
    """Trace each test of `group` in this process; `emit` its lines as it ends."""
    for item in group:
        tracer = LineTracer(
            root, events, lambda path, line: emit({"kind": "new", "path": path, "line": line})
        )
        trace_one(item, tracer, cpu_seconds, emit)


def trace_one(item: Any, tracer: LineTracer, cpu_seconds: float, emit: Emit) -> None:
    """Trace one test; out of time, say what was seen and end the process."""

    def out_of_time(*_: Any) -> None:
        emit(_record(item, tracer.stop(), False, True))
        os._exit(0)

    signal.signal(signal.SIGPROF, out_of_time)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, 2 * cpu_seconds)
    tracer.start()
    try:
        reports = reports_of(item)
        passed = len(reports) == 3 and all(report.passed for report in reports)
    except BaseException:  # noqa: BLE001 - whatever the code under test raises past pytest
        passed = False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    emit(_record(item, tracer.stop(), passed, tracer.capped))


def _record(item: Any, lines: Lines, passed: bool, capped: bool) -> dict[str, Any]:
    return {"kind": "lines", "id": item.nodeid, "passed": passed, "capped": capped, "lines": lines}


def _by_file(items: list[Any]) -> list[list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(str(item.fspath), []).append(item)
    return list(groups.values())


def main(wire: Any, settings: dict[str, Any]) -> int:
    """Trace once; with `collection`, note the lines of collecting instead."""
    whole = LineTracer(os.getcwd(), settings["events"], lambda *_: None)

    class TracePlugin:
        def pytest_addoption(self, parser: Any) -> None:
            hygiene.add_dummy_options(parser)

        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config: Any) -> None:
            reporter.narrow_arguments(config, [*settings["failing"], *settings["passing"]])
            if settings["collection"]:
                whole.start()

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> bool:
            silence()
            if not settings["collection"]:
                wire.send({"kind": "collected", "ids": [item.nodeid for item in session.items]})
                TraceRun(wire, session, settings).run()
            return True

    arguments = hygiene.pytest_arguments(settings["arguments"], plain=True)
    arguments = [*arguments, "-s", "--continue-on-collection-errors"]
    code = int(pytest.main(arguments, plugins=[TracePlugin()]))
    if settings["collection"]:
        lines = whole.stop()
        wire.send(
            {"kind": "lines", "id": "", "passed": False, "capped": whole.capped, "lines": lines}
        )
    wire.send({"kind": "end", "exit": code})
    return code
