"""One call of a tool, from the arguments as sent to the answer, whatever happens on the way.

Takes: a tool, its arguments, an invocation to start from. Gives: `Answer`; a failure is one too,
with what, where and what to do next. Does not know: the protocol, threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from clean_room_agent.commands.failure import error_document, error_text, print_traceback
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.output import SCHEMA_VERSION
from clean_room_agent.errors import CraError, UsageError
from clean_room_agent.records.spelling import encodable, one_line
from clean_room_agent.serve.collecting import Collected
from clean_room_agent.serve.tools import Arguments, Tool

PROBLEMS_SHOWN = 5
CLIENT_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came in, and who made it."""

    tool: Tool
    arguments: Mapping[str, object]
    client: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: the verb's text, what to call next, and the same as content.

    File names may hold bytes that are no UTF-8; a message cannot, so they are spelled out here: one
    that could not be written would end the server.
    """

    text: str
    next_step: str
    document: Mapping[str, object]
    is_error: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", encodable(self.text))
        object.__setattr__(self, "next_step", encodable(self.next_step))
        spelled = {name: _spelled(value) for name, value in self.document.items()}
        object.__setattr__(self, "document", spelled)


def _spelled(value: object) -> object:
    """JSON content whose texts can be written."""
    match value:
        case str():
            return encodable(value)
        case Mapping():
            return {encodable(str(name)): _spelled(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_spelled(inner) for inner in value]
        case _:
            return value


def answer(asked: Asked, start: Invocation, tell: Callable[[str], None]) -> Answer:
    """Ask the verb behind a tool. `tell` is told how far it is."""
    output = Collected(tell, quiet=start.quiet)
    try:
        arguments = _read(asked)
        # Made anew for each call: the repository and its settings change under a long-lived server.
        fresh = replace(
            start,
            asked_by=f"mcp: {one_line(asked.client)[:CLIENT_CHARACTERS]}",
            output_override=output,
        )
        overrides = (*start.overrides, *arguments.overrides(fresh))
        arguments.ask(replace(fresh, overrides=overrides))
    except CraError as error:
        return failed(error)
    except Exception as error:  # noqa: BLE001 - a defect ends one call, not the server; it is told
        print_traceback(error)
        return failed(
            CraError(
                f"a bug in cra: {type(error).__name__}",
                where=f"tool {asked.tool.name}",
                hint="the server's stderr has the traceback; please report it",
            )
        )
    return Answer(output.text, asked.tool.next_after(output.content), output.content)


def _read(asked: Asked) -> Arguments:
    """Check arguments; the values themselves are not repeated. Raises: UsageError."""
    try:
        return asked.tool.arguments.model_validate(asked.arguments)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        told = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
            for problem in problems[:PROBLEMS_SHOWN]
        ]
        known = ", ".join(asked.tool.arguments.model_fields) or "none"
        raise UsageError(
            one_line("; ".join(told)),
            where=f"arguments of {asked.tool.name}",
            hint=f"its arguments: {known}",
        ) from error


def failed(error: CraError) -> Answer:
    document = {"schema_version": SCHEMA_VERSION, **error_document(error)}
    return Answer(error_text(error), "", document, is_error=True)
