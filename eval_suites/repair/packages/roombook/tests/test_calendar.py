"""Booking, moving and finding rooms."""

from __future__ import annotations

import pytest

from roombook.calendar import Calendar, ConflictError
from roombook.rooms import Room, ranked
from roombook.spans import Span, parse_span


def test_bookings_come_in_time_order(calendar: Calendar) -> None:
    assert [booking.number for booking in calendar.bookings()] == [1, 2, 3, 4]
    assert [booking.number for booking in calendar.bookings("Birch")] == [1, 3]


def test_taken_room_is_refused(calendar: Calendar) -> None:
    with pytest.raises(ConflictError, match="taken by ada during 09:00-10:00"):
        calendar.book("Birch", parse_span("09:45-10:15"), "dan")


def test_meetings_may_touch(calendar: Calendar) -> None:
    assert calendar.book("Cedar", parse_span("11:00-11:30"), "dan").number == 5


def test_closed_hours_are_refused(calendar: Calendar) -> None:
    with pytest.raises(ConflictError, match="closed"):
        calendar.book("Birch", parse_span("17:30-18:30"), "dan")


def test_the_whole_day_can_be_booked() -> None:
    calendar = Calendar([Room("Oak", 2)])
    assert calendar.book("Oak", calendar.opening, "ada", people=2).span == calendar.opening


def test_too_many_people(calendar: Calendar) -> None:
    with pytest.raises(ConflictError, match="seats only 4"):
        calendar.book("Birch", parse_span("14:00-15:00"), "dan", people=5)


def test_cancel_frees_the_room(calendar: Calendar) -> None:
    calendar.cancel(1)
    assert calendar.conflicts("Birch", parse_span("09:00-10:00")) == []


def test_move_within_its_own_time(calendar: Calendar) -> None:
    moved = calendar.move(2, parse_span("10:00-11:30"))
    assert (moved.person, moved.people, str(moved.span)) == ("ben", 4, "10:00-11:30")


def test_failed_move_keeps_the_booking(calendar: Calendar) -> None:
    with pytest.raises(ConflictError):
        calendar.move(1, parse_span("10:00-11:00"))
    assert [str(b.span) for b in calendar.bookings("Birch")] == ["09:00-10:00", "10:00-10:20"]


def test_free_time(calendar: Calendar) -> None:
    assert [str(span) for span in calendar.free("Birch")] == ["08:00-09:00", "10:20-18:00"]


def test_first_slot_is_the_earliest(calendar: Calendar) -> None:
    assert calendar.first_slot("Birch", 60) == parse_span("08:00-09:00")


def test_first_slot_starts_on_a_quarter_hour(calendar: Calendar) -> None:
    assert calendar.first_slot("Birch", 90) == parse_span("10:30-12:00")


def test_first_slot_after_a_time(calendar: Calendar) -> None:
    assert calendar.first_slot("Birch", 30, after=13 * 60 + 1) == parse_span("13:15-13:45")


def test_no_slot(calendar: Calendar) -> None:
    assert calendar.first_slot("Cedar", 8 * 60) is None


def test_suggest_the_tightest_free_room(calendar: Calendar) -> None:
    room = calendar.suggest(3, parse_span("13:00-14:00"))
    assert room is not None
    assert room.name == "Birch"


def test_suggest_skips_taken_rooms(calendar: Calendar) -> None:
    room = calendar.suggest(3, parse_span("09:00-10:00"))
    assert room is not None
    assert room.name == "Maple"


def test_suggest_nothing(calendar: Calendar) -> None:
    assert calendar.suggest(9, Span(800, 860)) is None


def test_ranked_prefers_the_nearest_floor(calendar: Calendar) -> None:
    rooms = calendar.rooms.values()
    assert [room.name for room in ranked(rooms, 6, near_floor=4)] == ["Maple", "Cedar"]
    assert [room.name for room in ranked(rooms, 6, near_floor=0)] == ["Cedar", "Maple"]


def test_ranked_needs_equipment(calendar: Calendar) -> None:
    needs = frozenset({"phone"})
    assert [room.name for room in ranked(calendar.rooms.values(), 1, needs)] == ["Maple"]
