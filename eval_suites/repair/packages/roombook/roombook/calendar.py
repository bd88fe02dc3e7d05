"""Bookings of rooms: conflicts, free time, and finding a slot."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from roombook.clock import round_up
from roombook.rooms import Room, ranked
from roombook.spans import Span, subtract

OPENING = Span(8 * 60, 18 * 60)
SLOT_STEP = 15


class ConflictError(ValueError):
    """The room is taken, or closed, at that time."""


@dataclass(frozen=True)
class Booking:
    """One room taken by one person for a span."""

    number: int
    room: str
    span: Span
    person: str
    people: int = 1


class Calendar:
    """One day of bookings over a set of rooms."""

    def __init__(self, rooms: Iterable[Room], opening: Span = OPENING) -> None:
        self.rooms = {room.name: room for room in rooms}
        self.opening = opening
        self._bookings: dict[int, Booking] = {}
        self._numbers = itertools.count(1)

    def bookings(self, room: str | None = None) -> list[Booking]:
        """Bookings in order of time, of one room or of all."""
        chosen = [b for b in self._bookings.values() if room is None or b.room == room]
        return sorted(chosen, key=lambda booking: (booking.span, booking.number))

    def conflicts(self, room: str, span: Span) -> list[Booking]:
        """The bookings of a room that share time with a span."""
        return [booking for booking in self.bookings(room) if booking.span.overlaps(span)]

    def book(self, room: str, span: Span, person: str, people: int = 1) -> Booking:
        """Take a room, or say why not."""
        if people > self.rooms[room].seats:
            raise ConflictError(f"{room} seats only {self.rooms[room].seats}")
        if not self.opening.contains(span):
            raise ConflictError(f"closed during {span}")
        taken = self.conflicts(room, span)
        if taken:
            raise ConflictError(f"{room} is taken by {taken[0].person} during {taken[0].span}")
        booking = Booking(next(self._numbers), room, span, person, people)
        self._bookings[booking.number] = booking
        return booking

    def cancel(self, number: int) -> Booking:
        """Give a booking up."""
        return self._bookings.pop(number)

    def move(self, number: int, span: Span) -> Booking:
        """Shift a booking; it stays where it was if the new time is taken."""
        old = self.cancel(number)
        try:
            return self.book(old.room, span, old.person, old.people)
        except ConflictError:
            self._bookings[number] = old
            raise

    def free(self, room: str) -> Iterator[Span]:
        """The free stretches of a room within opening hours."""
        return subtract(self.opening, [booking.span for booking in self.bookings(room)])

    def first_slot(self, room: str, length: int, after: int = 0) -> Span | None:
        """The earliest free slot of a length, starting on a quarter hour."""
        for gap in self.free(room):
            start = round_up(max(gap.start, after), SLOT_STEP)
            if start + length <= gap.end:
                return Span(start, start + length)
        return None

    def suggest(self, people: int, span: Span, needs: frozenset[str] = frozenset()) -> Room | None:
        """The best fitting room that is free for a span."""
        for room in ranked(self.rooms.values(), people, needs):
            if not self.conflicts(room.name, span):
                return room
        return None
