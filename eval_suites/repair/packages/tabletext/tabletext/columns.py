"""Column settings, and how column widths are found and shrunk to fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabletext.cells import ALIGNMENTS, is_numeric
from tabletext.wrapping import longest_word

MINIMUM_WIDTH = 3


@dataclass
class Column:
    """One column: its title and how its cells are laid out."""

    title: str
    align: str = "<"
    max_width: int | None = None

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise ValueError(f"unknown alignment: {self.align!r}")


def natural_width(column: Column, cells: Sequence[str]) -> int:
    """The width at which a column shows everything, within its maximum."""
    lines = [line for cell in cells for line in cell.split("\n")]
    width = max(len(line) for line in [column.title, *lines])
    if column.max_width is not None:
        width = min(width, column.max_width)
    return width


def comfortable_width(column: Column, cells: Sequence[str]) -> int:
    """The least width at which no word of a column is cut."""
    return max(longest_word(text) for text in [column.title, *cells])


def shrink(widths: Sequence[int], budget: int) -> list[int]:
    """Take width from the widest columns, one space at a time, until all fit.

    Of equally wide columns the last gives way first. No column falls below
    the minimum, so the result may still be wider than the budget.
    """
    fitted = list(widths)
    while sum(fitted) > budget:
        widest = max(range(len(fitted)), key=lambda index: (fitted[index], index))
        if fitted[widest] <= MINIMUM_WIDTH:
            break
        fitted[widest] -= 1
    return fitted


def guess_align(cells: Sequence[str]) -> str:
    """Right for a column of numbers, left for anything else."""
    filled = [cell for cell in cells if cell]
    if filled and all(is_numeric(cell) for cell in filled):
        return ">"
    return "<"
