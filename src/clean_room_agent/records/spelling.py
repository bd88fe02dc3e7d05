"""Spell out what does not print, so that no text drives a terminal or ends its line.

Takes: text from anywhere. Gives: text that shows the same to every reader.
`counted` spells a number of things. Does not know: where it is shown, or what is data and what is
an instruction.

Control characters, line breaks, bidi marks, invisible tags and blanks that look like another one
become escapes; a byte that was no UTF-8 becomes `\\xNN`. Letters of every language stay.
"""

from __future__ import annotations

_UNDECODABLE = range(0xDC80, 0xDD00)  # where surrogateescape puts bytes that are no UTF-8


def one_line(text: str) -> str:
    """Return the text with everything spelled out that does not print."""
    return spell_out(text, keep="")


def spell_out(text: str, *, keep: str) -> str:
    """Return the text with escapes for what does not print, but for the characters of `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escape(c) for c in text)


def encodable(text: str) -> str:
    """Return the text with escapes for what UTF-8 cannot hold; all else stays as it is."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "".join(_escape(c) if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _escape(character: str) -> str:
    code = ord(character)
    if code in _UNDECODABLE:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def counted(number: int, noun: str) -> str:
    """Return `1 attempt`, `2 attempts`: for nouns whose plural is an s."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
