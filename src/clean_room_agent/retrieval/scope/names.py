"""Compare the names that a file defines with the words of the title, one name at a time.

Takes: weighted terms, files, the reader. Gives: a measure. Does not know: bodies, paths, or what
a measure weighs.

A file that holds the title's words in many places is not the one that says them in one name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from clean_room_agent.repo.tokens import split_word
from clean_room_agent.retrieval.scope.measure import Measure, noted
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.store.curated_reader import CuratedReader


def measure_names(
    terms: Mapping[str, float], keys: Iterable[int], reader: CuratedReader, pool: FilePool
) -> Measure:
    """For the best name of each file: sqrt(share of the name in the title, times share of the
    title in the name). Parts count by their rarity among the names compared."""
    names = reader.read_names({pool.files[key].blob_pk for key in keys})
    parts = {name: frozenset(split_word(name)) for _, name in names}
    agreement = agree(terms, parts)
    values: dict[int, float] = {}
    best: dict[int, str] = {}
    for blob_pk, name in names:
        if agreement.get(name, 0.0) > values.get(blob_pk, 0.0):
            values[blob_pk], best[blob_pk] = agreement[name], name
    notes = {key: best.get(file.blob_pk, "") for key, file in pool.files.items()}
    return noted("names.title", pool.spread(values), notes, 1.0)


def agree(terms: Mapping[str, float], parts: Mapping[str, frozenset[str]]) -> dict[str, float]:
    """How far each name and the terms say the same, in [0, 1]; names without a term are absent."""
    counts = Counter(part for own in parts.values() for part in own)
    rare = {part: math.log1p(len(parts) / count) for part, count in counts.items()}
    said = {term: weight * rare[term] for term, weight in terms.items() if term in rare}
    whole = math.fsum(said.values())
    found: dict[str, float] = {}
    for name, own in parts.items():
        held = sorted(own & said.keys())
        if held:
            of_name = math.fsum(rare[part] for part in held) / math.fsum(rare[p] for p in own)
            of_title = math.fsum(said[part] for part in held) / whole
            found[name] = math.sqrt(of_name * of_title)
    return found
