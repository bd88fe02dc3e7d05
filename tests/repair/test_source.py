"""Only the bytes of the edited node change: encodings, line ends, marks and layout stay."""

from __future__ import annotations

import pytest

from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.repair import propose
from clean_room_agent.repair.source import ParsedSource, compiles, merge_edits
from tests.repair.planted import patched

_PLAIN = """# -*- coding: {encoding} -*-
def area(w, h):  # Fläche
\tname = 'ä'  # keep  this   spacing
\tif (w < 0
\t\t\tor h < 0):
\t\treturn [name,
\t\t        0]
\treturn [name, w  +  h]
"""


def _variants() -> dict[str, bytes]:
    return {
        "utf8": _PLAIN.format(encoding="utf-8").encode(),
        "bom": b"\xef\xbb\xbf" + _PLAIN.format(encoding="utf-8").encode(),
        "crlf": _PLAIN.format(encoding="utf-8").replace("\n", "\r\n").encode(),
        "latin1": _PLAIN.format(encoding="latin-1").encode("latin-1"),
        "shift": _PLAIN.format(encoding="cp1252").encode("cp1252"),
        "no_last_break": _PLAIN.format(encoding="utf-8").rstrip("\n").encode(),
    }


@pytest.mark.parametrize("name", _variants())
def test_the_fix_changes_the_operator_and_nothing_else(name: str) -> None:
    data = _variants()[name]
    spectrum = Spectrum(("t",), (), {"a.py": {8: frozenset({"t"})}})
    results = {patched(data, c) for c in propose({"a.py": data}, spectrum)}
    assert data.replace(b"w  +  h", b"w  -  h") in results
    assert data.replace(b"w  +  h", b"w * h") in results


@pytest.mark.parametrize("name", _variants())
def test_every_edit_of_an_odd_file_compiles_and_keeps_line_ends(name: str) -> None:
    data = _variants()[name]
    lines = {n: frozenset({"t"}) for n in range(1, 9)}
    for candidate in propose({"a.py": data}, Spectrum(("t",), (), {"a.py": lines})):
        after = patched(data, candidate)
        assert compiles(after), candidate.summary
        if name == "crlf":
            assert after.count(b"\n") == after.count(b"\r\n")


def test_an_insertion_beside_another_edit_becomes_part_of_it() -> None:
    assert merge_edits(((5, 9, ""), (5, 5, "new"))) == ((5, 9, "new"),)


def test_a_file_that_does_not_parse_yields_nothing() -> None:
    spectrum = Spectrum(("t",), (), {"a.py": {1: frozenset({"t"})}})
    assert list(propose({"a.py": b"def ("}, spectrum)) == []


def test_nodes_inside_fstrings_are_only_trusted_when_their_text_is_theirs() -> None:
    source = ParsedSource("a.py", b"x = f'{a}' f'''\n{ b + 1 }'''\n")
    names = [n for n in source.order if getattr(n, "id", "") in ("a", "b")]
    for name in names:
        assert not source.is_exact(name) or source.text(name) == name.id  # type: ignore[attr-defined]
