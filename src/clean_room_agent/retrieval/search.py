"""Answer a free query with ranked chunks: the pipeline's own candidates, without a budget.

Takes: a query, the index, sources, a filter. Gives: `SearchHit`s, best first. Does not know: how
they are printed. The same functions propose files and items as in `retrieve`.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.records.context import Candidate, Verdict
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.judge import RankedJudge, StageBudget
from clean_room_agent.retrieval.precision import Ask, ChosenFile, propose_units
from clean_room_agent.retrieval.precision.prefilter import unit_of
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.scope import propose_files
from clean_room_agent.retrieval.scope.embed import Meaning
from clean_room_agent.retrieval.scope.text import make_queries
from clean_room_agent.retrieval.sources import ReadSource, Sources
from clean_room_agent.retrieval.weights import SCOPE_FILES, SEARCH_WHOLE_BYTES
from clean_room_agent.retrieval.withheld import Withholding
from clean_room_agent.store.curated_reader import CuratedReader, FileRow


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Which files may answer; an empty field lets all through."""

    path_prefix: str = ""
    language: str = ""
    tests: bool = True

    def admits(self, file: FileRow) -> bool:
        return (
            file.path.startswith(self.path_prefix)
            and self.language in ("", file.language)
            and (self.tests or not file.is_test)
        )


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One chunk: whole lines of one file. `chunk_id` names content and range, not a path."""

    path: str
    symbol: str
    start_line: int
    end_line: int
    chunk_id: str
    score: float
    text: bytes
    candidate: Candidate


def search(
    query: str,
    *,
    reader: CuratedReader,
    read_source: ReadSource,
    top_k: int,
    filters: SearchFilter,
    meaning: Meaning | None = None,
) -> list[SearchHit]:
    """The `top_k` best chunks of the best files that the filter admits."""
    resolution = resolve_mentions(parse_task(query), reader)
    proposed = propose_files(resolution, reader, {}, meaning)
    admitted = [c for c in proposed.candidates if filters.admits(proposed.files[c.path])]
    files = _best_files(admitted)
    best = max((candidate.score for candidate in files), default=0.0)
    queries = make_queries(resolution.mentions)
    ask = Ask(queries.items, queries.items_title, resolution.marks, {}, SEARCH_WHOLE_BYTES)
    sources = Sources(read_source)
    choices = propose_units(
        [ChosenFile(proposed.files[c.path], c.score / best) for c in files],
        ask,
        reader,
        sources,
        lambda unit: len(unit.content),
    )
    budget = StageBudget(tokens=sum(c.tokens for c in choices.candidates), items=top_k)
    decisions = (
        Withholding(RankedJudge(), sources).judge("search", choices.candidates, budget).decisions
    )
    chosen = [d.candidate for d in decisions if d.verdict is Verdict.INCLUDED]
    hits = []
    for candidate in chosen:
        unit = unit_of(candidate, choices)
        span = unit.span
        hits.append(
            SearchHit(
                path=candidate.path,
                symbol=candidate.symbol,
                start_line=span.start_line,
                end_line=span.end_line,
                chunk_id=f"{candidate.blob_id}:{span.start_byte}-{span.end_byte}",
                score=candidate.score,
                text=unit.content,
                candidate=candidate,
            )
        )
    return hits


def _best_files(candidates: list[Candidate]) -> list[Candidate]:
    budget = StageBudget(tokens=0, items=SCOPE_FILES)
    decisions = RankedJudge().judge("search", candidates, budget).decisions
    return [d.candidate for d in decisions if d.verdict is Verdict.INCLUDED]
