"""Leave out whole items that hold a secret or a control token, before any judge sees them.

Takes: a judge, the sources. Gives: a judge that decides these items itself, with the reason.
Does not know: what a secret looks like (`redaction`), or what the other judge thinks.

An item is never cut (rule 1) and never shown without a decision (rule 2), so the item is excluded
as one, by a recorded decision, and nothing of it reaches a prompt that asks a model about it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Candidate, Decision, Verdict
from clean_room_agent.redaction import Unshowable, unshowable
from clean_room_agent.retrieval.judge import (
    Item,
    Judge,
    Opinion,
    Priority,
    StageBudget,
    candidate_order,
)
from clean_room_agent.retrieval.sources import Sources

NAME = "redaction/1"


class Withholding:
    """Stands before a judge. What it withholds ranks after everything that was judged."""

    def __init__(self, judge: Judge, sources: Sources) -> None:
        self._judge = judge
        self._sources = sources
        self._files: dict[tuple[str, BlobId], Unshowable] = {}

    @property
    def name(self) -> str:
        return self._judge.name

    def judge(self, stage: str, candidates: Sequence[Candidate], budget: StageBudget) -> Opinion:
        reasons = {id(candidate): self._reason(candidate) for candidate in candidates}
        kept = [candidate for candidate in candidates if not reasons[id(candidate)]]
        opinion = self._judge.judge(stage, kept, budget)
        withheld = sorted((c for c in candidates if reasons[id(c)]), key=candidate_order)
        decisions = tuple(
            Decision(candidate, stage, NAME, rank, Verdict.EXCLUDED, reasons[id(candidate)])
            for rank, candidate in enumerate(withheld, start=len(kept) + 1)
        )
        return Opinion((*opinion.decisions, *decisions), opinion.warnings)

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        """Leave the order to the judge: only what it let in is asked about."""
        return self._judge.prioritise(items, budget_tokens)

    def _reason(self, candidate: Candidate) -> str:
        key = (candidate.path, candidate.blob_id)
        name = unshowable(os.fsencode(candidate.path))
        if reason := name.why(0, len(name.data)):
            # The path stands in the frame of every piece of the file.
            return f"its name {reason.removesuffix(' at line 1')}"
        if key not in self._files:
            self._files[key] = unshowable(self._sources.read(*key))
        file, span = self._files[key], candidate.span
        if span is None:
            return file.why(0, len(file.data))
        return file.why(span.start_byte, span.end_byte)
