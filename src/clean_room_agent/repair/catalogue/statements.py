"""Statements: deleted, repeated, moved, swapped, indented in and out of blocks.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.layout import (
    guarded,
    insert_after,
    insert_before,
    is_docstring,
    is_movable,
    line,
    lines_text,
    neighbour,
    reindent,
    replace_lines,
)
from clean_room_agent.repair.catalogue.template import Draft, Site, template

_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)


def _statement(site: Site) -> ast.stmt | None:
    node = site.node
    if not isinstance(node, ast.stmt) or not is_movable(site, node) or is_docstring(node):
        return None
    return node


@template("statement-delete", ast.stmt)
def delete_statement(site: Site) -> Iterator[Draft]:
    """Delete a statement (`pass` takes its place when it was alone)."""
    node = _statement(site)
    if node is None or isinstance(node, ast.Pass | ast.Import | ast.ImportFrom):
        return
    alone = len(site.source.block_of(node)) == 1
    simple = not isinstance(node, _BLOCKS)
    yield replace_lines(
        site, node, node, line(site, node, "pass") if alone else "", 1.0 if simple else 0.7
    )


@template("statement-swap", ast.stmt)
def swap_statements(site: Site) -> Iterator[Draft]:
    """Let two adjacent statements change places."""
    node = _statement(site)
    if node is None:
        return
    for offset, weight in ((1, 1.0), (-1, 0.9)):
        other = neighbour(site, node, offset)
        if other is None or not is_movable(site, other) or is_docstring(other):
            continue
        first, second = (node, other) if offset > 0 else (other, node)
        between = site.source.slice(site.source.lines_of(first)[1], site.source.lines_of(second)[0])
        text = lines_text(site, second) + between + lines_text(site, first)
        yield replace_lines(site, first, second, text, weight)


@template("statement-move", ast.stmt)
def move_statement(site: Site) -> Iterator[Draft]:
    """Move a statement to the top or the end of its block, or two places on."""
    node = _statement(site)
    if node is None:
        return
    source = site.source
    block = source.block_of(node)
    start, end = source.lines_of(node)
    text = lines_text(site, node)
    at = block.index(node)
    for target, after in ((len(block) - 1, True), (0, False), (at + 2, True), (at - 2, False)):
        if not 0 <= target < len(block) or abs(target - at) < 2:
            continue
        other = block[target]
        if not is_movable(site, other) or is_docstring(other):
            continue
        insertion = insert_after(site, other, text) if after else insert_before(site, other, text)
        edits = tuple(sorted((*insertion.edits, (start, end, ""))))
        yield Draft(edits, structural=True)


@template("statement-out-of-block", ast.stmt)
def outdent(site: Site) -> Iterator[Draft]:
    """Move the last statement of a block behind it, or the first before it."""
    node = _statement(site)
    owner = site.source.parents.get(site.node)
    if node is None or not isinstance(owner, _BLOCKS) or not is_movable(site, owner):
        return
    source = site.source
    block = source.block_of(node)
    moved = reindent(lines_text(site, node), source.indent_of(node), source.indent_of(owner))
    start, end = source.lines_of(node)
    left = line(site, node, "pass") if len(block) == 1 else ""
    if block[-1] is node:
        after = insert_after(site, owner, moved)
        at = after.edits[0][0]
        if at == end:
            yield Draft(((start, end, left + moved),), structural=True)
        else:
            yield Draft(((start, end, left), *after.edits), structural=True)
        following = neighbour(site, owner, 1)
        if following is not None and is_movable(site, following):
            more = insert_after(site, following, moved, 0.4)
            yield Draft(((start, end, left), *more.edits), 0.4, structural=True)
    if block[0] is node:
        before = insert_before(site, owner, moved)
        yield Draft((*before.edits, (start, end, left)), 0.8, structural=True)


@template("statement-into-block", ast.stmt)
def indent(site: Site) -> Iterator[Draft]:
    """Move a statement into the block before it (at its end) or after it (at its start)."""
    node = _statement(site)
    if node is None:
        return
    source = site.source
    start, end = source.lines_of(node)
    alone = len(source.block_of(node)) == 1
    before = neighbour(site, node, -1)
    if isinstance(before, _BLOCKS) and not alone:
        for block in (before.body, getattr(before, "orelse", [])):
            if block and is_movable(site, block[-1]):
                text = reindent(
                    lines_text(site, node), source.indent_of(node), source.indent_of(block[-1])
                )
                into = insert_after(site, block[-1], text)
                yield Draft((*into.edits, (start, end, "")), structural=True)
    after = neighbour(site, node, 1)
    if isinstance(after, _BLOCKS) and is_movable(site, after.body[0]):
        text = reindent(
            lines_text(site, node), source.indent_of(node), source.indent_of(after.body[0])
        )
        into = insert_before(site, after.body[0], text)
        yield Draft(((start, end, ""), *into.edits), 0.8, structural=True)


@template("block-unwrap", *_BLOCKS)
def unwrap_block(site: Site) -> Iterator[Draft]:
    """Drop the head of a block and keep its body (or its else)."""
    node = site.node
    assert isinstance(node, _BLOCKS)
    if not is_movable(site, node):
        return
    source = site.source
    for block in (node.body, getattr(node, "orelse", [])):
        if block and all(is_movable(site, s) for s in (block[0], block[-1])):
            start, end = source.lines_of(block[0])[0], source.lines_of(block[-1])[1]
            text = reindent(
                source.slice(start, end), source.indent_of(block[0]), source.indent_of(node)
            )
            yield replace_lines(site, node, node, text)


@template("statement-repeat", ast.Assign, ast.AugAssign, ast.Expr, ast.If)
def repeat_statement(site: Site) -> Iterator[Draft]:
    """Do a statement again behind a block or loop it stands in, or before it."""
    node = _statement(site)
    if node is None:
        return
    source = site.source
    if isinstance(node, ast.If) and (node.orelse or len(node.body) > 2):
        return
    if not isinstance(node, ast.If):
        yield insert_after(site, node, lines_text(site, node), 0.5)
    owner = source.parents.get(node)
    while isinstance(owner, _BLOCKS):
        if is_movable(site, owner):
            text = reindent(lines_text(site, node), source.indent_of(node), source.indent_of(owner))
            yield insert_after(site, owner, text)
            yield insert_before(site, owner, text, 0.7)
        owner = source.parents.get(owner)


@template("statement-guard", ast.stmt)
def guard_statement(site: Site) -> Iterator[Draft]:
    """Do a statement only under a condition of the function or over names in scope."""
    node = _statement(site)
    if node is None or isinstance(node, ast.Pass | ast.Import | ast.ImportFrom):
        return
    source = site.source
    indent_text = source.indent_of(node)
    body = reindent(lines_text(site, node), indent_text, indent_text + source.indent_unit)
    for test, weight in _guards(site):
        yield replace_lines(
            site, node, node, f"{indent_text}if {test}:{source.newline}{body}", weight
        )


def _guards(site: Site) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for item in site.scope.conditions[:16]:
        found.setdefault(item.text, 1.0)
        found.setdefault(f"not ({item.text})", 0.6)
    names = [n for n in site.scope.values if n not in site.scope.called][:10]
    for name in names:
        found.setdefault(name, 0.9)
        found.setdefault(f"not {name}", 0.6)
        found.setdefault(f"{name} is not None", 0.7)
        found.setdefault(f"{name} > 0", 0.4)
    for first in names[:5]:
        for second in names[:5]:
            if first != second:
                found.setdefault(f"{first} not in {second}", 0.6)
                found.setdefault(f"{first} in {second}", 0.4)
            if first < second:
                for test in ("!=", "<", ">", "=="):
                    found.setdefault(f"{first} {test} {second}", 0.4)
    return list(found.items())


@template("body-guard", ast.For, ast.While)
def guard_body(site: Site) -> Iterator[Draft]:
    """Skip an iteration under a condition: `if ...: continue` at the top of a loop."""
    node = site.node
    assert isinstance(node, ast.For | ast.While)
    first = node.body[0]
    if not is_movable(site, first):
        return
    for test, weight in _guards(site):
        yield insert_before(site, first, guarded(site, first, test, "continue"), weight)
    last = node.body[-1]
    for test, weight in _guards(site):
        yield insert_before(site, first, guarded(site, first, test, "break"), weight * 0.6)
        if is_movable(site, last):
            yield insert_after(site, last, guarded(site, last, test, "break"), weight * 0.6)


FAMILY = (
    delete_statement,
    swap_statements,
    move_statement,
    outdent,
    indent,
    unwrap_block,
    repeat_statement,
    guard_statement,
    guard_body,
)
