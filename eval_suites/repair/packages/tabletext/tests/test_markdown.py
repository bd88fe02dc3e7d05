"""Pipe tables, there and back."""

from __future__ import annotations

import pytest

from tabletext.columns import Column
from tabletext.markdown import from_markdown, read_mark, split_row, to_markdown

COLUMNS = [Column("name"), Column("n", ">"), Column("mid", "^")]


def test_write() -> None:
    assert to_markdown(COLUMNS, [("a|b", 1.5, None)]).splitlines() == [
        "| name | n | mid |",
        "| --- | --: | :-: |",
        "| a\\|b | 1.50 |  |",
    ]


def test_line_breaks_become_tags() -> None:
    assert "x<br>y" in to_markdown([Column("a")], [("x\ny",)])


def test_split_row_undoes_escapes() -> None:
    assert split_row("| a\\|b | c\\d |") == ["a|b", "c\\d"]


@pytest.mark.parametrize(
    ("mark", "align"), [("---", "<"), (":--", "<"), ("--:", ">"), (":-:", "^")]
)
def test_read_mark(mark: str, align: str) -> None:
    assert read_mark(mark) == align


def test_read_table() -> None:
    table = from_markdown("| a | b |\n|:--|--:|\n\n| x | 1 |\n| y | 22 |\n")
    assert len(table) == 2
    assert [column.align for column in table.columns] == ["<", ">"]
    assert table.widths() == [1, 2]


def test_read_needs_a_mark_line() -> None:
    with pytest.raises(ValueError, match="mark line"):
        from_markdown("| a | b |")


def test_read_refuses_uneven_header() -> None:
    with pytest.raises(ValueError, match="differ"):
        from_markdown("| a | b |\n|---|")
