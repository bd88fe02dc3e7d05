"""Find what a name is defined as: where, its text, who calls it and what it calls.

Takes: a name (`share`, `Ledger.add`, `pkg.money.share`, `src/money.py::share`) or an indexed path,
the index, sources. Gives: `Found`: definitions with proven bytes, or the outline of a file.
Does not know: tasks or ranking; files that most others import come first, tests last.

A definition in which a secret or a control token stands keeps its place and loses its text, with
the reason. A name that nothing bears whole is answered with what shares its last part, said so.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from clean_room_agent.records.code import EdgeKind, Span, SymbolKind
from clean_room_agent.redaction import for_prompt, unshowable, why_withheld
from clean_room_agent.retrieval.sources import ReadSource, Sources
from clean_room_agent.store.curated_reader import CuratedReader, FileRow, SymbolRow

SAME_NAME_MAX = 2_000
EDGES_MAX = 20_000
NEAR_MAX = 3
LIKELY = 0.5  # below this an edge is one of several that a bare name may mean
_PLAIN_KINDS = frozenset({SymbolKind.VARIABLE, SymbolKind.CONSTANT, SymbolKind.MODULE})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a definition stands, without its text."""

    path: str
    name: str
    kind: SymbolKind
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Relations:
    """The definitions at the other end of one kind of relation: code before tests, surest first.

    `total` counts those that imports or the place make likely, `guessed` those that only share the
    name; `is_least` says that there may be more than were counted.
    """

    places: tuple[Place, ...]
    total: int
    guessed: int
    is_least: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition: its bytes as they stand in the file, or why they may not be shown."""

    place: Place
    signature: str
    chunk_id: str
    text: bytes
    withheld: str
    members: tuple[Place, ...]
    callers: Relations
    callees: Relations
    bases: Relations
    subclasses: Relations


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means. `others` bear it too; `is_exact` is False where only its end matches."""

    definitions: tuple[Definition, ...]
    others: tuple[Place, ...]
    outline: tuple[Place, ...]
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """How many definitions come with their text, and how many places each list names."""

    definitions: int
    places: int


def look_up(
    subject: str, *, reader: CuratedReader, read_source: ReadSource, limits: Limits
) -> Found:
    """Return what `subject` names in the index; nothing found is no error."""
    desk = _Desk(reader, Sources(read_source), limits, reader.count_importers(), {}, {})
    file = reader.read_file(subject)
    if file is not None:
        return Found((), (), desk.outline(file), True)
    rows, is_exact = _matching(subject, reader)
    rows = sorted(rows, key=desk.order)
    chosen, rest = rows[: limits.definitions], rows[limits.definitions :]
    return Found(
        tuple(desk.define(row) for row in chosen),
        tuple(desk.place(row) for row in rest[: limits.places]),
        (),
        is_exact,
    )


def near_paths(subject: str, reader: CuratedReader) -> list[str]:
    """Indexed paths that end with `subject`, else, where it is spelled as a path, close ones."""
    known = [file.path for file in reader.read_all_files()]
    ending = [path for path in known if path.endswith(f"/{subject}")]
    if ending or "/" not in subject:
        return sorted(ending, key=lambda path: (path.count("/"), path))[:NEAR_MAX]
    return difflib.get_close_matches(subject, known, n=NEAR_MAX, cutoff=0.75)


def near_names(subject: str, reader: CuratedReader) -> list[str]:
    """Names of the index that are spelled much like the last part of `subject`."""
    last = subject.replace("::", ".").rpartition(".")[2]
    files = reader.read_all_files()
    if "::" not in subject and any(file.path.endswith(f".{last}") for file in files):
        return []  # the end of a file's name is no name
    names = {name for _, name in reader.read_names(file.blob_pk for file in files)}
    return difflib.get_close_matches(last, sorted(names), n=NEAR_MAX, cutoff=0.75)


def whole_lines(data: bytes, span: Span) -> Span:
    """The span from the beginning of its first line, where only blanks stand before it."""
    start = data.rfind(b"\n", 0, span.start_byte) + 1
    if data[start : span.start_byte].strip():
        return span
    return replace(span, start_byte=start)


def _matching(subject: str, reader: CuratedReader) -> tuple[list[SymbolRow], bool]:
    """The definitions that bear the whole name, else those that share its last part."""
    path, separator, inside = subject.partition("::")
    file = reader.read_file(path) if separator else None
    if file is not None:
        rows = reader.read_symbols(file.file_pk)
        whole = [row for row in rows if row.symbol.qualified_name == inside]
        last = inside.rpartition(".")[2]
        return (whole, True) if whole else ([r for r in rows if r.symbol.name == last], False)
    dotted = subject.replace("::", ".").strip(".")
    named = reader.read_symbols_named(dotted.rpartition(".")[2], limit=SAME_NAME_MAX)
    if "." not in dotted:
        return named, True
    files = {file.file_pk: file for file in reader.read_files(row.file_pk for row in named)}
    tail = f".{dotted}"
    whole = [r for r in named if _full_name(files[r.file_pk], r).endswith(tail)]
    return (whole, True) if whole else (named, False)


