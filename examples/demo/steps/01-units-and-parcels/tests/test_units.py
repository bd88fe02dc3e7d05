"""Reading and writing weights, sizes and prices."""

from __future__ import annotations

import pytest

from parcelquote.units import format_price, format_weight, parse_size, parse_weight, percent_of


@pytest.mark.parametrize(
    ("text", "grams"), [("2.5 kg", 2500), ("800 g", 800), ("1KG", 1000), ("0.125kg", 125)]
)
def test_parse_weight(text: str, grams: int) -> None:
    assert parse_weight(text) == grams


def test_weight_needs_a_unit() -> None:
    with pytest.raises(ValueError, match="unit"):
        parse_weight("12")


def test_size_puts_the_longest_side_first() -> None:
    assert parse_size("20x40x30") == (40, 30, 20)


@pytest.mark.parametrize("text", ["20x30", "0x1x2", "axbxc", ""])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


def test_format() -> None:
    assert format_weight(950) == "950 g"
    assert format_weight(2500) == "2.5 kg"
    assert format_price(1240) == "12.40"
    assert format_price(-5) == "-0.05"


def test_percent_rounds_halves_up() -> None:
    assert percent_of(250, 1) == 3
    assert percent_of(1000, 12) == 120
