"""Walking along a schedule, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from cronplan.expression import Schedule

HORIZON_DAYS = 366 * 8
ONE_DAY = timedelta(days=1)


def times_of_day(schedule: Schedule) -> Iterator[time]:
    """The times at which a schedule runs on a day it runs at all."""
    for hour in sorted(schedule.hours):
        for minute in sorted(schedule.minutes):
            yield time(hour, minute)


def next_after(schedule: Schedule, moment: datetime) -> datetime | None:
    """The first run strictly after a moment, or None within the horizon."""
    day = moment.date()
    for _ in range(HORIZON_DAYS):
        if schedule.matches_day(day):
            for at in times_of_day(schedule):
                candidate = datetime.combine(day, at)
                if candidate > moment:
                    return candidate
        day += ONE_DAY
    return None


def last_before(schedule: Schedule, moment: datetime) -> datetime | None:
    """The latest run strictly before a moment, or None within the horizon."""
    day = moment.date()
    for _ in range(HORIZON_DAYS):
        if schedule.matches_day(day):
            for at in reversed(list(times_of_day(schedule))):
                candidate = datetime.combine(day, at)
                if candidate < moment:
                    return candidate
        day -= ONE_DAY
    return None


def upcoming(schedule: Schedule, moment: datetime, count: int) -> Iterator[datetime]:
    """The next so many runs after a moment."""
    current = moment
    for _ in range(count):
        following = next_after(schedule, current)
        if following is None:
            return
        yield following
        current = following


def runs_between(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """All runs from a start, included, to an end, excluded."""
    runs: list[datetime] = []
    current = next_after(schedule, start - timedelta(minutes=1))
    while current is not None and current < end:
        runs.append(current)
        current = next_after(schedule, current)
    return runs


def longest_gap(schedule: Schedule, start: datetime, end: datetime) -> timedelta:
    """The longest stretch without a run inside a period."""
    marks = [start, *runs_between(schedule, start, end), end]
    return max(later - earlier for earlier, later in zip(marks, marks[1:], strict=False))
