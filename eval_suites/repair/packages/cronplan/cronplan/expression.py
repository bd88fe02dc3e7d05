"""A whole schedule of five fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from cronplan.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, FieldError, parse_field

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


@dataclass(frozen=True)
class Schedule:
    """The values each field allows, and whether the day fields are restricted."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    source: str = ""

    def matches_day(self, day: date) -> bool:
        """Whether the schedule runs at all on a day."""
        if day.month not in self.months:
            return False
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def matches(self, moment: datetime) -> bool:
        """Whether the schedule runs in the minute of a moment."""
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and self.matches_day(moment.date())
        )


def parse(text: str) -> Schedule:
    """Read a schedule or one of the ``@`` macros."""
    source = text.strip()
    parts = MACROS.get(source.lower(), source).split()
    if len(parts) != 5:
        raise FieldError(f"expected 5 fields, found {len(parts)}: {source!r}")
    minute, hour, day, month, weekday = parts
    return Schedule(
        minutes=parse_field(MINUTE, minute),
        hours=parse_field(HOUR, hour),
        days=parse_field(DAY, day),
        months=parse_field(MONTH, month),
        weekdays=parse_field(WEEKDAY, weekday),
        any_day=day.startswith("*"),
        any_weekday=weekday.startswith("*"),
        source=source,
    )
