"""The judge with a model: asked about the best candidates in batches, trusted with verdicts only.

Takes: a client, the task, a lister, limits. Gives: a `Decision` with the model's reason for each
candidate, an order where the room is too small.
Does not know: any database; what becomes of a decision.

A model decides yes or no about what was proposed. It cannot add a candidate, show more of one, or
raise a limit. Without a usable verdict a candidate is not shown (rule 2: default-deny).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.llm.answers import Typed, ask_typed, ask_typed_many
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.prompts.judging import FILES_TEMPLATE, ITEMS_TEMPLATE, PRIORITY_TEMPLATE
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.context import Candidate, Decision, Fragment, Verdict
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.judge import (
    Item,
    Opinion,
    Priority,
    StageBudget,
    candidate_order,
    identity,
    label,
)
from clean_room_agent.retrieval.listing import listed
from clean_room_agent.retrieval.prompting import Desk, JudgedTask, Line, pack
from clean_room_agent.retrieval.verdicts import (
    REASON_CHARACTERS,
    CandidateVerdict,
    ImportanceOrder,
    Verdicts,
    candidate_id,
    check_order,
    check_verdicts,
    item_id,
    order_schema,
    verdicts_of,
    verdicts_schema,
)
from clean_room_agent.retrieval.words import bounded

List = Callable[[Candidate], bytes]
BATCH = 10  # candidates of one call: small models lose count of more
VERDICT_TOKENS = 64  # of an answer, for each candidate
KEY_CHARACTERS = 40
NOT_ASKED = "not asked"
_STAGES = {
    "scope": (CallStage.SCOPE, FILES_TEMPLATE),
    "precision": (CallStage.PRECISION, ITEMS_TEMPLATE),
}
_NAMED_UNKNOWN = Cap(5, "as answered", "a warning for each")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many candidates a model is asked about, best score first."""

    files: int
    items: int


@dataclass(frozen=True, slots=True)
class _Said:
    """What is decided on one candidate, and why."""

    verdict: Verdict
    reason: str


_Key = tuple[str, str, str, int]


