"""Insertions: a statement that is missing, made from what the function and the file already do.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.layout import (
    in_loop,
    insert_after,
    insert_before,
    is_docstring,
    is_movable,
    line,
)
from clean_room_agent.repair.catalogue.template import Draft, Site, template


def _places(site: Site, texts: list[tuple[str, float]]) -> Iterator[Draft]:
    """Each text above the statement, and below it when it ends its block."""
    node = site.node
    if not isinstance(node, ast.stmt) or not is_movable(site, node) or is_docstring(node):
        return
    last = site.source.block_of(node)[-1] is node
    leaves = isinstance(node, ast.Return | ast.Break | ast.Continue | ast.Raise)
    for text, weight in texts:
        new = line(site, node, text)
        yield insert_before(site, node, new, weight)
        if last and not leaves:
            yield insert_after(site, node, new, weight)


@template("insert-borrowed", ast.stmt)
def insert_borrowed(site: Site) -> Iterator[Draft]:
    """Insert a simple statement of the function or the file."""
    looping = isinstance(site.node, ast.stmt) and in_loop(site, site.node)
    texts = [
        (item.text, 1.0)
        for item in site.scope.statements[:24]
        if looping or not isinstance(item.node, ast.Break | ast.Continue)
    ]
    yield from _places(site, texts)


@template("insert-container-update", ast.stmt)
def insert_update(site: Site) -> Iterator[Draft]:
    """Insert `container.append(name)`, `.add(name)` or another update seen in the file."""
    names = [n for n in site.scope.local_names if n not in site.scope.called]
    texts: list[tuple[str, float]] = []
    for container in site.scope.containers[:4]:
        methods = list(dict.fromkeys((*_methods_for(site, container), *site.scope.facts.updates)))[
            :3
        ]
        for method in methods:
            if method == "pop":
                texts.append((f"{container}.pop()", 0.5))
                continue
            for name in names[:10]:
                if name != container:
                    texts.append(
                        (f"{container}.{method}({name})", 1.0 if method == methods[0] else 0.6)
                    )
    yield from _places(site, texts)


def _methods_for(site: Site, container: str) -> tuple[str, ...]:
    """The update that suits how a container is first made."""
    for node in site.source.walk(site.scope.function or site.source.tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == container:
            if isinstance(node.value, ast.List | ast.ListComp):
                return ("append", "extend")
            if isinstance(node.value, ast.Set):
                return ("add",)
            if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name):
                kinds = {"set": ("add",), "list": ("append",), "deque": ("append",)}
                return kinds.get(node.value.func.id, ())
    return ()


@template("insert-step", ast.stmt)
def insert_step(site: Site) -> Iterator[Draft]:
    """Insert a count or an assignment between names: `i += 1`, `x -= 1`, `a = b`."""
    names = [n for n in site.scope.local_names if n not in site.scope.called]
    texts: list[tuple[str, float]] = []
    for name in names[:8]:
        texts += [(f"{name} += 1", 1.0), (f"{name} -= 1", 0.8), (f"{name} = 0", 0.5)]
        texts += [(f"{name} = []", 0.3), (f"{name} = None", 0.3)]
    for first in names[:7]:
        for second in names[:7]:
            if first != second:
                texts.append((f"{first} = {second}", 0.8))
                texts.append((f"{first} += {second}", 0.3))
    for attribute in site.scope.attributes[:6]:
        texts += [(f"{attribute} += 1", 0.5), (f"{attribute} -= 1", 0.4)]
        for name in names[:5]:
            if name not in ("self", "cls"):
                texts += [(f"{attribute} {sign} {name}", 0.5) for sign in ("=", "+=", "-=")]
    yield from _places(site, texts)


@template("insert-normalise", ast.stmt)
def insert_normalise(site: Site) -> Iterator[Draft]:
    """Insert `x = f(x)` for a parameter at the top: lower, strip, sort, copy, absolute value."""
    node, function = site.node, site.scope.function
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    body = [s for s in function.body if not is_docstring(s)]
    if not body or body[0] is not node:
        return
    texts: list[tuple[str, float]] = []
    for name in site.scope.parameters[:5]:
        if name in ("self", "cls"):
            continue
        for form in (
            "{0}.lower()",
            "{0}.strip()",
            "abs({0})",
            "sorted({0})",
            "list({0})",
            "str({0})",
        ):
            texts.append((f"{name} = {form.format(name)}", 1.0))
        for form in (
            "{0}.upper()",
            "int({0})",
            "{0}[:]",
            "set({0})",
            "{0} or []",
            "{0}.replace(' ', '')",
        ):
            texts.append((f"{name} = {form.format(name)}", 0.6))
    yield from _places(site, texts)


@template("insert-jump", ast.stmt)
def insert_jump(site: Site) -> Iterator[Draft]:
    """Insert `break`, `continue` or a return of a name in scope."""
    node = site.node
    if not isinstance(node, ast.stmt):
        return
    texts: list[tuple[str, float]] = []
    if in_loop(site, node):
        texts += [("break", 1.0), ("continue", 0.6)]
    if not isinstance(node, ast.Return):
        for name in (*site.scope.local_names[:8], "None", "True", "False", "0"):
            texts.append((f"return {name}", 0.5))
    yield from _places(site, texts)


FAMILY = (insert_borrowed, insert_update, insert_step, insert_normalise, insert_jump)
