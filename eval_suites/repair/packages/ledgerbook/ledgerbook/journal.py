"""Postings, entries, and the journal that refuses unbalanced ones."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from ledgerbook.accounts import Chart, is_within


class EntryError(ValueError):
    """An entry cannot be posted as it stands."""


@dataclass(frozen=True)
class Posting:
    """One side of an entry: an account and a signed number of cents."""

    account: str
    cents: int


@dataclass(frozen=True)
class Entry:
    """A dated transaction whose postings add up to zero."""

    day: date
    memo: str
    postings: tuple[Posting, ...]
    tags: frozenset[str] = field(default_factory=frozenset)

    @property
    def imbalance(self) -> int:
        """What the postings add up to; zero for a good entry."""
        return sum(posting.cents for posting in self.postings)

    def touches(self, account: str) -> bool:
        """Whether any posting falls in an account or below it."""
        return any(is_within(posting.account, account) for posting in self.postings)


class Journal:
    """Entries in date order, checked against a chart of accounts."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def post(self, entry: Entry) -> None:
        """Insert an entry after all others of the same day."""
        self._check(entry)
        position = bisect.bisect_right(self._entries, entry.day, key=lambda known: known.day)
        self._entries.insert(position, entry)

    def _check(self, entry: Entry) -> None:
        if len(entry.postings) < 2:
            raise EntryError("an entry needs at least two postings")
        if entry.imbalance != 0:
            raise EntryError(f"entry is off by {entry.imbalance} cents")
        for posting in entry.postings:
            if self.chart.get(posting.account).closed:
                raise EntryError(f"account is closed: {posting.account}")

    def between(self, first: date, last: date) -> list[Entry]:
        """The entries from one day to another, both included."""
        return [entry for entry in self._entries if first <= entry.day <= last]

    def tagged(self, tag: str) -> list[Entry]:
        """The entries that carry a tag."""
        return [entry for entry in self._entries if tag in entry.tags]
