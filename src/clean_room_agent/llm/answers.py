"""From an answer's text to a checked value: strict parse, one repair, else nothing.

Takes: a client, calls, the pydantic model that an answer must be. Gives: `Typed` values.
Does not know: what a value is for, or what happens where there is none (default-deny).

A server that enforces a schema may still answer otherwise: each answer is validated here, with
extra keys and wrong types refused (reliability case 86).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from clean_room_agent.llm.client import Call, ModelClient, Reply
from clean_room_agent.records.calls import Prompt
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.redaction import for_prompt

REPAIR_TEMPLATE = "repair/2"
# Stages keep this much of their room free for the note.
REPAIR_TOKENS = 500
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_FENCED = re.compile(r"\A```(?:json)?\n(.*)\n```\Z", re.DOTALL)
_MOST_SAID = 400


class AnswerModel(BaseModel):
    """The base of every answer: no extra keys, no coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


A = TypeVar("A", bound=AnswerModel)
Check = Callable[[A], str | None]


@dataclass(frozen=True, slots=True)
class Typed(Generic[A]):
    """A parsed answer, or None; `request_id` is the call that decided.

    `problem` says why the last answer was unusable ("" with a value); `warnings` tell each one.
    `malformed` counts the answers that were not in the form asked for.
    """

    value: A | None
    request_id: str
    warnings: tuple[str, ...] = ()
    problem: str = ""
    malformed: int = 0

    @property
    def told(self) -> str:
        """The problem for a person: where the form was wrong, not which field of it."""
        if not self.malformed or self.value is not None:
            return self.problem
        times = " (twice)" if self.malformed > 1 else ""
        return (
            f"the model's answer was not in the form asked for{times}: "
            f"cra trace {self.request_id} --answer"
        )


class _MalformedError(ValueError):
    """An answer that does not follow the schema; the message is for the model and the log."""


def schema_of(answer: type[A]) -> dict[str, object]:
    """Return the JSON schema of an answer without the titles that only cost tokens."""
    found = _without_titles(answer.model_json_schema())
    assert isinstance(found, dict)
    return found


def parse_answer(text: str, answer: type[A]) -> A:
    """Parse one answer strictly; a leading think block and one fence around it are taken off.

    Raises:
        ValueError: it is no JSON, or not of this form; the message can be told to the model.
    """
    body = _THINKING.sub("", text, count=1).strip()
    fenced = _FENCED.match(body)
    try:
        return answer.model_validate_json(fenced[1] if fenced else body)
    except ValidationError as error:
        raise _MalformedError(_told(error)) from error


def ask_typed(
    client: ModelClient, call: Call, answer: type[A], check: Check[A] | None = None
) -> Typed[A]:
    """Ask once, parse and check; where that fails, ask once more, saying what was wrong."""
    return ask_typed_many(client, [call], [answer], check)[0]


def ask_typed_many(
    client: ModelClient,
    calls: Sequence[Call],
    answers: Sequence[type[A]],
    check: Check[A] | None = None,
) -> list[Typed[A]]:
    """Ask several at once; those whose answers cannot be used are asked once more together.

    Raises: as `ModelClient.ask_many`.
    """
    asked = [
        replace(call, schema=call.schema or schema_of(answer))
        for call, answer in zip(calls, answers, strict=True)
    ]
    replies = client.ask_many(asked)
    typed = [_parsed(r, a, check) for r, a in zip(replies, answers, strict=True)]
    broken = [index for index, found in enumerate(typed) if found.value is None]
    repairs = [_repair(client, asked[index], typed[index]) for index in broken]
    for index, reply in zip(broken, client.ask_many(repairs), strict=True):
        again = _parsed(reply, answers[index], check)
        before = typed[index]
        # A last answer that is well-formed but wrong in content is told by its content.
        malformed = again.malformed and again.malformed + before.malformed
        typed[index] = replace(
            again, warnings=before.warnings + again.warnings, malformed=malformed
        )
    return typed


def _parsed(reply: Reply, answer: type[A], check: Check[A] | None) -> Typed[A]:
    try:
        if not reply.complete:
            raise ValueError("the answer was cut at the output limit")
        value = parse_answer(reply.text, answer)
        fault = check(value) if check else None
        if fault:
            raise ValueError(fault)
    except ValueError as error:
        warning = f"{reply.request_id}: unusable answer: {error}"
        malformed = int(isinstance(error, _MalformedError))
        return Typed(None, reply.request_id, (warning,), str(error), malformed)
    return Typed(value, reply.request_id)


def _repair(client: ModelClient, call: Call, failed: Typed[A]) -> Call:
    """The same prompt with what was wrong at its end; the broken answer itself is not shown."""
    counter = client.counter(call.stage)
    # Cut last: half of a secret looks like none.
    problem = for_prompt(failed.problem)[:_MOST_SAID]
    content = _repair_note(f" ({json.dumps(problem)})")
    if counter.count(content) > REPAIR_TOKENS:
        # The reason quotes keys that the model chose; a dear quote must not burst the room.
        content = _repair_note("")
    note = Fragment(
        FragmentKind.NOTE,
        content,
        counter.count(content),
        template=REPAIR_TEMPLATE,
        source=f"request:{failed.request_id}",
    )
    prompt = Prompt((*call.prompt.fragments, note), call.prompt.package_id)
    return replace(call, prompt=prompt)


def _repair_note(reason: str) -> bytes:
    return (
        f"\nAn earlier answer could not be used{reason}.\n"
        "Answer again, in the form asked for and nothing else, and shorter.\n"
    ).encode("ascii")


def _told(error: ValidationError) -> str:
    parts = [
        f"{'.'.join(str(step) for step in item['loc']) or 'answer'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    ]
    return for_prompt("; ".join(parts))[:_MOST_SAID]


def _without_titles(schema: object) -> object:
    if isinstance(schema, dict):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    return schema
