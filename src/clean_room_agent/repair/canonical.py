"""One text per meaning: the normal form by which equal edits are recognised.

Takes: syntax trees. Gives: strings that are equal when two trees mean the same program text.
Does not know: where the trees came from. Folded: formatting, parentheses, contexts, `a < b` and
`b > a`, `not a == b` and `a != b`, double negation. Nothing else is folded, so two candidates of
different form may still behave alike (tests tell those apart, not this module).
"""

from __future__ import annotations

import ast

_FLIPPED: dict[type[ast.cmpop], str] = {ast.Gt: "Lt", ast.GtE: "LtE"}
_NEGATED: dict[type[ast.cmpop], str] = {
    ast.Eq: "NotEq",
    ast.NotEq: "Eq",
    ast.Is: "IsNot",
    ast.IsNot: "Is",
    ast.In: "NotIn",
    ast.NotIn: "In",
}
_SYMMETRIC = frozenset({"Eq", "NotEq", "Is", "IsNot"})
_SKIPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores"})
BLOCK_FIELDS = ("body", "orelse", "handlers", "finalbody", "cases")
"""The fields of a compound node that hold further statements (or handlers and cases)."""

_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields_of(kind: type[ast.AST]) -> tuple[str, ...]:
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = tuple(name for name in kind._fields if name not in _SKIPPED)
        _FIELDS[kind] = fields
    return fields


def canonical_expression(node: ast.AST) -> str:
    """Render any node without statements inside (an expression, an argument list, a pattern)."""
    kind = type(node)
    if kind is ast.Name:
        return node.id  # type: ignore[attr-defined, no-any-return]
    if kind is ast.Constant:
        return repr(node.value)  # type: ignore[attr-defined]
    if kind is ast.Compare:
        return _canonical_compare(node)  # type: ignore[arg-type]
    if kind is ast.UnaryOp and type(node.op) is ast.Not:  # type: ignore[attr-defined]
        return _canonical_not(node.operand)  # type: ignore[attr-defined]
    parts = [kind.__name__]
    for name in _fields_of(kind):
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            parts.append(canonical_expression(value))
        elif isinstance(value, list):
            parts.append("[" + " ".join(map(_canonical_item, value)) + "]")
        else:
            parts.append(repr(value))
    return "(" + " ".join(parts) + ")"


def _canonical_item(value: object) -> str:
    return canonical_expression(value) if isinstance(value, ast.AST) else repr(value)


def _canonical_compare(node: ast.Compare) -> str:
    left = canonical_expression(node.left)
    if len(node.ops) > 1:
        rest = " ".join(
            f"{type(op).__name__} {canonical_expression(value)}"
            for op, value in zip(node.ops, node.comparators, strict=True)
        )
        return f"(Chain {left} {rest})"
    return _comparison(type(node.ops[0]), left, canonical_expression(node.comparators[0]))


def _comparison(op: type[ast.cmpop], left: str, right: str, name: str | None = None) -> str:
    name = name or op.__name__
    flipped = _FLIPPED.get(op)
    if flipped is not None:
        name, left, right = flipped, right, left
    elif name in _SYMMETRIC and right < left:
        left, right = right, left
    return f"({name} {left} {right})"


def _canonical_not(operand: ast.expr) -> str:
    if isinstance(operand, ast.Compare) and len(operand.ops) == 1:
        negated = _NEGATED.get(type(operand.ops[0]))
        if negated is not None:
            left = canonical_expression(operand.left)
            right = canonical_expression(operand.comparators[0])
            return _comparison(type(operand.ops[0]), left, right, negated)
    if isinstance(operand, ast.UnaryOp) and isinstance(operand.op, ast.Not):
        return f"(bool {canonical_expression(operand.operand)})"
    return f"(Not {canonical_expression(operand)})"


def canonical_head(statement: ast.AST) -> str:
    """Render a statement (or handler, or case) without the blocks it owns."""
    parts = [type(statement).__name__]
    for name in _fields_of(type(statement)):
        if name in BLOCK_FIELDS and isinstance(getattr(statement, name, None), list):
            continue
        value = getattr(statement, name, None)
        if isinstance(value, ast.AST):
            parts.append(canonical_expression(value))
        elif isinstance(value, list):
            parts.append("[" + " ".join(map(_canonical_item, value)) + "]")
        else:
            parts.append(repr(value))
    return "<" + " ".join(parts) + ">"


def blocks_of(statement: ast.AST) -> list[tuple[str, list[ast.AST]]]:
    """The non-empty blocks a statement owns, in source order."""
    found: list[tuple[str, list[ast.AST]]] = []
    for name in BLOCK_FIELDS:
        value = getattr(statement, name, None)
        if isinstance(value, list) and value:
            found.append((name, value))
    return found


def join_statement(head: str, blocks: list[tuple[str, list[str]]]) -> str:
    """Put a head and the rendered statements of its blocks together."""
    if not blocks:
        return head
    return head + "".join("{" + name + ":" + ";".join(items) + "}" for name, items in blocks)


class BlockRenderer:
    """Renders statements of re-parsed units, remembering simple statements by their source text.

    One instance serves one file: most statements of a unit are unchanged by an edit, and their
    rendering is looked up instead of made.
    """

    def __init__(self) -> None:
        self._by_text: dict[bytes, str] = {}

    def render(self, statement: ast.AST, lines: list[bytes]) -> str:
        blocks = blocks_of(statement)
        if not blocks:
            return self._render_simple(statement, lines)
        rendered = [(name, [self.render(s, lines) for s in items]) for name, items in blocks]
        return join_statement(canonical_head(statement), rendered)

    def _render_simple(self, statement: ast.AST, lines: list[bytes]) -> str:
        line = getattr(statement, "lineno", None)
        if line is None or line != getattr(statement, "end_lineno", None):
            return canonical_head(statement)
        start, end = statement.col_offset, statement.end_col_offset  # type: ignore[attr-defined]
        text = lines[line - 1][start:end]
        known = self._by_text.get(text)
        if known is None:
            known = canonical_head(statement)
            self._by_text[text] = known
        return known
