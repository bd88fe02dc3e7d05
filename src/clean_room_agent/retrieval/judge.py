"""Decide each candidate: shown or not, with a reason that a person can read.

Takes: a stage's candidates and its budget. Gives: one `Decision` for each candidate. Does not
know: any database, where candidates come from, or what becomes of the decisions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clean_room_agent.records.context import Candidate, Decision, Verdict
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.weights import POINTED


@dataclass(frozen=True, slots=True)
class StageBudget:
    """What a stage may let through: tokens, items, and a share of the best score as floor.

    The first `few` need no more than `few_floor`. A candidate with a signal of a name in
    `pointed`, strong enough, passes below the floor. `dearness` is what the logarithm of a
    candidate's tokens takes from its score when the room is filled.
    """

    tokens: int
    items: int
    floor: float = 0.0
    pointed: frozenset[str] = frozenset()
    few: int = 0
    few_floor: float = 0.0
    dearness: float = 0.0


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge decided, and what was amiss while it judged."""

    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """An included candidate that must share a room too small for all: its cost and its reason."""

    candidate: Candidate
    tokens: int
    reason: str


@dataclass(frozen=True, slots=True)
class Priority:
    """Places in a list of items, the most important first; None leaves it to the scores."""

    order: tuple[int, ...] | None
    warnings: tuple[str, ...] = ()


class Judge(Protocol):
    """Anything that decides candidates. A candidate it leaves out is not shown (rule 2)."""

    @property
    def name(self) -> str: ...

    def judge(
        self, stage: str, candidates: Sequence[Candidate], budget: StageBudget
    ) -> Opinion: ...

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        """Order items that do not fit together; whole ones leave from the end of the order."""
        ...


def candidate_order(candidate: Candidate) -> tuple[float, str, int, str]:
    """The one order of candidates: score downwards, then path, place and name."""
    start = -1 if candidate.span is None else candidate.span.start_byte
    return (-round(candidate.score, 9), candidate.path, start, candidate.symbol)


def fill_order(candidate: Candidate, dearness: float) -> tuple[float, tuple[float, str, int, str]]:
    """The order in which a room is filled: by score, where large candidates come later."""
    price = dearness * math.log1p(candidate.tokens)
    return (-round(candidate.score - price, 9), candidate_order(candidate))


class RankedJudge:
    """The judge without a model: a cut by score under the budget, in one stable order.

    Ranks go by score; the room is filled by `fill_order`. An item that does not fit is left out
    whole and the next is tried (rule 1: nothing is cut).
    """

    @property
    def name(self) -> str:
        return "ranked/1"

    def judge(self, stage: str, candidates: Sequence[Candidate], budget: StageBudget) -> Opinion:
        ranked = sorted(candidates, key=candidate_order)
        best = ranked[0].score if ranked else 0.0
        left, shown = budget.tokens, 0
        decisions: dict[int, Decision] = {}
        for rank, candidate in sorted(
            enumerate(ranked, start=1), key=lambda placed: fill_order(placed[1], budget.dearness)
        ):
            refusal = _refusal(candidate, rank, best, left, shown, budget)
            if refusal is None:
                left -= candidate.tokens
                shown += 1
            decisions[rank] = Decision(
                candidate=candidate,
                stage=stage,
                judge=self.name,
                rank=rank,
                verdict=Verdict.INCLUDED if refusal is None else Verdict.EXCLUDED,
                reason=refusal or _approval(candidate, rank, left),
            )
        return Opinion(tuple(decisions[rank] for rank in sorted(decisions)))

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        """Leave the order to the scores, which decided before."""
        del items, budget_tokens
        return Priority(None)


def _refusal(
    candidate: Candidate, rank: int, best: float, left: int, shown: int, budget: StageBudget
) -> str | None:
    score = candidate.score
    if score <= 0.0:
        return f"rank {rank}: score {score:.3f}: nothing speaks for it"
    share = budget.few_floor if rank <= budget.few else budget.floor
    if score < share * best and not _is_pointed_at(candidate, budget):
        floor = f"the floor {share * best:.2f} ({share:g} of the best, {best:.2f})"
        return f"rank {rank}: score {score:.2f} is below {floor}"
    if shown >= budget.items:
        return f"rank {rank}: the limit of {budget.items:,} items is reached"
    if candidate.tokens > left:
        return f"rank {rank}: {candidate.tokens:,} tokens do not fit in the {left:,} left"
    return None


def _is_pointed_at(candidate: Candidate, budget: StageBudget) -> bool:
    return any(s.name in budget.pointed and s.value >= POINTED for s in candidate.signals)


def _approval(candidate: Candidate, rank: int, left: int) -> str:
    strongest = max(candidate.signals, key=lambda signal: signal.contribution)
    cost = f", {left:,} tokens left after it" if candidate.tokens else ""
    return f"rank {rank}: score {candidate.score:.3f}, most from {strongest.name}{cost}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a stage goes on with: a decision for each candidate, what was amiss, who decided."""

    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]
    judge: str


def judge_all(
    judge: Judge, stage: str, candidates: Sequence[Candidate], budget: StageBudget
) -> Judged:
    """Ask the judge and close every gap (rule 2: default-deny).

    A candidate without a decision is excluded with a warning; a decision on something that was
    not proposed is refused with a warning; of two decisions on one candidate the first counts.
    """
    opinion = judge.judge(stage, candidates, budget)
    warnings = list(opinion.warnings)
    proposed = {identity(candidate): candidate for candidate in candidates}
    decided: dict[tuple[str, str, str, int], Decision] = {}
    for decision in opinion.decisions:
        key = identity(decision.candidate)
        if key not in proposed or key in decided:
            fault = "decided twice" if key in decided else "was never a candidate"
            warnings.append(f"{label(decision.candidate)} {fault}; ignored")
            continue
        decided[key] = decision
    missing = [candidate for key, candidate in proposed.items() if key not in decided]
    rank = len(decided)
    for candidate in sorted(missing, key=candidate_order):
        rank += 1
        warnings.append(f"no decision on {label(candidate)}; excluded by default")
        reason = "no decision by the judge: excluded by default"
        decided[identity(candidate)] = Decision(
            candidate, stage, judge.name, rank, Verdict.EXCLUDED, reason
        )
    ordered = sorted(decided.values(), key=lambda decision: decision.rank)
    said_by = opinion.decisions[0].judge if opinion.decisions else judge.name
    return Judged(tuple(ordered), tuple(warnings), said_by)


def identity(candidate: Candidate) -> tuple[str, str, str, int]:
    """What makes two candidates the same thing."""
    start = -1 if candidate.span is None else candidate.span.start_byte
    return (candidate.kind, candidate.path, candidate.symbol, start)


def label(candidate: Candidate) -> str:
    """Name a candidate in one line."""
    path = candidate.path
    return one_line(f"{path}::{candidate.symbol}" if candidate.symbol else path)
