"""A household's first quarter, shared by the report tests."""

from __future__ import annotations

import pytest

from ledgerbook.accounts import Chart
from ledgerbook.importer import read_journal
from ledgerbook.journal import Journal

ACCOUNTS = [
    "assets:bank",
    "assets:bank:savings",
    "assets:cash",
    "liabilities:card",
    "equity:opening",
    "income:salary",
    "income:interest",
    "expenses:food:market",
    "expenses:food:dining",
    "expenses:rent",
    "expenses:travel",
]

LINES = """
; household, first quarter
2024-01-01 | opening balance | assets:bank 500.00 | equity:opening
2024-01-31 | salary | assets:bank 2,000.00 | income:salary
2024-01-15 | rent #home | expenses:rent 800.00 | assets:bank
2024-01-31 | market | expenses:food:market 120.50 | assets:bank

2024-02-02 | dinner #guests #home | expenses:food:dining 60.00 | liabilities:card
2024-02-10 | savings | assets:bank:savings 300.00 | assets:bank
2024-02-29 | salary | assets:bank 2000 | income:salary ; leap day
2024-02-15 | rent #home | expenses:rent 800.00 | assets:bank
2024-03-01 | train | expenses:travel 60.00 | assets:cash 20.00 | assets:bank
2024-03-31 | interest | assets:bank:savings 1.25 | income:interest
""".splitlines()


@pytest.fixture
def chart() -> Chart:
    """The household's accounts."""
    return Chart(ACCOUNTS)


@pytest.fixture
def journal(chart: Chart) -> Journal:
    """The household's entries."""
    return read_journal(chart, LINES)
