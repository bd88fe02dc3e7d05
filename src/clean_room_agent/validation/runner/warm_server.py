"""The warm process: pytest imported, tests collected, candidates tried in forked children.

Takes: chunks of candidates. Gives: a record per candidate; `cold` for those that change more than
function bodies. Does not know: why a candidate is tried.

Each child starts from the same memory. In batch mode a child works through many candidates; after
each few it checks that the unpatched tree still gives the known verdicts, and when it does not,
those few are tried again with a fork each. What looks plausible is always confirmed in a fork.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH109

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from . import hygiene, reporter
from .children import Ending, lines_of
from .limits import Patience
from .meter import guard_memory
from .sources import NeedsImport
from .suite import Suite
from .swap import LiveTree, Prepared, applied, watch_calls

if TYPE_CHECKING:
    from .children import Emit

    Outcome = tuple[str, str, str]

_STALL_SECONDS = 120.0
_CHECK_EVERY = 8
_DIRTY_LIMIT = 2
OUT_OF_CPU = f"signal {int(signal.SIGPROF)}"


class Server:
    """Serves candidates against one suite."""

    def __init__(self, wire: Any, suite: Suite, tree: LiveTree, settings: dict[str, Any]) -> None:
        self._wire = wire
        self._suite = suite
        self._tree = tree
        self._batch = False
        self._dirty = 0
        self._patience = Patience(settings["patient_seconds"])
        self._mode = settings["mode"]

    def settle(self) -> None:
        """Check the unpatched tree, choose batch or fork, and say so."""
        self._suite.check()
        self._suite_repeats = self._mode != "fork" and self._suite.repeats()
        self._batch = self._suite_repeats and bool(self._suite.quick_check())
        record = {"kind": "ready", "batch": self._batch, "missing": self._suite.missing}
        record["excluded"] = self._suite.excluded
        record["by_pytest"] = [i for i in self._suite.order if self._suite.tests[i].direct is None]
        record["seconds"] = sum(seen.seconds for seen in self._suite.seen.values())
        record["modules"] = _foreign_modules(self._tree.root)
        self._wire.send(record)

    def serve(self) -> None:
        """Answer chunks until the channel ends."""
        while True:
            record = self._wire.receive()
            if record is None:
                return
            self._chunk(record["chunk"], record["alone"])

    def _chunk(self, chunk: list[Any], alone: bool) -> None:
        fresh = [path for _, edits in chunk for path in self._tree.touch(edits)]
        if fresh:
            self._suite.measure(fresh)
            gc.collect()
            gc.freeze()
        ready = []
        for index, edits in chunk:
            begin = time.perf_counter()
            try:
                ready.append(self._tree.prepare(index, edits))
            except NeedsImport as reason:
                self._say(index, ("cold", "", str(reason)), begin)
            except (SyntaxError, ValueError, RecursionError, OSError) as error:
                self._say(index, ("invalid", "", str(error)[:200]), begin)
        while ready:
            batch = self._batch and not alone
            done = self._try_batch(ready) if batch else self._try_alone(ready[0])
            ready = ready[done:]

    def _say(self, index: int, outcome: Outcome, begin: float, later: str = "") -> None:
        seconds = time.perf_counter() - begin
        record = {"kind": "trial", "i": index, "o": list(outcome), "s": seconds, "later": later}
        self._wire.send(record)

    def _answer(self, one: Prepared, outcome: Outcome, begin: float) -> None:
        """Say the outcome, and what a process that imports the change anew has yet to say.

        Nothing tells whether module state depends on a function that ran at import.
        """
        later = ""
        if one.at_import and outcome[0] != "timeout":
            later = "confirm" if outcome[0] == "plausible" else "doubt"
        self._say(one.number, outcome, begin, later)

    # -- a fork each -------------------------------------------------------------------------

    def _try_alone(self, one: Prepared, known: Outcome | None = None) -> int:
        begin = time.perf_counter()
        outcome = known or self._forked(one)
        ran_out = outcome[0] == "timeout" and outcome[2] == OUT_OF_CPU
        if ran_out and self._patience.is_left():
            self._suite.limits.patient = True
            again = time.perf_counter()
            outcome = self._forked(one)
            self._patience.spend(time.perf_counter() - again)
            self._suite.limits.patient = False
        self._answer(one, outcome, begin)
        return 1

    def _forked(self, one: Prepared) -> Outcome:
        def work(emit: Emit) -> None:
            guard_memory(self._suite.memory_bytes)
            with applied(one):
                emit(self._suite.evaluate(self._suite.order_for(one.paths), False))

        ending = Ending()
        found = list(lines_of(work, self._suite.close, _STALL_SECONDS, ending))
        if found:
            outcome, test_id, detail = found[0]
            return (outcome, test_id, detail)
        return (ending.status if ending.status == "timeout" else "crashed", "", ending.detail)

    # -- many in one child -------------------------------------------------------------------

    def _try_batch(self, group: list[Prepared]) -> int:
        """Try `group` in one child; return how many of them are settled."""
        cheap = self._suite.quick_check()

        def work(emit: Emit) -> None:
            guard_memory(self._suite.memory_bytes)
            for number, one in enumerate(group, 1):
                begin = time.perf_counter()
                self._tree.clear_caches()
                with applied(one):
                    outcome = self._suite.evaluate(self._suite.order_for(one.paths), True)
                emit([*outcome, time.perf_counter() - begin])
                if number % _CHECK_EVERY == 0 or number == len(group):
                    self._tree.clear_caches()
                    clean = self._suite.is_clean(cheap)
                    emit(["clean" if clean else "dirty", "", "", 0])
                    if not clean:
                        return

        settled = 0
        held: list[Any] = []
        ending = Ending()
        for *outcome, seconds in lines_of(work, self._suite.close, _STALL_SECONDS, ending):
            if outcome[0] == "clean":
                settled += self._release(group, settled, held)
                held = []
            elif outcome[0] == "dirty":
                break
            else:
                held.append((tuple(outcome), seconds))
        if settled == len(group):
            return settled
        return settled + self._redo(group[settled:], len(held), ending)

    def _release(self, group: list[Prepared], start: int, held: list[Any]) -> int:
        for one, (outcome, seconds) in zip(group[start:], held):  # noqa: B905 - Python 3.8
            if outcome[0] == "plausible":
                self._try_alone(one)
            else:
                self._answer(one, outcome, time.perf_counter() - seconds)
        return len(held)

    def _redo(self, rest: list[Prepared], held: int, ending: Ending) -> int:
        """Try those whose child died or was polluted with a fork each."""
        died = ending.status in ("timeout", "crashed") and held < len(rest)
        count = held if died else max(1, held)
        if not died:
            self._dirty += 1
            self._batch = self._dirty <= _DIRTY_LIMIT
        for one in rest[:count]:
            self._try_alone(one)
        if died:  # by the next one; its own limits ended it, or it ended itself
            known = ("timeout", "", ending.detail) if ending.status == "timeout" else None
            self._try_alone(rest[count], known)
        return count + died


def _foreign_modules(root: str) -> list[str]:
    inside = os.path.realpath(root) + os.sep
    prefix = os.path.realpath(sys.prefix) + os.sep
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or ("." in name and name.split(".")[0] not in sys.modules):
            continue
        path = os.path.realpath(file)
        if not path.startswith(inside) or path.startswith(prefix):
            found.append(name)
    return found


def silence() -> None:
    """stdin, stdout and stderr to nowhere: candidates print as they like."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.close(nowhere)


