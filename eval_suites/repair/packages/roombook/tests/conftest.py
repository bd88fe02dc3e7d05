"""Three rooms and a morning's bookings."""

from __future__ import annotations

import pytest

from roombook.calendar import Calendar
from roombook.rooms import Room
from roombook.spans import parse_span

ROOMS = [
    Room("Birch", 4, floor=1),
    Room("Cedar", 8, floor=1, equipment=frozenset({"screen"})),
    Room("Maple", 8, floor=3, equipment=frozenset({"screen", "phone"})),
]


@pytest.fixture
def calendar() -> Calendar:
    """Bookings 1 to 4."""
    calendar = Calendar(ROOMS)
    calendar.book("Birch", parse_span("09:00-10:00"), "ada", people=3)
    calendar.book("Cedar", parse_span("09:30-11:00"), "ben", people=4)
    calendar.book("Birch", parse_span("10:00-10:20"), "cleo")
    calendar.book("Maple", parse_span("10:15-12:00"), "ada", people=2)
    return calendar
