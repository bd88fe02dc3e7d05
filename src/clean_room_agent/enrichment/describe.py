"""Ask a model what one file is for.

Takes: a client, a logged package. Gives: `Described`: a checked description, or why there is none.
Does not know: which file is asked about, or where a description is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from clean_room_agent.llm.answers import REPAIR_TOKENS, AnswerModel, ask_typed
from clean_room_agent.llm.client import Call, ModelClient
from clean_room_agent.records.answers import Description
from clean_room_agent.records.calls import CallStage, Prompt
from clean_room_agent.records.context import ContextPackage
from clean_room_agent.records.task import TaskId

MOST_PHRASES = 6
PURPOSE_CHARACTERS = 300
PHRASE_CHARACTERS = 80
Phrase = Annotated[str, Field(max_length=PHRASE_CHARACTERS)]


class SaidDescription(AnswerModel):
    """The form of the answer; lengths are bounded, so a description never floods a listing."""

    purpose: str = Field(max_length=PURPOSE_CHARACTERS)
    concepts: list[Phrase] = Field(max_length=MOST_PHRASES)
    relations: list[Phrase] = Field(max_length=MOST_PHRASES)


@dataclass(frozen=True, slots=True)
class Described:
    """`description` is None where no answer was usable, with the last `problem`.

    `request_id` is the call that decided; `told` is the problem for a person.
    """

    description: Description | None
    request_id: str
    problem: str
    warnings: tuple[str, ...]
    told: str = ""


def describe(
    client: ModelClient, package: ContextPackage, package_id: str, task_id: TaskId
) -> Described:
    """Ask once, and once more where the answer is unusable.

    Raises: ModelCallError, BudgetError, ConfigError.
    """
    prompt = Prompt(package.fragments, package_id)
    typed = ask_typed(
        client, Call(CallStage.ENRICH, prompt, task_id=task_id), SaidDescription, _fault
    )
    description = None if typed.value is None else _plain(typed.value)
    return Described(description, typed.request_id, typed.problem, typed.warnings, typed.told)


def describing_tokens(client: ModelClient, package: ContextPackage) -> int:
    """Return the most that one description can take: the call and its one repair."""
    return 2 * package.tokens + least_tokens(client)


def least_tokens(client: ModelClient) -> int:
    """Return what a description of nothing could take: two answers and the note between them."""
    return 2 * client.choice(CallStage.ENRICH).sampling.max_output_tokens + REPAIR_TOKENS


def _fault(said: SaidDescription) -> str | None:
    return None if _line(said.purpose) else "purpose is empty"


def _plain(said: SaidDescription) -> Description:
    """One line each: control characters and line breaks are no part of a description."""
    return Description(
        _line(said.purpose),
        tuple(line for line in map(_line, said.concepts) if line),
        tuple(line for line in map(_line, said.relations) if line),
    )


def _line(text: str) -> str:
    return " ".join("".join(ch if ch.isprintable() else " " for ch in text).split())
