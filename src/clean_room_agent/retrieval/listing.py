"""Describe a candidate in one line of JSON, from its parse: what a judge is asked about.

Takes: candidates, the index, sources. Gives: one line of bytes for each.
Does not know: prompts, who judges, or what a verdict does.

Everything in a line is data: names, a signature and a short docstring as parsed, the signals with
their evidence. `json_line` lets nothing in it end the line. A docstring is listed whole or not at
all; lists are cut by a stated `Cap` and say how many they leave out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from clean_room_agent.prompts.framing import json_line
from clean_room_agent.records.code import Span, SymbolKind
from clean_room_agent.records.context import Candidate, Signal
from clean_room_agent.redaction import for_prompt, why_withheld
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.precision.units import BETWEEN, HEADER
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.retrieval.words import bounded
from clean_room_agent.store.curated_reader import CuratedReader, FileRow, SymbolRow

Describe = Callable[[Candidate], str]
DOC_BYTES = 400  # a longer docstring is left out of a listing whole
SIGNATURE_CHARACTERS = 400
EVIDENCE_CHARACTERS = 100
DESCRIPTION_CHARACTERS = 500
DEFINES = Cap(24, "by place in the file", "one line for each file")
SIGNALS = Cap(5, "by contribution", "one line for each candidate")
_LISTED = frozenset(SymbolKind) - {SymbolKind.VARIABLE, SymbolKind.MODULE}


def listed(fields: Mapping[str, object]) -> bytes:
    """Spell a listing as one line; a reason may name a file whose name no model may see."""
    return json_line({name: _clean(value) for name, value in fields.items()})


def _clean(value: object) -> object:
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return for_prompt(value) if isinstance(value, str) else value


def no_description(_candidate: Candidate) -> str:
    """There is no promoted description of anything."""
    return ""


class Listings:
    """Lists candidates of one retrieval. `describe` gives a promoted description, or ""."""

    def __init__(
        self, reader: CuratedReader, sources: Sources, describe: Describe = no_description
    ) -> None:
        self._reader = reader
        self._sources = sources
        self._describe = describe
        self._definitions: dict[int, list[SymbolRow]] = {}

    def line(self, candidate: Candidate) -> bytes:
        """Return the listing of one candidate."""
        file = self._reader.read_file(candidate.path)
        fields: dict[str, object] = {"path": candidate.path}
        if file is not None:
            told = self._symbol(candidate, file) if candidate.symbol else self._file(file)
            fields |= told
        described = bounded(self._describe(candidate), DESCRIPTION_CHARACTERS)
        if described:
            fields["about"] = described
        fields["found_by"] = _told(candidate.signals)
        return listed(fields)

    def _file(self, file: FileRow) -> dict[str, object]:
        rows = self._rows(file)
        names = [row.symbol.qualified_name for row in rows if row.symbol.kind in _LISTED]
        fields: dict[str, object] = {"kind": "test file" if file.is_test else "file"}
        fields["lines"] = file.line_count
        if names:
            fields["defines"] = [bounded(name, EVIDENCE_CHARACTERS) for name in _first(names)]
        if len(names) > DEFINES.limit:
            fields["more_defined"] = len(names) - DEFINES.limit
        modules = [row for row in rows if row.symbol.kind is SymbolKind.MODULE]
        return fields | (self._doc(file, modules[0].symbol.docstring) if modules else {})

    def _symbol(self, candidate: Candidate, file: FileRow) -> dict[str, object]:
        fields: dict[str, object] = {"symbol": candidate.symbol, "tokens": candidate.tokens}
        if candidate.symbol == BETWEEN:
            return fields | {"kind": "statements and comments outside definitions"}
        if candidate.symbol == HEADER:
            return fields | {"kind": "imports and what stands before the first definition"}
        row = self._row_of(candidate, file)
        if row is None:
            return fields
        fields["kind"] = str(row.symbol.kind)
        fields["signature"] = bounded(row.symbol.signature, SIGNATURE_CHARACTERS)
        return fields | self._doc(file, row.symbol.docstring)

    def _row_of(self, candidate: Candidate, file: FileRow) -> SymbolRow | None:
        """The definition that a candidate begins with: its name, nearest to its start."""
        span = candidate.span
        named = [r for r in self._rows(file) if r.symbol.qualified_name == candidate.symbol]
        if span is None or not named:
            return None
        return min(named, key=lambda row: abs(row.symbol.span.start_byte - span.start_byte))

    def _rows(self, file: FileRow) -> list[SymbolRow]:
        if file.file_pk not in self._definitions:
            self._definitions[file.file_pk] = self._reader.read_definitions(file.file_pk)
        return self._definitions[file.file_pk]

    def _doc(self, file: FileRow, span: Span | None) -> dict[str, object]:
        if span is None:
            return {}
        size = span.end_byte - span.start_byte
        if size > DOC_BYTES:
            return {"doc_not_listed_bytes": size}
        data = self._sources.slice(file.path, file.blob_id, span)
        if reason := why_withheld(data):
            return {"doc_withheld": reason}
        return {"doc": data.decode("utf-8", "surrogateescape")}


def _first(names: Iterable[str]) -> list[str]:
    places = DEFINES.first(enumerate(names), lambda placed: (float(placed[0]),))
    return [name for _, name in places]


def _told(signals: Sequence[Signal]) -> list[str]:
    best = SIGNALS.first(signals, lambda s: (-abs(s.contribution), s.name))
    return [
        f"{signal.name} {signal.contribution:+.2f} {bounded(signal.evidence, EVIDENCE_CHARACTERS)}"
        for signal in best
    ]
