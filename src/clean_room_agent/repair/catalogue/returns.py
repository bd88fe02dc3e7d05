"""Returns: another value, an early return, a missing or a superfluous one.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.conditions import borrowed_conditions, simple_conditions
from clean_room_agent.repair.catalogue.layout import (
    guarded,
    insert_after,
    insert_before,
    is_docstring,
    is_movable,
    line,
)
from clean_room_agent.repair.catalogue.template import COMPARE, NOT, Draft, Site, strength, template
from clean_room_agent.repair.source import FunctionNode

_CONSTANTS = (
    "None",
    "0",
    "1",
    "True",
    "False",
    "[]",
    "''",
    "-1",
    "{}",
    "()",
    "[[]]",
    "0.0",
    "set()",
)


@template("return-value", ast.Return)
def replace_value(site: Site) -> Iterator[Draft]:
    """Return a name in scope, a comparison with it, or a list of it, instead."""
    node = site.node
    assert isinstance(node, ast.Return)
    if node.value is None:
        return
    own = site.text(node.value)
    for name in site.scope.values[:14]:
        if name == own or name in site.scope.called:
            continue
        yield site.swap(node.value, name)
        yield site.swap(node.value, f"[{name}]", weight=0.8)
        yield site.swap(node.value, f"{name} == 0", COMPARE, weight=0.7)
        yield site.swap(node.value, f"not {name}", NOT, weight=0.5)
        yield site.swap(node.value, f"len({name})", weight=0.4)
        yield site.swap(node.value, f"{name} - 1", 12, weight=0.4)
        yield site.swap(node.value, f"{name} + 1", 12, weight=0.4)


@template("return-borrowed", ast.Return)
def borrow_value(site: Site) -> Iterator[Draft]:
    """Return what another return of the file returns, or a common constant."""
    node = site.node
    assert isinstance(node, ast.Return)
    if node.value is None:
        return
    own = site.text(node.value)
    for item in site.scope.returned:
        if item.text != own:
            yield site.swap(node.value, item.text, strength(item.node))
    for text in _CONSTANTS:
        if text != own:
            yield site.swap(node.value, text, weight=0.5)


@template("return-bare-value", ast.Return, ast.Pass)
def fill_return(site: Site) -> Iterator[Draft]:
    """Return something where nothing is returned, or where `pass` stands."""
    node = site.node
    assert isinstance(node, ast.stmt)
    if site.scope.function is None or (isinstance(node, ast.Return) and node.value is not None):
        return
    start, end = site.source.start(node), site.source.end(node)
    for text in (*site.scope.local_names[:12], *_CONSTANTS):
        yield Draft(((start, end, f"return {text}"),))


@template("expression-to-return", ast.Expr)
def return_expression(site: Site) -> Iterator[Draft]:
    """Return the value of an expression statement, or assign it to a local name."""
    node = site.node
    assert isinstance(node, ast.Expr)
    if is_docstring(node) or site.scope.function is None:
        return
    at = site.source.start(node)
    yield Draft(((at, at, "return "),))
    for name in site.scope.local_names[:8]:
        yield Draft(((at, at, f"{name} = "),), 0.6)
        yield Draft(((at, at, f"{name} += "),), 0.4)


@template("return-at-end", ast.FunctionDef, ast.AsyncFunctionDef)
def return_at_end(site: Site) -> Iterator[Draft]:
    """Return a name in scope, or a constant, at the end of a function."""
    node = site.node
    assert isinstance(node, FunctionNode)
    last = node.body[-1]
    if not is_movable_in(site, last) or isinstance(last, ast.Return | ast.Raise):
        return
    scope = site.scope
    for text in (*scope.local_names[::-1][:14], *_CONSTANTS):
        yield insert_after(site, last, line(site, last, f"return {text}"))


def is_movable_in(site: Site, statement: ast.stmt) -> bool:
    return site.source.owns_lines(statement)


@template("early-return", ast.stmt)
def early_return(site: Site) -> Iterator[Draft]:
    """Return early under a condition: a base case, an empty input, a missing value."""
    node = site.node
    if not isinstance(node, ast.stmt) or not is_movable(site, node) or is_docstring(node):
        return
    first = _first_of_function(site) is node
    values = _returnable(site)
    tests = [(t, w) for t, _, w in simple_conditions(site)]
    tests = tests[:90] + [(t, w) for t, _, w in borrowed_conditions(site)][:20]
    for test, weight in tests:
        for value, share in values:
            total = weight * share * (1.0 if first else 0.5)
            if total > 0.2:
                yield insert_before(site, node, guarded(site, node, test, f"return {value}"), total)


def _first_of_function(site: Site) -> ast.stmt | None:
    function = site.scope.function
    if not isinstance(function, FunctionNode):
        return None
    body = [s for s in function.body if not is_docstring(s)]
    return body[0] if body else None


def _returnable(site: Site) -> list[tuple[str, float]]:
    """What an early return may give: what the function returns elsewhere, then constants."""
    found: dict[str, float] = {}
    for item in site.scope.usable(site.scope.pool.returned[:6]):
        simple = isinstance(item.node, ast.Constant | ast.Name | ast.List | ast.Tuple | ast.Dict)
        found.setdefault(item.text, 1.0 if simple else 0.5)
    for name in site.scope.parameters[:3]:
        if name not in ("self", "cls"):
            found.setdefault(name, 0.6)
    for text in _CONSTANTS[:8]:
        found.setdefault(text, 0.5)
    return list(found.items())


FAMILY = (
    replace_value,
    borrow_value,
    fill_return,
    return_expression,
    return_at_end,
    early_return,
)
