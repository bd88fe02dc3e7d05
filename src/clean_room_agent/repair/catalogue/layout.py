"""Statements as whole lines: the edits that add, remove, move and indent them.

Takes: a `Site` and statements of its file. Gives: structural drafts. Does not know: which
statements are worth it. Only statements that own their lines are touched, so that what shares a
line with something else (`if x: return`, `a; b`) stays as it is.
"""

from __future__ import annotations

import ast

from clean_room_agent.repair.catalogue.template import Draft, Site
from clean_room_agent.repair.source import FunctionNode


def is_movable(site: Site, statement: ast.stmt) -> bool:
    """Whether line edits around the statement are safe: in a function, on lines of its own."""
    source = site.source
    if site.scope.function is None or isinstance(statement, FunctionNode | ast.ClassDef):
        return False
    return source.owns_lines(statement) and not _spans_string(statement)


def _spans_string(statement: ast.stmt) -> bool:
    """Multi-line strings must not be re-indented."""
    return any(
        isinstance(n, ast.Constant | ast.JoinedStr) and n.lineno != n.end_lineno
        for n in ast.walk(statement)
    )


def is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def lines_text(site: Site, statement: ast.stmt) -> str:
    """The statement's lines, ending in a line break."""
    text = site.source.slice(*site.source.lines_of(statement))
    return text if text.endswith(("\n", "\r")) else text + site.source.newline


def reindent(text: str, old: str, new: str) -> str:
    """Move lines from one indentation to another; lines that lack the old one stay."""
    return "".join(
        new + line[len(old) :] if line.startswith(old) else line
        for line in text.splitlines(keepends=True)
    )


def insert_before(site: Site, statement: ast.stmt, text: str, weight: float = 1.0) -> Draft:
    """Insert lines (already indented, with line breaks) above a statement."""
    at = site.source.lines_of(statement)[0]
    return Draft(((at, at, text),), weight, structural=True)


def insert_after(site: Site, statement: ast.stmt, text: str, weight: float = 1.0) -> Draft:
    """Insert lines below a statement."""
    at = site.source.lines_of(statement)[1]
    if at and site.source.body[at - 1 : at] not in (b"\n", b"\r"):
        text = site.source.newline + text.rstrip("\r\n")
    return Draft(((at, at, text),), weight, structural=True)


def line(site: Site, statement: ast.stmt, text: str) -> str:
    """One line at the statement's indentation."""
    return f"{site.source.indent_of(statement)}{text}{site.source.newline}"


def guarded(site: Site, statement: ast.stmt, test: str, action: str) -> str:
    """Two lines at the statement's indentation: `if test:` and the action below it."""
    source = site.source
    indent = source.indent_of(statement)
    return f"{indent}if {test}:{source.newline}{indent}{source.indent_unit}{action}{source.newline}"


def replace_lines(
    site: Site, first: ast.stmt, last: ast.stmt, text: str, weight: float = 1.0
) -> Draft:
    """Replace whole lines; the file's missing last line break stays missing."""
    start = site.source.lines_of(first)[0]
    end = site.source.lines_of(last)[1]
    if not site.source.slice(end - 1, end).endswith(("\n", "\r")):
        text = text.rstrip("\r\n")
    return Draft(((start, end, text),), weight, structural=True)


def neighbour(site: Site, statement: ast.stmt, offset: int) -> ast.stmt | None:
    """The statement `offset` places on in the same block, or None."""
    block = site.source.block_of(statement)
    at = block.index(statement) + offset
    return block[at] if 0 <= at < len(block) else None


def in_loop(site: Site, statement: ast.stmt) -> bool:
    """Whether `break` and `continue` mean something there."""
    parents, fields = site.source.parents, site.source.fields
    current: ast.AST = statement
    while current in parents and not isinstance(current, FunctionNode | ast.ClassDef):
        parent = parents[current]
        if isinstance(parent, ast.For | ast.While | ast.AsyncFor) and fields[current] == "body":
            return True
        current = parent
    return False
