"""How far a long step is, on one line: a bar, how fast, how long it will take.

Takes: what a step says of itself (`Step`). Gives: a line that fits the terminal. Does not know:
when it is printed, or on what (`output`).

What does not fit is left out, least needed first: the bar gets short, then the rate goes, then
the detail, then the time left, then the bar. The words are cut last.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

MIN_BAR, MAX_BAR = 6, 40
# An estimate from less than this says nothing.
LEAST_SECONDS = 0.5
_UNITS = {"scan": "files", "parse": "files", "history": "commits", "edges": "files"}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a verb: how far it is, and since when. A total of 0 is unknown."""

    phase: str
    done: int
    total: int
    detail: str = ""
    seconds: float = 0.0
    done_at_start: int = 0

    @property
    def rate(self) -> float:
        """Things done in a second; 0 while that cannot be said."""
        moved = self.done - self.done_at_start
        return moved / self.seconds if moved > 0 and self.seconds >= LEAST_SECONDS else 0.0

    @property
    def seconds_left(self) -> float | None:
        if not self.total or not self.rate:
            return None
        return max(0.0, (self.total - self.done) / self.rate)


def draw(step: Step, width: int, *, colour: bool) -> str:
    """Return the line for a step, at most `width` columns wide."""
    count = _count(step)
    rate = f"{step.rate:,.0f} {_UNITS.get(step.phase, '')}".rstrip() + "/s" if step.rate else ""
    left = _left(step)
    for parts in (
        (count, rate, step.detail, left),
        (count, step.detail, left),
        (count, left),
        (count,),
    ):
        words = "  ".join(part for part in parts if part)
        room = width - len(step.phase) - len(words) - 3
        if step.total and room >= MIN_BAR:
            return f"{step.phase} {_bar(step, min(room, MAX_BAR), colour=colour)}  {words}"
        plain = f"{step.phase}  {words}" if words else step.phase
        if not step.total and len(plain) <= width:
            return plain
    return f"{step.phase} {count}"[:width]


def _bar(step: Step, width: int, *, colour: bool) -> str:
    from rich.console import Console
    from rich.progress_bar import ProgressBar

    # `legacy_windows` and a colour system of our own: what is asked here is text, not a terminal.
    console = Console(
        file=sys.stderr,
        width=width, force_terminal=True, no_color=not colour, legacy_windows=False,
        color_system="standard" if colour else None,
    )  # fmt: skip
    with console.capture() as captured:
        done = min(step.done, step.total)
        console.print(ProgressBar(step.total, done, width=width), end="")
    drawn = captured.get()
    return drawn if colour else drawn + " " * (width - len(drawn))


def _count(step: Step) -> str:
    if step.total:
        return f"{step.done:,}/{step.total:,}"
    return f"{step.done:,} {_UNITS.get(step.phase, '')}".rstrip() if step.done else ""


def _left(step: Step) -> str:
    """The time left where it can be said, else the time that has passed."""
    left = step.seconds_left
    if left is not None:
        return f"{_clock(left)} left"
    return f"{step.seconds:.0f} s" if step.seconds >= 1.0 else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
