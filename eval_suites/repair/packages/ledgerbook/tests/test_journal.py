"""What the journal accepts and how it finds entries."""

from __future__ import annotations

from datetime import date

import pytest

from ledgerbook.accounts import Chart
from ledgerbook.importer import parse_line, read_journal
from ledgerbook.journal import Entry, EntryError, Journal, Posting


def test_entries_come_in_date_order(journal: Journal) -> None:
    days = [entry.day for entry in journal]
    assert days == sorted(days)


def test_same_day_keeps_posting_order(journal: Journal) -> None:
    memos = [entry.memo for entry in journal if entry.day == date(2024, 1, 31)]
    assert memos == ["salary", "market"]


def test_between_includes_both_ends(journal: Journal) -> None:
    found = journal.between(date(2024, 1, 31), date(2024, 2, 10))
    assert [entry.memo for entry in found] == ["salary", "market", "dinner", "savings"]


def test_unbalanced_entry_is_refused(chart: Chart) -> None:
    entry = Entry(
        date(2024, 1, 1), "typo", (Posting("assets:cash", 100), Posting("income:salary", -90))
    )
    with pytest.raises(EntryError, match="off by 10"):
        Journal(chart).post(entry)


def test_single_posting_is_refused(chart: Chart) -> None:
    with pytest.raises(EntryError, match="two postings"):
        Journal(chart).post(Entry(date(2024, 1, 1), "half", (Posting("assets:cash", 0),)))


def test_closed_account_is_refused(chart: Chart) -> None:
    chart.close("assets:cash")
    with pytest.raises(EntryError, match="closed"):
        read_journal(chart, ["2024-05-01 | coins | assets:cash 5 | assets:bank"])


def test_tags_are_found(journal: Journal) -> None:
    assert [entry.memo for entry in journal.tagged("home")] == ["rent", "dinner", "rent"]


def test_memo_is_kept_without_tags() -> None:
    entry = parse_line("2024-02-02 | dinner #guests out | expenses:rent 1 | assets:cash")
    assert entry.memo == "dinner out"
    assert entry.tags == {"guests"}


def test_last_amount_balances_three_postings() -> None:
    entry = parse_line("2024-03-01 | x | expenses:rent 6 | assets:cash -2 | assets:bank")
    assert [posting.cents for posting in entry.postings] == [600, -200, -400]


def test_only_the_last_amount_may_be_missing() -> None:
    with pytest.raises(EntryError, match="amount missing"):
        parse_line("2024-03-01 | x | expenses:rent | assets:cash 5 | assets:bank")


def test_too_few_fields() -> None:
    with pytest.raises(EntryError, match="too few"):
        parse_line("2024-03-01 | x | expenses:rent 5")
