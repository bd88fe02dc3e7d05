"""Conditions: negated, replaced, weakened or strengthened with material in scope.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import (
    AND,
    COMPARE,
    NOT,
    OR,
    Draft,
    Site,
    strength,
    template,
)

_TESTS = (ast.If, ast.While, ast.IfExp, ast.Assert)


def simple_conditions(site: Site) -> Iterator[tuple[str, int, float]]:
    """Short conditions over the names in scope: text, strength, weight."""
    names = [n for n in site.scope.values if n not in site.scope.called and n != "self"][:10]
    for name in names:
        yield f"not {name}", NOT, 1.0
        yield f"{name} is None", COMPARE, 0.9
        yield name, 17, 0.9
        yield f"{name} is not None", COMPARE, 0.6
    for name in names:
        for test in ("== 0", "> 0", "< 0", "<= 0", ">= 0", "!= 0", "== 1", "<= 1", "> 1"):
            yield f"{name} {test}", COMPARE, 0.5
    for name in names[:6]:
        yield f"len({name}) == 0", COMPARE, 0.4
        yield f"len({name}) <= 1", COMPARE, 0.3
    for first in names[:7]:
        for second in names[:7]:
            if first < second:
                for test in ("==", "!=", "<", ">", "<=", ">="):
                    yield f"{first} {test} {second}", COMPARE, 0.3
    for first in names[:6]:
        for second in names[:6]:
            if first != second:
                yield f"{first} in {second}", COMPARE, 0.3
                yield f"{first} not in {second}", COMPARE, 0.3


def borrowed_conditions(site: Site) -> Iterator[tuple[str, int, float]]:
    """Conditions of the function and the file, and their negations."""
    for item in site.scope.conditions:
        yield item.text, strength(item.node), 1.0
        text = item.text if strength(item.node) >= NOT else f"({item.text})"
        yield f"not {text}", NOT, 0.5


def _test_of(site: Site) -> ast.expr | None:
    node = site.node
    if isinstance(node, ast.Return):
        value = node.value
        return value if isinstance(value, ast.Compare | ast.BoolOp | ast.UnaryOp) else None
    assert isinstance(node, _TESTS)
    return node.test


def _extend(site: Site, test: ast.expr, text: str, level: int, weight: float) -> Iterator[Draft]:
    own = site.text(test)
    if text == own:
        return
    for word, needed in (("and", AND), ("or", OR)):
        left = site.operand(test, needed)
        right = text if level >= needed else f"({text})"
        yield site.swap(test, f"{left} {word} {right}", needed, weight=weight)
        yield site.swap(test, f"{right} {word} {left}", needed, weight=weight * 0.8)


@template("condition-extend", *_TESTS, ast.Return)
def extend_condition(site: Site) -> Iterator[Draft]:
    """Add a conjunct or disjunct borrowed from the function or the file."""
    test = _test_of(site)
    if test is None:
        return
    for text, level, weight in borrowed_conditions(site):
        yield from _extend(site, test, text, level, weight)


@template("condition-extend-simple", *_TESTS, ast.Return)
def extend_simple(site: Site) -> Iterator[Draft]:
    """Add a conjunct or disjunct over names in scope: `x is None or ...`, `x and ...`."""
    test = _test_of(site)
    if test is None:
        return
    for text, level, weight in simple_conditions(site):
        yield from _extend(site, test, text, level, weight)
    for chain in _accessors(test):
        for text in (f"{chain} is None", f"{chain} is not None", chain, f"not {chain}"):
            yield from _extend(site, test, text, NOT, 1.0)


def _accessors(test: ast.expr) -> list[str]:
    """The objects whose attributes or elements a condition looks at."""
    found: dict[str, None] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Attribute | ast.Subscript):
            found.setdefault(ast.unparse(node.value))
            found.setdefault(ast.unparse(node))
    return [text for text in found if len(text) < 40]


@template("condition-replace", *_TESTS)
def replace_condition(site: Site) -> Iterator[Draft]:
    """Another condition of the function or the file instead."""
    test = _test_of(site)
    assert test is not None
    for text, level, weight in borrowed_conditions(site):
        if text != site.text(test):
            yield site.swap(test, text, level, weight=weight)


@template("condition-replace-simple", *_TESTS)
def replace_simple(site: Site) -> Iterator[Draft]:
    """A short condition over names in scope instead."""
    test = _test_of(site)
    assert test is not None
    for text, level, weight in simple_conditions(site):
        if text != site.text(test):
            yield site.swap(test, text, level, weight=weight)


@template("condition-constant", *_TESTS)
def constant_condition(site: Site) -> Iterator[Draft]:
    """Make a condition always true or always false."""
    test = _test_of(site)
    assert test is not None
    yield site.swap(test, "True")
    yield site.swap(test, "False", weight=0.7)


@template("condition-explicit", ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.UnaryOp)
def explicit_condition(site: Site) -> Iterator[Draft]:
    """Say what a truth value stands for: `is not None`, `> 0`, `len(...) > 1`."""
    node = site.node
    if site.field not in ("test", "ifs") and not isinstance(site.parent, ast.BoolOp):
        return
    if isinstance(node, ast.UnaryOp):
        if not isinstance(node.op, ast.Not):
            return
        text = site.operand(node.operand, COMPARE + 1)
        endings: tuple[str, ...] = (" is None", " == 0", " <= 0", " < 0", " <= 1", " < 2")
    else:
        text = site.operand(node, COMPARE + 1)
        endings = (" is not None", " > 0", " >= 0", " > 1", " != 0", " is True", " == 1")
    for ending in endings:
        yield site.swap(node, text + ending, COMPARE)


@template("conditional-drop", ast.IfExp)
def drop_conditional(site: Site) -> Iterator[Draft]:
    """Keep one branch of a conditional expression, or let them change places."""
    node = site.node
    assert isinstance(node, ast.IfExp)
    yield site.exchange(node.body, node.orelse)
    yield site.swap(node, site.operand(node.body, 0), strength(node.body))
    yield site.swap(node, site.operand(node.orelse, 0), strength(node.orelse))


@template("conditional-add", ast.Name, ast.Call, ast.Subscript, ast.BinOp, ast.Attribute)
def add_conditional(site: Site) -> Iterator[Draft]:
    """Use the value only if it is there: `x if x else 0`, `x or []`."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    if site.field not in ("value", "elts", "elt", "args", "values"):
        return
    whole = isinstance(site.parent, ast.Assign | ast.Return)
    if not whole and not isinstance(node, ast.Call | ast.BinOp | ast.Subscript):
        return
    text = site.operand(node, OR + 1)
    for other in ("0", "None", "[]", "''", "{}", "1", "False", *site.scope.parameters[:4]):
        yield site.swap(node, f"{text} or {other}", OR)
    names = [n for n in site.scope.local_names[:6] if n not in site.scope.called]
    for name in names:
        for other in ("0", "None", "[]", "''", "0.0", "1", "False", name):
            yield site.swap(node, f"{text} if {name} else {other}", 3, weight=0.7)


@template("bool-logic-add", ast.Call, ast.Name, ast.Attribute, ast.Subscript)
def extend_value(site: Site) -> Iterator[Draft]:
    """Join a returned truth value with a condition of the file."""
    node = site.node
    if not isinstance(site.parent, ast.Return):
        return
    assert isinstance(node, ast.expr)
    for text, level, weight in borrowed_conditions(site):
        yield from _extend(site, node, text, level, weight)


FAMILY = (
    extend_condition,
    extend_simple,
    replace_condition,
    replace_simple,
    constant_condition,
    explicit_condition,
    drop_conditional,
    add_conditional,
    extend_value,
)
