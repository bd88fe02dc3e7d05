"""Cells, wrapping and column widths."""

from __future__ import annotations

import pytest

from tabletext.cells import cell_text, is_numeric, pad, truncate
from tabletext.columns import Column, comfortable_width, guess_align, natural_width, shrink
from tabletext.wrapping import longest_word, wrap, wrap_words


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "yes"), (False, "no"), (2.5, "2.50"), (12, "12")]
)
def test_cell_text(value: object, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("align", "padded"), [("<", "abc    "), (">", "    abc"), ("^", "  abc  ")]
)
def test_pad(align: str, padded: str) -> None:
    assert pad("abc", 7, align) == padded


def test_pad_centre_puts_the_odd_space_right() -> None:
    assert pad("ab", 5, "^") == " ab  "


def test_pad_leaves_wide_text_alone() -> None:
    assert pad("abcdef", 3) == "abcdef"


def test_truncate_keeps_what_fits() -> None:
    assert truncate("abcde", 5) == "abcde"


def test_truncate_marks_what_was_lost() -> None:
    assert truncate("abcdef", 5) == "abcd…"
    assert truncate("ab cdef", 4) == "ab…"


def test_truncate_to_nothing() -> None:
    assert truncate("abc", 0) == ""


@pytest.mark.parametrize("text", ["12", "-3.5", "1,200", "45%", "+7"])
def test_is_numeric(text: str) -> None:
    assert is_numeric(text)


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "-", "12a"])
def test_is_not_numeric(text: str) -> None:
    assert not is_numeric(text)


def test_wrap_breaks_at_spaces() -> None:
    assert wrap_words("the quick brown fox", 9) == ["the quick", "brown fox"]


def test_wrap_cuts_long_words() -> None:
    assert wrap_words("a incredible b", 4) == ["a", "incr", "edib", "le b"]


def test_wrap_refuses_no_width() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        wrap_words("abc", 0)


def test_wrap_keeps_blank_lines() -> None:
    assert wrap("one two\n\nthree", 5) == ["one", "two", "", "three"]


def test_longest_word() -> None:
    assert longest_word("a brown fox") == 5
    assert longest_word("") == 0


def test_natural_width_counts_the_title() -> None:
    assert natural_width(Column("quantity"), ["1", "20"]) == 8


def test_natural_width_looks_at_each_line() -> None:
    assert natural_width(Column("a"), ["one\nthree"]) == 5


def test_natural_width_respects_the_maximum() -> None:
    assert natural_width(Column("note", max_width=6), ["something long"]) == 6


def test_comfortable_width() -> None:
    assert comfortable_width(Column("id"), ["one two", "seventeen x"]) == 9


def test_shrink_takes_from_the_widest() -> None:
    assert shrink([10, 4, 6], 16) == [6, 4, 6]


def test_shrink_of_equals_starts_at_the_end() -> None:
    assert shrink([5, 5], 9) == [5, 4]


def test_shrink_stops_at_the_minimum() -> None:
    assert shrink([4, 4], 2) == [3, 3]


def test_guess_align() -> None:
    assert guess_align(["12", "", "3.5"]) == ">"
    assert guess_align(["12", "n/a"]) == "<"
    assert guess_align(["", ""]) == "<"


def test_unknown_alignment_is_refused() -> None:
    with pytest.raises(ValueError, match="alignment"):
        Column("a", align="=")
