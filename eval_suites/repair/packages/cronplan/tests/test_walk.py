"""Next runs, earlier runs, and all runs of a period."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from cronplan.expression import parse
from cronplan.walk import last_before, longest_gap, next_after, runs_between, upcoming

FRIDAY_NOON = datetime(2024, 5, 3, 12, 0)


def test_next_later_the_same_day() -> None:
    assert next_after(parse("15,45 12 * * *"), FRIDAY_NOON) == datetime(2024, 5, 3, 12, 15)


def test_next_is_strictly_later() -> None:
    assert next_after(parse("0 12 * * *"), FRIDAY_NOON) == datetime(2024, 5, 4, 12, 0)


def test_next_skips_the_weekend() -> None:
    assert next_after(parse("0 9 * * MON-FRI"), FRIDAY_NOON) == datetime(2024, 5, 6, 9, 0)


def test_next_finds_the_leap_day() -> None:
    assert next_after(parse("0 0 29 2 *"), FRIDAY_NOON) == datetime(2028, 2, 29)


def test_next_of_an_impossible_day() -> None:
    assert next_after(parse("0 0 31 2 *"), FRIDAY_NOON) is None


def test_last_before() -> None:
    assert last_before(parse("0 12 * * *"), FRIDAY_NOON) == datetime(2024, 5, 2, 12, 0)
    assert last_before(parse("0,30 8-11 * * *"), FRIDAY_NOON) == datetime(2024, 5, 3, 11, 30)


def test_upcoming() -> None:
    assert list(upcoming(parse("0 0 1 * *"), FRIDAY_NOON, 3)) == [
        datetime(2024, 6, 1),
        datetime(2024, 7, 1),
        datetime(2024, 8, 1),
    ]


def test_upcoming_ends_with_the_horizon() -> None:
    assert list(upcoming(parse("0 0 30 2 *"), FRIDAY_NOON, 3)) == []


def test_runs_between_takes_the_start_and_not_the_end() -> None:
    runs = runs_between(parse("0 * * * *"), FRIDAY_NOON, FRIDAY_NOON + timedelta(hours=3))
    assert [run.hour for run in runs] == [12, 13, 14]


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("0 18 * * *", timedelta(hours=18)),
        ("0 6,20 * * *", timedelta(hours=14)),
        ("0 0 5 5 *", timedelta(days=1)),
    ],
)
def test_longest_gap(text: str, gap: timedelta) -> None:
    start = datetime(2024, 5, 3)
    assert longest_gap(parse(text), start, start + timedelta(days=1)) == gap
