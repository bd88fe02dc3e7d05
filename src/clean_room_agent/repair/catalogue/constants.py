"""Constants: neighbours, signs, common defaults, literals of the file and of the tests.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import ARITH, ATOM, UNARY, Draft, Site, template


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


@template("number-neighbour", ast.Constant)
def number_neighbour(site: Site) -> Iterator[Draft]:
    """Move a number by one, or to 0, 1 or its negative."""
    node = site.node
    if not isinstance(node, ast.Constant) or not _is_number(node):
        return
    value = node.value
    assert isinstance(value, int | float)
    near = [value + 1, value - 1, -value, 0, 1, -1, 2]
    if isinstance(value, float):
        near = [value + 1, value - 1, -value, 1 - value, value * 10, value / 10, 0, 1]
    parent = site.parent
    weight = 0.3 if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow) else 1.0
    for number in near:
        level = UNARY if number < 0 else ATOM
        if isinstance(parent, ast.UnaryOp) and number < 0:
            continue
        yield site.swap(node, repr(number), level, weight=weight)


@template("number-far", ast.Constant)
def number_far(site: Site) -> Iterator[Draft]:
    """Another order of magnitude, or a number that the file uses elsewhere."""
    node = site.node
    if not isinstance(node, ast.Constant) or not _is_number(node):
        return
    value = node.value
    assert isinstance(value, int | float)
    far = [value * 2, value // 2, value * 10, value // 10, value + 2, value - 2]
    far += [10, 100, 1000, 16, 8, 7, 3, 4, 5, 6, 12, 24, 60, 26, 256]
    texts = [repr(n) for n in far]
    texts += [*site.scope.pool.numbers, *site.scope.file_pool.numbers, "None", "float('inf')"]
    for text in dict.fromkeys(texts):
        yield site.swap(node, text, UNARY if text.startswith("-") else ATOM)


@template("number-from-tests", ast.Constant)
def number_from_tests(site: Site) -> Iterator[Draft]:
    """A number that the tests mention."""
    if _is_number(site.node):
        for text in site.scope.literals.numbers:
            yield site.swap(site.node, text, UNARY if text.startswith("-") else ATOM)


@template("number-to-name", ast.Constant)
def number_to_name(site: Site) -> Iterator[Draft]:
    """A variable in scope in the place of a number."""
    if _is_number(site.node):
        for name in site.scope.values[:14]:
            if name not in site.scope.called:
                yield site.swap(site.node, name)
        for name in site.scope.containers[:4]:
            yield site.swap(site.node, f"len({name})")
        for name in site.scope.parameters[:4]:
            yield site.swap(site.node, f"{name} - 1", ARITH, weight=0.5)
            yield site.swap(site.node, f"len({name})", weight=0.6)
            yield site.swap(site.node, f"{name}[0]", weight=0.6)


@template("truth-constant", ast.Constant)
def truth_constant(site: Site) -> Iterator[Draft]:
    """True, False and None for one another, and for what stands for them."""
    node = site.node
    assert isinstance(node, ast.Constant)
    wanted: tuple[str, ...]
    if node.value is True:
        wanted = ("False", "None")
    elif node.value is False:
        wanted = ("True", "None")
    elif node.value is None:
        wanted = ("0", "False", "True", "''", "[]", "{}", "-1", "1", "set()")
    else:
        return
    for text in wanted:
        yield site.swap(node, text)


@template("truth-to-value", ast.Constant)
def truth_to_value(site: Site) -> Iterator[Draft]:
    """A condition or comparison over names in scope in the place of True, False or None."""
    node = site.node
    assert isinstance(node, ast.Constant)
    if node.value not in (True, False, None) or (
        isinstance(node.value, int) and type(node.value) is int
    ):
        return
    for name in site.scope.values[:12]:
        if name in site.scope.called:
            continue
        yield site.swap(node, name)
        if node.value is not None:
            yield site.swap(node, f"{name} == 0", 7, weight=0.9)
            yield site.swap(node, f"not {name}", 6, weight=0.7)
            yield site.swap(node, f"bool({name})", weight=0.3)
    if node.value is not None:
        for item in site.scope.conditions[:20]:
            yield site.swap(node, item.text, 3, weight=0.5)


@template("empty-container", ast.List, ast.Dict, ast.Tuple, ast.Set, ast.Call)
def empty_container(site: Site) -> Iterator[Draft]:
    """An empty list, dict, set, tuple or string for one another; or one that holds an element."""
    node = site.node
    if isinstance(node, ast.Call):
        if node.args or node.keywords or not isinstance(node.func, ast.Name):
            return
        if node.func.id not in ("set", "list", "dict", "tuple", "str", "frozenset", "int"):
            return
    elif getattr(node, "elts", None) or getattr(node, "keys", None):
        return
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    for text in ("[]", "{}", "set()", "()", "''", "None", "0", "[[]]"):
        yield site.swap(node, text)
    for name in site.scope.parameters[:3]:
        yield site.swap(node, f"[{name}]")
    for text in ("[0]", "[1]", "{0}"):
        yield site.swap(node, text)
    for name in site.scope.local_names[:10]:
        yield site.swap(node, f"[{name}]", weight=0.9)
        yield site.swap(node, name, weight=0.6)
        yield site.swap(node, f"{{{name}}}", weight=0.4)
        yield site.swap(node, f"list({name})", weight=0.4)


@template("container-element", ast.List, ast.Tuple, ast.Set)
def container_element(site: Site) -> Iterator[Draft]:
    """Drop an element of a display, repeat one, swap neighbours, or empty it."""
    node = site.node
    assert isinstance(node, ast.List | ast.Tuple | ast.Set)
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or not node.elts:
        return
    if len(node.elts) > 12:
        return
    for first, second in zip(node.elts, node.elts[1:], strict=False):
        yield site.exchange(first, second)
    source = site.source
    if len(node.elts) > 1 and not isinstance(node, ast.Tuple):
        for number, element in enumerate(node.elts):
            start, end = source.start(element), source.end(element)
            if number + 1 < len(node.elts):
                end = source.start(node.elts[number + 1])
            else:
                start = source.end(node.elts[number - 1])
            yield Draft(((start, end, ""),), 0.7)
    if isinstance(node, ast.List):
        yield site.swap(node, "[]", weight=0.7)
        if len(node.elts) == 1:
            yield site.swap(node, site.operand(node.elts[0], 2), 2, weight=0.7)


@template("constant-everywhere", ast.Constant)
def everywhere(site: Site) -> Iterator[Draft]:
    """Make the same change at every equal literal of the function."""
    node, source = site.node, site.source
    assert isinstance(node, ast.Constant)
    if site.scope.function is None or isinstance(node.value, bool) or node.value is None:
        return
    equal = [
        n
        for n in source.walk(site.scope.function)
        if isinstance(n, ast.Constant)
        and type(n.value) is type(node.value)
        and n.value == node.value
        and source.is_exact(n)
        and isinstance(source.parents.get(n), ast.expr | ast.stmt)
    ]
    if len(equal) < 2 or equal[0] is not node or len(equal) > 8:
        return
    equal.sort(key=source.start)
    if isinstance(node.value, int | float):
        texts = [repr(node.value + 1), repr(node.value - 1), "0", "1", "2", "10"]
        texts += [*site.scope.literals.numbers[:8]]
    else:
        texts = [*site.scope.pool.strings, *site.scope.literals.strings]
    for text in dict.fromkeys(texts):
        if text == repr(node.value):
            continue
        edits = tuple((source.start(n), source.end(n), text) for n in equal)
        yield Draft(edits, structural=True)


FAMILY = (
    number_neighbour,
    number_far,
    number_from_tests,
    number_to_name,
    truth_constant,
    truth_to_value,
    empty_container,
    container_element,
    everywhere,
)
