"""How well the rooms are used."""

from __future__ import annotations

from roombook.calendar import Calendar
from roombook.spans import Span, total_length


def used_percent(calendar: Calendar, room: str) -> int:
    """The part of opening hours in which a room is taken, in whole percent."""
    taken = total_length(booking.span for booking in calendar.bookings(room))
    return 100 * taken // calendar.opening.length


def peak(calendar: Calendar) -> tuple[int, int]:
    """The largest number of rooms in use at once, and when it is first reached."""
    changes: list[tuple[int, int]] = []
    for booking in calendar.bookings():
        changes.append((booking.span.start, 1))
        changes.append((booking.span.end, -1))
    current = most = 0
    when = calendar.opening.start
    for minute, change in sorted(changes):
        current += change
        if current > most:
            most, when = current, minute
    return most, when


def busiest_people(calendar: Calendar, limit: int = 3) -> list[tuple[str, int]]:
    """Who has booked the most minutes, ties by name."""
    minutes: dict[str, int] = {}
    for booking in calendar.bookings():
        minutes[booking.person] = minutes.get(booking.person, 0) + booking.span.length
    return sorted(minutes.items(), key=lambda item: (-item[1], item[0]))[:limit]


def common_free(calendar: Calendar, first: str, second: str) -> list[Span]:
    """The stretches in which two rooms are free together."""
    found: list[Span] = []
    for one in calendar.free(first):
        for other in calendar.free(second):
            both = one.shared(other)
            if both is not None:
                found.append(both)
    return found


def seat_minutes(calendar: Calendar) -> tuple[int, int]:
    """Seat minutes that people filled, and those that bookings set aside."""
    filled = set_aside = 0
    for booking in calendar.bookings():
        filled += booking.people * booking.span.length
        set_aside += calendar.rooms[booking.room].seats * booking.span.length
    return filled, set_aside
