"""Names, kinds and the chart."""

from __future__ import annotations

import pytest

from ledgerbook.accounts import Chart, Kind, UnknownAccountError, is_within, kind_of


def test_kind_comes_from_the_first_segment() -> None:
    assert kind_of("expenses:food:market") is Kind.EXPENSE


def test_within_needs_a_whole_segment() -> None:
    assert is_within("assets:bank:savings", "assets:bank")
    assert is_within("assets:bank", "assets:bank")
    assert not is_within("assets:bankrupt", "assets:bank")


def test_below_lists_in_name_order(chart: Chart) -> None:
    names = [account.name for account in chart.below("expenses:food")]
    assert names == ["expenses:food:dining", "expenses:food:market"]


def test_opening_twice_keeps_the_account(chart: Chart) -> None:
    assert chart.open("assets:cash") is chart.get("assets:cash")


def test_unknown_account(chart: Chart) -> None:
    with pytest.raises(UnknownAccountError):
        chart.get("assets:boat")


def test_depth_counts_levels(chart: Chart) -> None:
    assert chart.get("expenses:food:market").depth == 3
    assert chart.get("expenses:rent").depth == 2
