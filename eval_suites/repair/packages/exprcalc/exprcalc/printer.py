"""From a tree back to text, with no more brackets than needed."""

from __future__ import annotations

from exprcalc.nodes import NEGATE_PRECEDENCE, PRECEDENCE, Binary, Call, Name, Negate, Node, Number

LEAF_PRECEDENCE = 9


def precedence(node: Node) -> int:
    """How tightly a node's own operator binds."""
    if isinstance(node, Binary):
        return PRECEDENCE[node.operator]
    if isinstance(node, Negate) or (isinstance(node, Number) and node.value < 0):
        return NEGATE_PRECEDENCE
    return LEAF_PRECEDENCE


def number_text(value: float) -> str:
    """A number without a useless fraction."""
    return str(int(value)) if value == int(value) else str(value)


def bracketed(node: Node, needed: int) -> str:
    """A node's text, in brackets if it binds less tightly than needed."""
    text = to_text(node)
    return f"({text})" if precedence(node) < needed else text


def to_text(node: Node) -> str:
    """A tree as a formula that parses to the same tree."""
    if isinstance(node, Number):
        return number_text(node.value)
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Call):
        return f"{node.function}({', '.join(to_text(part) for part in node.arguments)})"
    if isinstance(node, Negate):
        return "-" + bracketed(node.operand, NEGATE_PRECEDENCE)
    own = PRECEDENCE[node.operator]
    right_first = node.operator == "^"
    left = bracketed(node.left, own + 1 if right_first else own)
    right = bracketed(node.right, own if right_first else own + 1)
    return f"{left} {node.operator} {right}"
