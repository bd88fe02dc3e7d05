"""Breaking text into lines of limited width."""

from __future__ import annotations

from collections.abc import Iterator


def split_long(word: str, width: int) -> Iterator[str]:
    """Cut a word into pieces of at most a width."""
    for start in range(0, len(word), width):
        yield word[start : start + width]


def wrap_words(text: str, width: int) -> list[str]:
    """Break one paragraph at spaces; words longer than a line are cut."""
    if width < 1:
        raise ValueError("width must be at least 1")
    lines: list[str] = []
    current = ""
    for word in text.split():
        for piece in split_long(word, width):
            if not current:
                current = piece
            elif len(current) + 1 + len(piece) <= width:
                current += " " + piece
            else:
                lines.append(current)
                current = piece
    if current:
        lines.append(current)
    return lines


def wrap(text: str, width: int) -> list[str]:
    """Break text that may hold line breaks; blank lines are kept."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines.extend(wrap_words(paragraph, width) or [""])
    return lines


def longest_word(text: str) -> int:
    """The width below which wrapping has to cut a word."""
    return max((len(word) for word in text.split()), default=0)
