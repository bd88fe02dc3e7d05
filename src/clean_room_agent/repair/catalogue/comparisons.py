"""Comparisons: every operator for every other, sides swapped, chains cut and extended.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import COMPARE, Draft, Site, template

_TEXT: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_SWAPS: dict[str, tuple[tuple[str, float], ...]] = {
    "<": (("<=", 1), (">", 0.8), (">=", 0.6), ("!=", 0.5), ("==", 0.4)),
    "<=": (("<", 1), (">=", 0.7), (">", 0.6), ("==", 0.4), ("!=", 0.4)),
    ">": ((">=", 1), ("<", 0.8), ("<=", 0.6), ("!=", 0.5), ("==", 0.4)),
    ">=": ((">", 1), ("<=", 0.7), ("<", 0.6), ("==", 0.4), ("!=", 0.4)),
    "==": (("!=", 1), ("<=", 0.8), (">=", 0.8), ("<", 0.6), (">", 0.6), ("in", 0.3), ("is", 0.3)),
    "!=": (("==", 1), ("<", 0.7), (">", 0.7), (">=", 0.4), ("<=", 0.4), ("not in", 0.3)),
    "is": (("is not", 1), ("==", 0.7)),
    "is not": (("is", 1), ("!=", 0.7)),
    "in": (("not in", 1), ("==", 0.5)),
    "not in": (("in", 1), ("!=", 0.5)),
}
_PATTERN = re.compile(r"not\s+in|is\s+not|is|in|[<>=!]=|[<>]")


@template("comparison-swap", ast.Compare)
def swap_comparison(site: Site) -> Iterator[Draft]:
    """Replace a comparison operator by any other that can stand there."""
    node = site.node
    assert isinstance(node, ast.Compare)
    operands = [node.left, *node.comparators]
    for number, op in enumerate(node.ops):
        start, end = site.source.end(operands[number]), site.source.start(operands[number + 1])
        gap = site.source.slice(start, end)
        found = _PATTERN.search(gap)
        if found is None or "#" in gap:
            continue
        identity = _has_identity(operands[number]) and _has_identity(operands[number + 1])
        for new, weight in _SWAPS[_TEXT[type(op)]]:
            if new.startswith("is") and not identity:
                continue
            left = start + len(gap[: found.start()].encode())
            text = new if gap[found.end() :] else new + " "
            if new[0].isalpha() and not gap[: found.start()]:
                text = " " + text
            yield Draft(((left, left + len(found.group()), text),), weight)


def _has_identity(node: ast.expr) -> bool:
    """Whether `is` means something for the operand: not for numbers, strings and displays."""
    if isinstance(node, ast.Constant):
        return node.value is None or isinstance(node.value, bool)
    return isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)


@template("swap-sides", ast.Compare)
def swap_sides(site: Site) -> Iterator[Draft]:
    """Let the sides of an ordering or membership test change places."""
    node = site.node
    assert isinstance(node, ast.Compare)
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
        yield site.exchange(node.left, node.comparators[0])


@template("comparison-to-value", ast.Compare)
def reduce_comparison(site: Site) -> Iterator[Draft]:
    """Keep only the left side as a truth value, or compare with a near constant instead."""
    node = site.node
    assert isinstance(node, ast.Compare)
    if site.field in ("test", "ifs", "values"):
        left = site.operand(node.left, COMPARE + 1)
        yield site.swap(node, left)
        yield site.swap(node, f"not {left}", 6)
    if len(node.ops) > 1:
        first = (
            f"{site.text(node.left)} {_TEXT[type(node.ops[0])]} {site.text(node.comparators[0])}"
        )
        last = " ".join(
            (
                site.text(node.comparators[-2]),
                _TEXT[type(node.ops[-1])],
                site.text(node.comparators[-1]),
            )
        )
        yield site.swap(node, first, COMPARE)
        yield site.swap(node, last, COMPARE)


@template("chain-comparison", ast.Compare)
def chain(site: Site) -> Iterator[Draft]:
    """Bound a comparison on its other side: `x < n` to `0 <= x < n`."""
    node = site.node
    assert isinstance(node, ast.Compare)
    if len(node.ops) == 1 and isinstance(node.ops[0], ast.Lt | ast.LtE):
        text = site.text(node)
        for bound in ("0 <= ", "0 < ", "1 <= "):
            yield site.swap(node, bound + text, COMPARE)


@template("compare-length", ast.Compare)
def compare_length(site: Site) -> Iterator[Draft]:
    """Compare `len(x)` instead of `x`, on one side or on both."""
    node = site.node
    assert isinstance(node, ast.Compare)
    if len(node.ops) != 1:
        return
    left, right = node.left, node.comparators[0]
    source = site.source
    for call in ("len", "abs", "str", "int", "set", "sorted"):
        edits = tuple(
            (source.start(side), source.end(side), f"{call}({site.text(side)})")
            for side in (left, right)
        )
        yield Draft(edits, 0.6)
    for method in (".lower()", ".strip()", ".upper()"):
        edits = tuple(
            (source.start(side), source.end(side), site.operand(side, 17) + method)
            for side in (left, right)
        )
        yield Draft(edits, 0.5)


FAMILY = (swap_comparison, swap_sides, reduce_comparison, chain, compare_length)
