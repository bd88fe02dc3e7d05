"""What a fix template is, and the place it is tried at.

Takes: nothing. Gives: `Template`, `Draft`, `Site` and the precedence of expressions, by which new
text gets the parentheses it needs and no others. Does not know: priors, order, or which templates
exist.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clean_room_agent.repair.scope import Scope
from clean_room_agent.repair.source import Edit, ParsedSource

TUPLE, NAMED, LAMBDA, TERNARY, OR, AND, NOT, COMPARE = 0, 1, 2, 3, 4, 5, 6, 7
BIT_OR, BIT_XOR, BIT_AND, SHIFT, ARITH, TERM, UNARY, POWER, AWAIT, ATOM = range(8, 18)
"""Binding strength, weakest first (the Python Language Reference, section 6.17)."""

OPERATORS: dict[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", ARITH),
    ast.Sub: ("-", ARITH),
    ast.Mult: ("*", TERM),
    ast.Div: ("/", TERM),
    ast.FloorDiv: ("//", TERM),
    ast.Mod: ("%", TERM),
    ast.MatMult: ("@", TERM),
    ast.Pow: ("**", POWER),
    ast.LShift: ("<<", SHIFT),
    ast.RShift: (">>", SHIFT),
    ast.BitOr: ("|", BIT_OR),
    ast.BitXor: ("^", BIT_XOR),
    ast.BitAnd: ("&", BIT_AND),
}


def strength(node: ast.AST) -> int:
    """How strongly the text of an expression holds together."""
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)][1]
    if isinstance(node, ast.BoolOp):
        return AND if isinstance(node.op, ast.And) else OR
    if isinstance(node, ast.UnaryOp):
        return NOT if isinstance(node.op, ast.Not) else UNARY
    table: dict[type[ast.AST], int] = {
        ast.Tuple: TUPLE,
        ast.Yield: TUPLE,
        ast.YieldFrom: TUPLE,
        ast.Starred: TUPLE,
        ast.NamedExpr: NAMED,
        ast.Lambda: LAMBDA,
        ast.IfExp: TERNARY,
        ast.Compare: COMPARE,
        ast.Await: AWAIT,
    }
    return table.get(type(node), ATOM)


def required(parent: ast.AST, field: str) -> int:
    """The strength an expression needs to stand in a field without parentheses."""
    if isinstance(parent, ast.BinOp):
        own = strength(parent)
        right = field == "right"
        if isinstance(parent.op, ast.Pow):
            return UNARY if right else AWAIT
        return own + 1 if right else own
    if isinstance(parent, ast.UnaryOp):
        return strength(parent)
    if isinstance(parent, ast.BoolOp):
        return strength(parent) + 1
    if isinstance(parent, ast.Compare):
        return COMPARE + 1
    if isinstance(parent, ast.Attribute) or field == "func":
        return ATOM
    if isinstance(parent, ast.Subscript):
        return ATOM if field == "value" else TUPLE
    if isinstance(parent, ast.IfExp):
        return TERNARY if field == "orelse" else OR
    if isinstance(parent, ast.comprehension):
        return OR
    if isinstance(parent, ast.Starred):
        return BIT_OR
    if isinstance(parent, ast.Await):
        return ATOM
    if isinstance(parent, ast.Return | ast.Assign | ast.AugAssign | ast.Expr | ast.For):
        return TUPLE
    if isinstance(parent, ast.If | ast.While):
        return NAMED
    return LAMBDA


@dataclass(frozen=True, slots=True)
class Draft:
    """One edit proposed by a template. `weight` scales the template's prior, at most 1.

    `structural` marks edits that add, remove or move statements, which are checked by compiling
    the whole function; the others stay within the head of one statement.
    """

    edits: tuple[Edit, ...]
    weight: float = 1.0
    structural: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """One node of one file, with what is visible there. Templates look around from here."""

    source: ParsedSource
    scope: Scope
    node: ast.AST

    @property
    def parent(self) -> ast.AST:
        return self.source.parents[self.node]

    @property
    def field(self) -> str:
        return self.source.fields[self.node]

    @property
    def statement(self) -> ast.stmt:
        return self.source.statement_of[self.node]

    def text(self, node: ast.AST) -> str:
        return self.source.text(node)

    def operand(self, node: ast.AST, needed: int) -> str:
        """The user's text of a node, parenthesised where it would fall apart elsewhere."""
        text = self.source.text(node)
        loose = strength(node) < needed or (
            "\n" in text and not isinstance(node, ast.Call | ast.List | ast.Dict | ast.Set)
        )
        if isinstance(node, ast.Tuple | ast.GeneratorExp):
            loose = loose and not text.startswith("(")
        if needed == ATOM and isinstance(node, ast.Constant) and isinstance(node.value, int):
            loose = True
        return f"({text})" if loose else text

    def is_parenthesised(self, node: ast.AST) -> bool:
        """Whether parentheses of its own stand right around the node."""
        body = self.source.body
        start, end = self.source.start(node), self.source.end(node)
        return (
            body[:start][-1:] == b"("
            and body[end : end + 1] == b")"
            and not self._is_only_argument(node)
        )

    def _is_only_argument(self, node: ast.AST) -> bool:
        parent = self.source.parents.get(node)
        if isinstance(parent, ast.Call):
            return node is not parent.func
        return isinstance(parent, ast.ClassDef | ast.Tuple)

    def fitted(self, node: ast.AST, text: str, level: int) -> str:
        """New text for the place of `node`, parenthesised when it needs to be."""
        needed = required(self.source.parents[node], self.source.fields[node])
        if level < needed and not self.is_parenthesised(node):
            return f"({text})"
        return text

    def swap(
        self, node: ast.AST, text: str, level: int = ATOM, *, weight: float = 1.0, kind: str = ""
    ) -> Draft:
        """Put other text in the place of a node."""
        new = self.fitted(node, text, level)
        return Draft(((self.source.start(node), self.source.end(node), new),), weight, False, kind)

    def exchange(self, first: ast.AST, second: ast.AST, *, weight: float = 1.0) -> Draft:
        """Let two nodes (first before second) change places."""
        source = self.source
        a = self.fitted(first, source.text(second), strength(second))
        b = self.fitted(second, source.text(first), strength(first))
        edits = (
            (source.start(first), source.end(first), a),
            (source.start(second), source.end(second), b),
        )
        return Draft(edits, weight)

    def between(
        self, left: ast.AST, right: ast.AST, old: str, new: str, *, weight: float = 1.0
    ) -> Draft | None:
        """Replace an operator's text between two nodes, if it is plain to see there."""
        start, end = self.source.end(left), self.source.start(right)
        gap = self.source.slice(start, end)
        at = gap.find(old)
        if at < 0 or "#" in gap:
            return None
        return Draft(((start + at, start + at + len(old), new),), weight)


Expander = Callable[[Site], Iterator[Draft]]


@dataclass(frozen=True, slots=True)
class Template:
    """A named way to change a node of one of the given kinds; `doc` says what it does."""

    name: str
    nodes: tuple[type[ast.AST], ...]
    expand: Expander
    doc: str


def template(name: str, *nodes: type[ast.AST]) -> Callable[[Expander], Template]:
    """Declare a template; the first line of the function's docstring becomes its `doc`."""

    def declare(expand: Expander) -> Template:
        lines = (expand.__doc__ or "").strip().splitlines()
        return Template(name, nodes, expand, lines[0] if lines else "")

    return declare
