"""Times and stretches of time."""

from __future__ import annotations

import pytest

from roombook.clock import format_length, format_time, parse_time, round_up
from roombook.spans import Span, merge, parse_span, subtract, total_length

DAY = Span(0, 100)


def test_parse_time() -> None:
    assert parse_time("09:30") == 570
    assert parse_time("24:00") == 1440


@pytest.mark.parametrize("text", ["", "9", "09:60", "24:01", "9:5", "a:00"])
def test_bad_times(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        parse_time(text)


def test_format_time() -> None:
    assert format_time(545) == "09:05"


@pytest.mark.parametrize(
    ("minutes", "text"), [(45, "45 min"), (120, "2 h"), (90, "1 h 30 min"), (60, "1 h")]
)
def test_format_length(minutes: int, text: str) -> None:
    assert format_length(minutes) == text


@pytest.mark.parametrize(("minutes", "rounded"), [(0, 0), (1, 15), (15, 15), (31, 45)])
def test_round_up(minutes: int, rounded: int) -> None:
    assert round_up(minutes, 15) == rounded


def test_span_reads_and_writes() -> None:
    assert str(parse_span("08:00-09:15")) == "08:00-09:15"


def test_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Span(10, 10)


def test_touching_spans_do_not_overlap() -> None:
    assert not Span(0, 10).overlaps(Span(10, 20))
    assert not Span(10, 20).overlaps(Span(0, 10))
    assert Span(0, 11).overlaps(Span(10, 20))


def test_contains_itself() -> None:
    assert Span(5, 9).contains(Span(5, 9))
    assert not Span(5, 9).contains(Span(5, 10))


def test_shared_time() -> None:
    assert Span(0, 10).shared(Span(5, 20)) == Span(5, 10)
    assert Span(0, 10).shared(Span(10, 20)) is None


def test_merge_joins_touching_spans() -> None:
    assert merge([Span(10, 20), Span(0, 10), Span(30, 40)]) == [Span(0, 20), Span(30, 40)]


def test_merge_keeps_the_longer_end() -> None:
    assert merge([Span(0, 50), Span(10, 20)]) == [Span(0, 50)]


def test_subtract_from_the_middle() -> None:
    assert list(subtract(DAY, [Span(20, 30), Span(60, 70)])) == [
        Span(0, 20),
        Span(30, 60),
        Span(70, 100),
    ]


def test_subtract_at_the_edges() -> None:
    assert list(subtract(DAY, [Span(0, 10), Span(90, 120)])) == [Span(10, 90)]


def test_subtract_what_lies_outside() -> None:
    assert list(subtract(Span(50, 60), [Span(0, 10), Span(70, 80)])) == [Span(50, 60)]


def test_subtract_everything() -> None:
    assert list(subtract(DAY, [DAY])) == []


def test_total_length_counts_shared_time_once() -> None:
    assert total_length([Span(0, 20), Span(10, 30), Span(50, 55)]) == 35
