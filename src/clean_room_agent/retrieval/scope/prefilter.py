"""Propose the files of a task: every signal measured, weighed and written down.

Takes: a `Resolution`, the reader, optional suspiciousness. Gives: `Proposed` candidates in order.
Does not know: which will be shown; no model is asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.records.context import Candidate, Signal, SubjectKind
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.judge import candidate_order
from clean_room_agent.retrieval.resolve import MarkKind, Resolution
from clean_room_agent.retrieval.roles import explain_role, role_of
from clean_room_agent.retrieval.scope.embed import Meaning, Nearness
from clean_room_agent.retrieval.scope.graph import measure_graph
from clean_room_agent.retrieval.scope.history import (
    measure_cochange,
    measure_directory,
    measure_past_fixes,
    measure_quiet,
    measure_recency,
    measure_test_bridge,
)
from clean_room_agent.retrieval.scope.measure import Measure
from clean_room_agent.retrieval.scope.names import measure_names
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.retrieval.scope.signals import (
    Suspicious,
    measure_mentions,
    measure_spectrum,
    measure_tests,
)
from clean_room_agent.retrieval.scope.text import (
    SuggestedWords,
    TextEvidence,
    make_queries,
    search_text,
)
from clean_room_agent.retrieval.weights import (
    LITTLE,
    NAMED_FILES,
    ROLE_FACTORS,
    SCOPE_RECORDED,
    SCOPE_WEIGHTS,
    SEEDS,
)
from clean_room_agent.store.curated_reader import CuratedReader, FileRow

_MENTIONS = (
    MarkKind.PATH,
    MarkKind.MODULE,
    MarkKind.STEM,
    MarkKind.SYMBOL,
    MarkKind.TRACEBACK,
    MarkKind.SUGGESTED,
)


@dataclass(frozen=True, slots=True)
class Proposed:
    """File candidates in order, their rows by path, and what a cap left unrecorded."""

    candidates: tuple[Candidate, ...]
    files: Mapping[str, FileRow]
    warnings: tuple[str, ...]


def propose_files(
    resolution: Resolution,
    reader: CuratedReader,
    suspicious: Suspicious,
    meaning: Meaning | None = None,
) -> Proposed:
    """Measure every signal; a file with none is never a candidate.

    `meaning` is there where embeddings are on: one signal more.
    """
    pool = FilePool(reader)
    near = Nearness(resolution.mentions.query, meaning, reader)
    near.fill(pool)
    measures = _measure_all(resolution, reader, pool, suspicious) + near.measure(pool)
    sources = frozenset(key for key, file in pool.files.items() if not role_of(file))
    always = (measure_recency(reader, pool), measure_quiet(reader, pool))
    scales = {measure.name: measure.scale(sources) for measure in (*measures, *always)}
    scores = _scores(measures, scales)
    for key, value in _scores(always, scales).items():
        if key in scores:
            scores[key] += value
    for key in scores:
        role = role_of(pool.files[key])
        scores[key] *= ROLE_FACTORS[role] if role else 1.0
    cap = Cap(SCOPE_RECORDED, "by score", "bounded log")
    kept = cap.first(scores, lambda key: (-round(scores[key], 9), pool.files[key].path))
    candidates = [
        _candidate(pool.files[key], _signals(key, (*measures, *always), scales)) for key in kept
    ]
    said = cap.describe(len(scores), "file candidates not recorded")
    return Proposed(
        candidates=tuple(sorted(candidates, key=candidate_order)),
        files={pool.files[key].path: pool.files[key] for key in kept},
        warnings=((said,) if said else ()) + near.warnings,
    )


def _scores(measures: Sequence[Measure], scales: Mapping[str, float]) -> dict[int, float]:
    """What these signals add up to, for each file with one of them."""
    scores: dict[int, float] = {}
    for measure in measures:
        weight, scale = SCOPE_WEIGHTS[measure.name], scales[measure.name]
        for key, value in measure.values.items():
            share = round(min(1.0, value / scale), 6)
            if share > 0.0:
                scores[key] = scores.get(key, 0.0) + weight * share
    return scores


def _signals(key: int, measures: Sequence[Measure], scales: Mapping[str, float]) -> list[Signal]:
    found = [
        measure.signal(key, scales[measure.name], SCOPE_WEIGHTS[measure.name])
        for measure in measures
        if key in measure.values
    ]
    return [signal for signal in found if signal.value > 0.0]


def _measure_all(
    resolution: Resolution, reader: CuratedReader, pool: FilePool, suspicious: Suspicious
) -> list[Measure]:
    """Every signal but recency; text is measured again once no more files join the pool."""
    queries = make_queries(resolution.mentions)
    words = TextEvidence(queries, search_text(queries, reader))
    words.fill(pool)
    suggested = SuggestedWords(resolution.search, reader)
    suggested.fill(pool)
    marks = resolution.marks
    pool.add(mark.file for mark in marks)
    measures = [measure_mentions(kind, marks) for kind in _MENTIONS]
    measures += [measure_tests(marks, reader), measure_spectrum(suspicious, reader)]
    measures += measure_past_fixes(queries, reader, pool)
    pool.add_keys(key for measure in measures for key in measure.values)
    text = words.measure(pool)
    fields = next(measure for measure in text if measure.name == "text.fields")
    measures.append(measure_test_bridge(fields, reader, pool))
    seeds = _seeds([*text, *measures], pool)
    measures.append(measure_graph(seeds, reader, pool))
    measures.append(measure_cochange(seeds, reader, pool))
    text = words.measure(pool)
    fields = next(measure for measure in text if measure.name == "text.fields")
    least = LITTLE * max(fields.values.values(), default=0.0)
    own = {
        key: value
        for key, value in fields.values.items()
        if value > least and not role_of(pool.files[key])
    }
    measures.append(measure_directory(own, pool))
    compared = Cap(NAMED_FILES, "by BM25", "bounded reading").best(own)
    measures.append(measure_names(queries.items_title, compared, reader, pool))
    return [*text, *suggested.measure(pool), *measures]


def _seeds(measures: Sequence[Measure], pool: FilePool) -> dict[int, float]:
    """The best source files so far, with their scores."""
    sources = frozenset(key for key, file in pool.files.items() if not role_of(file))
    totals = _scores(measures, {measure.name: measure.scale(sources) for measure in measures})
    totals = {key: total for key, total in totals.items() if key in sources}
    return Cap(SEEDS, "by score", "the start of walks").best(totals)


def role_loss(file: FileRow, signals: Sequence[Signal]) -> list[Signal]:
    """What a file that is seldom fixed loses of the score of `signals`: one negative signal."""
    role, rule = explain_role(file)
    if not role:
        return []
    score = round(sum(signal.contribution for signal in signals), 9)
    return [Signal(f"role.{role}", score, ROLE_FACTORS[role] - 1.0, f"seldom fixed; {rule}")]


def _candidate(file: FileRow, signals: Sequence[Signal]) -> Candidate:
    """A file candidate. Its tokens are 0: a file is paid for when its parts are chosen."""
    all_signals = (*signals, *role_loss(file, signals))
    return Candidate(
        SubjectKind.FILE, file.path, "", None, file.blob_id, tokens=0, signals=all_signals
    )