def _full_name(file: FileRow, row: SymbolRow) -> str:
    """The name as an importer writes it: folders and file, then the name inside the file."""
    stem, _, _ = file.path.rpartition(".")
    module = (stem or file.path).removesuffix("/__init__").replace("/", ".")
    return f".{module}.{row.symbol.qualified_name.replace('::', '.')}"


@dataclass(frozen=True, slots=True)
class _Desk:
    """What one question needs; files and their definitions are read once."""

    reader: CuratedReader
    sources: Sources
    limits: Limits
    importers: dict[int, int]
    files: dict[int, FileRow]
    symbols: dict[int, dict[int, SymbolRow]]

    def file(self, file_pk: int) -> FileRow:
        if file_pk not in self.files:
            self.files[file_pk] = self.reader.read_files([file_pk])[0]
        return self.files[file_pk]

    def symbols_of(self, file_pk: int) -> dict[int, SymbolRow]:
        if file_pk not in self.symbols:
            rows = self.reader.read_symbols(file_pk)
            self.symbols[file_pk] = {row.ordinal: row for row in rows}
        return self.symbols[file_pk]

    def order(self, row: SymbolRow) -> tuple[bool, bool, int, bytes, int]:
        """Code before tests, things to call before variables, the most imported file first."""
        file = self.file(row.file_pk)
        plain = row.symbol.kind in _PLAIN_KINDS
        known = self.importers.get(row.file_pk, 0)
        return file.is_test, plain, -known, os.fsencode(file.path), row.ordinal

    def place(self, row: SymbolRow) -> Place:
        symbol = row.symbol
        path = for_prompt(self.file(row.file_pk).path)
        span = symbol.span
        return Place(path, symbol.qualified_name, symbol.kind, span.start_line, span.end_line)

    def end(self, file_pk: int, ordinal: int | None) -> Place:
        """The place of one end of a relation; without a definition around it, the file's own."""
        if ordinal is not None:
            return self.place(self.symbols_of(file_pk)[ordinal])
        file = self.file(file_pk)
        return Place(for_prompt(file.path), "", SymbolKind.MODULE, 1, max(1, file.line_count))

    def outline(self, file: FileRow) -> tuple[Place, ...]:
        """Every definition of a file but the variables inside others."""
        self.files[file.file_pk] = file
        return tuple(self.place(row) for row in self.reader.read_definitions(file.file_pk))

    def define(self, row: SymbolRow) -> Definition:
        file = self.file(row.file_pk)
        span = whole_lines(self.sources.read(file.path, file.blob_id), row.symbol.span)
        withheld = self._withheld(file, span)
        content = b"" if withheld else self.sources.slice(file.path, file.blob_id, span)
        to_here = self._edges(row, incoming=True)
        from_here = self._edges(row, incoming=False)
        return Definition(
            place=self.place(row),
            signature="" if withheld else row.symbol.signature,
            chunk_id=f"{file.blob_id}:{span.start_byte}-{span.end_byte}",
            text=content,
            withheld=withheld,
            members=self._members(row),
            callers=to_here(EdgeKind.CALL),
            callees=from_here(EdgeKind.CALL),
            bases=from_here(EdgeKind.INHERIT),
            subclasses=to_here(EdgeKind.INHERIT),
        )

    def _withheld(self, file: FileRow, span: Span) -> str:
        if reason := why_withheld(os.fsencode(file.path)):
            return f"its name {reason.removesuffix(' at line 1')}"
        looked = unshowable(self.sources.read(file.path, file.blob_id))
        return looked.why(span.start_byte, span.end_byte)

    def _members(self, row: SymbolRow) -> tuple[Place, ...]:
        """What is defined directly inside, variables apart."""
        rows = self.symbols_of(row.file_pk).values()
        inside = (r for r in rows if r.symbol.parent == row.ordinal)
        return tuple(self.place(r) for r in inside if r.symbol.kind not in _PLAIN_KINDS)

    def _edges(self, row: SymbolRow, *, incoming: bool) -> Callable[[EdgeKind], Relations]:
        """A function from a kind of relation to its other ends; the edges are read once."""
        read = self.reader.read_edges_to if incoming else self.reader.read_edges_from
        edges = read([row.file_pk], limit=EDGES_MAX)

        def of_kind(kind: EdgeKind) -> Relations:
            sure: dict[tuple[int, int | None], None] = {}
            guessed: dict[tuple[int, int | None], None] = {}
            for edge in edges:
                here = edge.target_ordinal if incoming else edge.source_ordinal
                there = edge.source_ordinal if incoming else edge.target_ordinal
                other = edge.source_file if incoming else edge.target_file
                if edge.kind is kind and here == row.ordinal:
                    ends = sure if edge.confidence >= LIKELY else guessed
                    ends[(other, there)] = None
            ordered = sorted(sure, key=lambda end: self.file(end[0]).is_test)
            places = tuple(self.end(*end) for end in ordered[: self.limits.places])
            doubtful = len(guessed.keys() - sure.keys())
            return Relations(places, len(sure), doubtful, len(edges) >= EDGES_MAX)

        return of_kind
