"""The cold process: pytest and installed packages imported, the project not yet.

Takes: chunks of candidates. Gives: a record per candidate. Does not know: functions; any change
to any file can be tried here, because each child collects the tests from the patched tree.

Files are written in the workspace, which is private to this sandbox, and put back after each.
Where starting pytest imports nothing of the project, children fork from a started session.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH108, PTH109, PTH118, PTH123

from __future__ import annotations

import contextlib
import gc
import hashlib
import importlib
import os
import sys
import time
import warnings
from collections.abc import Iterator
from importlib import _bootstrap_external
from typing import TYPE_CHECKING, Any

import pytest

from . import hygiene, reporter
from .children import Ending, lines_of
from .direct import Test
from .limits import Patience, Seen, TestLimits
from .meter import TICKS_EXIT, Meter, guard_memory, timed
from .sources import ticked_code
from .warm_server import OUT_OF_CPU, apply_warning_filters, silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from .children import Emit

    Outcome = tuple[str, str, str]

_UNLIMITED_TICKS = 1 << 60
_BASE_SECONDS = 60.0
_MEASURE_TICKS = 5_000_000
_MEASURE_SECONDS = 5.0
_AGAIN_SECONDS = 1.0
_STALL_SECONDS = 140.0
_MOST_IDS = 40
_COLLECTING = ""  # stands for collection among the tests


class Compiler:
    """Compiles files of the tree: with ticks where candidates edit, and once where they do not."""

    def __init__(self) -> None:
        self._root = os.path.realpath(os.getcwd()) + os.sep
        self._ticked: set[str] = set()
        self._kept: dict[str, tuple[bytes, Any]] = {}
        self.new: list[str] = []
        owner: Any = _bootstrap_external.SourceLoader
        plain = owner.source_to_code

        def source_to_code(loader: Any, data: Any, path: Any, *args: Any, **named: Any) -> Any:
            real = os.path.realpath(os.fspath(path))
            if not isinstance(data, bytes) or not real.startswith(self._root):
                return plain(loader, data, path, *args, **named)
            name = os.fspath(path)
            known = self._kept.get(name)
            if known is not None and known[0] == data:
                return known[1]
            self.new.append(name)
            if real in self._ticked:
                return ticked_code(data, name)
            return plain(loader, data, path, *args, **named)

        owner.source_to_code = source_to_code

    def add(self, edits: list[list[Any]]) -> bool:
        """Take in the files of `edits`; say whether one was new."""
        found = {os.path.realpath(os.path.join(self._root, edit[0])) for edit in edits}
        fresh = not found <= self._ticked
        self._ticked |= found
        self._kept = {n: k for n, k in self._kept.items() if os.path.realpath(n) not in found}
        return fresh

    def keep(self, names: list[str]) -> None:
        """Compile files that a child had to compile, so that its successors need not."""
        for name in names:
            ours = os.path.realpath(name) not in self._ticked
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("error")  # one that warns is better compiled where it counts
                with open(name, "rb") as file:
                    data = file.read()
                if ours:
                    code = compile(data, name, "exec", dont_inherit=True)
                    self._kept[name] = (data, code)


class ColdServer:
    """Tries candidates in children that import the project anew."""

    def __init__(self, wire: Any, settings: dict[str, Any], session: Any) -> None:
        self._wire = wire
        self._settings = settings
        self._session = session
        self._failing: list[str] = settings["failing"]
        self._passing: list[str] = settings["passing"]
        self._by_id = False
        self._compiler = Compiler()
        self._limits = TestLimits()
        self._meter = Meter()
        self._patience = Patience(settings["patient_seconds"])

    def settle(self) -> None:
        """Measure the unpatched tree and leave out tests that do not behave as told."""
        begin = time.perf_counter()
        seen = self._measure()
        wrong = [i for i in self._failing if i in seen and seen[i].passed]
        wrong += [i for i in self._passing if i not in seen or not seen[i].passed]
        self._failing = [i for i in self._failing if i not in wrong]
        self._passing = [i for i in self._passing if i not in wrong]
        wanted = {*self._failing, *self._passing}
        known = {i: seen[i].passed for i in wanted if i in seen}
        if len(known) == len(wanted) <= _MOST_IDS:
            self._by_id = True
            again = self._measure()
            self._by_id = known == {i: again[i].passed for i in again if i != _COLLECTING}
        seconds = time.perf_counter() - begin
        self._wire.send({"kind": "ready", "excluded": wrong, "seconds": seconds})

    def _measure(self) -> dict[str, Seen]:
        """Observe the unpatched tree; a failing test that does not end there is asked once."""
        seen: dict[str, Seen] = {}
        rest = [*self._failing, *self._passing]
        while rest:
            ending = Ending()
            order: list[str] = []
            for test_id, *values in self._run(rest, ending, whole=True):
                if test_id == _COLLECTING:
                    order, compiled = values.pop()
                    self._compiler.keep(compiled)
                    values.append("")
                seen[test_id] = Seen(*values)
            lost = [i for i in order if i not in seen]
            if not lost:
                break
            seen[lost[0]] = Seen(False, _MEASURE_SECONDS, -1, ending.detail)
            rest = lost[1:]
        self._limits.learn(seen, self._failing)
        return seen

    def serve(self) -> None:
        """Answer chunks until the channel ends."""
        while True:
            record = self._wire.receive()
            if record is None:
                return
            for index, edits in record["chunk"]:
                if self._compiler.add(edits):
                    self._measure()
                begin = time.perf_counter()
                outcome = self._try(edits)
                seconds = time.perf_counter() - begin
                told = {"kind": "trial", "i": index, "o": list(outcome), "s": seconds, "later": ""}
                self._wire.send(told)

    def _try(self, edits: list[list[Any]]) -> Outcome:
        if self._session is not None and any(_is_conftest(edit[0]) for edit in edits):
            return ("invalid", "", "conftest files are part of the tests")
        try:
            with patched(edits):
                outcome = self._judge()
                if (
                    outcome[0] == "timeout"
                    and outcome[2] == OUT_OF_CPU
                    and self._patience.is_left()
                ):
                    begin = time.perf_counter()
                    self._limits.patient = True
                    outcome = self._judge()
                    self._limits.patient = False
                    self._patience.spend(time.perf_counter() - begin)
                return outcome
        except (SyntaxError, ValueError, OSError) as error:
            return ("invalid", "", str(error)[:200])

    def _judge(self) -> Outcome:
        """Ask the failing tests first; few candidates have to import the files of the others."""
        outcome = self._judged_by(self._failing)
        if outcome[0] == "plausible" and self._passing:
            outcome = self._judged_by([*self._failing, *self._passing])
        return outcome

    def _judged_by(self, wanted: list[str]) -> Outcome:
        ending = Ending()
        seen = set()
        for test_id, passed, _, ticks, detail in self._run(wanted, ending, whole=False):
            seen.add(test_id)
            if test_id == _COLLECTING:
                continue
            if ticks < 0:
                return ("timeout", test_id, detail)
            if not passed:
                return (self._verdict(test_id), test_id, detail)
        if ending.status != "done":
            return (ending.status, "", ending.detail)
        for test_id in wanted:
            if test_id not in seen:
                return (self._verdict(test_id), test_id, "not collected")
        return ("plausible", "", "")

    def _verdict(self, test_id: str) -> str:
        return "failed" if test_id in self._failing else "broke"

    # -- in a child --------------------------------------------------------------------------

    def _run(self, wanted: list[str], ending: Ending, *, whole: bool) -> Iterator[Any]:
        def work(emit: Emit) -> None:
            guard_memory(self._settings["memory_bytes"])
            if self._session is not None:
                self._collect_and_run(self._session, wanted, emit, whole)
                return
            start_pytest(self._settings, lambda s: self._collect_and_run(s, wanted, emit, whole))

        return lines_of(work, [self._wire.fileno], _STALL_SECONDS, ending)

    def _collect_and_run(self, session: Any, wanted: list[str], emit: Emit, whole: bool) -> None:
        meter = self._meter
        begin = time.perf_counter()
        meter.start(_UNLIMITED_TICKS if whole else self._limits.ticks(_COLLECTING) * 10)
        arguments = narrowed(session.config, wanted, self._by_id)
        seconds = _BASE_SECONDS if whole else 1.0 + self._limits.cpu_seconds(_COLLECTING)
        with timed(seconds), contextlib.suppress(BaseException):  # ids that are gone, exit()
            session.perform_collect(arguments)
        if meter.overruns:
            os._exit(TICKS_EXIT)
        apply_warning_filters(session.config)
        kept, goal = set(wanted), set(self._failing)
        items = [item for item in session.items if item.nodeid in kept]
        items.sort(key=lambda item: item.nodeid not in goal)
        order = [item.nodeid for item in items]
        told = self._compiler.new if whole else []
        emit([_COLLECTING, True, time.perf_counter() - begin, meter.used(), [order, told]])
        for item in items:
            seen = self._run_one(item, whole)
            emit(seen)
            if not (seen[1] or whole):
                return

    def _run_one(self, item: Any, whole: bool) -> list[Any]:
        meter, limits, test_id = self._meter, self._limits, item.nodeid
        ticks, seconds = limits.ticks(test_id), limits.cpu_seconds(test_id)
        if whole and test_id in self._failing:
            known = limits.seen.get(test_id)
            ended = known is not None and known.ticks < 0
            ticks, seconds = _MEASURE_TICKS, _AGAIN_SECONDS if ended else _MEASURE_SECONDS
        elif whole:
            ticks, seconds = _UNLIMITED_TICKS, _BASE_SECONDS
        meter.start(ticks)
        begin = time.perf_counter()
        with timed(seconds):
            verdict = Test(item).run()
        taken = time.perf_counter() - begin
        if meter.overruns:
            return [test_id, False, taken, -1, "loop limit"]
        return [test_id, verdict.passed, taken, meter.used(), verdict.detail]


def narrowed(config: Any, wanted: list[str], by_id: bool) -> list[str]:
    """Return what to collect: the tests alone, or the files that hold them."""
    reporter.narrow_arguments(config, wanted)
    if not by_id or len(wanted) > _MOST_IDS:
        return list(config.args)
    return [os.path.join(str(config.rootpath), test_id) for test_id in wanted]


def start_pytest(settings: dict[str, Any], then: Callable[[Any], None]) -> None:
    """Start pytest up to the collection, which `then` does with the session instead."""

    class ColdPlugin:
        def pytest_addoption(self, parser: Any) -> None:
            hygiene.add_dummy_options(parser)

        @pytest.hookimpl(tryfirst=True)
        def pytest_collection(self, session: Any) -> bool:
            then(session)
            return True

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self) -> bool:
            return True

    arguments = hygiene.pytest_arguments(settings["arguments"], plain=True)
    pytest.main([*arguments, "-s", "--continue-on-collection-errors"], plugins=[ColdPlugin()])


def starts_clean(wire: Any, settings: dict[str, Any]) -> bool:
    """Whether a started pytest has imported nothing of the tree but conftest files."""

    def work(emit: Emit) -> None:
        start_pytest(settings, lambda _: emit(_of_tree()))

    found = list(lines_of(work, [wire.fileno], _STALL_SECONDS, Ending()))
    return found == [[]]


def _of_tree() -> list[str]:
    inside = os.path.realpath(os.getcwd()) + os.sep
    prefix = os.path.realpath(sys.prefix) + os.sep
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        path = os.path.realpath(file) if isinstance(file, str) else ""
        ours = path.startswith(inside) and not path.startswith(prefix)
        if ours and not _is_conftest(path):
            found.append(name)
    return found


def _is_conftest(path: str) -> bool:
    return path.split("/")[-1] == "conftest.py"


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

    def serve(session: Any) -> None:
        gc.collect()
        gc.freeze()
        server = ColdServer(wire, settings, session)
        server.settle()
        server.serve()

    if starts_clean(wire, settings):
        start_pytest(settings, serve)
    else:
        serve(None)
    return 0
