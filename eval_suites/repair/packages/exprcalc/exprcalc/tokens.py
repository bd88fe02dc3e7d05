"""From text to tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = "+-*/%^(),"


class FormulaError(ValueError):
    """A formula cannot be read; the position counts characters from zero."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at {position}")
        self.position = position


@dataclass(frozen=True)
class Token:
    """One piece of a formula: kind is ``number``, ``name``, ``end`` or the operator itself."""

    kind: str
    text: str
    position: int


def take_while(text: str, start: int, allowed: str, *, letters: bool = False) -> str:
    """The longest run from a start of digits, allowed characters and maybe letters."""
    end = start
    while end < len(text) and (
        text[end].isdigit() or text[end] in allowed or (letters and text[end].isalpha())
    ):
        end += 1
    return text[start:end]


def tokenise(text: str) -> Iterator[Token]:
    """All tokens of a formula, then one of kind ``end``."""
    position = 0
    while position < len(text):
        character = text[position]
        if character.isspace():
            position += 1
            continue
        if character.isdigit() or character == ".":
            piece = take_while(text, position, ".")
            if piece.count(".") > 1 or piece == ".":
                raise FormulaError(f"bad number {piece!r}", position)
            kind = "number"
        elif character.isalpha() or character == "_":
            piece = take_while(text, position, "_", letters=True)
            kind = "name"
        elif character in OPERATORS:
            piece = kind = character
        else:
            raise FormulaError(f"unexpected {character!r}", position)
        yield Token(kind, piece, position)
        position += len(piece)
    yield Token("end", "", position)
