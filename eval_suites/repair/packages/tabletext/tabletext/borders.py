"""Border styles, and the rules and rows drawn with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BorderStyle:
    """The characters of a frame; an empty horizontal means no rules."""

    horizontal: str
    vertical: str
    crossing: str
    outer: bool = True

    def overhead(self, columns: int) -> int:
        """The width a row needs beyond its cells."""
        inner = columns - 1
        separators = inner + 2 if self.outer else inner
        padding = 2 * columns if self.outer else 2 * inner
        return separators * len(self.vertical) + padding


GRID = BorderStyle("-", "|", "+")
OPEN = BorderStyle("-", "|", "+", outer=False)
PLAIN = BorderStyle("", "", "", outer=False)


def rule(style: BorderStyle, widths: Sequence[int]) -> str | None:
    """A horizontal rule, or None where the style has none."""
    if not style.horizontal:
        return None
    reach = [style.horizontal * width for width in widths]
    joint = style.horizontal + style.crossing + style.horizontal
    line = joint.join(reach)
    if style.outer:
        edge = style.crossing + style.horizontal
        return edge + line + edge[::-1]
    return line


def join_cells(style: BorderStyle, cells: Sequence[str]) -> str:
    """One line of a row; trailing spaces are dropped where no frame follows."""
    line = f" {style.vertical} ".join(cells) if style.vertical else "  ".join(cells)
    if style.outer:
        return f"{style.vertical} {line} {style.vertical}"
    return line.rstrip()