class ModelJudge:
    """Judges files and items of one task. `list_candidate` gives the line that stands for one."""

    def __init__(
        self, client: ModelClient, task: JudgedTask, list_candidate: List, limits: Limits
    ) -> None:
        self._client = client
        self._task = task
        self._list = list_candidate
        self._limits = {"scope": limits.files, "precision": limits.items}

    @property
    def name(self) -> str:
        return self._name_of(CallStage.SCOPE)

    def judge(self, stage: str, candidates: Sequence[Candidate], budget: StageBudget) -> Opinion:
        """Ask about the best candidates; decide every one."""
        cap = Cap(self._limits[stage], "by score", "bounded calls")
        ordered = sorted(candidates, key=candidate_order)
        asked = [c for c in cap.first(ordered, candidate_order) if c.score > 0.0]
        told, warnings = self._ask(stage, asked)
        decisions = []
        shown = 0
        judge = self._name_of(_STAGES[stage][0])
        for rank, candidate in enumerate(ordered, start=1):
            said = told.get(identity(candidate)) or _unasked(candidate, cap)
            if said.verdict is Verdict.INCLUDED and shown >= budget.items:
                limit = f"the limit of {budget.items:,} items is reached"
                said = _Said(Verdict.EXCLUDED, f"{limit}; {said.reason}")
            shown += said.verdict is Verdict.INCLUDED
            reason = f"rank {rank}: {said.reason}"
            decisions.append(Decision(candidate, stage, judge, rank, said.verdict, reason))
        return Opinion(tuple(decisions), tuple(warnings))

    def prioritise(self, items: Sequence[Item], budget_tokens: int) -> Priority:
        """Ask in which order the items matter; an answer that cannot be used gives no order."""
        desk = Desk(self._client, self._task, CallStage.REPRIORITISE, PRIORITY_TEMPLATE)
        lines = [desk.line(item.candidate, _item_line(item)) for item in items]
        total = sum(item.tokens for item in items)
        tail = (
            f"The room has {budget_tokens:,} tokens, the items take {total:,}."
            f" Order {item_id(0)} to {item_id(len(items) - 1)}.\n"
        ).encode("ascii")
        head = desk.head()
        if sum(line.cost for line in lines) > desk.room(head, tail):
            return Priority(None, (f"{len(items):,} items do not fit in one prompt: by score",))
        keyed = [(item_id(place), line) for place, line in enumerate(lines)]
        call = desk.call(head, keyed, tail, order_schema(len(items)))
        found = ask_typed(self._client, call, ImportanceOrder, lambda a: check_order(a, len(items)))
        return _priority(found, items)

    def _ask(
        self, stage: str, asked: Sequence[Candidate]
    ) -> tuple[Mapping[_Key, _Said], list[str]]:
        """Ask about all at once, in batches of one prompt each."""
        call_stage, template = _STAGES[stage]
        desk = Desk(self._client, self._task, call_stage, template)
        head = desk.head()
        room = desk.room(head, _tail(BATCH))
        lines = [desk.line(candidate, self._list(candidate)) for candidate in asked]
        batches, too_large = pack(lines, room, self._most(call_stage))
        told: dict[_Key, _Said] = {}
        warnings: list[str] = []
        for place in too_large:
            reason = f"its listing of {lines[place].cost:,} tokens does not fit: {NOT_ASKED}"
            told[identity(asked[place])] = _Said(Verdict.EXCLUDED, reason)
            warnings.append(f"{label(asked[place])}: {reason}")
        calls = [_batch_call(desk, head, [lines[place] for place in batch]) for batch in batches]
        forms = [verdicts_of(len(batch)) for batch in batches]
        answers = ask_typed_many(self._client, calls, forms, check_verdicts)
        for number, (batch, found) in enumerate(zip(batches, answers, strict=True), start=1):
            told |= _read([asked[place] for place in batch], found, f"call {number}", warnings)
        return told, warnings

    def _most(self, stage: CallStage) -> int:
        """Candidates of one call: what a model keeps apart, and its answer can hold."""
        output = self._client.choice(stage).sampling.max_output_tokens
        return max(1, min(BATCH, output // VERDICT_TOKENS))

    def _name_of(self, stage: CallStage) -> str:
        return one_line(f"model/{self._client.choice(stage).model}")


def _batch_call(desk: Desk, head: Sequence[Fragment], lines: Sequence[Line]) -> Call:
    keyed = [(candidate_id(place), line) for place, line in enumerate(lines)]
    return desk.call(head, keyed, _tail(len(lines)), verdicts_schema(len(lines)))


def _tail(count: int) -> bytes:
    last = candidate_id(count - 1)
    which = last if count == 1 else f"each of {candidate_id(0)} to {last}"
    return f"Answer for {which}.\n".encode("ascii")


def _read(
    batch: Sequence[Candidate], found: Typed[Verdicts], call: str, warnings: list[str]
) -> dict[_Key, _Said]:
    """Turn one answer into what is said on each candidate of its batch."""
    warnings += plain_warnings(found.warnings, call)
    if found.value is None:
        warnings.append(f"{call}: {len(batch)} candidates without a verdict; excluded by default")
        reason = "no usable answer of the model: excluded by default"
        return {identity(candidate): _Said(Verdict.EXCLUDED, reason) for candidate in batch}
    warnings += _unknown_ids(found.value, call)
    told = {}
    for place, candidate in enumerate(batch):
        verdict = found.value.of(candidate_id(place))
        if verdict is None:
            warnings.append(f"{call}: no verdict on {label(candidate)}; excluded by default")
        told[identity(candidate)] = _said(verdict)
    return told


def plain_warnings(warnings: Sequence[str], call: str) -> list[str]:
    """The client's warnings with the call's place for its id, the same in every run."""
    return [one_line(f"{call}: {warning.partition(': ')[2]}") for warning in warnings]


def _unknown_ids(answer: Verdicts, call: str) -> list[str]:
    keys = _NAMED_UNKNOWN.first(enumerate(answer.unknown), lambda placed: (float(placed[0]),))
    said = [
        f'{call}: a verdict on "{bounded(key, KEY_CHARACTERS)}", which was never asked; refused'
        for _, key in keys
    ]
    more = _NAMED_UNKNOWN.describe(len(answer.unknown), "unknown ids")
    return [*said, f"{call}: {more}; refused"] if more else said


def _said(verdict: CandidateVerdict | None) -> _Said:
    if verdict is None:
        return _Said(Verdict.EXCLUDED, "the model's answer lacks it: excluded by default")
    included = verdict.verdict == "include"
    reason = bounded(verdict.reason, REASON_CHARACTERS) or "no reason given"
    return _Said(Verdict.INCLUDED if included else Verdict.EXCLUDED, f"model: {reason}")


def _unasked(candidate: Candidate, cap: Cap) -> _Said:
    if candidate.score <= 0.0:
        return _Said(Verdict.EXCLUDED, f"score {candidate.score:.3f}: nothing speaks for it")
    reason = (
        f"beyond the first {cap.limit:,} {cap.criterion} ({cap.reason}): {NOT_ASKED}, not shown"
    )
    return _Said(Verdict.EXCLUDED, reason)


def _item_line(item: Item) -> bytes:
    fields: dict[str, object] = {"path": item.candidate.path}
    if item.candidate.symbol:
        fields["symbol"] = item.candidate.symbol
    return listed(fields | {"tokens": item.tokens, "chosen_for": item.reason})


def _priority(found: Typed[ImportanceOrder], items: Sequence[Item]) -> Priority:
    """Read an order; what it leaves out follows by score."""
    warnings = plain_warnings(found.warnings, "order of importance")
    if found.value is None:
        warnings.append("no usable order of importance: by score")
        return Priority(None, tuple(warnings))
    places = {item_id(place): place for place in range(len(items))}
    named = [places[key] for key in found.value.order]
    rest = sorted(
        set(range(len(items))) - set(named), key=lambda p: candidate_order(items[p].candidate)
    )
    if rest:
        warnings.append(f"{len(rest)} items that the order leaves out follow by score")
    return Priority((*named, *rest), tuple(warnings))
