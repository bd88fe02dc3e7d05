"""Arrival dates."""

from __future__ import annotations

from datetime import date

from parcelquote.delivery import add_working_days, arrival
from parcelquote.zones import Zone

THURSDAY = date(2023, 11, 16)


def test_weekend_does_not_count() -> None:
    assert add_working_days(THURSDAY, 2) == date(2023, 11, 20)


def test_holidays_do_not_count() -> None:
    assert add_working_days(THURSDAY, 1, {date(2023, 11, 17)}) == date(2023, 11, 20)


def test_posted_on_a_sunday() -> None:
    assert arrival(date(2023, 11, 19), Zone.LOCAL, "0150") == date(2023, 11, 21)


def test_remote_areas_take_longer() -> None:
    assert arrival(date(2023, 11, 13), Zone.NATIONAL, "9008") == date(2023, 11, 16)
    assert arrival(date(2023, 11, 13), Zone.NATIONAL, "9481") == date(2023, 11, 20)
