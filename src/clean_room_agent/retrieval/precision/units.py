"""Cut a file into the whole items that can be shown: functions, class outlines, header, file.

Takes: a file, its symbols, its bytes. Gives: disjoint `Unit`s in file order, with no line of a
program outside them. Does not know: scores. All borders come from the parse: a definition begins
with its documentation, blank lines and closing brackets end the item before them, and what stands
between two definitions is an item of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clean_room_agent.records.code import Span, Symbol, SymbolKind
from clean_room_agent.records.context import Detail, SubjectKind
from clean_room_agent.repo.languages import is_code
from clean_room_agent.retrieval.sources import whole_span
from clean_room_agent.store.curated_reader import FileRow, SymbolRow

_CALLABLES = frozenset({SymbolKind.FUNCTION, SymbolKind.METHOD, SymbolKind.MACRO})
_CONTAINERS = frozenset(
    {
        SymbolKind.CLASS,
        SymbolKind.INTERFACE,
        SymbolKind.STRUCT,
        SymbolKind.ENUM,
        SymbolKind.TRAIT,
    }
)
SMALL_CLASS_BYTES = 1_200  # a class this small is shown with its methods
HEADER = "<header>"
# Languages whose headings and tables hold what stands under them.
SECTIONED = frozenset({"markdown", "toml"})
BETWEEN = "<between>"  # statements and comments outside all definitions
# The rest of the line on which an item ends, and lines that hold nothing of their own.
_ENDING = re.compile(rb"[ \t;,)\]}]*(?://[^\n]*|#[^\n]*)?(?:\r?\n|\Z)(?:[ \t;,)\]}]*\r?\n)*")
_EMPTY = re.compile(rb"[\s;,)\]}]*\Z")


@dataclass(frozen=True, slots=True)
class Unit:
    """One showable item of one file. `owner` is the ordinal of the class outline above it."""

    file: FileRow
    kind: SubjectKind
    name: str
    detail: Detail
    span: Span
    content: bytes
    ordinal: int | None = None
    owner: int | None = None


def whole_file(file: FileRow, data: bytes) -> Unit:
    """The file as one item."""
    return Unit(file, SubjectKind.FILE, "", Detail.FULL, whole_span(data), data)


def cut_units(
    file: FileRow, symbols: Sequence[SymbolRow], imports: Sequence[int], data: bytes
) -> list[Unit]:
    """The items of a file in file order; a file without definitions is one item.

    `imports` are the lines of its imports: the header runs from the first of them to the first
    definition.
    """
    by_ordinal = {row.ordinal: row.symbol for row in symbols}
    if file.language in SECTIONED:
        return _cut_sections(file, by_ordinal, data) or [whole_file(file, data)]
    children: dict[int | None, list[int]] = {}
    for ordinal, symbol in by_ordinal.items():
        if symbol.kind is not SymbolKind.MODULE:
            children.setdefault(_parent(symbol, by_ordinal), []).append(ordinal)
    units = _Cutter(file, data, by_ordinal, children).cut(None)
    if not units:
        return [whole_file(file, data)]
    units.sort(key=lambda unit: unit.span.start_byte)
    header = _header(file, data, units[0].span, imports)
    if not is_code(file.language):
        return [*header, *units]  # what stands between two keys of data says nothing
    return _fill([*header, *_with_documentation(units, by_ordinal, data)], data)


def _with_documentation(
    units: Sequence[Unit], by_ordinal: dict[int, Symbol], data: bytes
) -> list[Unit]:
    """A comment that documents a definition from above begins its item."""
    found: list[Unit] = []
    free = 0
    for unit in units:
        doc = None if unit.ordinal is None else by_ordinal[unit.ordinal].docstring
        if doc is not None and free <= doc.start_byte < unit.span.start_byte:
            start = max(free, _line_start(data, doc.start_byte))
            unit = _spread(unit, start, unit.span.end_byte, data)
        free = unit.span.end_byte
        found.append(unit)
    return found


def _fill(units: Sequence[Unit], data: bytes) -> list[Unit]:
    """The items with what stands before, between and after them."""
    filled: list[Unit] = []
    first = units[0]
    if not _EMPTY.match(data, 0, first.span.start_byte):
        filled.append(_between(first, None, 0, first.span.start_byte, data))
    for place, unit in enumerate(units):
        following = units[place + 1] if place + 1 < len(units) else None
        stop = len(data) if following is None else following.span.start_byte
        ending = _ENDING.match(data, unit.span.end_byte, stop)
        end = unit.span.end_byte if ending is None else ending.end()
        if _EMPTY.match(data, end, stop):
            end = stop
        filled.append(_spread(unit, unit.span.start_byte, end, data))
        if end < stop:
            owner = None if following is None else following.owner
            filled.append(_between(unit, owner, end, stop, data))
    return filled


def _between(near: Unit, owner: int | None, start: int, end: int, data: bytes) -> Unit:
    bare = replace(near, name=BETWEEN, detail=Detail.SYMBOL, ordinal=None, owner=owner)
    line = data.count(b"\n", 0, start) + 1
    bare = replace(bare, kind=SubjectKind.SYMBOL, span=Span(start, start, line, line))
    return _spread(bare, start, end, data)


def _spread(unit: Unit, start: int, end: int, data: bytes) -> Unit:
    """The unit with other borders."""
    span = unit.span
    if (start, end) == (span.start_byte, span.end_byte):
        return unit
    first = span.start_line - data.count(b"\n", start, span.start_byte)
    last = first + data.count(b"\n", start, max(start, end - 1))
    return replace(unit, span=Span(start, end, first, last), content=data[start:end])


def _cut_sections(file: FileRow, by_ordinal: dict[int, Symbol], data: bytes) -> list[Unit]:
    """Each heading or table up to the next one, whatever its rank: disjoint and in order."""
    kept = {o: s for o, s in by_ordinal.items() if s.kind is SymbolKind.MODULE or s.parent is None}
    ordered = sorted(kept, key=lambda ordinal: kept[ordinal].span.start_byte)
    units = []
    for at, ordinal in enumerate(ordered):
        span = kept[ordinal].span
        start, stop = _line_start(data, span.start_byte), span.end_byte
        if at + 1 < len(ordered):
            stop = min(stop, _line_start(data, kept[ordered[at + 1]].span.start_byte))
        content = data[start:stop].rstrip()
        last = span.start_line + content.count(b"\n")
        cut = Span(start, start + len(content), span.start_line, last)
        name = kept[ordinal].qualified_name
        units.append(Unit(file, SubjectKind.SYMBOL, name, Detail.SYMBOL, cut, content, ordinal))
    return units


def _header(file: FileRow, data: bytes, first: Span, imports: Sequence[int]) -> list[Unit]:
    """What stands from the first import to the first definition."""
    start_line = min((line for line in imports if line < first.start_line), default=0)
    if not start_line:
        return []
    start = 0
    for _ in range(start_line - 1):
        start = data.index(b"\n", start) + 1
    end = _line_start(data, first.start_byte)
    span = Span(start, end, start_line, max(start_line, first.start_line - 1))
    return [Unit(file, SubjectKind.SYMBOL, HEADER, Detail.SYMBOL, span, data[start:end])]


def _parent(symbol: Symbol, by_ordinal: dict[int, Symbol]) -> int | None:
    parent = symbol.parent
    if parent is None or parent not in by_ordinal:
        return None
    return None if by_ordinal[parent].kind is SymbolKind.MODULE else parent


@dataclass(frozen=True, slots=True)
class _Cutter:
    file: FileRow
    data: bytes
    by_ordinal: dict[int, Symbol]
    children: dict[int | None, list[int]]

    def cut(self, parent: int | None) -> list[Unit]:
        """Units under one symbol: what is inside a function belongs to the function."""
        units: list[Unit] = []
        end = 0
        for ordinal in sorted(self.children.get(parent, ()), key=self._start):
            symbol = self.by_ordinal[ordinal]
            if symbol.span.start_byte < end:
                continue  # a second definition inside the first one's range (overloads, getters)
            found = self._units_of(ordinal, symbol, parent)
            units += found
            end = max((unit.span.end_byte for unit in found), default=end)
        return units

    def _start(self, ordinal: int) -> tuple[int, int]:
        span = self.by_ordinal[ordinal].span
        return (span.start_byte, -span.end_byte)

    def _units_of(self, ordinal: int, symbol: Symbol, parent: int | None) -> list[Unit]:
        if symbol.kind in _CONTAINERS:
            inner = self._inner(ordinal)
            small = symbol.span.end_byte - symbol.span.start_byte <= SMALL_CLASS_BYTES
            if inner and not small:
                return self._outline(ordinal, symbol, parent, inner[0])
            return [self._unit(ordinal, symbol.span, Detail.SYMBOL, parent)]
        if symbol.name == "__all__":
            return []  # a list of names that are all defined elsewhere
        if symbol.kind in _CALLABLES or parent is None:
            return [self._unit(ordinal, symbol.span, Detail.SYMBOL, parent)]
        return []  # an attribute: part of its class's outline

    def _inner(self, ordinal: int) -> list[int]:
        inner = [
            child
            for child in self.children.get(ordinal, ())
            if self.by_ordinal[child].kind in _CALLABLES | _CONTAINERS
        ]
        return sorted(inner, key=self._start)

    def _outline(self, ordinal: int, symbol: Symbol, parent: int | None, first: int) -> list[Unit]:
        """The class up to its first method (bases, docstring, attributes), then its members."""
        stop = self.by_ordinal[first].span
        end = _line_start(self.data, stop.start_byte)
        span = symbol.span
        members = self.cut(ordinal)
        if end <= span.start_byte:
            return members
        outline = Span(
            span.start_byte, end, span.start_line, max(span.start_line, stop.start_line - 1)
        )
        return [self._unit(ordinal, outline, Detail.SIGNATURE, parent), *members]

    def _unit(self, ordinal: int, span: Span, detail: Detail, owner: int | None) -> Unit:
        start = _line_start(self.data, span.start_byte)
        span = Span(start, span.end_byte, span.start_line, span.end_line)
        name = self.by_ordinal[ordinal].qualified_name
        content = self.data[start : span.end_byte]
        return Unit(self.file, SubjectKind.SYMBOL, name, detail, span, content, ordinal, owner)


def _line_start(data: bytes, position: int) -> int:
    """The start of the line, where only blanks stand between it and `position`."""
    start = data.rfind(b"\n", 0, position) + 1
    return position if data[start:position].strip(b" \t") else start
