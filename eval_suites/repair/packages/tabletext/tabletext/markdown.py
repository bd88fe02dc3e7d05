"""Pipe tables as Markdown has them, written and read."""

from __future__ import annotations

from collections.abc import Sequence

from tabletext.cells import cell_text
from tabletext.columns import Column
from tabletext.table import Table

MARKS = {"<": "---", ">": "--:", "^": ":-:"}


def escape(text: str) -> str:
    """Make text safe inside a cell."""
    return text.replace("|", "\\|").replace("\n", "<br>")


def write_row(cells: Sequence[str]) -> str:
    """One line of a pipe table."""
    return "| " + " | ".join(cells) + " |"


def to_markdown(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> str:
    """A pipe table with a header, a mark line and the rows."""
    lines = [write_row([escape(column.title) for column in columns])]
    lines.append(write_row([MARKS[column.align] for column in columns]))
    for row in rows:
        lines.append(write_row([escape(cell_text(value)) for value in row]))
    return "\n".join(lines)


def split_row(line: str) -> list[str]:
    """The cells of one pipe-table line, with escapes undone."""
    cells: list[str] = []
    current = ""
    body = line.strip().removeprefix("|").removesuffix("|")
    escaped = False
    for character in body:
        if escaped:
            current += character if character == "|" else "\\" + character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            cells.append(current.strip())
            current = ""
        else:
            current += character
    cells.append(current.strip())
    return cells


def read_mark(mark: str) -> str:
    """The alignment that a mark such as ``:-:`` stands for."""
    if mark.startswith(":") and mark.endswith(":"):
        return "^"
    return ">" if mark.endswith(":") else "<"


def from_markdown(text: str) -> Table:
    """Read a pipe table; every cell is kept as text."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise ValueError("a pipe table needs a header and a mark line")
    titles, marks = split_row(lines[0]), split_row(lines[1])
    if len(titles) != len(marks):
        raise ValueError("header and mark line differ in length")
    columns = [Column(title, read_mark(mark)) for title, mark in zip(titles, marks, strict=True)]
    table = Table(columns)
    for line in lines[2:]:
        table.add(*split_row(line))
    return table
