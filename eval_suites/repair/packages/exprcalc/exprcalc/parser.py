"""From tokens to a tree, by precedence climbing."""

from __future__ import annotations

from exprcalc.nodes import NEGATE_PRECEDENCE, PRECEDENCE, Binary, Call, Name, Negate, Node, Number
from exprcalc.tokens import FormulaError, Token, tokenise

RIGHT_TO_LEFT = "^"


class Parser:
    """Reads one formula."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokenise(text))
        self._index = 0

    @property
    def current(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._index]

    def advance(self) -> Token:
        """Take the current token."""
        token = self.current
        self._index += 1
        return token

    def expect(self, kind: str) -> Token:
        """Take the current token if it is of a kind."""
        if self.current.kind != kind:
            shown = self.current.text or "the end"
            raise FormulaError(f"expected {kind!r}, found {shown!r}", self.current.position)
        return self.advance()

    def formula(self) -> Node:
        """The whole text as one tree."""
        node = self.binary(0)
        self.expect("end")
        return node

    def binary(self, minimum: int) -> Node:
        """Operands joined by operators that bind at least as tightly as a minimum."""
        left = self.unary()
        while PRECEDENCE.get(self.current.kind, -1) >= minimum:
            operator = self.advance().kind
            strength = PRECEDENCE[operator]
            needed = strength if operator in RIGHT_TO_LEFT else strength + 1
            left = Binary(operator, left, self.binary(needed))
        return left

    def unary(self) -> Node:
        """An operand with any signs before it."""
        if self.current.kind == "-":
            self.advance()
            return Negate(self.binary(NEGATE_PRECEDENCE))
        if self.current.kind == "+":
            self.advance()
            return self.unary()
        return self.operand()

    def operand(self) -> Node:
        """A number, a name, a call, or a formula in brackets."""
        token = self.advance()
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "name":
            return self.call(token.text) if self.current.kind == "(" else Name(token.text)
        if token.kind == "(":
            node = self.binary(0)
            self.expect(")")
            return node
        shown = token.text or "the end"
        raise FormulaError(f"expected a value, found {shown!r}", token.position)

    def call(self, function: str) -> Node:
        """The arguments after a function's name."""
        self.expect("(")
        arguments: list[Node] = []
        if self.current.kind != ")":
            arguments.append(self.binary(0))
            while self.current.kind == ",":
                self.advance()
                arguments.append(self.binary(0))
        self.expect(")")
        return Call(function, tuple(arguments))


def parse(text: str) -> Node:
    """The tree of a formula."""
    return Parser(text).formula()
