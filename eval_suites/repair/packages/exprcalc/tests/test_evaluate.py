"""Values of formulas."""

from __future__ import annotations

import pytest

from exprcalc.evaluate import EvaluationError, calculate, is_constant
from exprcalc.parser import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 - 2 - 1", 4),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("7 % 4 / 2", 1.5),
        ("2 ^ -1", 0.5),
        ("--3", 3),
    ],
)
def test_arithmetic(text: str, value: float) -> None:
    assert calculate(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("min(3, 1, 2)", 1),
        ("max(4)", 4),
        ("mean(1, 2, 6)", 3),
        ("abs(-3)", 3),
        ("floor(2.9)", 2),
        ("sqrt(16)", 4),
        ("round(2.345, 1)", 2.3),
        ("round(2.6)", 3),
        ("percent(1, 4)", 25),
        ("percent(1, 0)", 0),
    ],
)
def test_functions(text: str, value: float) -> None:
    assert calculate(text) == value


@pytest.mark.parametrize(("value", "clamped"), [(-5, 0), (5, 5), (15, 10), (0, 0), (10, 10)])
def test_clamp(value: float, clamped: float) -> None:
    assert calculate("clamp(v, 0, 10)", {"v": value}) == clamped


def test_variables() -> None:
    assert calculate("width * height", {"width": 3, "height": 4}) == 12


def test_missing_variable() -> None:
    with pytest.raises(EvaluationError, match="no value for b"):
        calculate("a + b", {"a": 1})


@pytest.mark.parametrize("text", ["1 / 0", "5 % (2 - 2)"])
def test_division_by_zero(text: str) -> None:
    with pytest.raises(EvaluationError, match="zero"):
        calculate(text)


def test_zero_divided_is_fine() -> None:
    assert calculate("0 / 5") == 0


def test_unknown_function() -> None:
    with pytest.raises(EvaluationError, match="no function named twice"):
        calculate("twice(2)")


@pytest.mark.parametrize("text", ["min()", "abs(1, 2)", "clamp(1, 2)", "round(1, 2, 3)"])
def test_argument_counts(text: str) -> None:
    with pytest.raises(EvaluationError, match="does not take"):
        calculate(text)


def test_is_constant() -> None:
    assert is_constant(parse("-min(1, 2) + 3"))
    assert not is_constant(parse("1 + a"))
    assert not is_constant(parse("a + 1"))
