"""From a tree to a value."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from exprcalc.nodes import Binary, Call, Name, Negate, Node, Number
from exprcalc.parser import parse

OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": operator.pow,
}


class EvaluationError(ValueError):
    """A formula has no value."""


def mean(*values: float) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def clamp(value: float, low: float, high: float) -> float:
    """A value moved into a range."""
    return max(low, min(value, high))


def percent(part: float, whole: float) -> float:
    """What percentage a part is of a whole; nothing of nothing is zero."""
    if whole == 0:
        return 0.0
    return 100 * part / whole


# Each function with the least and the most arguments it takes; None is any number.
FUNCTIONS: dict[str, tuple[Callable[..., float], int, int | None]] = {
    "min": (min, 1, None),
    "max": (max, 1, None),
    "mean": (mean, 1, None),
    "abs": (abs, 1, 1),
    "floor": (math.floor, 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "clamp": (clamp, 3, 3),
    "percent": (percent, 2, 2),
    "round": (round, 1, 2),
}


def apply_call(function: str, values: list[float]) -> float:
    """The value of a function, checked for its name and argument count."""
    if function not in FUNCTIONS:
        raise EvaluationError(f"no function named {function}")
    implementation, least, most = FUNCTIONS[function]
    if len(values) < least or (most is not None and len(values) > most):
        raise EvaluationError(f"{function} does not take {len(values)} arguments")
    if len(values) == 1 and function in ("min", "max"):
        return values[0]
    if function == "round" and len(values) == 2:
        return round(values[0], int(values[1]))
    return float(implementation(*values))


def evaluate(node: Node, variables: Mapping[str, float] | None = None) -> float:
    """The value of a tree."""
    known = variables or {}
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        if node.name not in known:
            raise EvaluationError(f"no value for {node.name}")
        return known[node.name]
    if isinstance(node, Negate):
        return -evaluate(node.operand, known)
    if isinstance(node, Call):
        return apply_call(node.function, [evaluate(part, known) for part in node.arguments])
    left, right = evaluate(node.left, known), evaluate(node.right, known)
    if node.operator in "/%" and right == 0:
        raise EvaluationError("division by zero")
    return OPERATIONS[node.operator](left, right)


def calculate(text: str, variables: Mapping[str, float] | None = None) -> float:
    """The value of a formula."""
    return evaluate(parse(text), variables)


def is_constant(node: Node) -> bool:
    """Whether a tree has the same value whatever the variables are."""
    if isinstance(node, Binary):
        return is_constant(node.left) and is_constant(node.right)
    if isinstance(node, Negate):
        return is_constant(node.operand)
    if isinstance(node, Call):
        return all(is_constant(part) for part in node.arguments)
    return isinstance(node, Number)
