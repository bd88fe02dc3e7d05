"""House rules on top of what is physically possible."""

from __future__ import annotations

from dataclasses import dataclass

from roombook.calendar import Booking, Calendar
from roombook.clock import format_length
from roombook.spans import Span


@dataclass(frozen=True)
class Policy:
    """Limits on single bookings and on each person's day."""

    shortest: int = 15
    longest: int = 180
    daily_minutes: int = 240
    least_use_percent: int = 0


def person_minutes(calendar: Calendar, person: str) -> int:
    """How many minutes a person has booked, over all rooms."""
    return sum(b.span.length for b in calendar.bookings() if b.person == person)


def objections(
    policy: Policy, calendar: Calendar, room: str, span: Span, person: str, people: int
) -> list[str]:
    """Every rule that a booking would break, in the order rules are listed."""
    found: list[str] = []
    if span.length < policy.shortest:
        found.append(f"shorter than {format_length(policy.shortest)}")
    if span.length > policy.longest:
        found.append(f"longer than {format_length(policy.longest)}")
    if person_minutes(calendar, person) + span.length > policy.daily_minutes:
        found.append(f"more than {format_length(policy.daily_minutes)} a day")
    if people * 100 < policy.least_use_percent * calendar.rooms[room].seats:
        found.append(f"too few people for {room}")
    return found


def book_within(
    policy: Policy, calendar: Calendar, room: str, span: Span, person: str, people: int = 1
) -> Booking:
    """Book a room if no rule objects."""
    found = objections(policy, calendar, room, span, person, people)
    if found:
        raise PermissionError("; ".join(found))
    return calendar.book(room, span, person, people)
