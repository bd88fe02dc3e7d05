"""Text to tokens to trees."""

from __future__ import annotations

import pytest

from exprcalc.nodes import Binary, Call, Name, Negate, Number, depth, variables, walk
from exprcalc.parser import parse
from exprcalc.tokens import FormulaError, tokenise


def test_tokens_have_kinds_and_positions() -> None:
    found = [(token.kind, token.text, token.position) for token in tokenise("ab_1 + 2.5")]
    assert found == [("name", "ab_1", 0), ("+", "+", 5), ("number", "2.5", 7), ("end", "", 10)]


def test_empty_text_has_only_an_end() -> None:
    assert [token.kind for token in tokenise("  ")] == ["end"]


def test_number_may_start_with_a_point() -> None:
    assert parse(".5") == Number(0.5)


@pytest.mark.parametrize("text", ["1.2.3", ".", "a $ b"])
def test_bad_characters(text: str) -> None:
    with pytest.raises(FormulaError):
        list(tokenise(text))


def test_error_tells_the_position() -> None:
    with pytest.raises(FormulaError, match="at 4") as caught:
        parse("2 + * 3")
    assert caught.value.position == 4


def test_product_binds_tighter_than_sum() -> None:
    assert parse("1 + 2 * a") == Binary("+", Number(1), Binary("*", Number(2), Name("a")))


def test_minus_groups_to_the_left() -> None:
    assert parse("a - b - c") == Binary("-", Binary("-", Name("a"), Name("b")), Name("c"))


def test_power_groups_to_the_right() -> None:
    assert parse("a ^ b ^ c") == Binary("^", Name("a"), Binary("^", Name("b"), Name("c")))


def test_minus_binds_looser_than_power() -> None:
    assert parse("-a ^ 2") == Negate(Binary("^", Name("a"), Number(2)))


def test_minus_binds_tighter_than_product() -> None:
    assert parse("-a * b") == Binary("*", Negate(Name("a")), Name("b"))


def test_plus_sign_is_dropped() -> None:
    assert parse("+-+a") == Negate(Name("a"))


def test_call_arguments() -> None:
    assert parse("now()") == Call("now", ())
    assert parse("f(1, a)") == Call("f", (Number(1), Name("a")))


@pytest.mark.parametrize("text", ["", "1 +", "(1", "f(1,", "1 2", "f(,)", ")"])
def test_unfinished_formulas(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_variables_once_in_order() -> None:
    assert variables(parse("b * f(a, b) - 2")) == ["a", "b"]


def test_walk_meets_parents_first() -> None:
    assert [type(node).__name__ for node in walk(parse("-a + 1"))] == [
        "Binary",
        "Negate",
        "Name",
        "Number",
    ]


def test_depth() -> None:
    assert depth(parse("1")) == 1
    assert depth(parse("f(1, -(a + 2))")) == 4
