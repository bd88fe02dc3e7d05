"""Reading single fields and whole schedules."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from cronplan.expression import parse
from cronplan.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, FieldError, FieldSpec, parse_field


@pytest.mark.parametrize(
    ("spec", "text", "values"),
    [
        (MINUTE, "5", {5}),
        (HOUR, "9-12", {9, 10, 11, 12}),
        (MINUTE, "*/20", {0, 20, 40}),
        (DAY, "1-10/4", {1, 5, 9}),
        (DAY, "25/3", {25, 28, 31}),
        (MONTH, "jan,DEC", {1, 12}),
        (WEEKDAY, "mon-wed", {1, 2, 3}),
        (MINUTE, "0,30,45-47", {0, 30, 45, 46, 47}),
    ],
)
def test_parse_field(spec: FieldSpec, text: str, values: set[int]) -> None:
    assert parse_field(spec, text) == values


def test_sunday_is_zero_or_seven() -> None:
    assert parse_field(WEEKDAY, "7") == parse_field(WEEKDAY, "SUN") == {0}


def test_star_covers_the_range() -> None:
    assert parse_field(MONTH, "*") == set(range(1, 13))


@pytest.mark.parametrize("text", ["60", "x", "5-", "9-5", "*/0", "*/x", "", "1.5"])
def test_bad_minutes(text: str) -> None:
    with pytest.raises(FieldError):
        parse_field(MINUTE, text)


def test_day_zero_is_refused() -> None:
    with pytest.raises(FieldError, match="outside 1-31"):
        parse_field(DAY, "0")


def test_schedule_needs_five_fields() -> None:
    with pytest.raises(FieldError, match="found 4"):
        parse("* * * *")


def test_macros_are_case_blind() -> None:
    assert parse("@Daily").hours == {0}
    assert parse("@monthly").days == {1}


def test_matches() -> None:
    schedule = parse("30 9 * * MON-FRI")
    assert schedule.matches(datetime(2024, 5, 3, 9, 30, 59))
    assert not schedule.matches(datetime(2024, 5, 4, 9, 30))
    assert not schedule.matches(datetime(2024, 5, 3, 10, 30))


def test_day_or_weekday_when_both_are_restricted() -> None:
    schedule = parse("0 0 13 * FRI")
    assert schedule.matches_day(date(2024, 5, 13))
    assert schedule.matches_day(date(2024, 5, 17))
    assert not schedule.matches_day(date(2024, 5, 18))


def test_one_restricted_day_field_decides_alone() -> None:
    assert not parse("0 0 13 * *").matches_day(date(2024, 5, 17))
    assert not parse("0 0 * * FRI").matches_day(date(2024, 5, 13))


def test_month_is_always_needed() -> None:
    assert not parse("0 0 13 6 FRI").matches_day(date(2024, 5, 13))
