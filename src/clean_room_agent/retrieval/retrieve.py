"""Run the stages of retrieval in order: analysis, scope, precision, assembly.

Takes: a task text, the index, a judge, a counter, a budget. Gives: a `ContextPackage` in which
every candidate has a decision. Does not know: models, or what the package is for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.context import (
    ContextPackage,
    Decision,
    StageRecord,
    Verdict,
)
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.assembly import (
    Chosen,
    assemble,
    check_budget,
    file_header,
    fixed_fragments,
    flip,
    unit_cost,
)
from clean_room_agent.retrieval.judge import Judge, StageBudget, judge_all
from clean_room_agent.retrieval.precision import Ask, Choices, ChosenFile, propose_units
from clean_room_agent.retrieval.precision.prefilter import unit_of
from clean_room_agent.retrieval.resolve import Resolution, resolve_mentions
from clean_room_agent.retrieval.scope import Proposed, propose_files
from clean_room_agent.retrieval.scope.text import make_queries
from clean_room_agent.retrieval.sources import ReadSource, Sources
from clean_room_agent.retrieval.weights import (
    FEW,
    FEW_FLOOR,
    GUESS_ITEMS,
    GUESS_TOKENS,
    SCOPE_FILES,
    SCOPE_FLOOR,
    SYMBOL_FLOOR,
    SYMBOL_ITEMS,
    UNNAMED_ITEMS,
    WHOLE_FILE_SHARE,
    WHOLE_FILE_TOKENS,
)
from clean_room_agent.retrieval.words import one_line
from clean_room_agent.store.curated_reader import CuratedReader

Suspicious = Mapping[str, Mapping[int, float]]
POINTED_FILES = frozenset({"mention.path", "mention.test", "mention.traceback"})
POINTED_SIGNALS = frozenset(
    {"mention.symbol", "mention.path", "mention.traceback", "graph.target", "spectrum"}
)
GUESS = "the task names nothing that is in the index; what is shown is a guess"


def retrieve(
    task_text: str,
    *,
    reader: CuratedReader,
    read_source: ReadSource,
    budget_tokens: int,
    judge: Judge,
    counter: TokenCounter,
    suspicious: Suspicious | None = None,
) -> ContextPackage:
    """Choose what a model should see for a task. Deterministic but for the stages' seconds.

    `suspicious` gives, for each path, lines with a score in (0, 1] from failing and passing tests.
    Raises: `BudgetError` where the task alone passes the budget, `StoreError` where a file is
    not the one that was indexed.
    """
    run = _Run(reader, Sources(read_source), judge, counter, suspicious or {}, budget_tokens)
    resolution, analysis_record = run.analyse(task_text)
    proposed, scope_record = run.choose_files(resolution)
    choices, precision_record = run.choose_units(task_text, resolution, proposed, scope_record)
    start = time.perf_counter()
    before = len(analysis_record.decisions) + len(scope_record.decisions)
    chosen = [
        Chosen(decision, before + place, unit_of(decision.candidate, choices))
        for place, decision in enumerate(precision_record.decisions)
        if decision.verdict is Verdict.INCLUDED
    ]
    assembled = assemble(task_text, chosen, budget_tokens, counter)
    decisions = tuple(
        flip(decision, assembled.dropped[before + place])
        if before + place in assembled.dropped
        else decision
        for place, decision in enumerate(precision_record.decisions)
    )
    warnings = tuple(
        f"{len(assembled.dropped)} items dropped whole" for _ in (1,) if assembled.dropped
    )
    assembly = StageRecord("assembly", "none", (), warnings, time.perf_counter() - start)
    package = ContextPackage(
        task_text=task_text,
        analysis=resolution.analysis,
        stages=(
            analysis_record,
            scope_record,
            replace(precision_record, decisions=decisions),
            assembly,
        ),
        fragments=assembled.fragments,
        budget_tokens=budget_tokens,
        counter=counter.name,
    )
    check_budget(package)
    return package


@dataclass(frozen=True, slots=True)
class _Run:
    """What every stage of one retrieval needs."""

    reader: CuratedReader
    sources: Sources
    judge: Judge
    counter: TokenCounter
    suspicious: Suspicious
    budget_tokens: int

    def analyse(self, task_text: str) -> tuple[Resolution, StageRecord]:
        start = time.perf_counter()
        resolution = resolve_mentions(parse_task(task_text), self.reader)
        unknown = one_line(", ".join(resolution.analysis.unknown))
        warnings = (f"named but not in the index: {unknown}",) if unknown else ()
        seconds = time.perf_counter() - start
        return resolution, StageRecord("analysis", "none", (), warnings, seconds)

    def choose_files(self, resolution: Resolution) -> tuple[Proposed, StageRecord]:
        start = time.perf_counter()
        proposed = propose_files(resolution, self.reader, self.suspicious)
        budget = StageBudget(self.budget_tokens, SCOPE_FILES, SCOPE_FLOOR, POINTED_FILES)
        judged = judge_all(self.judge, "scope", proposed.candidates, budget)
        record = StageRecord(
            "scope",
            self.judge.name,
            judged.decisions,
            proposed.warnings + judged.warnings,
            time.perf_counter() - start,
        )
        return proposed, record

    def choose_units(
        self, task_text: str, resolution: Resolution, proposed: Proposed, scope: StageRecord
    ) -> tuple[Choices, StageRecord]:
        start = time.perf_counter()
        files = _chosen_files(proposed, scope.decisions)
        fixed = sum(part.tokens for part in fixed_fragments(task_text, self.counter))
        headers = sum(self.counter.count(file_header(chosen.file.path)) for chosen in files)
        left = max(0, self.budget_tokens - fixed - headers)
        queries = make_queries(resolution.mentions)
        ask = Ask(
            weights=queries.items,
            title=queries.items_title,
            marks=resolution.marks,
            suspicious=self.suspicious,
            whole_file_tokens=min(WHOLE_FILE_TOKENS, int(left * WHOLE_FILE_SHARE)),
        )
        choices = propose_units(
            files, ask, self.reader, self.sources, lambda unit: unit_cost(unit, self.counter)
        )
        vague = queries.vague and not choices.is_pointed
        is_guess = not resolution.analysis.targets and (vague or choices.is_guess)
        budget = _item_budget(left, is_pointed=choices.is_pointed, is_guess=is_guess)
        judged = judge_all(self.judge, "precision", choices.candidates, budget)
        decisions = tuple(
            replace(decision, detail=unit_of(decision.candidate, choices).detail)
            if decision.verdict is Verdict.INCLUDED
            else decision
            for decision in judged.decisions
        )
        warnings = ((GUESS,) if is_guess else ()) + choices.warnings + judged.warnings
        seconds = time.perf_counter() - start
        return choices, StageRecord("precision", self.judge.name, decisions, warnings, seconds)


def _item_budget(left: int, *, is_pointed: bool, is_guess: bool) -> StageBudget:
    """A task that names no item gives few of them, a guess fewer, in a part of the room."""
    if is_guess:
        return StageBudget(min(left, GUESS_TOKENS), GUESS_ITEMS, SYMBOL_FLOOR, POINTED_SIGNALS)
    items = SYMBOL_ITEMS if is_pointed else UNNAMED_ITEMS
    return StageBudget(left, items, SYMBOL_FLOOR, POINTED_SIGNALS, FEW, FEW_FLOOR)


def _chosen_files(proposed: Proposed, decisions: tuple[Decision, ...]) -> list[ChosenFile]:
    included = [d.candidate for d in decisions if d.verdict is Verdict.INCLUDED]
    best = max((candidate.score for candidate in included), default=0.0)
    return [
        ChosenFile(
            proposed.files[candidate.path], max(0.0, candidate.score / best) if best else 0.0
        )
        for candidate in included
    ]


def explain_path(package: ContextPackage, path: str, *, indexed: bool) -> list[str]:
    """Say in order what was decided on a path and its items; never an empty list."""
    lines = [
        one_line(f"{d.stage}: {d.verdict} {d.candidate.symbol or path}: {d.reason}")
        for d in package.decisions
        if d.candidate.path == path
    ]
    if lines:
        return lines
    if not indexed:
        return ["not in the index: run `cra index`, or an ignore rule excludes it"]
    if any("not recorded" in w for stage in package.stages for w in stage.warnings):
        return ["no signal, or a score below the last recorded candidate"]
    return ["no signal: never a candidate"]
