"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

import pytest
from exprcalc.evaluate import EvaluationError, calculate, is_constant
from exprcalc.nodes import Call, variables
from exprcalc.parser import parse
from exprcalc.printer import to_text
from exprcalc.simplify import simplify


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20 - 5 - 4 - 3", 8),
        ("64 / 4 / 2", 8),
        ("17 % 10 % 4", 3),
        ("2 ^ 2 ^ 3", 256),
        ("-3 ^ 2", -9),
        ("-3 * 2", -6),
        ("2 - -3 ^ 2", 11),
        ("10 - 2 * 3 - 1", 3),
    ],
)
def test_values(text: str, value: float) -> None:
    assert calculate(text) == value


@pytest.mark.parametrize("value", [-30, -2, 0, 3, 4, 50])
def test_clamp(value: float) -> None:
    expected = sorted([-2, value, 4])[1]
    assert calculate("clamp(v, l, h)", {"v": value, "l": -2, "h": 4}) == expected


@pytest.mark.parametrize("text", ["0 / 0", "a / (a - a)", "3 % 0"])
def test_no_division_by_zero(text: str) -> None:
    with pytest.raises(EvaluationError, match="zero"):
        calculate(text, {"a": 2})


def test_zero_over_something() -> None:
    assert calculate("0 % 3 + 0 / 2") == 0


@pytest.mark.parametrize(
    ("text", "constant"), [("a ^ 2", False), ("2 ^ a", False), ("a * b", False), ("2 - 1", True)]
)
def test_constants(text: str, constant: bool) -> None:
    assert is_constant(parse(text)) is constant


@pytest.mark.parametrize(
    ("text", "simple"), [("---a", "-a"), ("----a", "a"), ("-(-(a + b))", "a + b")]
)
def test_negations(text: str, simple: str) -> None:
    assert to_text(simplify(parse(text))) == simple


@pytest.mark.parametrize(
    "text",
    ["a - (b + c)", "a / (b / c) / d", "a ^ b ^ (c + d)", "(a + b) ^ c", "a % (b * c)", "-(-a)"],
)
def test_brackets(text: str) -> None:
    printed = to_text(parse(text))
    assert parse(printed) == parse(text)
    assert len(printed) <= len(text)


def test_names_once() -> None:
    assert variables(parse("c + b * c - a ^ b ^ c")) == ["a", "b", "c"]
    assert variables(parse("1 + 2")) == []


def test_calls_of_any_size() -> None:
    assert parse("f(g(), 1)") == Call("f", (Call("g", ()), parse("1")))
    assert len(parse("f(1, 2, 3, 4)").arguments) == 4  # type: ignore[union-attr]
