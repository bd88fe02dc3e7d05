"""Count tokens without a model: a stated upper bound.

Takes: bytes. Gives: a number that a byte-level BPE tokenizer of a code model does not exceed on
ordinary source text. Does not know: any vocabulary. A run with a model counts with its tokenizer.

How: the text is cut as such tokenizers cut it first (words, digits, marks, white space), and each
piece costs what a poor vocabulary would need: four letters, two capitals, one digit, one mark or
four equal ones, one byte beyond ASCII. A blank before a word is free, as it joins the word.
"""

from __future__ import annotations

import re
from typing import Protocol

_PIECE = re.compile(
    rb"[A-Z]?[a-z]{1,4}"
    rb"|[A-Z]{1,2}"
    rb"|[0-9]"
    rb"|_{1,4}|={1,4}|-{1,4}|\*{1,4}|#{1,4}|\.{1,4}|/{1,4}|~{1,4}"
    rb"|[^\sA-Za-z0-9_=\-*#./~]"
    rb"|[ ]{2,8}|\t{1,4}|(?:\r?\n){1,4}|[\r\f\v]"
    rb"|[ ](?=[\s0-9]|\Z)"
)


class TokenCounter(Protocol):
    """Counts the tokens of a piece of a prompt; `name` goes into the log with every number."""

    @property
    def name(self) -> str: ...

    def count(self, data: bytes) -> int: ...


class UpperBoundCounter:
    """The model-free counter. Linear in time; the sum over parts is never below the whole."""

    @property
    def name(self) -> str:
        return "upper-bound/1"

    def count(self, data: bytes) -> int:
        return len(_PIECE.findall(data))
