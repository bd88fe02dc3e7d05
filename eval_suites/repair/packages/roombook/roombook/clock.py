"""Times of day as minutes after midnight."""

from __future__ import annotations

MINUTES_PER_HOUR = 60
DAY_END = 24 * MINUTES_PER_HOUR


def parse_time(text: str) -> int:
    """Turn ``09:30`` into minutes; ``24:00`` is the end of the day."""
    hours_text, colon, minutes_text = text.strip().partition(":")
    if not colon or not hours_text.isdigit() or len(minutes_text) != 2:
        raise ValueError(f"not a time: {text!r}")
    hours, minutes = int(hours_text), int(minutes_text)
    total = hours * MINUTES_PER_HOUR + minutes
    if minutes >= MINUTES_PER_HOUR or total > DAY_END:
        raise ValueError(f"no such time: {text!r}")
    return total


def format_time(minutes: int) -> str:
    """Write minutes as ``09:30``."""
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours:02d}:{rest:02d}"


def format_length(minutes: int) -> str:
    """Write a length as ``45 min``, ``2 h`` or ``1 h 30 min``."""
    hours, rest = divmod(minutes, MINUTES_PER_HOUR)
    if hours == 0:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def round_up(minutes: int, step: int) -> int:
    """The next multiple of a step, or the time itself if it is one."""
    return -(-minutes // step) * step
