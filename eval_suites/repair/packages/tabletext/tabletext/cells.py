"""Single cells: what a value looks like, padded or cut to a width."""

from __future__ import annotations

ELLIPSIS = "…"
ALIGNMENTS = "<^>"


def cell_text(value: object) -> str:
    """How a value is shown: nothing for None, two decimals for floats."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)


def pad(text: str, width: int, align: str = "<") -> str:
    """Fill text with spaces up to a width; a centred odd space goes right."""
    missing = width - len(text)
    if missing <= 0:
        return text
    if align == ">":
        return " " * missing + text
    if align == "^":
        left = missing // 2
        return " " * left + text + " " * (missing - left)
    return text + " " * missing


def truncate(text: str, width: int) -> str:
    """Cut text to a width, ending it with an ellipsis when something was lost."""
    if width <= 0:
        return ""
    if len(text) <= width:
        return text
    return text[: width - 1].rstrip() + ELLIPSIS


def is_numeric(text: str) -> bool:
    """Whether text reads as a number, with optional sign, commas or percent."""
    cleaned = text.strip().lstrip("+-").rstrip("%").replace(",", "")
    whole, _, fraction = cleaned.partition(".")
    return whole.isdigit() and (not fraction or fraction.isdigit())
