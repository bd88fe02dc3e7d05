"""What the words of the task say about each file: BM25 over names, prose, identifiers and paths.

Takes: the mentions of a task, the reader. Gives: measures, and commits alike by their messages.
Does not know: weights of signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.retrieval.analysis import Mentions
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.scope.measure import Measure
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.retrieval.terms import Scores, TermHits, search_terms, weigh_terms
from clean_room_agent.retrieval.weights import (
    BLOB_POSTINGS,
    FIELD_COLUMNS,
    NAME_COLUMNS,
    PATH_FIELD,
    PATH_LEAST,
    SUGGESTED_FILES,
    SUGGESTED_POSTINGS,
    TEXT_FILES,
    WHOLE_COLUMNS,
)
from clean_room_agent.retrieval.words import without_english
from clean_room_agent.store.curated_reader import CuratedReader, TextTable

_WHOLE, _FIELDS, _NAMES = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Queries:
    """The task as weighted terms: cleaned, title only, and the mix of both and its errors.

    `items` and `items_title` are mix and title without plain English, which in the text of one
    function tells nothing. `vague`: the task has no other words, and they are used after all.
    """

    clean: dict[str, float]
    title: dict[str, float]
    mix: dict[str, float]
    items: dict[str, float]
    items_title: dict[str, float]
    vague: bool


def make_queries(mentions: Mentions) -> Queries:
    """Weigh the terms of a task three ways."""
    errors = "\n".join(mentions.error_lines)
    title = weigh_terms(mentions.title)
    mix = weigh_terms(mentions.query, (mentions.title, 1.0), (errors, 0.5))
    written = {name.lower() for name in mentions.identifiers}
    items = without_english(mix, written)
    return Queries(
        clean=weigh_terms(mentions.query),
        title=title,
        mix=mix,
        items=items or mix,
        items_title=without_english(title, written) if items else title,
        vague=not items,
    )


@dataclass(frozen=True, slots=True)
class TextHits:
    """The rows of content and of paths that hold the task's terms."""

    blobs: TermHits
    paths: TermHits


def search_text(queries: Queries, reader: CuratedReader) -> TextHits:
    """Look the task's terms up in contents and paths."""
    columns = (WHOLE_COLUMNS, FIELD_COLUMNS, NAME_COLUMNS)
    terms = [*queries.mix, *queries.clean, *queries.title]
    return TextHits(
        blobs=search_terms(reader, TextTable.BLOBS, terms, columns, BLOB_POSTINGS),
        paths=search_terms(reader, TextTable.PATHS, terms, ((1.0,),), BLOB_POSTINGS),
    )


@dataclass(frozen=True, slots=True)
class _Query:
    """One measure to be: its terms, their scores by content, and by path where paths count."""

    name: str
    weights: dict[str, float]
    column: int
    by_blob: Scores
    by_path: Scores


class TextEvidence:
    """The task's words scored once; measures are drawn from it for whatever files are pooled."""

    def __init__(self, queries: Queries, hits: TextHits) -> None:
        self._hits = hits
        self._queries = [
            self._score("text.whole", queries.clean, _WHOLE, paths=False),
            self._score("text.names", queries.clean, _NAMES, paths=False),
            self._score("text.fields", queries.mix, _FIELDS, paths=True),
            self._score("text.title", queries.title, _FIELDS, paths=True),
            self._score("text.specific", queries.items, _WHOLE, paths=False),
        ]
        self._path_weights = queries.mix
        self._path_scores = hits.paths.score(queries.mix)

    def _score(self, name: str, weights: dict[str, float], column: int, *, paths: bool) -> _Query:
        by_path = self._hits.paths.score(weights) if paths else {}
        return _Query(name, weights, column, self._hits.blobs.score(weights, column), by_path)

    def fill(self, pool: FilePool) -> None:
        """Load the files that words speak for: the best by content and the best by path."""
        cap = Cap(TEXT_FILES, "by BM25", "bounded reading")
        for query in self._queries:
            if query.name == "text.fields":
                pool.add_blobs(cap.best(query.by_blob))
                pool.add_keys(cap.best(query.by_path))

    def measure(self, pool: FilePool) -> list[Measure]:
        """Six measures of the files in the pool: whole, names, fields, title, specific, path."""
        return [*(self._measure(query, pool) for query in self._queries), self._paths(pool)]

    def _paths(self, pool: FilePool) -> Measure:
        values = {
            key: score
            for key, score in self._path_scores.items()
            if score > PATH_LEAST and key in pool.files
        }
        return Measure(
            "path.words", values, lambda key: self._hits.paths.explain(key, self._path_weights)
        )

    def _measure(self, query: _Query, pool: FilePool) -> Measure:
        values = pool.spread(query.by_blob)
        for key, score in query.by_path.items():
            if key in pool.files:
                values[key] = values.get(key, 0.0) + PATH_FIELD * score

        def explain(key: int) -> str:
            blob_pk = pool.files[key].blob_pk
            words = self._hits.blobs.explain(blob_pk, query.weights, query.column)
            path = self._hits.paths.explain(key, query.weights) if query.by_path else ""
            return ", ".join(part for part in (words, path and f"path {path}") if part)

        return Measure(query.name, values, explain)


class SuggestedWords:
    """Words that a model would look for, apart from the task's: none of those is displaced."""

    def __init__(self, weights: Mapping[str, float], reader: CuratedReader) -> None:
        self._weights = weights
        self._hits = search_terms(
            reader, TextTable.BLOBS, weights, (FIELD_COLUMNS,), SUGGESTED_POSTINGS
        )
        self._scores = self._hits.score(weights)

    def fill(self, pool: FilePool) -> None:
        """Load the files that the words speak for."""
        cap = Cap(SUGGESTED_FILES, "by BM25", "bounded reading")
        pool.add_blobs(cap.best(self._scores))

    def measure(self, pool: FilePool) -> list[Measure]:
        """One measure of the files in the pool; none where no word was suggested."""
        if not self._weights:
            return []

        def explain(key: int) -> str:
            return self._hits.explain(pool.files[key].blob_pk, self._weights)

        return [Measure("text.suggested", pool.spread(self._scores), explain)]
