"""Balances and statements over the household's quarter."""

from __future__ import annotations

from datetime import date

from ledgerbook.accounts import Chart
from ledgerbook.balances import balance, lowest_point, running, trial_balance
from ledgerbook.importer import read_journal
from ledgerbook.journal import Journal
from ledgerbook.statements import (
    MonthResult,
    budget_use,
    largest_expenses,
    month_end,
    month_result,
)

QUARTER = (date(2024, 1, 1), date(2024, 3, 31))


def test_balance_includes_sub_accounts(journal: Journal) -> None:
    assert balance(journal, "assets:bank") == 270075
    assert balance(journal, "assets:bank:savings") == 30125


def test_balance_at_a_day_includes_that_day(journal: Journal) -> None:
    assert balance(journal, "assets:bank", date(2024, 1, 15)) == -30000
    assert balance(journal, "assets:bank", date(2024, 1, 14)) == 50000


def test_credit_accounts_read_positive(journal: Journal) -> None:
    assert balance(journal, "income") == 400125
    assert balance(journal, "liabilities:card") == 6000


def test_running_statement(journal: Journal) -> None:
    lines = list(running(journal, "assets:bank:savings", opening=1000))
    assert [(line.change, line.balance) for line in lines] == [(30000, 31000), (125, 31125)]


def test_lowest_point_is_the_first_of_equals(chart: Chart) -> None:
    journal = read_journal(
        chart,
        [
            "2024-01-01 | first low | assets:cash -10 | assets:bank",
            "2024-01-02 | up | assets:cash 5 | assets:bank",
            "2024-01-03 | second low | assets:cash -5 | assets:bank",
        ],
    )
    lowest = lowest_point(journal, "assets:cash")
    assert lowest is not None
    assert lowest.memo == "first low"


def test_lowest_point_without_entries(chart: Chart) -> None:
    assert lowest_point(Journal(chart), "assets:cash") is None


def test_trial_balance_adds_up_to_zero(journal: Journal) -> None:
    sums = trial_balance(journal)
    assert sum(sums.values()) == 0
    assert sums["assets:cash"] == 2000
    assert sums["income:salary"] == -400000


def test_trial_balance_leaves_out_settled_accounts(chart: Chart) -> None:
    journal = read_journal(
        chart,
        [
            "2024-01-01 | lend | assets:cash -10 | assets:bank",
            "2024-01-02 | return | assets:cash 10 | expenses:rent",
        ],
    )
    assert trial_balance(journal) == {"assets:bank": 1000, "expenses:rent": -1000}


def test_month_end() -> None:
    assert month_end(2024, 2) == date(2024, 2, 29)
    assert month_end(2023, 12) == date(2023, 12, 31)


def test_month_result(journal: Journal) -> None:
    assert month_result(journal, 2024, 1) == MonthResult(income=200000, expenses=92050)
    assert month_result(journal, 2024, 2) == MonthResult(income=200000, expenses=86000)


def test_saved_percent() -> None:
    assert MonthResult(income=200000, expenses=92050).saved_percent == 54
    assert MonthResult(income=0, expenses=500).saved_percent == 0


def test_largest_expenses_group_by_category(journal: Journal) -> None:
    assert largest_expenses(journal, *QUARTER) == [
        ("expenses:rent", 160000),
        ("expenses:food", 18050),
        ("expenses:travel", 6000),
    ]


def test_largest_expenses_limit(journal: Journal) -> None:
    assert largest_expenses(journal, *QUARTER, limit=1) == [("expenses:rent", 160000)]


def test_budget_use(journal: Journal) -> None:
    budget = {"expenses:food": 20000, "expenses:rent": 80000, "expenses:travel": 0}
    assert budget_use(journal, budget, 2024, 1) == {"expenses:food": 60, "expenses:rent": 100}
