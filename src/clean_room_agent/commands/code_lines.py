"""Code for a reader: its lines with their numbers, and how many of them are left for later.

Takes: bytes of whole lines, the number of the first, how many to show. Gives: printed or decoded
lines; what is not shown is counted, never dropped in silence. Does not know: what the code is.
"""

from __future__ import annotations

from clean_room_agent.commands.output import Output
from clean_room_agent.records.spelling import counted

ALL_LINES = 0


def first_lines(text: bytes, most: int) -> tuple[str, int]:
    """Return the first lines and how many are left; `ALL_LINES` leaves none."""
    decoded = text.decode("utf-8", "surrogateescape")
    lines = _lines(decoded)
    if most == ALL_LINES or len(lines) <= most:
        return decoded, 0
    return "\n".join(lines[:most]) + "\n", len(lines) - most


def print_lines(output: Output, text: bytes, first: int, most: int) -> None:
    """Print the first lines with their numbers, then how many are left and where they stand."""
    shown, left = first_lines(text, most)
    lines = _lines(shown)
    for number, line in enumerate(lines, start=first):
        output.line(f"{number:>6} | {line.removesuffix(chr(13))}")
    if left:
        after = first + len(lines)
        output.line(f"       | {counted(left, 'line')} more: {after}-{after + left - 1}")


def _lines(text: str) -> list[str]:
    """Split where an editor counts lines: at line feeds only, the last one ending the text."""
    return text.removesuffix("\n").split("\n") if text else []
