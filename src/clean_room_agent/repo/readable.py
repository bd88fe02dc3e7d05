"""A source as its grammar can read it: what a macro or a test tool adds is written otherwise.

Takes: bytes and their language. Gives: bytes of the same length, line by line, for the parser
only: every name and text is read from the original. Does not know: trees.

C and C++: a macro between `class` and its name (`class API Name {`) and a macro alone on a line
before a declaration (`BEGIN_NAMESPACE`) are blanks: the grammar takes them for types, and loses the
class. Bash: `@test "title" {` of bats is the head of a function.
"""

from __future__ import annotations

import re

_CLASS_MACRO = re.compile(
    rb"\b(?:class|struct|union|enum)[ \t]+([A-Z][A-Z0-9_]{2,})(?=[ \t]+[A-Za-z_])"
)
_LONE_MACRO = re.compile(rb"^[ \t]*([A-Z][A-Z0-9]*_[A-Z0-9_]+)[ \t]*\r?$", re.MULTILINE)
# What may stand before a lone macro: the end of a statement, a block, a directive or a comment.
_ENDS = (b";", b"}", b"{", b"/", b">", b'"', b":")
_BATS = re.compile(rb"^[ \t]*(@test[ \t][^\n]{0,400}?)[ \t]*\{[ \t]*\r?$", re.MULTILINE)


def readable(data: bytes, language: str) -> bytes:
    """Give what the parser of this language is to see instead of `data`."""
    if language in ("c", "cpp"):
        return _without_macros(data)
    if language == "bash" and b"@test" in data:
        return _BATS.sub(_as_function, data)
    return data


def _without_macros(data: bytes) -> bytes:
    cut = [match.span(1) for match in _CLASS_MACRO.finditer(data)]
    cut += [m.span(1) for m in _LONE_MACRO.finditer(data) if _stands_free(data, m.start())]
    if not cut:
        return data
    text = bytearray(data)
    for start, end in cut:
        text[start:end] = b" " * (end - start)
    return bytes(text)


def _stands_free(data: bytes, at: int) -> bool:
    """Whether no expression or list goes on: there the name is a value, not a decoration."""
    before = data[max(0, at - 300) : at].rstrip()
    line = before.rpartition(b"\n")[2].lstrip()
    return not before or before.endswith(_ENDS) or line.startswith((b"#", b"//"))


def _as_function(match: re.Match[bytes]) -> bytes:
    """`@test "title"` becomes a name of the same length with `()` at its end."""
    start, end = match.span(1)
    whole, first = match.group(), start - match.start()
    last = end - match.start()
    return whole[:first] + b"_" * (end - start - 2) + b"()" + whole[last:]
