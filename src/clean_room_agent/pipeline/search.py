"""The model-free search: candidates from `repair`, tried by `validation`, until a limit.

Takes: a spectrum, sources, a warm runner, limits. Gives: `Search`: what was tried and what passed.
Does not know: databases; each batch of trials goes to a callback, which logs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from clean_room_agent.config.schema import SolveConfig
from clean_room_agent.records.attempt import PatchCandidate, Spectrum, Trial, TrialOutcome
from clean_room_agent.repair import propose, propose_pairs
from clean_room_agent.validation.warm import WarmRunner

# Single edits first; pairs get what is left, at least this share of the time.
PAIR_SHARE = 0.4
MAX_PLAUSIBLE = 40
LOG_BATCH = 256

EXHAUSTED = "every candidate was tried"
OUT_OF_TIME = "the time is up"
OUT_OF_CANDIDATES = "the candidate limit is reached"
FOUND = "plausible patches found"
COMPARED = "the time to compare is up"

Log = Callable[[list[tuple[PatchCandidate, Trial]]], None]
Progress = Callable[[str, int, int, str], None]


@dataclass(slots=True)
class Search:
    """What a search did. `stopped` names why it ended.

    `already` is how many patches other generators found: with any, this search only compares.
    `last` holds each candidate with how far it got in its last trial: one that changes code which
    ran at import may be tried twice, the second time in a process that imports anew.
    """

    plausible: list[PatchCandidate] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str = EXHAUSTED
    last: dict[str, tuple[PatchCandidate, float]] = field(default_factory=dict)
    test_sources: Mapping[str, bytes] = field(default_factory=dict)
    already: int = 0

    @property
    def tried(self) -> int:
        """Distinct candidates that were tried."""
        return len(self.last)


def search(
    warm: WarmRunner,
    sources: Mapping[str, bytes],
    test_sources: Mapping[str, bytes],
    spectrum: Spectrum,
    limits: SolveConfig,
    *,
    log: Log,
    progress: Progress,
    already: int = 0,
) -> Search:
    """Try single edits, then pairs of the best, until a patch holds and the tie-break is over.

    Stops at `limits.seconds`, `limits.max_candidates`, or `limits.tie_break_seconds` after the
    first plausible patch; whichever comes first. Where `already` patches are there to compare
    with, nothing is set aside for pairs.
    """
    clock = _Clock(limits)
    result = Search(test_sources=test_sources, already=already)
    singles = propose(sources, spectrum, test_sources=test_sources)
    until = clock.whole() if already else clock.singles()
    _drain(warm, singles, until, result, log, progress, limits)
    if not result.plausible and result.tried < limits.max_candidates:
        pairs = propose_pairs(list(result.last.values()), sources)
        _drain(warm, pairs, clock.whole(), result, log, progress, limits)
    result.seconds = clock.elapsed()
    return result


def progress_of(trial: Trial) -> float:
    """Say how far a candidate got: it mended the failing tests, or some, or changed nothing."""
    if trial.outcome is TrialOutcome.BROKE:
        return 2.0
    return 1.0 if trial.outcome is TrialOutcome.FAILED and trial.detail == "progress" else 0.0


class _Clock:
    """Deadlines of one search, on the monotonic clock."""

    def __init__(self, limits: SolveConfig) -> None:
        self.started = time.monotonic()
        self._seconds = limits.seconds

    def singles(self) -> float:
        return self.started + self._seconds * (1 - PAIR_SHARE)

    def whole(self) -> float:
        return self.started + self._seconds

    def elapsed(self) -> float:
        return time.monotonic() - self.started


def _drain(
    warm: WarmRunner,
    candidates: Iterable[PatchCandidate],
    deadline: float,
    result: Search,
    log: Log,
    progress: Progress,
    limits: SolveConfig,
) -> None:
    batch: list[tuple[PatchCandidate, Trial]] = []
    room = islice(_until(candidates, lambda: deadline), limits.max_candidates - result.tried)
    result.stopped = EXHAUSTED
    for candidate, trial in warm.try_candidates(room):
        result.last[candidate.candidate_id] = (candidate, progress_of(trial))
        batch.append((candidate, trial))
        if trial.outcome is TrialOutcome.PLAUSIBLE:
            if not result.plausible:
                deadline = min(deadline, time.monotonic() + limits.tie_break_seconds)
            result.plausible.append(candidate)
        if len(batch) >= LOG_BATCH:
            log(batch)
            batch = []
        left = max(0.0, deadline - time.monotonic())
        detail = f"{result.already + len(result.plausible)} plausible, at most {left:.0f} s left"
        progress("trying candidates", result.tried, 0, detail)
        if time.monotonic() > deadline or len(result.plausible) >= MAX_PLAUSIBLE:
            break
    if result.tried >= limits.max_candidates:
        result.stopped = OUT_OF_CANDIDATES
    elif time.monotonic() > deadline:
        late = COMPARED if result.already else OUT_OF_TIME
        result.stopped = FOUND if result.plausible else late
    if batch:
        log(batch)


def _until(
    candidates: Iterable[PatchCandidate], deadline: Callable[[], float]
) -> Iterator[PatchCandidate]:
    for candidate in candidates:
        if time.monotonic() > deadline():
            return
        yield candidate
