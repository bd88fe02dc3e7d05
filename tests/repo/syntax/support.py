"""Shared by the tests of languages: one case is a small source and all that is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from clean_room_agent.records.code import BlobId, ParsedBlob, ParseStatus
from clean_room_agent.repo.syntax import parse_blob


@dataclass(frozen=True, slots=True)
class Case:
    language: str
    source: str
    symbols: list[str]  # kind qualified_name first-last line: signature [docstring]
    references: set[str]  # kind receiver.name @ enclosing
    imports: list[tuple[str, str, str, int]]


def parse(language: str | None, source: str | bytes) -> ParsedBlob:
    data = source if isinstance(source, bytes) else dedent(source).lstrip("\n").encode()
    return parse_blob(BlobId("0" * 40), data, language)


def check(case: Case) -> None:
    """Compare everything that is read with what the case says, to the letter."""
    blob = parse(case.language, case.source)
    data = dedent(case.source).lstrip("\n").encode()
    names = [symbol.qualified_name for symbol in blob.symbols]
    assert (blob.status, blob.reason) == (ParseStatus.PARSED, "")
    shown = []
    for s in blob.symbols:
        doc = s.docstring
        note = f" [{data[doc.start_byte : doc.end_byte].decode()}]" if doc else ""
        place = f"{s.span.start_line}-{s.span.end_line}"
        shown.append(f"{s.kind} {s.qualified_name} {place}: {s.signature}{note}")
    assert shown == case.symbols
    assert {
        f"{r.kind} {r.receiver}.{r.name} @{'' if r.enclosing is None else names[r.enclosing]}"
        for r in blob.references
    } == case.references
    assert [(i.module, i.name, i.alias, i.level) for i in blob.imports] == case.imports
