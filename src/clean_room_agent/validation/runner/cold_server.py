"""The cold process: pytest and installed packages imported, the project not yet.

Takes: chunks of candidates. Gives: a record per candidate. Does not know: functions; any change
to any file can be tried here, because each child collects the tests from the patched tree.

Files are written in the workspace, which is private to this sandbox, and put back after each.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH108, PTH123

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import hygiene, reporter
from .children import Ending, lines_of
from .direct import Test
from .meter import Meter, guard_memory, timed
from .warm_server import apply_warning_filters, silence

if TYPE_CHECKING:
    from .children import Emit

_UNLIMITED_TICKS = 1 << 60
_BASE_SECONDS = 60.0
_STALL_SECONDS = 300.0


class ColdServer:
    """Tries candidates in children that import the project anew."""

    def __init__(self, wire: Any, settings: dict[str, Any]) -> None:
        self._wire = wire
        self._settings = settings
        self._failing: list[str] = settings["failing"]
        self._passing: list[str] = settings["passing"]
        self._cpu_seconds = _BASE_SECONDS

    def settle(self) -> None:
        """Measure the unpatched tree and leave out tests that do not behave as told."""
        begin = time.perf_counter()
        seen = {test_id: passed for test_id, passed, _ in self._run(True, Ending())}
        seconds = time.perf_counter() - begin
        wrong = [i for i in self._failing if seen.get(i)]
        wrong += [i for i in self._passing if not seen.get(i)]
        self._failing = [i for i in self._failing if i not in wrong]
        self._passing = [i for i in self._passing if i not in wrong]
        self._cpu_seconds = min(_BASE_SECONDS, 2.0 + 4 * seconds)
        self._wire.send({"kind": "ready", "excluded": wrong, "seconds": seconds})

    def serve(self) -> None:
        """Answer chunks until the channel ends."""
        while True:
            record = self._wire.receive()
            if record is None:
                return
            for index, edits in record["chunk"]:
                begin = time.perf_counter()
                outcome = self._try(edits)
                seconds = time.perf_counter() - begin
                self._wire.send({"kind": "trial", "i": index, "o": list(outcome), "s": seconds})

    def _try(self, edits: list[list[Any]]) -> tuple[str, str, str]:
        try:
            with patched(edits):
                return self._judge()
        except (SyntaxError, ValueError, OSError) as error:
            return ("invalid", "", str(error)[:200])

    def _judge(self) -> tuple[str, str, str]:
        ending = Ending()
        seen = {}
        for test_id, passed, detail in self._run(False, ending):
            seen[test_id] = passed
            if not passed:
                return ("failed" if test_id in self._failing else "broke", test_id, detail)
        if ending.status != "done":
            return (ending.status, "", ending.detail)
        for test_id in self._failing:
            if test_id not in seen:
                return ("failed", test_id, "not collected")
        for test_id in self._passing:
            if test_id not in seen:
                return ("broke", test_id, "not collected")
        return ("plausible", "", "")

    def _run(self, whole: bool, ending: Ending) -> Iterator[Any]:
        def work(emit: Emit) -> None:
            guard_memory(self._settings["memory_bytes"])
            plugin = self._plugin(emit, whole)
            arguments = hygiene.pytest_arguments(self._settings["arguments"], plain=True)
            with timed(self._cpu_seconds):
                pytest.main([*arguments, "-s", "--continue-on-collection-errors"], plugins=[plugin])

        return lines_of(work, [self._wire.fileno], _STALL_SECONDS, ending)

    def _plugin(self, emit: Emit, whole: bool) -> Any:
        failing, passing = self._failing, self._passing
        wanted = [*failing, *passing]

        class ColdPlugin:
            def pytest_addoption(self, parser: Any) -> None:
                hygiene.add_dummy_options(parser)

            @pytest.hookimpl(trylast=True)
            def pytest_configure(self, config: Any) -> None:
                reporter.narrow_arguments(config, wanted)

            @pytest.hookimpl(tryfirst=True)
            def pytest_runtestloop(self, session: Any) -> bool:
                apply_warning_filters(session.config)
                goal = set(failing)
                first = [item for item in session.items if item.nodeid in goal]
                kept = set(passing)
                rest = [item for item in session.items if item.nodeid in kept]
                for item in [*first, *rest]:
                    verdict = Test(item).run()
                    emit([item.nodeid, verdict.passed, verdict.detail])
                    if not verdict.passed and not whole:
                        break
                return True

        return ColdPlugin()


@contextlib.contextmanager
def patched(edits: list[list[Any]]) -> Iterator[None]:
    """Write the edited files, and put every byte back on leaving.

    Raises SyntaxError for text that is no Python, ValueError for a stale candidate.
    """
    grouped: dict[str, list[list[Any]]] = {}
    for edit in edits:
        grouped.setdefault(edit[0], []).append(edit)
    planned = {path: _new_bytes(path, group) for path, group in grouped.items()}
    try:
        for path, (_, new) in planned.items():
            _write(path, new)
        yield
    finally:
        for path, (old, _) in planned.items():
            _write(path, old)


def _new_bytes(path: str, edits: list[list[Any]]) -> tuple[Any, bytes]:
    old = None
    if os.path.lexists(path):
        with open(path, "rb") as file:
            old = file.read()
    data = old or b""
    found = "" if old is None else hashlib.sha256(data).hexdigest()
    if any(edit[4] != found for edit in edits):
        raise ValueError(f"{path} is not the file the candidate was made for")
    for _, start, end, text, _ in sorted(edits, key=lambda e: e[1], reverse=True):
        data = data[:start] + text.encode("latin-1") + data[end:]
    if path.endswith(".py"):
        compile(data, path, "exec", dont_inherit=True)
    return old, data


def _write(path: str, data: Any) -> None:
    if data is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    with open(path, "wb") as file:
        file.write(data)


def main(wire: Any, settings: dict[str, Any]) -> int:
    """Serve until the channel ends."""
    silence()
    for name in settings["modules"]:
        with contextlib.suppress(Exception):  # a package that imports only in some order
            importlib.import_module(name)
    Meter().start(_UNLIMITED_TICKS)
    gc.collect()
    gc.freeze()
    server = ColdServer(wire, settings)
    server.settle()
    server.serve()
    return 0
