"""Balances at a day, over time, and over the whole chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ledgerbook.accounts import is_within, kind_of
from ledgerbook.journal import Journal


@dataclass(frozen=True)
class RunningLine:
    """One line of an account's statement."""

    day: date
    memo: str
    change: int
    balance: int


def natural(account: str, cents: int) -> int:
    """A signed sum as its owner reads it: growth is positive for every kind."""
    return cents if kind_of(account).debit_normal else -cents


def balance(journal: Journal, account: str, as_of: date | None = None) -> int:
    """The balance of an account and all below it, at the end of a day."""
    total = 0
    for entry in journal:
        if as_of is not None and entry.day > as_of:
            break
        for posting in entry.postings:
            if is_within(posting.account, account):
                total += posting.cents
    return natural(account, total)


def running(journal: Journal, account: str, opening: int = 0) -> Iterator[RunningLine]:
    """An account's statement, entry by entry."""
    current = opening
    for entry in journal:
        if not entry.touches(account):
            continue
        moved = sum(p.cents for p in entry.postings if is_within(p.account, account))
        change = natural(account, moved)
        current += change
        yield RunningLine(entry.day, entry.memo, change, current)


def lowest_point(journal: Journal, account: str) -> RunningLine | None:
    """The first line at which the account stood lowest."""
    lowest: RunningLine | None = None
    for line in running(journal, account):
        if lowest is None or line.balance < lowest.balance:
            lowest = line
    return lowest


def trial_balance(journal: Journal) -> dict[str, int]:
    """Every account with a movement, as a raw signed sum."""
    sums: dict[str, int] = {}
    for entry in journal:
        for posting in entry.postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.cents
    return {name: cents for name, cents in sorted(sums.items()) if cents != 0}
