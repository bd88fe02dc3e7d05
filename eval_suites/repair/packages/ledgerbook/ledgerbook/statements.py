"""Reports for people: income by month, largest expenses, budget use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from ledgerbook.accounts import SEPARATOR, is_within
from ledgerbook.balances import natural
from ledgerbook.journal import Journal
from ledgerbook.money import scale


@dataclass(frozen=True)
class MonthResult:
    """What came in and went out in one month."""

    income: int
    expenses: int

    @property
    def saved(self) -> int:
        """Income less expenses."""
        return self.income - self.expenses

    @property
    def saved_percent(self) -> int:
        """The part of income that was kept, in whole percent."""
        if self.income == 0:
            return 0
        return scale(self.saved, 100, self.income)


def month_end(year: int, month: int) -> date:
    """The last day of a month."""
    if month == 12:
        return date(year, 12, 31)
    return date(year, month + 1, 1) - timedelta(days=1)


def spent(journal: Journal, root: str, first: date, last: date) -> int:
    """What moved through an account and all below it in a period."""
    total = 0
    for entry in journal.between(first, last):
        for posting in entry.postings:
            if is_within(posting.account, root):
                total += posting.cents
    return natural(root, total)


def month_result(journal: Journal, year: int, month: int) -> MonthResult:
    """Income and expenses of one month."""
    first, last = date(year, month, 1), month_end(year, month)
    return MonthResult(
        income=spent(journal, "income", first, last),
        expenses=spent(journal, "expenses", first, last),
    )


def largest_expenses(
    journal: Journal, first: date, last: date, limit: int = 3
) -> list[tuple[str, int]]:
    """The expense categories that cost most, largest first, ties by name."""
    sums: dict[str, int] = {}
    for entry in journal.between(first, last):
        for posting in entry.postings:
            if is_within(posting.account, "expenses"):
                category = SEPARATOR.join(posting.account.split(SEPARATOR)[:2])
                sums[category] = sums.get(category, 0) + posting.cents
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:limit]


def budget_use(
    journal: Journal, budget: Mapping[str, int], year: int, month: int
) -> dict[str, int]:
    """The percentage of each budget line that the month used up."""
    first, last = date(year, month, 1), month_end(year, month)
    used: dict[str, int] = {}
    for account, allowed in budget.items():
        if allowed <= 0:
            continue
        used[account] = scale(spent(journal, account, first, last), 100, allowed)
    return used
