"""Run the stages of retrieval in order: analysis, scope, precision, instructions, assembly.

Takes: a task text, the index, a judge, a counter, a budget. Gives: a `ContextPackage` in which
every candidate has a decision. Does not know: models, or what the package is for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clean_room_agent.config.schema import DEFAULT_INSTRUCTION_BYTES
from clean_room_agent.prompts.framing import file_header
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.context import (
    ContextPackage,
    Decision,
    Detail,
    Fragment,
    StageRecord,
    Verdict,
)
from clean_room_agent.retrieval.assembly import (
    Assembled,
    Chosen,
    Layout,
    assemble,
    check_budget,
    flip,
    items_cost,
    open_layout,
    unit_cost,
)
from clean_room_agent.retrieval.instructions import STAGE as INSTRUCTIONS
from clean_room_agent.retrieval.instructions import (
    Found,
    find_instructions,
    instruction_fragments,
    judge_instructions,
)
from clean_room_agent.retrieval.judge import Item, Judge, Priority, StageBudget, judge_all
from clean_room_agent.retrieval.leads import NO_LEADS, Leads, analyse_task, is_grounded
from clean_room_agent.retrieval.precision import Ask, Choices, ChosenFile, propose_units
from clean_room_agent.retrieval.precision.prefilter import unit_of
from clean_room_agent.retrieval.resolve import Resolution
from clean_room_agent.retrieval.scope import Proposed, propose_files
from clean_room_agent.retrieval.scope.embed import Meaning
from clean_room_agent.retrieval.scope.text import make_queries
from clean_room_agent.retrieval.sources import ReadSource, Sources
from clean_room_agent.retrieval.weights import (
    DEARNESS,
    FEW,
    FEW_FLOOR,
    FULL_ROOM,
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
from clean_room_agent.retrieval.withheld import Withholding
from clean_room_agent.store.curated_reader import CuratedReader

Suspicious = Mapping[str, Mapping[int, float]]
POINTED_FILES = frozenset({"mention.path", "mention.test", "mention.traceback"})
POINTED_SIGNALS = frozenset(
    {"mention.symbol", "mention.path", "mention.traceback", "graph.target", "spectrum"}
)
# A name may stand in the index too often to lead anywhere.
_UNLED = "no name in the task leads to a place in the index"
GUESS = f"{_UNLED}; what is shown is a guess"
NO_GUESS = f"{_UNLED}, and no guess was let in"


def retrieve(
    task_text: str,
    *,
    reader: CuratedReader,
    read_source: ReadSource,
    budget_tokens: int,
    judge: Judge,
    counter: TokenCounter,
    suspicious: Suspicious | None = None,
    leads: Leads = NO_LEADS,
    instruction_bytes: int = DEFAULT_INSTRUCTION_BYTES,
    meaning: Meaning | None = None,
) -> ContextPackage:
    """Choose what a model should see for a task. Deterministic but for the stages' seconds.

    `suspicious` gives, for each path, lines with a score in (0, 1] from failing and passing tests.
    `meaning` is there where embeddings are on.
    Raises: `BudgetError` where the task alone passes the budget, `StoreError` where a file is
    not the one that was indexed.
    """
    layout = open_layout(task_text, budget_tokens, counter)
    sources = Sources(read_source)
    run = _Run(reader, sources, judge, layout, suspicious or {}, instruction_bytes, meaning)
    resolution, analysis = analyse_task(task_text, leads, reader)
    proposed, scope = run.choose_files(resolution)
    found = run.find_instructions(scope)
    choices, precision, room = run.choose_units(
        resolution, proposed, scope, found.reserve(layout.left)
    )
    before = len(analysis.decisions) + len(scope.decisions)
    chosen = [
        Chosen(decision, before + place, unit_of(decision.candidate, choices))
        for place, decision in enumerate(precision.decisions)
        if decision.verdict is Verdict.INCLUDED
    ]
    instructions, shown = run.show_instructions(found, chosen, before + len(precision.decisions))
    fitted = run.fit(layout.add(shown).narrow(room), chosen)
    package = ContextPackage(
        task_text=task_text,
        analysis=resolution.analysis,
        stages=(
            analysis,
            scope,
            replace(precision, decisions=_after(precision.decisions, before, fitted.assembled)),
            instructions,
            fitted.record,
        ),
        fragments=fitted.assembled.fragments,
        budget_tokens=budget_tokens,
        counter=counter.name,
    )
    check_budget(package)
    return package


def _after(
    decisions: tuple[Decision, ...], before: int, assembled: Assembled
) -> tuple[Decision, ...]:
    """The decisions with those flipped that did not fit; `before` is the place of the first."""
    return tuple(
        flip(decision, assembled.dropped[place]) if place in assembled.dropped else decision
        for place, decision in enumerate(decisions, start=before)
    )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The last stage: what is shown, and how it went."""

    assembled: Assembled
    record: StageRecord


