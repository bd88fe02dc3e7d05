"""What past commits say about each file: similar fixes, tests as a bridge, co-change, recency.

Takes: weighted terms, file keys, the reader. Gives: measures. Does not know: the code itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope.measure import Measure, noted
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.retrieval.scope.text import Queries
from clean_room_agent.retrieval.terms import Scores, search_terms
from clean_room_agent.retrieval.weights import (
    BRIDGE_FILES,
    BRIDGE_TESTS,
    COMMIT_COLUMNS,
    COMMIT_POSTINGS,
    PAST_COMMIT_FILES,
    PAST_COMMITS,
)
from clean_room_agent.store.curated_reader import CuratedReader, TextTable

_YEAR_SECONDS = 365.25 * 86_400


@dataclass(frozen=True, slots=True)
class _Vote:
    """One past commit's share for each source file that it touched."""

    share: float  # score / best
    subject: str
    files: tuple[int, ...]


def measure_past_fixes(
    queries: Queries, reader: CuratedReader, pool: FilePool
) -> tuple[Measure, Measure]:
    """Files of the commits whose messages are most like the task.

    First by the title: each of the best commits gives (score / best)^2 / sqrt(files). Then by the
    whole text: the largest single score / best / sqrt(files). Wide commits do not vote.
    """
    terms = [*queries.title, *queries.clean]
    hits = search_terms(reader, TextTable.COMMITS, terms, (COMMIT_COLUMNS,), COMMIT_POSTINGS)
    by_title = _votes(hits.score(queries.title), reader, pool)
    by_text = _votes(hits.score(queries.clean), reader, pool)
    sums: dict[int, float] = {}
    best: dict[int, float] = {}
    sum_notes: dict[int, tuple[float, str]] = {}
    best_notes: dict[int, str] = {}
    for vote in by_title:
        gift = vote.share**2 / math.sqrt(len(vote.files))
        for key in vote.files:
            sums[key] = sums.get(key, 0.0) + gift
            sum_notes[key] = max(sum_notes.get(key, (0.0, "")), (gift, vote.subject))
    for vote in by_text:
        gift = vote.share / math.sqrt(len(vote.files))
        for key in vote.files:
            if gift > best.get(key, 0.0):
                best[key], best_notes[key] = gift, f"like {vote.subject!r}"
    notes = {key: f"like {subject!r}" for key, (_, subject) in sum_notes.items()}
    return noted("history.title", sums, notes), noted("history.best", best, best_notes)


def _votes(scores: Scores, reader: CuratedReader, pool: FilePool) -> list[_Vote]:
    """The most similar commits that touched few source files, best first."""
    ranked = Cap(2 * PAST_COMMITS, "by BM25", "bounded reading").best(scores)
    commits = {row.commit_pk: row for row in reader.read_commits(ranked) if not row.is_merge}
    touched: dict[int, list[int]] = {key: [] for key in commits}
    for row in reader.read_commit_files(commits):
        if row.file_pk is not None:
            touched[row.commit_pk].append(row.file_pk)
    pool.add_keys(
        key for keys in touched.values() if len(keys) <= 2 * PAST_COMMIT_FILES for key in keys
    )
    votes: list[_Vote] = []
    best = max((ranked[key] for key in commits), default=0.0)
    for key in ranked:
        if key not in commits or len(votes) == PAST_COMMITS:
            continue
        if len(touched[key]) > 2 * PAST_COMMIT_FILES:
            continue
        sources = tuple(pk for pk in touched[key] if not role_of(pool.files[pk]))
        if 0 < len(sources) <= PAST_COMMIT_FILES:
            votes.append(_Vote(ranked[key] / best, commits[key].subject, sources))
    return votes


