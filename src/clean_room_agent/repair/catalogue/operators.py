"""Operators: binary, boolean, unary and augmented ones swapped, dropped, regrouped or added.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import (
    AND,
    ARITH,
    ATOM,
    NOT,
    OPERATORS,
    OR,
    POWER,
    TERM,
    UNARY,
    Draft,
    Site,
    strength,
    template,
)

_SWAPS: dict[str, tuple[str, ...]] = {
    "+": ("-", "*", "//", "/", "%", "|", "^"),
    "-": ("+", "*", "//", "/", "%"),
    "*": ("+", "**", "//", "/", "-", "%"),
    "/": ("//", "*", "%", "-", "+"),
    "//": ("/", "%", "*", "-", "+"),
    "%": ("//", "/", "*", "-", "+", "&"),
    "**": ("*", "+", "//"),
    "&": ("|", "^", "and", "-", "%", ">>"),
    "|": ("&", "^", "or", "+", "-"),
    "^": ("&", "|", "**", "+", "-"),
    "<<": (">>", "*", "**"),
    ">>": ("<<", "//", "&", "/"),
    "@": ("*",),
}
_LEVELS = dict(OPERATORS.values()) | {"and": AND, "or": OR}


@template("binary-operator-swap", ast.BinOp)
def swap_binary(site: Site) -> Iterator[Draft]:
    """Replace an arithmetic or bit operator by another one."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    old, level = OPERATORS[type(node.op)]
    for new in _SWAPS[old]:
        new_level = _LEVELS[new]
        if new_level == level:
            draft = site.between(node.left, node.right, old, new)
            if draft is not None:
                yield draft
            continue
        left = site.operand(node.left, new_level if new != "**" else POWER + 1)
        right = site.operand(node.right, new_level + 1)
        yield site.swap(node, f"{left} {new} {right}", new_level, weight=0.8)


@template("drop-operand", ast.BinOp)
def drop_operand(site: Site) -> Iterator[Draft]:
    """Keep only one operand of a binary operation."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    yield site.swap(node, site.operand(node.left, 0), strength(node.left))
    yield site.swap(node, site.operand(node.right, 0), strength(node.right))


@template("swap-operands", ast.BinOp)
def swap_operands(site: Site) -> Iterator[Draft]:
    """Let the operands of a binary operation change places."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    commutes = isinstance(node.op, ast.BitAnd | ast.BitOr | ast.BitXor)
    weight = 0.2 if commutes else 0.6 if isinstance(node.op, ast.Add | ast.Mult) else 1.0
    yield site.exchange(node.left, node.right, weight=weight)


@template("regroup", ast.BinOp)
def regroup(site: Site) -> Iterator[Draft]:
    """Move the parentheses: `(a + b) * c` and `a + b * c`."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    outer, level = OPERATORS[type(node.op)]
    if isinstance(node.left, ast.BinOp):
        inner, inner_level = OPERATORS[type(node.left.op)]
        a, b, c = node.left.left, node.left.right, node.right
        right = f"{site.operand(b, level)} {outer} {site.operand(c, level + 1)}"
        if level <= inner_level:
            right = f"({right})"
        yield site.swap(node, f"{site.operand(a, inner_level)} {inner} {right}", inner_level)
    if isinstance(node.right, ast.BinOp):
        inner, inner_level = OPERATORS[type(node.right.op)]
        a, b, c = node.left, node.right.left, node.right.right
        left = f"{site.operand(a, level)} {outer} {site.operand(b, level + 1)}"
        if level < inner_level:
            left = f"({left})"
        yield site.swap(node, f"{left} {inner} {site.operand(c, inner_level + 1)}", inner_level)


@template("boolean-operator-swap", ast.BoolOp)
def swap_boolean(site: Site) -> Iterator[Draft]:
    """`and` to `or`, `or` to `and`."""
    node = site.node
    assert isinstance(node, ast.BoolOp)
    new, level = ("or", OR) if isinstance(node.op, ast.And) else ("and", AND)
    parts = [site.operand(value, level + 1) for value in node.values]
    yield site.swap(node, f" {new} ".join(parts), level)


@template("drop-condition-part", ast.BoolOp)
def drop_part(site: Site) -> Iterator[Draft]:
    """Drop one operand of `and` / `or`."""
    node = site.node
    assert isinstance(node, ast.BoolOp)
    word, level = (" and ", AND) if isinstance(node.op, ast.And) else (" or ", OR)
    for gone in node.values:
        kept = [value for value in node.values if value is not gone]
        if len(kept) == 1:
            yield site.swap(node, site.operand(kept[0], 0), strength(kept[0]))
        else:
            yield site.swap(node, word.join(site.operand(v, level + 1) for v in kept), level)


@template("unary-drop", ast.UnaryOp)
def drop_unary(site: Site) -> Iterator[Draft]:
    """Drop `not`, `-` or `~`."""
    node = site.node
    assert isinstance(node, ast.UnaryOp)
    yield site.swap(node, site.operand(node.operand, 0), strength(node.operand))


@template("unary-add", ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp, ast.Constant)
def add_unary(site: Site) -> Iterator[Draft]:
    """Put a minus (or `~`) in front of a value."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
        return
    if site.field in ("func", "keyword") or isinstance(site.parent, ast.Attribute):
        return
    text = site.operand(node, ATOM if isinstance(node, ast.BinOp) else UNARY)
    numeric = isinstance(site.parent, ast.BinOp | ast.Compare | ast.Return | ast.Subscript)
    yield site.swap(node, f"-{text}", UNARY, weight=1.0 if numeric else 0.5)
    if isinstance(site.parent, ast.BinOp) and isinstance(site.parent.op, ast.BitAnd | ast.BitOr):
        yield site.swap(node, f"~{text}", UNARY)


