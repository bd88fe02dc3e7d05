"""Cents: reading, writing, rounding and splitting."""

from __future__ import annotations

import pytest

from ledgerbook.money import format_amount, parse_amount, scale, split


@pytest.mark.parametrize(
    ("text", "cents"),
    [("12.34", 1234), ("-3", -300), ("1,204.50", 120450), ("0.5", 50), ("+7.05", 705)],
)
def test_parse_amount(text: str, cents: int) -> None:
    assert parse_amount(text) == cents


@pytest.mark.parametrize("text", ["", "abc", "1.234", "-", "."])
def test_parse_amount_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_amount(text)


@pytest.mark.parametrize(
    ("cents", "text"), [(5, "0.05"), (-1250, "-12.50"), (123456789, "1,234,567.89"), (0, "0.00")]
)
def test_format_amount(cents: int, text: str) -> None:
    assert format_amount(cents) == text


@pytest.mark.parametrize(
    ("cents", "numerator", "denominator", "expected"),
    [(100, 1, 3, 33), (5, 1, 2, 3), (-5, 1, 2, -3), (200, 1, 3, 67), (10, -1, 4, -3), (7, 1, 1, 7)],
)
def test_scale(cents: int, numerator: int, denominator: int, expected: int) -> None:
    assert scale(cents, numerator, denominator) == expected


def test_scale_refuses_zero_denominator() -> None:
    with pytest.raises(ValueError):
        scale(100, 1, 0)


def test_split_gives_spare_cents_to_the_first_parts() -> None:
    assert split(100, [1, 1, 1]) == [34, 33, 33]


def test_split_by_weight_adds_up() -> None:
    assert split(1001, [5, 3, 2]) == [501, 300, 200]


def test_split_refuses_empty_weights() -> None:
    with pytest.raises(ValueError):
        split(100, [0, 0])