def measure_test_bridge(fields: Measure, reader: CuratedReader, pool: FilePool) -> Measure:
    """Source files that change together with the tests whose words are most like the task.

    A test gives (score / best)^3 times the share of its own commits that also changed the file.
    """
    tests = {key: value for key, value in fields.values.items() if pool.files[key].is_test}
    ranked = Cap(BRIDGE_TESTS, "by BM25", "similar tests").best(tests)
    best = max(ranked.values(), default=0.0)
    commits = {row.file_pk: row.commits for row in reader.read_churn(ranked)}
    together = reader.read_cochange([key for key in ranked if key in commits], limit=BRIDGE_FILES)
    pool.add_keys(row.other_pk for row in together)
    values: dict[int, float] = {}
    notes: dict[int, tuple[float, str]] = {}
    for row in together:
        if role_of(pool.files[row.other_pk]):
            continue
        share = min(1.0, row.commits / max(1, commits[row.file_pk]))
        gift = (ranked[row.file_pk] / best) ** 3 * share
        values[row.other_pk] = values.get(row.other_pk, 0.0) + gift
        note = f"{row.commits} commits with {pool.files[row.file_pk].path}"
        notes[row.other_pk] = max(notes.get(row.other_pk, (0.0, "")), (gift, note))
    return noted("tests.cochange", values, {key: note for key, (_, note) in notes.items()})


def measure_cochange(seeds: Mapping[int, float], reader: CuratedReader, pool: FilePool) -> Measure:
    """Files that changed together with the best files so far, by share of the seed's commits."""
    commits = {row.file_pk: row.commits for row in reader.read_churn(seeds)}
    together = reader.read_cochange([key for key in seeds if key in commits], limit=BRIDGE_FILES)
    pool.add_keys(row.other_pk for row in together)
    values: dict[int, float] = {}
    notes: dict[int, str] = {}
    for row in together:
        gift = seeds[row.file_pk] * min(1.0, row.commits / max(1, commits[row.file_pk]))
        if gift > values.get(row.other_pk, 0.0):
            values[row.other_pk] = gift
            notes[row.other_pk] = f"{row.commits} commits with {pool.files[row.file_pk].path}"
    return noted("history.cochange", values, notes)


def measure_directory(scores: Mapping[int, float], pool: FilePool) -> Measure:
    """The best of the other files in the same directory: a fix is seldom far from its words."""
    rooms: dict[str, list[tuple[float, int]]] = {}
    for key, value in scores.items():
        rooms.setdefault(pool.files[key].path.rpartition("/")[0], []).append((value, key))
    values: dict[int, float] = {}
    notes: dict[int, str] = {}
    for own in rooms.values():
        first, *others = sorted(own, key=lambda pair: (-pair[0], pool.files[pair[1]].path))
        for _, key in own:
            near = first if key != first[1] else next(iter(others), (0.0, first[1]))
            values[key] = near[0]
            notes[key] = f"beside {pool.files[near[1]].path}"
    return noted("near.directory", values, notes)


def measure_quiet(reader: CuratedReader, pool: FilePool) -> Measure:
    """How seldom a file is changed for whatever reason, beside the source file changed most.

    What is changed often is large and holds every word; the same words mean more elsewhere.
    """
    commits = {row.file_pk: row.commits for row in reader.read_churn(pool.files)}
    most = max((n for key, n in commits.items() if not role_of(pool.files[key])), default=0)
    values = dict.fromkeys(pool.files, 1.0)
    if most:
        for key, count in commits.items():
            values[key] = 1.0 - math.log1p(count) / math.log1p(most)
    notes = {key: f"{commits.get(key, 0)} commits" for key in pool.files}
    return noted("history.quiet", values, notes, 1.0)


def measure_recency(reader: CuratedReader, pool: FilePool) -> Measure:
    """Commits of a file, halved for each year that it lay still before the newest change."""
    rows = reader.read_churn(pool.files)
    newest = max((row.last_time for row in rows), default=0)
    values = {
        row.file_pk: math.log1p(row.commits)
        * 0.5 ** (max(0, newest - row.last_time) / _YEAR_SECONDS)
        for row in rows
    }
    notes = {row.file_pk: f"{row.commits} commits, {row.fixes} fixes" for row in rows}
    return noted("history.recent", values, notes)
