"""What came of models' answers once they were parsed and checked.

Takes: nothing. Gives: plans, turns of an attempt, selections, cited answers, descriptions.
Does not know: prompts, servers, or how an answer is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.task import RunId, TaskId


class StepAction(StrEnum):
    """What a step of a plan does to its target."""

    MODIFY = "modify"
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step: the target is a path that exists (or is to be added) and perhaps a symbol in it."""

    action: StepAction
    path: str
    symbol: str
    intent: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A validated plan: every target exists."""

    summary: str
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class LoggedPlan:
    """A plan as logged; `request_id` is the call that wrote it."""

    seq: int
    plan_id: str
    task_id: TaskId
    request_id: str
    plan: Plan


class TurnOutcome(StrEnum):
    """What became of one action of a model."""

    SOLVED = "solved"
    REVERTED = "reverted"
    REFUSED = "refused"
    UNUSABLE = "unusable"
    NO_CHANGE = "no_change"
    REFLECTED = "reflected"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of an attempt: what was tried, what became of it, what the next prompt is told."""

    turn_id: str
    attempt_id: str
    position: int
    request_id: str
    action: str
    outcome: TurnOutcome
    observation: str
    replacements: tuple[Replacement, ...] = ()
    test_run_id: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """One patch chosen among several, with every term that was weighed for each of them."""

    selection_id: str
    task_id: TaskId
    selector: str
    patch_id: str
    reason: str
    scores: tuple[Mapping[str, object], ...]
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """Lines of a file at the answer's commit; lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    blob_id: BlobId | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement with its evidence. `refused` says why it is not printed; "" = it is."""

    text: str
    citations: tuple[Citation, ...]
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The checked answer to a question."""

    answer_id: str
    task_id: TaskId
    package_id: str
    request_id: str
    commit_id: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """What a model says a file is for."""

    purpose: str
    concepts: tuple[str, ...]
    relations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Enrichment:
    """A description of one content, in raw; no prompt shows it before it is promoted."""

    enrichment_id: str
    run_id: RunId
    request_id: str
    path: str
    blob_id: BlobId
    model: str
    description: Description


@dataclass(frozen=True, slots=True)
class Promotion:
    """The explicit act that lets a description into curated."""

    promotion_id: str
    enrichment_id: str
    run_id: RunId
    rule: str
