"""The table: rows in, lines of text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from tabletext.borders import GRID, BorderStyle, join_cells, rule
from tabletext.cells import cell_text, pad, truncate
from tabletext.columns import Column, guess_align, natural_width, shrink
from tabletext.wrapping import wrap


class Table:
    """Rows of values under titled columns."""

    def __init__(self, columns: Sequence[Column], style: BorderStyle = GRID) -> None:
        self.columns = list(columns)
        self.style = style
        self._rows: list[tuple[object, ...]] = []
        self._footer: tuple[object, ...] | None = None

    @classmethod
    def with_titles(cls, *titles: str, align: str = "", style: BorderStyle = GRID) -> Table:
        """A table from bare titles; alignments beyond those given are left."""
        pairs = zip_longest(titles, align[: len(titles)], fillvalue="<")
        return cls([Column(title, mark) for title, mark in pairs], style)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, *values: object) -> None:
        """Append a row; missing values at its end are left empty."""
        if len(values) > len(self.columns):
            raise ValueError(f"{len(values)} values for {len(self.columns)} columns")
        gap = len(self.columns) - len(values)
        self._rows.append((*values, *[None] * gap))

    def extend(self, rows: Iterable[Sequence[object]]) -> None:
        """Append many rows."""
        for row in rows:
            self.add(*row)

    def position(self, title: str) -> int:
        """Where the column of that title stands."""
        for index, column in enumerate(self.columns):
            if column.title == title:
                return index
        raise KeyError(title)

    def sort_by(self, title: str, *, descending: bool = False) -> None:
        """Order rows by one column; rows without a value stay last."""
        index = self.position(title)
        filled = [row for row in self._rows if row[index] is not None]
        empty = [row for row in self._rows if row[index] is None]
        filled.sort(key=lambda row: row[index], reverse=descending)  # type: ignore[arg-type,return-value]
        self._rows = filled + empty

    def total(self, title: str) -> float:
        """The sum of one column, leaving out empty cells and truth values."""
        index = self.position(title)
        values = [row[index] for row in self._rows]
        return sum(
            value
            for value in values
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        )

    def add_totals(self, label: str, *titles: str) -> None:
        """Set a footer: a label in the first column, sums below the named ones."""
        footer: list[object] = [None] * len(self.columns)
        footer[0] = label
        for title in titles:
            footer[self.position(title)] = self.total(title)
        self._footer = tuple(footer)

    def align_numbers(self) -> None:
        """Align every column by what its cells look like."""
        for index, column in enumerate(self.columns):
            column.align = guess_align([cell_text(row[index]) for row in self._rows])

    def widths(self, width: int | None = None) -> list[int]:
        """The column widths, shrunk so that a whole line fits a width."""
        shown = [*self._rows, self._footer] if self._footer else list(self._rows)
        natural = [
            natural_width(column, [cell_text(row[index]) for row in shown])
            for index, column in enumerate(self.columns)
        ]
        if width is None:
            return natural
        return shrink(natural, width - self.style.overhead(len(natural)))

    def _row_lines(self, values: Sequence[object], widths: Sequence[int]) -> Iterator[str]:
        wrapped = [wrap(cell_text(value), size) for value, size in zip(values, widths, strict=True)]
        for pieces in zip_longest(*wrapped, fillvalue=""):
            cells = [
                pad(piece, size, column.align)
                for piece, size, column in zip(pieces, widths, self.columns, strict=True)
            ]
            yield join_cells(self.style, cells)

    def _header_line(self, widths: Sequence[int]) -> str:
        titles = [
            pad(truncate(column.title, size), size, column.align)
            for column, size in zip(self.columns, widths, strict=True)
        ]
        return join_cells(self.style, titles)

    def lines(self, width: int | None = None) -> Iterator[str]:
        """The table line by line."""
        widths = self.widths(width)
        bar = rule(self.style, widths)
        if bar is not None and self.style.outer:
            yield bar
        yield self._header_line(widths)
        if bar is not None:
            yield bar
        for row in self._rows:
            yield from self._row_lines(row, widths)
        if self._footer is not None:
            if bar is not None:
                yield bar
            yield from self._row_lines(self._footer, widths)
        if bar is not None and self.style.outer:
            yield bar

    def render(self, width: int | None = None) -> str:
        """The table as one string without a final line break."""
        return "\n".join(self.lines(width))
