"""When the attempts of a model stop: the declared limits, counted.

Takes: the [attempts] section, what the client has spent. Gives: `Meter`, `Ending`.
Does not know: what an attempt does.
"""

from __future__ import annotations

import time
from enum import StrEnum

from clean_room_agent.config.schema import AttemptsConfig, SolveConfig
from clean_room_agent.llm.client import Usage


class Ending(StrEnum):
    """How an attempt ended; a limit is named as in the configuration."""

    PLAUSIBLE = "plausible"
    STEPS = "steps"
    TOKENS = "tokens"
    SECONDS = "seconds"
    FORMAT_ERRORS = "format_errors"
    STUCK = "stuck"
    WINDOW = "window"
    EMPTY_ROOM = "empty_room"
    MODEL = "model"
    INTERRUPTED = "interrupted"


# More of these might find more; an attempt that is stuck or cannot write an edit is no such case.
BUDGETS = frozenset({Ending.STEPS, Ending.TOKENS, Ending.SECONDS, Ending.WINDOW})
# Shared by all attempts, so that no further one starts: they begin in the same room, too.
SHARED = frozenset({Ending.TOKENS, Ending.SECONDS, Ending.EMPTY_ROOM})
IN_WORDS = {
    Ending.PLAUSIBLE: "plausible patches found",
    Ending.STEPS: "the last attempt used its steps",
    Ending.TOKENS: "the tokens are used up",
    Ending.SECONDS: "the time is up",
    Ending.FORMAT_ERRORS: "the model kept giving answers that cannot be used",
    Ending.STUCK: "the model went in circles",
    Ending.WINDOW: "a prompt did not fit in the window",
    Ending.EMPTY_ROOM: "the room is empty",
}


def comparing_seconds(seconds: float, solve: SolveConfig) -> float:
    """Return what is left of a budget once an earlier generator has a plausible patch."""
    return min(seconds, solve.tie_break_seconds)


class Meter:
    """Counts from its making on: tokens and seconds are shared by all attempts.

    A limit is checked before each call, so the last call may go past it.
    """

    def __init__(self, limits: AttemptsConfig, usage: Usage) -> None:
        self.limits = limits
        self._usage = usage
        self._tokens_before = usage.tokens
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def reached(self) -> Ending | None:
        """Return the shared limit that is reached, if one is."""
        if self._usage.tokens - self._tokens_before >= self.limits.tokens:
            return Ending.TOKENS
        return Ending.SECONDS if self.seconds >= self.limits.seconds else None
