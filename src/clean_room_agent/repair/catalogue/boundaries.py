"""Boundaries: off-by-one on expressions, indices, ranges and slices; bounds added and dropped.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import (
    ARITH,
    LAMBDA,
    TERM,
    UNARY,
    Draft,
    Site,
    strength,
    template,
)

_VALUE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp)


def _stores(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


def _slot_weight(site: Site) -> float:
    """Where off-by-one errors live: bounds, indices, comparisons, arguments; then the rest."""
    parent, field = site.parent, site.field
    if isinstance(parent, ast.Slice) or (isinstance(parent, ast.Subscript) and field == "slice"):
        return 1.0
    if isinstance(parent, ast.Call) and field == "args":
        is_range = isinstance(parent.func, ast.Name) and parent.func.id == "range"
        return 1.0 if is_range else 0.7
    if isinstance(parent, ast.Compare | ast.Return):
        return 0.9
    if isinstance(parent, ast.Assign | ast.AugAssign | ast.keyword | ast.IfExp):
        return 0.7
    if isinstance(parent, ast.BinOp | ast.Tuple | ast.List):
        return 0.5
    return 0.0


@template("off-by-one", *_VALUE)
def off_by_one(site: Site) -> Iterator[Draft]:
    """Add or subtract one."""
    node = site.node
    weight = _slot_weight(site)
    if _stores(node) or not weight or _is_text(node):
        return
    text = site.operand(node, ARITH)
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    assert not called or isinstance(node, ast.Call)
    if called and isinstance(node, ast.Call) and ast.unparse(node.func) in _NOT_NUMBERS:
        weight *= 0.2
    yield site.swap(node, f"{text} + 1", ARITH, weight=weight)
    yield site.swap(node, f"{text} - 1", ARITH, weight=weight)


_NOT_NUMBERS = frozenset({"range", "str", "sorted", "list", "set", "dict", "tuple", "reversed"})


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and any(
        isinstance(side, ast.Constant) and isinstance(side.value, str)
        for side in (node.left, node.right)
    )


@template("drop-off-by-one", ast.BinOp)
def flip_one(site: Site) -> Iterator[Draft]:
    """Turn `x - 1` into `x + 1`, `x - 2` or `x`, and the same the other way."""
    node = site.node
    assert isinstance(node, ast.BinOp)
    if isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.right, ast.Constant):
        old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
        draft = site.between(node.left, node.right, old, new)
        if draft is not None:
            yield draft
        yield site.swap(node, site.operand(node.left, 0), strength(node.left))


@template("range-bounds", ast.Call)
def range_bounds(site: Site) -> Iterator[Draft]:
    """Give `range` another start, stop or step, or take one away."""
    node = site.node
    assert isinstance(node, ast.Call)
    if not (isinstance(node.func, ast.Name) and node.func.id == "range") or node.keywords:
        return
    arguments = [site.text(a) for a in node.args]
    name = site.text(node.func)
    wanted: list[str] = []
    if len(arguments) == 1:
        stop = site.operand(node.args[0], ARITH)
        wanted = [f"1, {stop}", f"1, {stop} + 1", f"2, {stop}", f"{stop} - 1, -1, -1"]
        wanted += [f"{stop}, 0, -1", f"0, {stop}, 2", f"-1, {stop}"]
        wanted += [f"{v}, {stop}" for v in site.scope.local_names[:6] if v != stop]
        wanted += [f"{v} + 1, {stop}" for v in site.scope.local_names[:6] if v != stop]
    elif len(arguments) == 2:
        start, stop = arguments
        up = site.operand(node.args[1], ARITH)
        wanted = [stop, f"{start}, {up} + 1", f"{start}, {stop}, 2", f"{stop}, {start}, -1"]
        wanted += [f"{start}, {stop}, -1", f"0, {stop}", f"1, {stop}", f"{stop}, {start}"]
    elif len(arguments) == 3:
        start, stop, step = arguments
        wanted = [f"{start}, {stop}", f"{start}, {stop}, -{step}", f"{stop}, {start}, {step}"]
        wanted += [f"{start}, -1, {step}", f"{start}, {stop}, 1"]
    for text in wanted:
        yield site.swap(node, f"{name}({text})")


@template("slice-bounds", ast.Slice)
def slice_bounds(site: Site) -> Iterator[Draft]:
    """Add, drop or change the bounds and the step of a slice."""
    node = site.node
    assert isinstance(node, ast.Slice)
    low, high, step = (
        site.text(p) if p is not None else "" for p in (node.lower, node.upper, node.step)
    )
    tail = f":{step}" if step else ""
    shapes: list[str] = []
    if low:
        shapes += [f":{high}{tail}", f":{low}{tail}" if not high else f"{high}:{low}{tail}"]
    else:
        shapes += [f"1:{high}{tail}"]
        if high:
            shapes += [f"{high}:{tail}", f"-{high}:{tail}"]
    if high:
        shapes += [f"{low}:{tail}"]
    else:
        shapes += [f"{low}:-1{tail}"]
        if low:
            shapes += [f"-{low}:{tail}", f"{low}:{low} + 1{tail}"]
    shapes += [f"{low}:{high}"] if step else [f"{low}:{high}:-1", f"{low}:{high}:2"]
    for name in site.scope.local_names[:8]:
        shapes += [f"{name}:{high}{tail}"] if not low else []
        shapes += [f"{low}:{name}{tail}"] if not high else []
        shapes += [f"{name} + 1:{high}{tail}"] if not low else []
    for text in shapes:
        yield site.swap(node, text, 0)


@template("slice-add", ast.Name, ast.Attribute, ast.Call, ast.ListComp, ast.Subscript, ast.BinOp)
def add_slice(site: Site) -> Iterator[Draft]:
    """Use only a part of a sequence: all but the first, all but the last, reversed, copied."""
    node = site.node
    parent = site.parent
    if _stores(node) or site.field == "func" or isinstance(parent, ast.Attribute | ast.Compare):
        return
    if isinstance(parent, ast.Subscript) and site.field == "value":
        return
    if not isinstance(
        parent,
        ast.For
        | ast.comprehension
        | ast.Return
        | ast.Assign
        | ast.Call
        | ast.BinOp
        | ast.AugAssign,
    ):
        return
    if isinstance(parent, ast.For | ast.comprehension) and site.field == "target":
        return
    weight = 1.0 if isinstance(parent, ast.For | ast.comprehension | ast.Return) else 0.6
    if isinstance(node, ast.BinOp):
        weight *= 0.3
    text = site.operand(node, 17)
    for part in ("[1:]", "[:-1]", "[::-1]", "[:]", "[0]", "[-1]", "[2:]", "[:1]", "[1]", "[::2]"):
        yield site.swap(node, text + part, weight=weight)
    for name in site.scope.local_names[:10]:
        if name != text:
            yield site.swap(node, f"{text}[{name}:]", weight=weight * 0.7)
            yield site.swap(node, f"{text}[:{name}]", weight=weight * 0.7)
            yield site.swap(node, f"{text}[{name}]", weight=weight * 0.6)


@template("subscript-drop", ast.Subscript)
def drop_subscript(site: Site) -> Iterator[Draft]:
    """Use the whole instead of one element or slice."""
    node = site.node
    assert isinstance(node, ast.Subscript)
    if not _stores(node):
        yield site.swap(node, site.text(node.value))


@template("index-edit", ast.Subscript)
def edit_index(site: Site) -> Iterator[Draft]:
    """Index from the other end, at the ends, or shifted; turn an index into a slice."""
    node = site.node
    assert isinstance(node, ast.Subscript)
    if isinstance(node.slice, ast.Slice | ast.Tuple):
        return
    old = site.operand(node.slice, UNARY)
    for text in ("0", "-1", "1", f"-{old}", f"-{old} - 1", "-2", "2"):
        yield site.swap(node.slice, text, ARITH)
    for text in (f"{old}:", f":{old}", f"{old} + 1:", f":{old} + 1"):
        if not _stores(node):
            yield site.swap(node.slice, text, 0, weight=0.5)
    if isinstance(site.node, ast.Subscript):
        for name in site.scope.local_names[:8]:
            if name != old and isinstance(node.slice, ast.BinOp | ast.Constant):
                yield site.swap(node.slice, f"{name}", weight=0.5)
        yield site.swap(node.slice, f"len({site.text(node.value)}) - 1 - {old}", ARITH, weight=0.3)


@template("arithmetic-add", ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp)
def add_term(site: Site) -> Iterator[Draft]:
    """Add, subtract, multiply or divide by a value in scope."""
    node = site.node
    weight = _slot_weight(site)
    if _stores(node) or not weight or _is_text(node):
        return
    own = site.text(node)
    names = [n for n in site.scope.values if n != own and n not in site.scope.called]
    for name in names[:8]:
        for sign, level in (("+", ARITH), ("-", ARITH), ("*", TERM), ("//", TERM), ("%", TERM)):
            share = weight if level == ARITH else weight * 0.5
            yield site.swap(node, f"{site.operand(node, level)} {sign} {name}", level, weight=share)
        if isinstance(node, ast.Call | ast.Subscript):
            yield site.swap(
                node, f"{name} + {site.operand(node, TERM)}", ARITH, weight=weight * 0.7
            )
    if isinstance(node, ast.Call | ast.Subscript):
        yield site.swap(node, f"1 - {site.operand(node, TERM)}", ARITH, weight=weight * 0.2)


@template("extend-sequence", ast.Name, ast.Call, ast.ListComp, ast.List, ast.Attribute, ast.BinOp)
def extend_sequence(site: Site) -> Iterator[Draft]:
    """Join a returned or assigned sequence with one that is in scope."""
    node = site.node
    if _stores(node) or site.field != "value":
        return
    if not isinstance(site.parent, ast.Return | ast.Assign | ast.AugAssign):
        return
    text = site.operand(node, ARITH)
    for name in site.scope.local_names[:8]:
        if name == site.text(node):
            continue
        for new in (
            f"{text} + {name}",
            f"{name} + {text}",
            f"{text} + [{name}]",
            f"[{name}] + {text}",
        ):
            yield site.swap(node, new, ARITH)
    if not isinstance(node, ast.List):
        yield site.swap(node, f"[{site.operand(node, LAMBDA)}]", weight=1.0)


FAMILY = (
    off_by_one,
    flip_one,
    range_bounds,
    slice_bounds,
    add_slice,
    drop_subscript,
    edit_index,
    add_term,
    extend_sequence,
)