def apply_warning_filters(config: Any) -> None:
    """Make the repository's warning filters hold for tests called directly."""
    try:
        from _pytest.config import apply_warning_filters as apply
    except ImportError:
        return
    apply(config.getini("filterwarnings"), config.known_args_namespace.pythonwarnings or [])


def make_plugin(wire: Any, settings: dict[str, Any], stop: Any) -> Any:
    """Return the plugin that turns pytest's run loop into the server."""
    wanted = [*settings["failing"], *settings["passing"]]

    class WarmPlugin:
        def pytest_addoption(self, parser: Any) -> None:
            hygiene.add_dummy_options(parser)

        @pytest.hookimpl(trylast=True)
        def pytest_configure(self, config: Any) -> None:
            reporter.narrow_arguments(config, wanted)

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtestloop(self, session: Any) -> bool:
            called = stop()
            silence()
            apply_warning_filters(session.config)
            passing = settings["passing"]
            suite = Suite(session.items, settings["failing"], passing, wire.fileno)
            suite.memory_bytes = settings["memory_bytes"]
            suite.cover(settings["coverage"])
            server = Server(wire, suite, LiveTree(os.getcwd(), called), settings)
            gc.collect()
            gc.freeze()
            server.settle()
            server.serve()
            return True

    return WarmPlugin()


def main(wire: Any, settings: dict[str, Any]) -> int:
    """Serve until the channel ends."""
    arguments = hygiene.pytest_arguments(settings["arguments"], plain=True)
    plugin = make_plugin(wire, settings, watch_calls())
    code = int(pytest.main([*arguments, "-s"], plugins=[plugin]))
    wire.send({"kind": "gone", "exit": code})
    return code