@template("augmented-operator-swap", ast.AugAssign)
def swap_augmented(site: Site) -> Iterator[Draft]:
    """Replace the operator of an augmented assignment, or make it a plain one."""
    node = site.node
    assert isinstance(node, ast.AugAssign)
    old = OPERATORS[type(node.op)][0]
    swaps = [new for new in _SWAPS[old] if new not in ("and", "or")]
    for new in (*swaps[:1], "", *swaps[1:]):
        draft = site.between(node.target, node.value, old + "=", new + "=")
        if draft is not None:
            yield draft


@template("assign-to-augmented", ast.Assign)
def augment(site: Site) -> Iterator[Draft]:
    """Make a plain assignment an augmented one: `x = y` to `x += y`."""
    node = site.node
    assert isinstance(node, ast.Assign)
    target = node.targets[0]
    if len(node.targets) > 1 or isinstance(target, ast.Tuple | ast.List):
        return
    for new in ("+=", "-=", "*=", "|=", "&=", "//="):
        draft = site.between(target, node.value, "=", new)
        if draft is not None:
            yield draft


@template("scale", ast.BinOp, ast.Call, ast.Name, ast.Subscript)
def scale(site: Site) -> Iterator[Draft]:
    """Halve, double, square or take the remainder of a value."""
    node = site.node
    if not isinstance(node, ast.BinOp) and not isinstance(
        site.parent, ast.Return | ast.Assign | ast.BinOp | ast.Call | ast.AugAssign
    ):
        return
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    weight = 1.0 if isinstance(site.parent, ast.Return | ast.Assign | ast.AugAssign) else 0.4
    text = site.operand(node, TERM)
    for suffix in (" / 2", " // 2", " * 2", " % 2", " / 100", " * 100"):
        yield site.swap(node, text + suffix, TERM, weight=weight)
    yield site.swap(node, f"{site.operand(node, POWER + 1)} ** 2", POWER, weight=weight * 0.6)


@template("swap-double-operand", ast.BinOp)
def operand_edits(site: Site) -> Iterator[Draft]:
    """Apply the operand of a chain twice or once: `a + b` to `a + a`, `b + b`, `2 * a + b`."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    yield site.swap(node.right, site.text(node.left), strength(node.left), weight=0.6)
    yield site.swap(node.left, site.text(node.right), strength(node.right), weight=0.6)
    if isinstance(node.op, ast.Add | ast.Sub):
        yield site.swap(node.right, "2 * " + site.operand(node.right, TERM + 1), TERM, weight=0.7)
        yield site.swap(node, "1 - " + site.operand(node, ARITH + 1), ARITH, weight=0.3)


@template("not-add", ast.Name, ast.Attribute, ast.Call, ast.Compare, ast.Subscript, ast.BoolOp)
def add_not(site: Site) -> Iterator[Draft]:
    """Negate a condition, or a value that is returned or passed on as a truth value."""
    node = site.node
    parent = site.parent
    truth = isinstance(parent, ast.BoolOp) or site.field in ("test", "ifs")
    if not truth and not (
        isinstance(node, ast.Compare | ast.Call | ast.BoolOp | ast.Name)
        and isinstance(parent, ast.Return | ast.Assign)
        and site.field == "value"
    ):
        return
    weight = 1.0 if truth else 0.5 if isinstance(node, ast.Compare | ast.BoolOp) else 0.3
    yield site.swap(node, f"not {site.operand(node, NOT)}", NOT, weight=weight)


FAMILY = (
    swap_binary,
    drop_operand,
    swap_operands,
    regroup,
    swap_boolean,
    drop_part,
    drop_unary,
    add_unary,
    swap_augmented,
    augment,
    scale,
    operand_edits,
    add_not,
)
