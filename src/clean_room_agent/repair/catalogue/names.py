"""Names: the wrong variable, attribute, key, callee or expression in the place of the right one.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import Draft, Site, strength, template
from clean_room_agent.repair.scope import BUILTIN_NAMES


def _plain_names(site: Site) -> list[str]:
    """Data names in scope, nearest first, without what is only ever called."""
    return [n for n in site.scope.values if n not in site.scope.called]


@template("variable-swap", ast.Name)
def swap_variable(site: Site) -> Iterator[Draft]:
    """Another variable in scope: locals and parameters, then attributes, then module values."""
    node = site.node
    assert isinstance(node, ast.Name)
    if node.id in ("self", "cls", "super") or site.field == "func":
        return
    if isinstance(node.ctx, ast.Load) and node.id in BUILTIN_NAMES:
        return
    stored = not isinstance(node.ctx, ast.Load)
    values = site.scope.local_names if stored else _plain_names(site)
    for name in values:
        if name not in (node.id, "self", "cls"):
            yield site.swap(node, name, weight=0.7 if stored else 1.0)
    if not stored:
        for name in site.scope.module_values[:8]:
            if name != node.id:
                yield site.swap(node, name, weight=0.4)


@template("attribute-swap", ast.Attribute)
def swap_attribute(site: Site) -> Iterator[Draft]:
    """Another attribute of the same object, seen anywhere in the file."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    source, facts = site.source, site.scope.facts
    seen = facts.called_attributes if site.field == "func" else facts.read_attributes
    same = facts.of_receiver.get(source.text(node.value), frozenset())
    others = [a for a in seen if a != node.attr]
    end = source.end(node)
    start = end - len(node.attr.encode("utf-8"))
    for attribute in sorted(others, key=lambda a: a not in same)[:14]:
        weight = 1.0 if attribute in same or len(others) <= 3 else 0.4
        yield Draft(((start, end, attribute),), weight)


@template("attribute-to-name", ast.Attribute)
def attribute_to_name(site: Site) -> Iterator[Draft]:
    """A variable, or an attribute of another object, in the place of an attribute."""
    node = site.node
    assert isinstance(node, ast.Attribute)
    if site.field == "func":
        return
    stored = not isinstance(node.ctx, ast.Load)
    for name in site.scope.attributes if stored else _plain_names(site):
        yield site.swap(node, name)
    if not stored:
        yield site.swap(node, site.text(node.value), strength(node.value))


@template("name-to-attribute", ast.Name)
def name_to_attribute(site: Site) -> Iterator[Draft]:
    """An attribute of a variable, as the file uses them, in the place of the variable."""
    node = site.node
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or site.field == "func":
        return
    if node.id in ("self", "cls") or node.id in BUILTIN_NAMES:
        return
    for attribute in site.scope.facts.read_attributes[:8]:
        yield site.swap(node, f"{node.id}.{attribute}")


@template("index-by-name", ast.Name)
def index_by_name(site: Site) -> Iterator[Draft]:
    """An element of the variable, by a name in scope."""
    node = site.node
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    if site.field == "func" or isinstance(site.parent, ast.Attribute | ast.Subscript):
        return
    for name in site.scope.local_names[:8]:
        if name != node.id:
            yield site.swap(node, f"{node.id}[{name}]")
            yield site.swap(node, f"{name}[{node.id}]")


@template("key-swap", ast.Subscript)
def swap_key(site: Site) -> Iterator[Draft]:
    """Another key or index, as used with any subscript in the file."""
    node = site.node
    assert isinstance(node, ast.Subscript)
    own = site.text(node.slice)
    usable = [t for t, names in site.scope.facts.keys if names <= site.scope.visible]
    for text in usable[:14]:
        if text != own:
            yield site.swap(node.slice, text, 0)


@template("expression-borrowed", ast.Name, ast.Call, ast.Subscript, ast.BinOp, ast.Attribute)
def borrow_expression(site: Site) -> Iterator[Draft]:
    """Another expression of the same function or file in the place of this one."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    own = site.text(node)
    kind = type(node)
    for item in site.scope.expressions:
        if item.text != own:
            weight = 1.0 if type(item.node) is kind else 0.5
            yield site.swap(node, item.text, strength(item.node), weight=weight)


@template("expression-to-name", ast.Call, ast.Subscript, ast.BinOp)
def reduce_to_name(site: Site) -> Iterator[Draft]:
    """A variable in scope in the place of a call, an element or a calculation."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    if isinstance(site.parent, ast.Expr):
        return
    for name in _plain_names(site)[:14]:
        if name not in ("self", "cls"):
            yield site.swap(node, name)


@template("target-swap", ast.Tuple, ast.List)
def swap_targets(site: Site) -> Iterator[Draft]:
    """Let two targets of an unpacking, or two elements of a tuple, change places."""
    node = site.node
    assert isinstance(node, ast.Tuple | ast.List)
    for first, second in zip(node.elts, node.elts[1:], strict=False):
        yield site.exchange(first, second)


@template("assign-exchange", ast.Assign)
def exchange_assignment(site: Site) -> Iterator[Draft]:
    """Turn an assignment round: `a = b` to `b = a`."""
    node = site.node
    assert isinstance(node, ast.Assign)
    if len(node.targets) == 1 and isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript):
        yield site.exchange(node.targets[0], node.value)


@template("target-to-element", ast.Assign, ast.AugAssign)
def target_to_element(site: Site) -> Iterator[Draft]:
    """Assign to an element or another target of the file instead."""
    node = site.node
    assert isinstance(node, ast.Assign | ast.AugAssign)
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Tuple | ast.List):
        return
    seen: dict[str, None] = {}
    for other in site.source.walk(site.scope.function or site.source.tree):
        if isinstance(other, ast.Assign | ast.AugAssign):
            first = other.targets[0] if isinstance(other, ast.Assign) else other.target
            seen.setdefault(site.text(first))
    reads = [
        n
        for n in site.source.walk(site.scope.function or site.source.tree)
        if isinstance(n, ast.Subscript)
        and isinstance(n.ctx, ast.Load)
        and not isinstance(n.slice, ast.Slice)
    ]
    for other in reads:
        seen.setdefault(site.text(other))
    for text in list(seen)[:12]:
        if text != site.text(target) and not text.startswith("("):
            yield site.swap(target, text, 0)


FAMILY = (
    swap_variable,
    swap_attribute,
    attribute_to_name,
    name_to_attribute,
    index_by_name,
    swap_key,
    borrow_expression,
    reduce_to_name,
    swap_targets,
    exchange_assignment,
    target_to_element,
)
