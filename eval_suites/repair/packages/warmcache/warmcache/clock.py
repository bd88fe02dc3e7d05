"""Where time comes from."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Anything that knows the time in seconds."""

    def now(self) -> float:
        """Seconds since some fixed moment."""


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forwards; a clock never goes back."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._now += seconds
