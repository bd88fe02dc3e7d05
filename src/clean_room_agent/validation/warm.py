"""Candidates tried against the tests in warm processes inside one isolation.

Takes: a command, the unpatched tree, an `Isolation`, failing and passing tests.
Gives: `WarmRunner`, which answers each `PatchCandidate` with a `Trial`, in the order given.
Does not know: where candidates come from. A plausible trial is a hint, never a verdict: the warm
process shares memory with code under test, so `grade` has the last word.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from clean_room_agent.errors import SandboxError, TamperedError, UsageError
from clean_room_agent.records.attempt import PatchCandidate, Trial, TrialOutcome
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.channel import Job, Runner
from clean_room_agent.validation.isolation import Isolation

_SCRIPTS = ("meter", "children", "sources", "swap", "direct", "suite", "warm_server")
_FIRST_CHUNK = 4
_CHUNK = 32
_WINDOW = 96
_STALL_SECONDS = 150.0
_PATIENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WarmSettings:
    """What the candidates are tried against, and how.

    `mode` is "auto" (batch where a self-check allows it) or "fork" (one child per candidate);
    `memory_bytes` is what one trial may take beyond the warm process.
    """

    failing: tuple[str, ...]
    passing: tuple[str, ...] = ()
    mode: str = "auto"
    memory_bytes: int = 512 * 1024**2
    patient_seconds: float = _PATIENT_SECONDS

    def as_job(self) -> dict[str, object]:
        return {
            "failing": list(self.failing),
            "passing": list(self.passing),
            "mode": self.mode,
            "memory_bytes": self.memory_bytes,
            "patient_seconds": self.patient_seconds,
        }


@dataclass(frozen=True, slots=True)
class WarmState:
    """What the self-check of the unpatched tree found.

    `excluded` tests did not behave as told and are not used; `missing` failing tests could not be
    collected, so that every candidate is imported anew; `by_pytest` tests run through pytest.
    """

    batch: bool
    excluded: tuple[str, ...]
    missing: tuple[str, ...]
    by_pytest: tuple[str, ...]
    suite_seconds: float
    start_seconds: float


@dataclass(slots=True)
class _Line:
    """One process, and the candidates it has been sent but not answered, in order.

    Those in `alone` get a fork each, so that the first without an answer ended the process.
    """

    runner: Runner
    pending: deque[int] = field(default_factory=deque)
    alone: set[int] = field(default_factory=set)


class WarmRunner:
    """A context manager around one warm process, and a cold one from the first need on."""

    def __init__(
        self,
        command: TestCommand,
        tree: Path,
        isolation: Isolation,
        settings: WarmSettings,
        limits: Limits,
    ) -> None:
        self._command, self._tree, self._isolation = command, tree, isolation
        self._settings, self._limits = settings, limits
        self._modules: list[str] = []
        self._numbers = itertools.count()
        self._sent: dict[int, PatchCandidate] = {}
        self._answers: dict[int, Trial] = {}
        self._warm: _Line | None = None
        self._cold: _Line | None = None
        self.state: WarmState | None = None
        self.cold_trials = 0
        self.restarts = 0

    def __enter__(self) -> Self:
        begin = time.monotonic()
        try:
            self._warm, ready = self._started("warm_server", self._settings.as_job())
        except BaseException:
            self.close()
            raise
        self._modules = ready["modules"]
        self.state = WarmState(
            batch=ready["batch"],
            excluded=tuple(ready["excluded"]),
            missing=tuple(ready["missing"]),
            by_pytest=tuple(ready["by_pytest"]),
            suite_seconds=ready["seconds"],
            start_seconds=time.monotonic() - begin,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End both processes."""
        for line in (self._warm, self._cold):
            if line is not None:
                line.runner.__exit__(None, None, None)
        self._warm = self._cold = None

    def try_candidates(
        self, candidates: Iterable[PatchCandidate]
    ) -> Iterator[tuple[PatchCandidate, Trial]]:
        """Yield each candidate with its trial, in the order given, pulling candidates lazily.

        A few dozen are in flight at a time. The caller may stop at any point.

        Raises:
            SandboxError: a process died and could not be started again.
        """
        source = iter(candidates)
        order: deque[int] = deque()
        chunk, exhausted = _FIRST_CHUNK, False
        while True:
            while not exhausted and len(order) + chunk <= _WINDOW:
                taken = list(itertools.islice(source, chunk))
                exhausted = len(taken) < chunk
                numbers = [next(self._numbers) for _ in taken]
                self._sent.update(zip(numbers, taken, strict=True))
                order.extend(numbers)
                self._send(self._home(), numbers)
                chunk = min(_CHUNK, 2 * chunk)
            if not order:
                return
            while order and order[0] in self._answers:
                number = order.popleft()
                yield self._sent.pop(number), self._answers.pop(number)
            if order and order[0] not in self._answers:
                self._hear()

    def _home(self) -> _Line:
        """The process a new candidate goes to first."""
        if self._warm is None:
            raise SandboxError("the warm runner is not open")
        if self.state is not None and self.state.missing:
            return self._cold_line()
        return self._warm

    def _cold_line(self) -> _Line:
        if self._cold is None:
            job = {**self._settings.as_job(), "modules": self._modules}
            self._cold, _ = self._started("cold_server", job)
        return self._cold

    def _started(self, entry: str, job: Mapping[str, object]) -> tuple[_Line, dict[str, Any]]:
        scripts = (*_SCRIPTS, "cold_server") if entry == "cold_server" else _SCRIPTS
        runner = Runner.start(
            self._command, self._tree, self._isolation, self._limits, Job(entry, scripts, job)
        )
        line = _Line(runner.__enter__())
        try:
            return line, self._await_ready(runner)
        except BaseException:
            runner.__exit__(None, None, None)
            raise

    def _await_ready(self, runner: Runner) -> dict[str, Any]:
        deadline = time.monotonic() + self._limits.wall_seconds
        while (left := deadline - time.monotonic()) > 0 and not runner.ended:
            record = runner.receive(left)
            if record is None:
                continue
            if record["kind"] == "no_pytest":
                raise UsageError(f"{self._command.interpreter} cannot import pytest")
            if record["kind"] == "ready":
                return record
        runner.kill()
        ending = runner.wait()
        said = ending.output_tail.decode("utf-8", "replace").strip()[-300:]
        raise SandboxError(f"the warm test process did not become ready: {said or ending.reason}")

    def _send(self, line: _Line, numbers: Sequence[int], *, alone: bool = False) -> None:
        if numbers:
            line.pending.extend(numbers)
            line.alone.update(numbers if alone else ())
            chunk = [[number, _edits(self._sent[number])] for number in numbers]
            line.runner.send({"chunk": chunk, "alone": alone})

    def _hear(self) -> None:
        """Take in the next answer of whichever process owes one."""
        owing = [line for line in (self._warm, self._cold) if line is not None and line.pending]
        patience = _STALL_SECONDS if len(owing) == 1 else 0.02
        begin = time.monotonic()
        while True:
            for line in owing:
                if self._heard(line, patience):
                    return
            if time.monotonic() - begin > _STALL_SECONDS:
                self._replace(owing[0], "no answer")
                return

    def _heard(self, line: _Line, patience: float) -> bool:
        try:
            record = line.runner.receive(patience)
        except TamperedError as error:
            self._replace(line, error.message)
            return True
        if record is None:
            if line.runner.ended:
                self._replace(line, "the process died")
                return True
            return False
        if record["kind"] == "trial":
            self._take(line, record)
        return True

    def _take(self, line: _Line, record: Mapping[str, Any]) -> None:
        number = record["i"]
        if number not in self._sent:
            return
        if number in line.pending:
            line.pending.remove(number)
        outcome, test_id, detail = record["o"]
        if outcome == "cold":
            self.cold_trials += 1
            self._send(self._cold_line(), [number], alone=True)
            return
        candidate_id = self._sent[number].candidate_id
        kind = TrialOutcome(outcome)
        self._answers[number] = Trial(candidate_id, kind, record["s"], test_id, detail)

    def _replace(self, line: _Line, why: str) -> None:
        """Restart a process that died or hangs, and ask again with a fork for each candidate.

        Only then is the first candidate without an answer known to be the cause.
        """
        self.restarts += 1
        pending = list(line.pending)
        line.runner.__exit__(None, None, None)
        if pending and pending[0] in line.alone:
            first = pending.pop(0)
            kind = TrialOutcome.TIMEOUT if why == "no answer" else TrialOutcome.CRASHED
            self._answers[first] = Trial(self._sent[first].candidate_id, kind, 0.0, "", why)
        if line is self._warm:
            self._warm, _ = self._started("warm_server", self._settings.as_job())
            self._send(self._warm, pending, alone=True)
        else:
            self._cold = None
            if pending:
                self._send(self._cold_line(), pending, alone=True)


def _edits(candidate: PatchCandidate) -> list[list[object]]:
    return [
        [r.path, r.start_byte, r.end_byte, r.new_bytes.decode("latin-1"), r.before_sha256]
        for r in candidate.replacements
    ]
