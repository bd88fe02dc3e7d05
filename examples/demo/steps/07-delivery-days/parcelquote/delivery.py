"""When a parcel arrives: working days only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from parcelquote.zones import Zone, is_remote

DAYS = {Zone.LOCAL: 1, Zone.REGIONAL: 2, Zone.NATIONAL: 3}
REMOTE_EXTRA_DAYS = 2
SATURDAY = 5


def is_working_day(day: date, holidays: Collection[date] = ()) -> bool:
    """Whether parcels move on a day."""
    return day.weekday() < SATURDAY and day not in holidays


def add_working_days(start: date, days: int, holidays: Collection[date] = ()) -> date:
    """The day so many working days after a start."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        if is_working_day(day, holidays):
            days -= 1
    return day


def travel_days(zone: Zone, receiver: str) -> int:
    """How many working days a parcel is under way."""
    return DAYS[zone] + (REMOTE_EXTRA_DAYS if is_remote(receiver) else 0)


def arrival(posted: date, zone: Zone, receiver: str, holidays: Collection[date] = ()) -> date:
    """The day a parcel arrives; what is posted on a day off waits for the next working day."""
    start = posted
    while not is_working_day(start, holidays):
        start += timedelta(days=1)
    return add_working_days(start, travel_days(zone, receiver), holidays)
