"""House rules and usage figures."""

from __future__ import annotations

import pytest

from roombook.calendar import Calendar
from roombook.policy import Policy, book_within, objections, person_minutes
from roombook.spans import parse_span
from roombook.usage import busiest_people, common_free, peak, seat_minutes, used_percent

POLICY = Policy(longest=120, daily_minutes=225, least_use_percent=50)


def test_person_minutes_over_all_rooms(calendar: Calendar) -> None:
    assert person_minutes(calendar, "ada") == 165


def test_no_objection_at_the_limits(calendar: Calendar) -> None:
    span = parse_span("13:00-14:00")
    assert objections(POLICY, calendar, "Birch", span, "ada", 2) == []


def test_longest_is_allowed(calendar: Calendar) -> None:
    span = parse_span("13:00-15:00")
    assert objections(POLICY, calendar, "Birch", span, "dan", 4) == []


def test_every_objection_is_listed(calendar: Calendar) -> None:
    span = parse_span("13:00-15:01")
    assert objections(POLICY, calendar, "Maple", span, "ada", 3) == [
        "longer than 2 h",
        "more than 3 h 45 min a day",
        "too few people for Maple",
    ]


def test_too_short(calendar: Calendar) -> None:
    span = parse_span("13:00-13:10")
    assert objections(POLICY, calendar, "Birch", span, "dan", 4) == ["shorter than 15 min"]


def test_book_within(calendar: Calendar) -> None:
    booking = book_within(POLICY, calendar, "Birch", parse_span("15:00-16:00"), "dan", 4)
    assert booking.people == 4
    with pytest.raises(PermissionError, match="too few people"):
        book_within(POLICY, calendar, "Cedar", parse_span("15:00-16:00"), "eve")


def test_used_percent(calendar: Calendar) -> None:
    assert used_percent(calendar, "Cedar") == 15
    assert used_percent(calendar, "Birch") == 13


def test_peak_is_first_reached(calendar: Calendar) -> None:
    assert peak(calendar) == (3, 615)


def test_peak_does_not_count_touching_meetings(calendar: Calendar) -> None:
    calendar.cancel(2)
    calendar.cancel(4)
    assert peak(calendar) == (1, 540)


def test_peak_of_an_empty_day() -> None:
    assert peak(Calendar([])) == (0, 480)


def test_busiest_people(calendar: Calendar) -> None:
    assert busiest_people(calendar, limit=2) == [("ada", 165), ("ben", 90)]


def test_common_free(calendar: Calendar) -> None:
    assert [str(span) for span in common_free(calendar, "Birch", "Cedar")] == [
        "08:00-09:00",
        "11:00-18:00",
    ]


def test_seat_minutes(calendar: Calendar) -> None:
    assert seat_minutes(calendar) == (770, 1880)
