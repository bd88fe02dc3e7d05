"""The forms of a judging model's answers, and the JSON schemas that ask for them.

Takes: how many candidates or items a call shows. Gives: an answer model and a schema for each.
Does not know: what a verdict does; who calls.

A schema is stricter than the model behind it: a server that enforces one must answer for each id
and name no other. Of a server that does not, missing ids are tolerated (the candidate is then
excluded by default) and unknown ids are kept apart, so that one slip does not cost a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from pydantic import ConfigDict, create_model

from clean_room_agent.llm.answers import AnswerModel

REASON_CHARACTERS = 120  # what a server that enforces schemas lets a model write
NAMED_MOST = 12  # names of one sort that an analysis may give
NAME_CHARACTERS = 120


class CandidateVerdict(AnswerModel):
    """The reason comes first, so that the verdict follows from it."""

    reason: str
    verdict: Literal["include", "exclude"]


class Verdicts(AnswerModel):
    """One field for each candidate id; what else was answered is in `model_extra`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    def of(self, key: str) -> CandidateVerdict | None:
        """The verdict on one id; None where the answer lacks it."""
        found = getattr(self, key, None)
        return found if isinstance(found, CandidateVerdict) else None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Ids that were never asked about."""
        return tuple(self.model_extra or ())


class ImportanceOrder(AnswerModel):
    """Item ids, the most important first."""

    order: list[str]


class Named(AnswerModel):
    """What a model would look for."""

    identifiers: list[str]
    paths: list[str]
    search: list[str]


def candidate_id(place: int) -> str:
    return f"c{place + 1}"


def item_id(place: int) -> str:
    return f"i{place + 1}"


@lru_cache(maxsize=64)
def verdicts_of(count: int) -> type[Verdicts]:
    """The answer model of a call with `count` candidates."""
    fields = {candidate_id(place): (CandidateVerdict | None, None) for place in range(count)}
    return create_model(f"Verdicts{count}", __base__=Verdicts, **fields)  # type: ignore[call-overload, no-any-return]


def verdicts_schema(count: int) -> dict[str, object]:
    """The schema that asks for exactly `count` verdicts."""
    reason: dict[str, object] = {"type": "string", "maxLength": REASON_CHARACTERS}
    verdict: dict[str, object] = {"type": "string", "enum": ["include", "exclude"]}
    one = _object({"reason": reason, "verdict": verdict})
    return _object({candidate_id(place): one for place in range(count)})


def order_schema(count: int) -> dict[str, object]:
    """The schema of an order of `count` items; no schema can ask that none comes twice."""
    ids = [item_id(place) for place in range(count)]
    items = {"type": "string", "enum": ids}
    return _object({"order": {"type": "array", "items": items, "minItems": 1, "maxItems": count}})


def named_schema() -> dict[str, object]:
    """The schema of an analysis."""
    items = {"type": "string", "maxLength": NAME_CHARACTERS}
    names = {"type": "array", "items": items, "maxItems": NAMED_MOST}
    return _object({"identifiers": names, "paths": names, "search": names})


def check_verdicts(answer: Verdicts) -> str | None:
    """Refuse an answer that decides nothing: it is asked for once more."""
    known = [key for key in type(answer).model_fields if answer.of(key) is not None]
    return None if known else "it names none of the ids that were asked about"


def check_order(answer: ImportanceOrder, count: int) -> str | None:
    """Refuse an order that names an unknown item, or one twice, or none."""
    known = {item_id(place) for place in range(count)}
    if not answer.order:
        return "the order is empty"
    if not known.issuperset(answer.order):
        return "the order names an id that was not asked about"
    if len(set(answer.order)) < len(answer.order):
        return "the order names an id twice"
    return None


def _object(properties: dict[str, object]) -> dict[str, object]:
    required: Sequence[str] = list(properties)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
