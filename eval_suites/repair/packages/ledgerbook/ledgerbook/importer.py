"""The one-line text format: ``day | memo #tag | account amount | account amount``.

The last posting may leave its amount out; it takes whatever balances the entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ledgerbook.accounts import Chart
from ledgerbook.journal import Entry, EntryError, Journal, Posting
from ledgerbook.money import parse_amount

COMMENT = ";"


def split_memo(text: str) -> tuple[str, frozenset[str]]:
    """Separate the words of a memo from its ``#tags``."""
    words = text.split()
    tags = frozenset(word[1:] for word in words if word.startswith("#"))
    return " ".join(word for word in words if not word.startswith("#")), tags


def parse_postings(parts: list[str]) -> tuple[Posting, ...]:
    """Read postings, filling in the amount that the last one left out."""
    postings: list[Posting] = []
    for part in parts:
        account, _, amount = part.strip().partition(" ")
        if amount.strip():
            postings.append(Posting(account, parse_amount(amount)))
        elif part is parts[-1]:
            postings.append(Posting(account, -sum(known.cents for known in postings)))
        else:
            raise EntryError(f"amount missing: {account}")
    return tuple(postings)


def parse_line(line: str) -> Entry:
    """Read one entry."""
    fields = [piece.strip() for piece in line.split("|")]
    if len(fields) < 4:
        raise EntryError(f"too few fields: {line!r}")
    memo, tags = split_memo(fields[1])
    return Entry(date.fromisoformat(fields[0]), memo, parse_postings(fields[2:]), tags)


def read_journal(chart: Chart, lines: Iterable[str]) -> Journal:
    """Read a journal, skipping blank lines and comments."""
    journal = Journal(chart)
    for line in lines:
        text = line.split(COMMENT)[0].strip()
        if text:
            journal.post(parse_line(text))
    return journal
