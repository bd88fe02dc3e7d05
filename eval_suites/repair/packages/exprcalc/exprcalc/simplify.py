"""Smaller trees of the same value."""

from __future__ import annotations

from exprcalc.evaluate import EvaluationError, evaluate, is_constant
from exprcalc.nodes import Binary, Call, Negate, Node, Number

ZERO = Number(0.0)
ONE = Number(1.0)


def simplify(node: Node) -> Node:
    """Fold constants and drop neutral operands, from the leaves up."""
    if isinstance(node, Negate):
        return simplify_negation(simplify(node.operand))
    if isinstance(node, Call):
        node = Call(node.function, tuple(simplify(part) for part in node.arguments))
    elif isinstance(node, Binary):
        node = simplify_binary(Binary(node.operator, simplify(node.left), simplify(node.right)))
    return fold(node)


def fold(node: Node) -> Node:
    """A constant tree as one number, unless it has no value."""
    if not is_constant(node):
        return node
    try:
        return Number(evaluate(node))
    except EvaluationError:
        return node


def simplify_negation(operand: Node) -> Node:
    """Minus of a simplified operand."""
    if isinstance(operand, Negate):
        return operand.operand
    return fold(Negate(operand))


def simplify_binary(node: Binary) -> Node:
    """Drop an operand that changes nothing."""
    operator, left, right = node.operator, node.left, node.right
    if operator == "+" and left == ZERO:
        return right
    if operator in "+-" and right == ZERO:
        return left
    if operator == "*" and ZERO in (left, right):
        return ZERO
    if operator == "*" and left == ONE:
        return right
    if operator in "*/^" and right == ONE:
        return left
    return node
