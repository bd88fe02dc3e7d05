"""The tree that formulas are parsed to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True)
class Negate:
    """Unary minus."""

    operand: Node


@dataclass(frozen=True)
class Binary:
    """Two operands joined by ``+ - * / % ^``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call:
    """A function applied to arguments."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Name | Negate | Binary | Call

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 4}
NEGATE_PRECEDENCE = 3


def children(node: Node) -> tuple[Node, ...]:
    """The direct operands of a node."""
    if isinstance(node, Negate):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Call):
        return node.arguments
    return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def variables(node: Node) -> list[str]:
    """The names a formula needs, each once, in alphabetical order."""
    return sorted({part.name for part in walk(node) if isinstance(part, Name)})


def depth(node: Node) -> int:
    """The number of levels of a tree; a leaf has one."""
    return 1 + max((depth(child) for child in children(node)), default=0)
