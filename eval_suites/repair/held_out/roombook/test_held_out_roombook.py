"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

import pytest
from roombook.calendar import Calendar, ConflictError
from roombook.clock import round_up
from roombook.policy import Policy, objections
from roombook.rooms import Room, ranked
from roombook.spans import Span, merge, subtract
from roombook.usage import peak


def test_contains_at_both_edges() -> None:
    whole = Span(10, 20)
    assert whole.contains(Span(15, 20))
    assert whole.contains(Span(10, 12))
    assert not whole.contains(Span(9, 12))
    assert not whole.contains(Span(15, 21))


def test_merge_of_nested_spans() -> None:
    assert merge([Span(0, 90), Span(5, 10), Span(8, 95), Span(20, 30)]) == [Span(0, 95)]
    assert merge([Span(1, 4), Span(2, 9)]) == [Span(1, 9)]


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([Span(0, 30)], [Span(50, 80)]),
        ([Span(0, 50)], [Span(50, 80)]),
        ([Span(0, 60)], [Span(60, 80)]),
        ([Span(10, 20), Span(30, 40), Span(55, 60)], [Span(50, 55), Span(60, 80)]),
        ([Span(70, 99)], [Span(50, 70)]),
    ],
)
def test_subtract(taken: list[Span], left: list[Span]) -> None:
    assert list(subtract(Span(50, 80), taken)) == left


def test_failed_move_keeps_everything() -> None:
    calendar = Calendar([Room("Oak", 3)])
    first = calendar.book("Oak", Span(600, 660), "ada", people=2)
    second = calendar.book("Oak", Span(660, 720), "ben")
    with pytest.raises(ConflictError):
        calendar.move(second.number, Span(630, 690))
    with pytest.raises(ConflictError):
        calendar.move(first.number, Span(1070, 1100))
    assert calendar.bookings() == [first, second]


def test_round_up_by_other_steps() -> None:
    assert [round_up(minutes, 10) for minutes in (0, 1, 9, 10, 11)] == [0, 10, 10, 10, 20]
    assert [round_up(minutes, 1) for minutes in (0, 7)] == [0, 7]


def test_nearest_floor_above_and_below() -> None:
    rooms = [Room("low", 4, floor=0), Room("mid", 4, floor=3), Room("top", 4, floor=9)]
    assert [room.name for room in ranked(rooms, 2, near_floor=5)] == ["mid", "top", "low"]
    assert [room.name for room in ranked(rooms, 2, near_floor=1)] == ["low", "mid", "top"]


def test_equipment_beyond_what_is_needed() -> None:
    rooms = [Room("bare", 4), Room("full", 4, equipment=frozenset({"phone", "screen"}))]
    assert [room.name for room in ranked(rooms, 1, frozenset({"screen"}))] == ["full"]
    assert len(ranked(rooms, 1)) == 2


def test_peak_first_of_three() -> None:
    calendar = Calendar([Room("Oak", 3), Room("Elm", 3)])
    for start in (500, 600, 700):
        calendar.book("Oak", Span(start, start + 50), "ada")
        calendar.book("Elm", Span(start + 10, start + 50), "ben")
    assert peak(calendar) == (2, 510)


@pytest.mark.parametrize(("end", "refused"), [(659, False), (660, False), (661, True)])
def test_daily_limit(end: int, refused: bool) -> None:
    calendar = Calendar([Room("Oak", 3)])
    calendar.book("Oak", Span(480, 510), "ada")
    found = objections(Policy(daily_minutes=90), calendar, "Oak", Span(600, end), "ada", 3)
    assert bool(found) is refused
