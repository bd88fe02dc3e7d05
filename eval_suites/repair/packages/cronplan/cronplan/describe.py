"""Schedules in words."""

from __future__ import annotations

from collections.abc import Iterable

from cronplan.expression import Schedule
from cronplan.fields import MONTHS, WEEKDAYS


def join_words(words: Iterable[str]) -> str:
    """A list as people write it: commas, and ``and`` before the last."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def ordinal(number: int) -> str:
    """A day number with its ending."""
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def even_step(values: frozenset[int], size: int) -> int | None:
    """The step by which values divide a cycle evenly from zero, if they do."""
    if len(values) < 2 or size % len(values) != 0:
        return None
    step = size // len(values)
    return step if values == frozenset(range(0, size, step)) else None


def describe_time(schedule: Schedule) -> str:
    """The time-of-day half of a description."""
    step = even_step(schedule.minutes, 60)
    if step is not None and len(schedule.hours) == 24:
        return "every minute" if step == 1 else f"every {step} minutes"
    if len(schedule.hours) == 24:
        return f"at {join_words(str(m) for m in sorted(schedule.minutes))} past every hour"
    clock = [f"{h:02d}:{m:02d}" for h in sorted(schedule.hours) for m in sorted(schedule.minutes)]
    return "at " + join_words(clock)


def describe_days(schedule: Schedule) -> str:
    """The day half of a description; empty when every day counts."""
    parts: list[str] = []
    if not schedule.any_day:
        parts.append("the " + join_words(ordinal(day) for day in sorted(schedule.days)))
    if not schedule.any_weekday:
        parts.append(join_words(WEEKDAYS[day].title() for day in sorted(schedule.weekdays)))
    text = " or ".join(parts)
    if len(schedule.months) < 12:
        months = join_words(MONTHS[month - 1].title() for month in sorted(schedule.months))
        text = f"{text} in {months}" if text else f"days in {months}"
    return text


def describe(schedule: Schedule) -> str:
    """A schedule as one phrase."""
    days = describe_days(schedule)
    return f"{describe_time(schedule)} on {days}" if days else describe_time(schedule)
