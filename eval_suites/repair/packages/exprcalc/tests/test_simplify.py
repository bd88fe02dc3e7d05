"""Smaller trees, and trees as text."""

from __future__ import annotations

import pytest

from exprcalc.parser import parse
from exprcalc.printer import to_text
from exprcalc.simplify import simplify


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("1 + 2 * 3", "7"),
        ("a + 0", "a"),
        ("0 + a", "a"),
        ("a - 0", "a"),
        ("0 - a", "0 - a"),
        ("a * 1", "a"),
        ("1 * a", "a"),
        ("a * 0", "0"),
        ("a / 1", "a"),
        ("1 / a", "1 / a"),
        ("a ^ 1", "a"),
        ("--a", "a"),
        ("-(2 + 3)", "-5"),
        ("f(1 + 1, a * 1)", "f(2, a)"),
        ("a * (3 - 2) + 0 * b", "a"),
        ("max(2, 3) + a", "3 + a"),
    ],
)
def test_simplify(text: str, simple: str) -> None:
    assert to_text(simplify(parse(text))) == simple


def test_what_has_no_value_is_left() -> None:
    assert to_text(simplify(parse("1 / 0"))) == "1 / 0"


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c",
        "(a + b) * c",
        "a - (b - c)",
        "a - b - c",
        "a ^ b ^ c",
        "(a ^ b) ^ c",
        "-a ^ 2",
        "(-a) ^ 2",
        "-(a + b)",
        "2.5 * f(a, -b)",
        "a / (b * c)",
    ],
)
def test_text_round_trip(text: str) -> None:
    assert to_text(parse(text)) == text


def test_useless_brackets_go() -> None:
    assert to_text(parse("((a) * (b)) + (c)")) == "a * b + c"
