"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

from datetime import date

import pytest
from ledgerbook.accounts import Chart, Kind, is_within
from ledgerbook.balances import balance, lowest_point, running, trial_balance
from ledgerbook.importer import read_journal
from ledgerbook.journal import Journal
from ledgerbook.money import scale, split
from ledgerbook.statements import largest_expenses, month_result


@pytest.fixture
def journal() -> Journal:
    """A short spring."""
    chart = Chart(["assets:till", "assets:tiller", "income:sales", "expenses:a:b:c", "expenses:d"])
    return read_journal(
        chart,
        [
            "2025-04-01 | one | assets:till 10 | income:sales",
            "2025-04-01 | two | assets:tiller 4 | income:sales",
            "2025-04-30 | three | expenses:a:b:c 7 | assets:till",
            "2025-04-01 | four | expenses:d 9 | assets:till",
            "2025-05-02 | five | assets:till 6 | income:sales",
        ],
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [(1, 8, 13), (3, 8, 38), (-1, 8, -13), (7, 1, 700), (1, 7, 14), (199, 100, 199)],
)
def test_scale_rounds_to_nearest(numerator: int, denominator: int, expected: int) -> None:
    assert scale(100, numerator, denominator) == expected


def test_split_always_adds_up() -> None:
    for cents in range(60):
        parts = split(cents, [3, 1, 2, 1])
        assert sum(parts) == cents
        assert len(parts) == 4


def test_split_spreads_several_spare_cents() -> None:
    assert split(5, [1, 1, 1]) == [2, 2, 1]


def test_prefix_needs_the_separator() -> None:
    assert not is_within("assets:tiller", "assets:till")
    assert is_within("assets:till:north", "assets:till")


def test_debit_normal_for_every_kind() -> None:
    assert [kind.name for kind in Kind if kind.debit_normal] == ["ASSET", "EXPENSE"]


def test_order_within_a_day(journal: Journal) -> None:
    assert [entry.memo for entry in journal] == ["one", "two", "four", "three", "five"]


def test_balance_as_of(journal: Journal) -> None:
    assert balance(journal, "assets:till", date(2025, 4, 30)) == -600
    assert balance(journal, "assets:till", date(2025, 4, 29)) == 100
    assert balance(journal, "assets:till", date(2025, 3, 31)) == 0


def test_running_skips_other_accounts(journal: Journal) -> None:
    assert [line.memo for line in running(journal, "assets:till")] == [
        "one",
        "four",
        "three",
        "five",
    ]


def test_lowest_point(journal: Journal) -> None:
    lowest = lowest_point(journal, "assets:till")
    assert lowest is not None
    assert (lowest.memo, lowest.balance) == ("three", -600)


def test_trial_balance_leaves_out_zero(journal: Journal) -> None:
    assert trial_balance(journal) == {
        "assets:tiller": 400,
        "expenses:a:b:c": 700,
        "expenses:d": 900,
        "income:sales": -2000,
    }


def test_month_results(journal: Journal) -> None:
    april, may = month_result(journal, 2025, 4), month_result(journal, 2025, 5)
    assert (april.income, april.expenses) == (1400, 1600)
    assert (may.income, may.expenses) == (600, 0)


def test_categories_of_deep_accounts(journal: Journal) -> None:
    found = largest_expenses(journal, date(2025, 4, 1), date(2025, 4, 30))
    assert found == [("expenses:d", 900), ("expenses:a", 700)]


def test_first_of_three_equally_low_days() -> None:
    chart = Chart(["assets:till", "income:sales"])
    lines = [
        f"2025-06-0{day} | {word} | assets:till {amount} | income:sales"
        for day, word, amount in [(1, "a", 3), (2, "b", -3), (3, "c", 3), (4, "d", -3), (5, "e", 0)]
    ]
    lowest = lowest_point(read_journal(chart, lines), "assets:till")
    assert lowest is not None
    assert lowest.memo == "b"
