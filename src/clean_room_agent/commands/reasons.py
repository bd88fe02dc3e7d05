"""Why a candidate is in or out, in one line.

Takes: a decision or a candidate. Gives: its score and its strongest signals. Does not know: how a
signal is measured, or where the line is printed.
"""

from __future__ import annotations

from clean_room_agent.records.context import Candidate, Decision

SIGNALS_SHOWN = 4


def reasons(decision: Decision) -> str:
    """Return the score of a decision and its strongest signals in one line."""
    return reasons_of(decision.candidate) or decision.reason


def reasons_of(candidate: Candidate) -> str:
    """Return a score and its strongest signals in one line; "" where nothing spoke."""
    signals = sorted(candidate.signals, key=lambda s: (-abs(s.contribution), s.name))
    told = [f"{s.name} {s.contribution:+.2f}" for s in signals[:SIGNALS_SHOWN]]
    return f"score {candidate.score:.2f} = {', '.join(told)}" if told else ""
