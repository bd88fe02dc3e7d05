"""When an attempt turns in circles: four patterns over what was done and what was seen.

Takes: the moves of an attempt, oldest first. Gives: the reason in words, or "".
Does not know: what a move was, or what is done about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SAME_MOVES = 2
ALTERNATING_MOVES = 4
SAME_ERRORS = 3
MOVES_WITHOUT_PROGRESS = 4


@dataclass(frozen=True, slots=True)
class Move:
    """One turn as the detector sees it.

    `action` is equal for changes that mean the same; `failing` counts the tests that were to come
    to pass and did not, None where no test ran; `is_error` marks an answer that could not be tried.
    """

    action: str
    observation: str
    failing: int | None
    is_error: bool


def find_stuck(moves: Sequence[Move], failing_before: int) -> str:
    """Return why the attempt is stuck, or "" where it is not.

    `failing_before` counts the tests that failed before the first of these moves.
    """
    for check in (_repeats, _alternates, _same_error):
        if reason := check(moves):
            return reason
    return _no_progress(moves, failing_before)


def _repeats(moves: Sequence[Move]) -> str:
    """Two equal edits; an answer that cannot be tried has a pattern of its own."""
    last = moves[-SAME_MOVES:]
    seen = {(move.action, move.observation) for move in last}
    tried = not any(move.is_error for move in last)
    if len(last) == SAME_MOVES and len(seen) == 1 and tried:
        return f"the same action gave the same result {SAME_MOVES} times"
    return ""


def _alternates(moves: Sequence[Move]) -> str:
    last = [(move.action, move.observation) for move in moves[-ALTERNATING_MOVES:]]
    if len(last) < ALTERNATING_MOVES or len(set(last)) != 2:
        return ""
    return "two actions alternate" if last[:2] == last[2:] and last[0] != last[1] else ""


def _same_error(moves: Sequence[Move]) -> str:
    last = moves[-SAME_ERRORS:]
    same = len({move.observation for move in last}) == 1
    if len(last) == SAME_ERRORS and same and all(move.is_error for move in last):
        return f"the same error came {SAME_ERRORS} times"
    return ""


def _no_progress(moves: Sequence[Move], failing_before: int) -> str:
    """The last edits left no fewer tests failing than the best state before them."""
    counted = [failing_before, *(move.failing for move in moves if move.failing is not None)]
    before, last = counted[:-MOVES_WITHOUT_PROGRESS], counted[-MOVES_WITHOUT_PROGRESS:]
    if before and min(last) >= min(before):
        return f"no fewer tests fail after {MOVES_WITHOUT_PROGRESS} further edits"
    return ""
