from __future__ import annotations

import ast

import pytest

from clean_room_agent.repair.canonical import canonical_expression


def _form(text: str) -> str:
    return canonical_expression(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a < b", "b > a"),
        ("a >= b", "b <= a"),
        ("not a == b", "a != b"),
        ("not a in b", "a not in b"),
        ("(a)  +  b", "a + b"),
        ("a == b", "b == a"),
        ("f('x')", 'f("x")'),
    ],
)
def test_equal_meanings_have_one_form(one: str, other: str) -> None:
    assert _form(one) == _form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a < b", "a > b"),
        ("a - b", "b - a"),
        ("not a < b", "a >= b"),
        ("1", "1.0"),
        ("'a'", "a"),
        ("a in b", "b in a"),
        ("f(a, b)", "f(b, a)"),
        ("[a]", "(a,)"),
    ],
)
def test_different_meanings_keep_different_forms(one: str, other: str) -> None:
    assert _form(one) != _form(other)
