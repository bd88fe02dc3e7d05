"""What the task itself points at: mentions by kind, tests, and where failing tests went.

Takes: marks, edges, suspiciousness by line. Gives: one measure for each kind. Does not know:
words, history, or what a signal weighs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from clean_room_agent.records.code import EdgeKind
from clean_room_agent.retrieval.resolve import Mark, MarkKind
from clean_room_agent.retrieval.scope.measure import Measure, noted
from clean_room_agent.retrieval.weights import SEED_EDGES
from clean_room_agent.store.curated_reader import CuratedReader

Suspicious = Mapping[str, Mapping[int, float]]


def measure_mentions(kind: MarkKind, marks: Iterable[Mark]) -> Measure:
    """Mentions of one kind: each gives 1 / sqrt(files it marks); a file keeps its best, plus a
    tenth of the others, so that many vague mentions do not outdo one precise one.

    1 counts as 1, whatever the other files have: a name that sixty files share is a weak sign
    even where it is the only one.
    """
    given: dict[int, dict[str, float]] = {}
    for mark in marks:
        if mark.kind is kind:
            files = given.setdefault(mark.file.file_pk, {})
            files[mark.text] = 1.0 / math.sqrt(mark.spread)
    values = {
        key: max(texts.values()) + 0.1 * (sum(texts.values()) - max(texts.values()))
        for key, texts in given.items()
    }
    notes = {key: _list(texts) for key, texts in given.items()}
    return noted(f"mention.{kind}", values, notes, 1.0)


def measure_tests(marks: Iterable[Mark], reader: CuratedReader) -> Measure:
    """Named tests: the files that they test by a resolved edge, and at half value themselves."""
    values: dict[int, float] = {}
    notes: dict[int, str] = {}
    named = {m.file.file_pk: m.text for m in marks if m.kind is MarkKind.TEST}
    for edge in reader.read_edges_from(named, limit=SEED_EDGES):
        if edge.kind is not EdgeKind.TEST:
            continue
        if edge.confidence > values.get(edge.target_file, 0.0):
            values[edge.target_file] = edge.confidence
            notes[edge.target_file] = f"tested by {named[edge.source_file]}"
    for key, text in named.items():
        values[key] = max(values.get(key, 0.0), 0.5)
        notes.setdefault(key, f"holds {text}")
    return noted("mention.test", values, notes)


def measure_spectrum(suspicious: Suspicious, reader: CuratedReader) -> Measure:
    """The most suspicious line of each file; paths that the index lacks are left to the caller."""
    values: dict[int, float] = {}
    notes: dict[int, str] = {}
    for path in sorted(suspicious):
        file = reader.read_file(path)
        lines = suspicious[path]
        if file is None or not lines:
            continue
        line, score = min(lines.items(), key=lambda item: (-item[1], item[0]))
        values[file.file_pk] = score
        notes[file.file_pk] = f"line {line}: {score:.2f}"
    return noted("spectrum", values, notes)


def _list(texts: Mapping[str, float]) -> str:
    return ", ".join(sorted(texts, key=lambda text: (-texts[text], text)))
