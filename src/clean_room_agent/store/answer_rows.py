"""How checked answers become rows, and rows records again. Row and record in one place.

Takes: an `Appender` and records; rows in the order of the SELECT beside it. Gives: rows; records.
Does not know: who asked, or how an answer was checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clean_room_agent.records.answers import (
    Answer,
    Citation,
    Claim,
    Description,
    Enrichment,
    LoggedPlan,
    Plan,
    PlanStep,
    Promotion,
    Selection,
    StepAction,
    Turn,
    TurnOutcome,
)
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.task import RunId, TaskId
from clean_room_agent.store.append import Appender
from clean_room_agent.store.log_rows import replacements_of
from clean_room_agent.store.values import (
    from_json,
    json_text,
    now_text,
    path_bytes,
    path_text,
    text,
)

PLANS = "SELECT seq, plan_id, task_id, request_id, plan FROM plans"
TURNS = (
    "SELECT turn_id, attempt_id, position, request_id, action, outcome, observation, edits,"
    " test_run_id FROM turns"
)
SELECTIONS = (
    "SELECT selection_id, task_id, selector, patch_id, reason, scores, request_id FROM selections"
)
ANSWERS = "SELECT answer_id, task_id, package_id, request_id, commit_id, claims FROM answers"
ENRICHMENTS = (
    "SELECT e.enrichment_id, e.run_id, e.request_id, e.path, e.blob_id, e.model, e.description"
    " FROM enrichments e"
)
PROMOTIONS = "SELECT promotion_id, enrichment_id, run_id, rule FROM promotions"


def edits_json(appender: Appender, replacements: Sequence[Replacement]) -> str:
    """Return replacements as JSON with their new bytes kept as blobs."""
    return json_text(
        [
            {
                "path": replacement.path,
                "start_byte": replacement.start_byte,
                "end_byte": replacement.end_byte,
                "before_sha256": replacement.before_sha256,
                "new_sha256": appender.put_own(replacement.new_bytes),
            }
            for replacement in replacements
        ]
    )


def append_plan(appender: Appender, logged: LoggedPlan) -> None:
    """Insert a plan."""
    appender.insert(
        "plans",
        {
            "plan_id": logged.plan_id,
            "task_id": logged.task_id,
            "request_id": logged.request_id,
            "plan": json_text(logged.plan),
            "at": now_text(),
        },
    )


def append_turn(appender: Appender, turn: Turn) -> None:
    """Insert one turn of an attempt."""
    appender.insert(
        "turns",
        {
            "turn_id": turn.turn_id,
            "attempt_id": turn.attempt_id,
            "position": turn.position,
            "request_id": turn.request_id,
            "action": text(turn.action),
            "outcome": turn.outcome,
            "observation": text(turn.observation),
            "edits": edits_json(appender, turn.replacements),
            "test_run_id": turn.test_run_id,
        },
    )


def append_selection(appender: Appender, selection: Selection) -> None:
    """Insert how a patch was chosen."""
    appender.insert(
        "selections",
        {
            "selection_id": selection.selection_id,
            "task_id": selection.task_id,
            "selector": text(selection.selector),
            "patch_id": selection.patch_id,
            "reason": text(selection.reason),
            "request_id": selection.request_id,
            "scores": json_text(selection.scores),
        },
    )


def append_answer(appender: Appender, answer: Answer) -> None:
    """Insert a checked answer, the refused claims too."""
    appender.insert(
        "answers",
        {
            "answer_id": answer.answer_id,
            "task_id": answer.task_id,
            "package_id": answer.package_id,
            "request_id": answer.request_id,
            "commit_id": answer.commit_id,
            "claims": json_text(answer.claims),
            "at": now_text(),
        },
    )


def append_enrichment(appender: Appender, enrichment: Enrichment) -> None:
    """Insert what a model says of a file."""
    appender.insert(
        "enrichments",
        {
            "enrichment_id": enrichment.enrichment_id,
            "run_id": enrichment.run_id,
            "request_id": enrichment.request_id,
            "path": path_bytes(enrichment.path),
            "blob_id": enrichment.blob_id,
            "model": text(enrichment.model),
            "description": json_text(enrichment.description),
            "at": now_text(),
        },
    )


def append_promotion(appender: Appender, promotion: Promotion) -> None:
    """Insert the act of a promotion."""
    appender.insert(
        "promotions",
        {
            "promotion_id": promotion.promotion_id,
            "enrichment_id": promotion.enrichment_id,
            "run_id": promotion.run_id,
            "rule": text(promotion.rule),
            "at": now_text(),
        },
    )


def plan_of(row: Sequence[Any]) -> LoggedPlan:
    """Rebuild a plan from a row of `PLANS`."""
    seq, plan_id, task_id, request_id, document = row
    found = from_json(document)
    steps = tuple(
        PlanStep(StepAction(s["action"]), s["path"], s["symbol"], s["intent"])
        for s in found["steps"]
    )
    return LoggedPlan(seq, plan_id, TaskId(task_id), request_id, Plan(found["summary"], steps))


def turn_of(read_blob: Callable[[str], bytes], row: Sequence[Any]) -> Turn:
    """Rebuild a turn from a row of `TURNS`."""
    turn_id, attempt_id, position, request_id, action, outcome, observation, edits, run_id = row
    return Turn(
        turn_id=turn_id,
        attempt_id=attempt_id,
        position=position,
        request_id=request_id,
        action=action,
        outcome=TurnOutcome(outcome),
        observation=observation,
        replacements=replacements_of(read_blob, edits),
        test_run_id=run_id,
    )


def selection_of(row: Sequence[Any]) -> Selection:
    """Rebuild a selection from a row of `SELECTIONS`."""
    selection_id, task_id, selector, patch_id, reason, scores, request_id = row
    terms = tuple(from_json(scores))
    return Selection(selection_id, TaskId(task_id), selector, patch_id, reason, terms, request_id)


def answer_of(row: Sequence[Any]) -> Answer:
    """Rebuild an answer from a row of `ANSWERS`."""
    answer_id, task_id, package_id, request_id, commit_id, claims = row
    return Answer(
        answer_id,
        TaskId(task_id),
        package_id,
        request_id,
        commit_id,
        tuple(_claim_of(claim) for claim in from_json(claims)),
    )


def _claim_of(found: dict[str, Any]) -> Claim:
    citations = tuple(
        Citation(
            c["path"],
            c["start_line"],
            c["end_line"],
            BlobId(c["blob_id"]) if c["blob_id"] is not None else None,
        )
        for c in found["citations"]
    )
    return Claim(found["text"], citations, found["refused"])


def enrichment_of(row: Sequence[Any]) -> Enrichment:
    """Rebuild an enrichment from a row of `ENRICHMENTS`."""
    enrichment_id, run_id, request_id, path, blob_id, model, document = row
    found = from_json(document)
    description = Description(found["purpose"], tuple(found["concepts"]), tuple(found["relations"]))
    return Enrichment(
        enrichment_id,
        RunId(run_id),
        request_id,
        path_text(path),
        BlobId(blob_id),
        model,
        description,
    )


def promotion_of(row: Sequence[Any]) -> Promotion:
    """Rebuild a promotion from a row of `PROMOTIONS`."""
    promotion_id, enrichment_id, run_id, rule = row
    return Promotion(promotion_id, enrichment_id, RunId(run_id), rule)
