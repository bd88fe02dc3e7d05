"""Candidates tried against the tests in warm processes inside one isolation.

Takes: a command, the unpatched tree, an `Isolation`, failing and passing tests.
Gives: `WarmRunner`, which answers each `PatchCandidate` with a `Trial`.
Does not know: where candidates come from. A plausible trial is a hint, never a verdict: the warm
process shares memory with code under test, so `grade` has the last word.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from clean_room_agent.errors import SandboxError, TamperedError, UsageError
from clean_room_agent.records.attempt import PatchCandidate, Trial, TrialOutcome
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.channel import Job, Runner
from clean_room_agent.validation.isolation import Isolation

_SCRIPTS = ("meter", "children", "sources", "swap", "direct", "limits", "suite", "warm_server")
_CHUNK = 32
_CHUNKS = 3
_CHUNK_SECONDS = 0.25
_FIRST_PACE = _CHUNK_SECONDS / 4
_IN_COLD = 2
_WAITING_COLD = 4
_LISTEN_COLD_EVERY = 0.02
_STALL_SECONDS = 150.0
_PATIENT_SECONDS = 10.0
# The order in which candidates get a cold trial.
# The cold process takes what only it can confirm first, then everything in the order proposed:
# a likely edit that the warm process may have judged wrongly must not wait behind unlikely ones.
_TO_CONFIRM, _WAITING = range(2)


@dataclass(frozen=True, slots=True)
class WarmSettings:
    """What the candidates are tried against, and how.

    `mode` is "auto" (batch where a self-check allows it) or "fork" (one child per candidate);
    `memory_bytes` is what one trial may take beyond the warm process. `coverage` gives the passing
    tests that run each file: a candidate that changes only listed files is tried against those and
    the failing ones, and the rest is left to grading. Without it, all passing tests are asked.
    """

    failing: tuple[str, ...]
    passing: tuple[str, ...] = ()
    mode: str = "auto"
    memory_bytes: int = 512 * 1024**2
    patient_seconds: float = _PATIENT_SECONDS
    coverage: Mapping[str, Collection[str]] | None = None

    def as_job(self) -> dict[str, object]:
        known = self.coverage
        return {
            "coverage": None if known is None else {p: sorted(t) for p, t in known.items()},
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
    ready: bool = False
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
        self._done: deque[tuple[PatchCandidate, Trial]] = deque()
        self._for_cold: list[tuple[int, int]] = []
        self._pace = _FIRST_PACE
        self._cold_heard = 0.0
        self._warm: _Line | None = None
        self._cold: _Line | None = None
        self.state: WarmState | None = None
        self.cold_trials = 0
        self.restarts = 0

    def __enter__(self) -> Self:
        begin = time.monotonic()
        try:
            self._warm = self._started("warm_server", self._settings.as_job())
            ready = self._await_ready(self._warm)
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
        """Yield candidates with their trials as these end, pulling candidates lazily.

        The warm process answers in the order given; those that only a cold import can try are
        yielded when that has been done, meanwhile the warm one goes on. A candidate that changes a
        function which ran at import is yielded with what the warm process found (plausible only
        once the cold one confirmed it), and *again* after a cold trial. The caller may stop at any
        point.

        Raises:
            SandboxError: a process died and could not be started again.
        """
        source = iter(candidates)
        exhausted = False
        try:
            while True:
                while not exhausted and (count := self._room()):
                    taken = list(itertools.islice(source, count))
                    exhausted = len(taken) < count
                    self._take_up(taken)
                self._feed_cold()
                while self._done:
                    yield self._done.popleft()
                if exhausted and not self._sent:
                    return
                if self._sent:
                    self._hear()
        finally:
            # What is under way in the processes is answered later, to nobody.
            self._sent.clear()
            self._for_cold.clear()
            self._done.clear()

    @property
    def _imports_all(self) -> bool:
        """Whether a failing test cannot be collected, so that every candidate goes cold."""
        return self.state is not None and bool(self.state.missing)

    def _room(self) -> int:
        """How many candidates to pull now: some are under way, a fraction of a second's work."""
        if self._warm is None:
            raise SandboxError("the warm runner is not open")
        if self._imports_all:
            return max(0, _WAITING_COLD - len(self._for_cold))
        chunk = max(1, min(_CHUNK, int(_CHUNK_SECONDS / self._pace)))
        under_way = sum(1 for number in self._warm.pending if number in self._sent)
        return chunk if under_way + chunk <= _CHUNKS * chunk else 0

    def _take_up(self, taken: Sequence[PatchCandidate]) -> None:
        numbers = [next(self._numbers) for _ in taken]
        self._sent.update(zip(numbers, taken, strict=True))
        if self._imports_all:
            self._for_cold += [(_WAITING, number) for number in numbers]
            heapq.heapify(self._for_cold)
        elif self._warm is not None:
            self._send(self._warm, numbers)

    def _feed_cold(self) -> None:
        """Give the cold process its next candidates; it is started when it is first needed."""
        while self._for_cold and (self._cold is None or len(self._cold.pending) < _IN_COLD):
            if self._cold is None:
                job = {**self._settings.as_job(), "modules": self._modules}
                self._cold = self._started("cold_server", job)
            _, number = heapq.heappop(self._for_cold)
            self.cold_trials += 1
            self._send(self._cold, [number], alone=True)

    def _started(self, entry: str, job: Mapping[str, object]) -> _Line:
        scripts = (*_SCRIPTS, "cold_server") if entry == "cold_server" else _SCRIPTS
        runner = Runner.start(
            self._command, self._tree, self._isolation, self._limits, Job(entry, scripts, job)
        )
        return _Line(runner.__enter__())

    def _await_ready(self, line: _Line) -> dict[str, Any]:
        runner = line.runner
        deadline = time.monotonic() + self._limits.wall_seconds
        while (left := deadline - time.monotonic()) > 0 and not runner.ended:
            record = runner.receive(left)
            if record is None:
                continue
            if record["kind"] == "no_pytest":
                raise UsageError(f"{self._command.interpreter} cannot import pytest")
            if record["kind"] == "ready":
                line.ready = True
                return record
        raise _not_ready(line)

    def _send(self, line: _Line, numbers: Sequence[int], *, alone: bool = False) -> None:
        numbers = [number for number in numbers if number in self._sent]
        if numbers:
            line.pending.extend(numbers)
            line.alone.update(numbers if alone else ())
            chunk = [[number, _edits(self._sent[number])] for number in numbers]
            line.runner.send({"chunk": chunk, "alone": alone})

    def _hear(self) -> None:
        """Take in the next answer of whichever process owes one."""
        begin = time.monotonic()
        while True:
            warm, cold = self._owing(self._warm), self._owing(self._cold)
            owing = [line for line in (warm, cold) if line is not None]
            if len(owing) == 1:
                if self._heard(owing[0], _STALL_SECONDS):
                    return
            elif warm is not None and cold is not None:
                # A busy warm process must not keep the answers of the cold one waiting.
                due = time.monotonic() - self._cold_heard > _LISTEN_COLD_EVERY
                self._cold_heard = time.monotonic() if due else self._cold_heard
                if (due and self._heard(cold, 0.001)) or self._heard(warm, _LISTEN_COLD_EVERY):
                    return
            if not owing:
                return
            if time.monotonic() - begin > _STALL_SECONDS:
                self._replace(owing[0], "no answer")
                return

    @staticmethod
    def _owing(line: _Line | None) -> _Line | None:
        return line if line is not None and line.pending else None

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
        line.ready = line.ready or record["kind"] == "ready"
        return True

    def _take(self, line: _Line, record: Mapping[str, Any]) -> None:
        number = record["i"]
        if number in line.pending:
            line.pending.remove(number)
        if line is self._warm:
            self._pace += 0.1 * (max(record["s"], 0.001) - self._pace)
        if number not in self._sent:
            return
        outcome, test_id, detail = record["o"]
        if outcome == "cold":
            heapq.heappush(self._for_cold, (_WAITING, number))
        elif record["later"] == "confirm":
            heapq.heappush(self._for_cold, (_TO_CONFIRM, number))
        else:
            kind = TrialOutcome(outcome)
            self._answer(number, Trial("", kind, record["s"], test_id, detail))
            if record["later"] == "doubt":
                heapq.heappush(self._for_cold, (_WAITING, number))
            else:
                del self._sent[number]

    def _answer(self, number: int, trial: Trial) -> None:
        candidate = self._sent[number]
        self._done.append((candidate, replace(trial, candidate_id=candidate.candidate_id)))

    def _replace(self, line: _Line, why: str) -> None:
        """Restart a process that died or hangs, and ask again with a fork for each candidate.

        Only then is the first candidate without an answer known to be the cause.
        """
        if not line.ready:
            raise _not_ready(line)
        self.restarts += 1
        pending = list(line.pending)
        line.runner.__exit__(None, None, None)
        if pending and pending[0] in line.alone:
            first = pending.pop(0)
            if first in self._sent:
                kind = TrialOutcome.TIMEOUT if why == "no answer" else TrialOutcome.CRASHED
                self._answer(first, Trial("", kind, 0.0, "", why))
                del self._sent[first]
        if line is self._warm:
            self._warm = self._started("warm_server", self._settings.as_job())
            self._await_ready(self._warm)
            self._send(self._warm, pending, alone=True)
        else:
            self._cold = None
            self._for_cold += [(_TO_CONFIRM, number) for number in pending if number in self._sent]
            heapq.heapify(self._for_cold)


def _not_ready(line: _Line) -> SandboxError:
    line.runner.kill()
    ending = line.runner.wait()
    said = ending.output_tail.decode("utf-8", "replace").strip()[-300:]
    return SandboxError(f"the warm test process did not become ready: {said or ending.reason}")


def _edits(candidate: PatchCandidate) -> list[list[object]]:
    return [
        [r.path, r.start_byte, r.end_byte, r.new_bytes.decode("latin-1"), r.before_sha256]
        for r in candidate.replacements
    ]
