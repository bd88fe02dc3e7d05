"""Whole tables, drawn."""

from __future__ import annotations

import pytest

from tabletext.borders import GRID, OPEN, PLAIN, rule
from tabletext.table import Table


@pytest.fixture
def cities() -> Table:
    """Three cities, one of them without a count."""
    table = Table.with_titles("city", "people", align="<>")
    table.extend([("Bergen", 291), ("Oslo", 709), ("Unknown",)])
    return table


def test_render_grid(cities: Table) -> None:
    assert cities.render().splitlines() == [
        "+---------+--------+",
        "| city    | people |",
        "+---------+--------+",
        "| Bergen  |    291 |",
        "| Oslo    |    709 |",
        "| Unknown |        |",
        "+---------+--------+",
    ]


def test_render_open(cities: Table) -> None:
    cities.style = OPEN
    assert cities.render().splitlines()[:3] == [
        "city    | people",
        "--------+-------",
        "Bergen  |    291",
    ]


def test_render_plain_has_no_rules(cities: Table) -> None:
    cities.style = PLAIN
    assert cities.render().splitlines() == [
        "city     people",
        "Bergen      291",
        "Oslo        709",
        "Unknown",
    ]


def test_render_fits_a_width() -> None:
    table = Table.with_titles("key", "description")
    table.add("size", "the quick brown fox jumps")
    lines = table.render(width=26).splitlines()
    assert {len(line) for line in lines} == {26}
    assert lines[3:5] == ["| size | the quick brown |", "|      | fox jumps       |"]


def test_long_titles_are_cut() -> None:
    table = Table.with_titles("identifier", "n")
    table.add("ab", 1)
    assert table.render(width=14).splitlines()[1] == "| ident… | n |"


def test_overhead_matches_what_is_drawn() -> None:
    for style in (GRID, OPEN):
        table = Table.with_titles("a", "b", "c", style=style)
        assert len(next(table.lines())) == 3 + style.overhead(3)


def test_plain_rule_is_absent() -> None:
    assert rule(PLAIN, [3, 4]) is None


def test_multi_line_cells_share_a_row() -> None:
    table = Table.with_titles("a", "b")
    table.add("x\ny", "z")
    assert table.render().splitlines()[3:5] == ["| x | z |", "| y |   |"]


def test_too_many_values(cities: Table) -> None:
    with pytest.raises(ValueError, match="3 values for 2 columns"):
        cities.add("a", 1, 2)


def test_sort_keeps_empty_rows_last(cities: Table) -> None:
    cities.sort_by("people", descending=True)
    order = [line.split()[1] for line in cities.render().splitlines()[3:6]]
    assert order == ["Oslo", "Bergen", "Unknown"]


def test_sort_by_an_unknown_title(cities: Table) -> None:
    with pytest.raises(KeyError):
        cities.sort_by("mayor")


def test_total_leaves_out_truth_values() -> None:
    table = Table.with_titles("n")
    table.extend([(2,), (True,), (None,), (1.5,)])
    assert table.total("n") == 3.5


def test_totals_are_drawn_below_a_rule(cities: Table) -> None:
    cities.add_totals("all", "people")
    assert cities.render().splitlines()[-3:] == [
        "+---------+--------+",
        "| all     |   1000 |",
        "+---------+--------+",
    ]


def test_wide_totals_widen_the_column() -> None:
    table = Table.with_titles("a", "n")
    table.extend([("x", 60), ("y", 60)])
    table.add_totals("sum", "n")
    assert table.widths() == [3, 3]


def test_align_numbers() -> None:
    table = Table.with_titles("name", "n", align=">")
    table.extend([("x", 1), ("y", 20)])
    table.align_numbers()
    assert [column.align for column in table.columns] == ["<", ">"]
