"""Jobs together, and schedules in words."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from cronplan.describe import describe, join_words, ordinal
from cronplan.expression import parse
from cronplan.plan import Job, agenda, clashes, due, read_jobs

NOW = datetime(2024, 5, 3, 12, 0)


@pytest.fixture
def jobs() -> list[Job]:
    """Three jobs as a file would list them."""
    return read_jobs(
        [
            "# nightly work",
            "backup !2: 0 3 * * *",
            "mail: */30 * * * *   # both half hours",
            "",
            "audit !2: 0 12 * * FRI",
        ]
    )


def test_read_jobs(jobs: list[Job]) -> None:
    assert [(job.name, job.priority) for job in jobs] == [("backup", 2), ("mail", 0), ("audit", 2)]


def test_due_by_priority_then_name(jobs: list[Job]) -> None:
    assert [job.name for job in due(jobs, NOW)] == ["audit", "backup", "mail"]


def test_a_job_is_due_in_its_own_minute() -> None:
    job = Job("noon", parse("0 12 * * *"), last_run=NOW - timedelta(days=1))
    assert job.is_due(NOW)
    assert not job.is_due(NOW - timedelta(minutes=1))


def test_a_job_is_not_due_twice() -> None:
    assert not Job("noon", parse("0 12 * * *"), last_run=NOW).is_due(NOW + timedelta(hours=5))


def test_paused_jobs_are_never_due(jobs: list[Job]) -> None:
    jobs[0].paused = True
    assert "backup" not in [job.name for job in due(jobs, NOW)]


def test_missed_counts_runs_since_the_last() -> None:
    job = Job("hourly", parse("@hourly"), last_run=NOW - timedelta(hours=4))
    assert job.missed(NOW + timedelta(minutes=1)) == 4


def test_missed_without_a_last_run() -> None:
    assert Job("hourly", parse("@hourly")).missed(NOW) == 0


def test_agenda_merges_in_time_order(jobs: list[Job]) -> None:
    found = list(agenda(jobs, NOW - timedelta(minutes=31), 4))
    assert [(at.hour, at.minute, name) for at, name in found] == [
        (11, 30, "mail"),
        (12, 0, "audit"),
        (12, 0, "mail"),
        (12, 30, "mail"),
    ]


def test_agenda_leaves_out_paused_jobs(jobs: list[Job]) -> None:
    jobs[1].paused = True
    assert [name for _, name in agenda(jobs, NOW, 1)] == ["backup"]


def test_agenda_without_jobs() -> None:
    assert list(agenda([], NOW, 3)) == []


def test_clashes(jobs: list[Job]) -> None:
    day = datetime(2024, 5, 3)
    assert clashes(jobs, day, day + timedelta(days=1)) == {
        datetime(2024, 5, 3, 3, 0): ["backup", "mail"],
        datetime(2024, 5, 3, 12, 0): ["audit", "mail"],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5 * * * *", "at 5 past every hour"),
        ("0 9,17 * * *", "at 09:00 and 17:00"),
        ("30 8 1,22 * *", "at 08:30 on the 1st and 22nd"),
        ("0 0 13 * FRI", "at 00:00 on the 13th or Fri"),
        ("0 6 * JUN-AUG MON", "at 06:00 on Mon in Jun, Jul and Aug"),
        ("0 0 * 12 *", "at 00:00 on days in Dec"),
        ("10,30,50 * * * *", "at 10, 30 and 50 past every hour"),
    ],
)
def test_describe(text: str, words: str) -> None:
    assert describe(parse(text)) == words


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st")],
)
def test_ordinal(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_join_words() -> None:
    assert join_words([]) == ""
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"]) == "a, b and c"