@dataclass(frozen=True, slots=True)
class _Run:
    """What every stage of one retrieval needs."""

    reader: CuratedReader
    sources: Sources
    judge: Judge
    layout: Layout
    suspicious: Suspicious
    instruction_bytes: int
    meaning: Meaning | None

    @property
    def counter(self) -> TokenCounter:
        return self.layout.counter

    def choose_files(self, resolution: Resolution) -> tuple[Proposed, StageRecord]:
        start = time.perf_counter()
        proposed = propose_files(resolution, self.reader, self.suspicious, self.meaning)
        budget = StageBudget(self.layout.budget_tokens, SCOPE_FILES, SCOPE_FLOOR, POINTED_FILES)
        judged = judge_all(self.judge, "scope", proposed.candidates, budget)
        record = StageRecord(
            "scope",
            judged.judge,
            judged.decisions,
            proposed.warnings + judged.warnings,
            time.perf_counter() - start,
        )
        return proposed, record

    def choose_units(
        self, resolution: Resolution, proposed: Proposed, scope: StageRecord, reserved: int
    ) -> tuple[Choices, StageRecord, int]:
        """Gives the items, the stage, and the tokens that items and headers may take."""
        start = time.perf_counter()
        files = _chosen_files(proposed, scope.decisions)
        headers = sum(self.counter.count(file_header(chosen.file.path)) for chosen in files)
        left = max(0, self.layout.left - reserved - headers)
        queries = make_queries(resolution.mentions)
        ask = Ask(
            weights=queries.items,
            title=queries.items_title,
            marks=resolution.marks,
            suspicious=self.suspicious,
            whole_file_tokens=min(WHOLE_FILE_TOKENS, int(left * WHOLE_FILE_SHARE)),
            search=resolution.search,
        )
        choices = propose_units(
            files, ask, self.reader, self.sources, lambda unit: unit_cost(unit, self.counter)
        )
        vague = queries.vague and not choices.is_pointed
        is_guess = not is_grounded(resolution.marks) and (vague or choices.is_guess)
        budget = _item_budget(left, is_pointed=choices.is_pointed, is_guess=is_guess)
        judge = Withholding(self.judge, self.sources)
        judged = judge_all(judge, "precision", choices.candidates, budget)
        decisions = tuple(
            replace(decision, detail=unit_of(decision.candidate, choices).detail)
            if decision.verdict is Verdict.INCLUDED
            else decision
            for decision in judged.decisions
        )
        shows = any(decision.verdict is Verdict.INCLUDED for decision in decisions)
        guess = GUESS if shows else NO_GUESS
        warnings = ((guess,) if is_guess else ()) + choices.warnings + judged.warnings
        seconds = time.perf_counter() - start
        record = StageRecord("precision", judged.judge, decisions, warnings, seconds)
        return choices, record, budget.tokens + headers

    def find_instructions(self, scope: StageRecord) -> Found:
        """Instruction files on the way to any file that may be shown."""
        included = [d.candidate.path for d in scope.decisions if d.verdict is Verdict.INCLUDED]
        return find_instructions(
            included, self.reader, self.sources, self.counter, self.instruction_bytes
        )

    def show_instructions(
        self, found: Found, chosen: Sequence[Chosen], first: int
    ) -> tuple[StageRecord, tuple[Fragment, ...]]:
        """Decide them for the files that are shown; `first` is their first place in the package."""
        start = time.perf_counter()
        included: dict[str, bool] = {}
        for item in chosen:
            path, whole = item.unit.file.path, item.unit.detail is Detail.FULL
            included[path] = included.get(path, False) or whole
        judged = judge_instructions(found, included, self.layout.left, self.instruction_bytes)
        fragments = instruction_fragments(found, judged.decisions, first, self.counter)
        seconds = time.perf_counter() - start
        record = StageRecord(INSTRUCTIONS, judged.judge, judged.decisions, judged.warnings, seconds)
        return record, fragments

    def fit(self, layout: Layout, chosen: Sequence[Chosen]) -> _Fitted:
        """Assemble; where the items do not fit together, ask the judge what matters most."""
        start = time.perf_counter()
        judge, priority = "none", Priority(None)
        if items_cost(chosen, self.counter) > layout.left:
            items = [
                Item(c.decision.candidate, unit_cost(c.unit, self.counter), c.decision.reason)
                for c in chosen
            ]
            priority = self.judge.prioritise(items, max(0, layout.left))
            judge = self.judge.name if priority.order is not None else judge
        assembled = assemble(layout, chosen, priority.order)
        dropped = len(assembled.dropped)
        warnings = priority.warnings + ((f"{dropped} items dropped whole",) if dropped else ())
        record = StageRecord("assembly", judge, (), warnings, time.perf_counter() - start)
        return _Fitted(assembled, record)


def _item_budget(left: int, *, is_pointed: bool, is_guess: bool) -> StageBudget:
    """A task that names no item gives few of them, a guess fewer, in a part of the room.

    A room larger than `FULL_ROOM` asks for less: who gives more of it wants more to be in it.
    """
    if is_guess:
        tokens = min(left, GUESS_TOKENS)
        return StageBudget(tokens, GUESS_ITEMS, SYMBOL_FLOOR, POINTED_SIGNALS, dearness=DEARNESS)
    ease = math.sqrt(min(1.0, FULL_ROOM / max(1, left)))
    items = SYMBOL_ITEMS if is_pointed else int(UNNAMED_ITEMS / ease)
    return StageBudget(
        left, items, SYMBOL_FLOOR * ease, POINTED_SIGNALS, FEW, FEW_FLOOR * ease, DEARNESS
    )


def _chosen_files(proposed: Proposed, decisions: tuple[Decision, ...]) -> list[ChosenFile]:
    included = [d.candidate for d in decisions if d.verdict is Verdict.INCLUDED]
    best = max((candidate.score for candidate in included), default=0.0)
    return [
        ChosenFile(
            proposed.files[candidate.path], max(0.0, candidate.score / best) if best else 0.0
        )
        for candidate in included
    ]
