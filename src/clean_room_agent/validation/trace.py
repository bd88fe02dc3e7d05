"""Which lines each test executes: the spectrum that fault localisation reads.

Takes: a command, a tree, an `Isolation`, failing and passing ids, caps. Gives: `Spectrum`.
Does not know: how suspicious a line is. Lines run at import belong to no test; only when a failing
test could not be collected are they given, under the test id "".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clean_room_agent.errors import SandboxError, UsageError
from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.channel import Job, Runner
from clean_room_agent.validation.isolation import Isolation

_ENTRY = "tracer"
_SCRIPTS = ("meter", "children", "sources", "swap", "direct", "limits", "suite", "warm_server")
COLLECTION = ""


@dataclass(frozen=True, slots=True)
class TraceTargets:
    """Tests to trace, and the caps: of the whole, of one test, of its events and memory."""

    failing: tuple[str, ...]
    passing: tuple[str, ...] = ()
    seconds: float = 30.0
    cpu_seconds: float = 5.0
    events: int = 2_000_000
    memory_bytes: int = 1024**3

    def as_job(self, *, collection: bool) -> dict[str, object]:
        return {
            "failing": list(self.failing),
            "passing": list(self.passing),
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "events": self.events,
            "memory_bytes": self.memory_bytes,
            "collection": collection,
        }


@dataclass(slots=True)
class _Traced:
    """What has been reported so far."""

    collected: set[str] = field(default_factory=set)
    failing: list[str] = field(default_factory=list)
    passing: list[str] = field(default_factory=list)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    complete: bool = True
    ended: bool = False

    def add(self, record: Mapping[str, Any]) -> None:
        match record["kind"]:
            case "collected":
                self.collected = set(record["ids"])
            case "capped":
                self.complete = False
            case "end":
                self.ended = True
            case "lines":
                self._add_lines(record)

    def _add_lines(self, record: Mapping[str, Any]) -> None:
        test_id = record["id"]
        (self.passing if record["passed"] else self.failing).append(test_id)
        self.complete = self.complete and not record["capped"]
        for path, numbers in record["lines"].items():
            table = self.lines.setdefault(path, {})
            for number in numbers:
                table.setdefault(number, set()).add(test_id)


def trace_tests(
    command: TestCommand,
    tree: Path,
    isolation: Isolation,
    targets: TraceTargets,
    limits: Limits,
) -> Spectrum:
    """Trace the failing tests, then passing ones by relevance, until the time is up.

    `Spectrum.failing` and `.passing` say how each traced test ended *here*; `complete` is False
    when a cap was reached or a process died.

    Raises:
        UsageError: pytest is not installed in the interpreter of the command.
        SandboxError: the process could not be started.
    """
    traced = _Traced()
    _run(command, tree, isolation, limits, targets.as_job(collection=False), traced)
    if any(test_id not in traced.collected for test_id in targets.failing):
        _run(command, tree, isolation, limits, targets.as_job(collection=True), traced)
    lines = {
        path: {number: frozenset(tests) for number, tests in sorted(table.items())}
        for path, table in sorted(traced.lines.items())
    }
    complete = traced.complete and traced.ended
    return Spectrum(tuple(traced.failing), tuple(traced.passing), lines, complete)


def _run(
    command: TestCommand,
    tree: Path,
    isolation: Isolation,
    limits: Limits,
    job: Mapping[str, object],
    traced: _Traced,
) -> None:
    deadline = time.monotonic() + limits.wall_seconds
    started = traced.ended = False
    entry = Job(_ENTRY, (*_SCRIPTS, _ENTRY), job)
    with Runner.start(command, tree, isolation, limits, entry) as runner:
        while not runner.ended and (left := deadline - time.monotonic()) > 0:
            record = runner.receive(left)
            if record is None:
                continue
            if record["kind"] == "no_pytest":
                raise UsageError(f"{command.interpreter} cannot import pytest")
            started = True
            traced.add(record)
        runner.kill()
        ending = runner.wait()
    if not started:
        raise SandboxError(f"the tracing process did not start: {ending.reason or ending.status}")
