"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

import pytest
from tabletext.borders import GRID, OPEN, BorderStyle
from tabletext.cells import truncate
from tabletext.columns import Column, guess_align, natural_width, shrink
from tabletext.markdown import from_markdown, read_mark
from tabletext.table import Table
from tabletext.wrapping import wrap_words


@pytest.mark.parametrize("width", range(1, 8))
def test_truncate_never_exceeds_its_width(width: int) -> None:
    assert len(truncate("abcdefgh", width)) == width


@pytest.mark.parametrize("style", [GRID, OPEN, BorderStyle("=", "!", "#")])
@pytest.mark.parametrize("columns", [1, 2, 5])
def test_overhead_for_any_number_of_columns(style: BorderStyle, columns: int) -> None:
    table = Table.with_titles(*["abc"] * columns, style=style)
    assert len(next(table.lines())) == 3 * columns + style.overhead(columns)


@pytest.mark.parametrize("descending", [False, True])
def test_empty_rows_last_in_both_directions(descending: bool) -> None:
    table = Table.with_titles("name", "n", style=OPEN)
    table.extend([("x",), ("y", 2), ("z",), ("w", 1)])
    table.sort_by("n", descending=descending)
    names = [line[0] for line in table.render().splitlines()[2:]]
    assert names == (["y", "w", "x", "z"] if descending else ["w", "y", "x", "z"])


def test_footer_decides_width_even_of_the_first_column() -> None:
    table = Table.with_titles("a", "n")
    table.add("x", 1)
    table.add_totals("everything", "n")
    assert table.widths() == [10, 1]


def test_no_footer_no_extra_width() -> None:
    table = Table.with_titles("a", "n")
    table.add("xy", 1)
    assert table.widths() == [2, 1]


@pytest.mark.parametrize(
    ("width", "lines"),
    [(3, ["ab", "cd", "ef"]), (5, ["ab cd", "ef"]), (7, ["ab cd", "ef"]), (8, ["ab cd ef"])],
)
def test_wrap_fills_lines(width: int, lines: list[str]) -> None:
    assert wrap_words("ab cd ef", width) == lines


def test_guess_align_with_text_first_and_last() -> None:
    assert guess_align(["x", "1", "2"]) == "<"
    assert guess_align(["1", "2", "x"]) == "<"
    assert guess_align(["7"]) == ">"


def test_marks() -> None:
    assert [read_mark(mark) for mark in (":-:", ":-", "-:", "-")] == ["^", "<", ">", "<"]
    table = from_markdown("|a|b|c|\n|:-|-:|:-:|")
    assert [column.align for column in table.columns] == ["<", ">", "^"]


def test_width_limits() -> None:
    assert natural_width(Column("ab", max_width=9), ["abc"]) == 3
    assert natural_width(Column("ab", max_width=2), ["abc"]) == 2
    assert shrink([6, 6, 6], 16) == [6, 5, 5]
    assert shrink([8, 5], 12) == [7, 5]


def test_total_of_mixed_cells() -> None:
    table = Table.with_titles("n")
    table.extend([(False,), (True,), ("7",), (3,), (0.5,)])
    assert table.total("n") == 3.5
