"""Turn a text into weighted terms and terms into scores, within a stated amount of reading.

Takes: texts and the reader's full-text tables. Gives: scores by key, and the terms behind them.
Does not know: what is ranked or why.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.repo.tokens import search_tokens
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.weights import COMMON_SHARE, QUERY_TERMS
from clean_room_agent.store.curated_reader import CuratedReader, TextTable

Weights = Mapping[str, float]
Scores = dict[int, float]
_NOTED = Cap(3, "by score", "evidence in one line")


def weigh_terms(text: str, *more: tuple[str, float]) -> dict[str, float]:
    """Weight 1 + ln(count) for each term; `more` texts add their counts with a factor."""
    counts: dict[str, float] = {}
    for part, factor in ((text, 1.0), *more):
        for term in search_tokens(part):
            counts[term] = counts.get(term, 0.0) + factor
    weighted = {term: 1.0 + math.log(max(count, 1.0)) for term, count in counts.items()}
    return Cap(QUERY_TERMS, "by weight", "bounded look-ups").best(weighted)


@dataclass(frozen=True, slots=True)
class TermHits:
    """The rows that hold each used term, with one score per weighting, and the terms not used."""

    hits: Mapping[str, Mapping[int, tuple[float, ...]]]
    too_common: tuple[str, ...]

    def score(self, weights: Weights, weighting: int = 0) -> Scores:
        """Sum of the terms' BM25 for each row."""
        scores: Scores = {}
        for term, rows in self.hits.items():
            weight = weights.get(term, 0.0)
            if weight == 0.0:
                continue
            for key, values in rows.items():
                scores[key] = scores.get(key, 0.0) + weight * values[weighting]
        return {key: score for key, score in scores.items() if score > 0.0}

    def explain(self, key: int, weights: Weights, weighting: int = 0) -> str:
        """The three terms that did most for one row."""
        parts = [
            (weights[term] * rows[key][weighting], term)
            for term, rows in self.hits.items()
            if key in rows and term in weights and rows[key][weighting] > 0.0
        ]
        best = _NOTED.first(parts, lambda part: (-part[0], part[1]))
        return " ".join(f"{term}:{value:.1f}" for value, term in best)


def search_terms(
    reader: CuratedReader,
    table: TextTable,
    terms: Iterable[str],
    weightings: Sequence[Sequence[float]],
    postings: int,
) -> TermHits:
    """Look terms up, rarest first, until `postings` rows are read; the rest is too common.

    A term in a large share of the rows is used only where no rarer one is found.
    """
    common = max(8, int(reader.count_rows(table) * COMMON_SHARE))
    counted = [
        (reader.count_hits(table, term, at_most=common + 1), term) for term in sorted(set(terms))
    ]
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    too_common: list[str] = []
    left = postings
    for count, term in sorted(counted):
        if count == 0:
            continue
        if count > common and not found:
            count = reader.count_hits(table, term, at_most=left + 1)
        elif count > common:
            count = left + 1
        if count > left:
            too_common.append(term)
            continue
        left -= count
        rows = reader.search_term(table, term, weightings)
        found[term] = {hit.key: hit.scores for hit in rows}
    return TermHits(found, tuple(too_common))
