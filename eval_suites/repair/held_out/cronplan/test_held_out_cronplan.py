"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from cronplan.describe import describe, join_words, ordinal
from cronplan.expression import parse
from cronplan.fields import HOUR, MINUTE, MONTH, parse_field
from cronplan.plan import Job, agenda, due
from cronplan.walk import last_before

MONDAY = datetime(2025, 3, 3, 7, 0)


def test_open_steps() -> None:
    assert parse_field(HOUR, "20/2") == {20, 22}
    assert parse_field(MONTH, "10/1") == {10, 11, 12}
    assert parse_field(MINUTE, "59/5") == {59}


@pytest.mark.parametrize(("day", "runs"), [(1, True), (3, True), (8, False), (10, True)])
def test_either_day_field(day: int, runs: bool) -> None:
    assert parse("0 0 1 * MON").matches_day(date(2025, 3, day)) is runs


@pytest.mark.parametrize("weekday", range(7))
def test_each_weekday(weekday: int) -> None:
    sunday = date(2025, 3, 2)
    schedule = parse(f"0 0 * * {weekday}")
    days = [offset for offset in range(7) if schedule.matches_day(sunday + timedelta(offset))]
    assert days == [weekday]


def test_last_before_is_strict_and_latest() -> None:
    schedule = parse("0,20,40 5-6 * * *")
    assert last_before(schedule, MONDAY) == MONDAY - timedelta(minutes=20)
    assert last_before(schedule, datetime(2025, 3, 3, 6, 20)) == datetime(2025, 3, 3, 6, 0)
    assert last_before(schedule, datetime(2025, 3, 3, 5, 0)) == datetime(2025, 3, 2, 6, 40)


def test_due_exactly_on_time() -> None:
    job = Job("seven", parse("0 7 * * *"), last_run=MONDAY - timedelta(days=1))
    assert [job.is_due(MONDAY + timedelta(minutes=shift)) for shift in (-1, 0, 1)] == [
        False,
        True,
        True,
    ]


def test_due_order_of_several_priorities() -> None:
    jobs = [Job(name, parse("* * * * *"), rank) for name, rank in [("b", 1), ("a", 1), ("c", 5)]]
    jobs.append(Job("d", parse("* * * * *"), -1))
    assert [job.name for job in due(jobs, MONDAY)] == ["c", "a", "b", "d"]


def test_agenda_of_paused_jobs_only() -> None:
    jobs = [Job("a", parse("* * * * *"), paused=True), Job("b", parse("@daily"))]
    assert [name for _, name in agenda(jobs, MONDAY, 3)] == ["b", "b", "b"]
    assert list(agenda(jobs[:1], MONDAY, 3)) == []


def test_ordinals() -> None:
    assert " ".join(ordinal(day) for day in (1, 10, 13, 20, 22, 23, 24, 31, 111)) == (
        "1st 10th 13th 20th 22nd 23rd 24th 31st 111th"
    )


def test_words() -> None:
    assert join_words(["x", "y"]) == "x and y"
    assert join_words("abcd") == "a, b, c and d"
    assert describe(parse("0 1,2,3 * * *")) == "at 01:00, 02:00 and 03:00"
