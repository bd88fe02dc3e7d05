"""The tools that are offered: what each takes, what it says of itself, which verb answers.

Takes: arguments as a client sent them. Gives: `TOOLS`; each kind of arguments asks one verb.
Does not know: the protocol. Every bound is in the schema that the client is shown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clean_room_agent.commands import context, index, search, symbol, why
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.pasting import PasteForm

DEFAULT_CONTEXT_TOKENS = 12_000  # what most agents take from one call without cutting it
NEXT_OF_NOTHING = (
    "Next: other words, a name or a path; `context` with the whole task; `why` with a path says"
    " whether a file is indexed."
)
INSTRUCTIONS = (
    "The indexed code of one repository. For a task or an issue, call `context` first: it returns"
    " the pieces of code that matter, whole, with path and lines. Then `symbol` for one definition"
    " with its callers and callees (or the outline of a file), `search` for words, names or error"
    " messages, `why` for the reason that something was or was not in a context. Lines are 1-based."
    " Nothing here changes a file. Code that holds what looks like a secret is withheld."
)


class Arguments(BaseModel, ABC):
    """What a tool takes; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    def overrides(self, _invocation: Invocation) -> tuple[str, ...]:
        """Settings of this call, as `-c` gives them; they are recorded in its run."""
        return ()

    @abstractmethod
    def ask(self, invocation: Invocation) -> None:
        """Ask the verb; its output holds the answer."""


class ContextArguments(Arguments):
    task: str = Field(
        min_length=1,
        max_length=context.MAX_TASK_BYTES,
        description="The issue or task in full: error messages, tracebacks, test ids, names, paths."
        " More text finds more.",
    )
    format: Literal["markdown", "xml", "json"] = Field(
        "markdown", description="The form of the text that is returned."
    )
    max_tokens: int | None = Field(
        None,
        ge=1_000,
        le=200_000,
        description="Budget of the package; what does not fit is left out whole."
        f" Without it {DEFAULT_CONTEXT_TOKENS:,}, or the repository's own setting if smaller.",
    )

    def overrides(self, invocation: Invocation) -> tuple[str, ...]:
        invocation.require_room()
        own = invocation.settings.config.budget.context_tokens
        tokens = self.max_tokens or min(own, DEFAULT_CONTEXT_TOKENS)
        return () if tokens == own else (f"budget.context_tokens={tokens}",)

    def ask(self, invocation: Invocation) -> None:
        view = context.ContextView(form=PasteForm(self.format))
        context.context(invocation, context.checked_text(self.task), view)


class SearchArguments(Arguments):
    query: str = Field(
        min_length=1, max_length=4_000, description="Words, names, or an error message."
    )
    top_k: int = Field(8, ge=1, le=50, description="Chunks at most.")
    path_prefix: str = Field(
        "", max_length=1_000, description="Only files whose path begins so, e.g. `src/billing/`."
    )
    language: str = Field("", max_length=40, description="Only this language, e.g. `python`.")
    tests: bool = Field(True, description="Whether test files may answer.")
    max_lines: int = Field(
        30, ge=0, le=5_000, description="Lines shown of each chunk; 0 shows all."
    )

    def ask(self, invocation: Invocation) -> None:
        given = {"path": self.path_prefix, "language": self.language}
        filters = [f"{key}={value}" for key, value in given.items() if value]
        filters += [] if self.tests else ["tests=no"]
        request = search.SearchRequest(
            self.query, self.top_k, tuple(filters), show_text=True, max_lines=self.max_lines
        )
        search.search(invocation, request)


class SymbolArguments(Arguments):
    name: str = Field(
        min_length=1,
        max_length=1_000,
        description="`share`, `Ledger.add`, `pkg.money.share`, `src/money.py::share`; or the path"
        " of a file for its outline.",
    )
    definitions: int = Field(
        3, ge=1, le=20, description="Definitions with text, at most; the others are listed."
    )
    max_lines: int = Field(
        150, ge=0, le=10_000, description="Lines shown of each definition; 0 shows all."
    )

    def ask(self, invocation: Invocation) -> None:
        request = symbol.SymbolRequest(self.name, self.definitions, self.max_lines)
        symbol.symbol(invocation, request)


class WhyArguments(Arguments):
    path: str = Field(
        min_length=1, max_length=4_000, description="A file, or `path::symbol`, of the repository."
    )
    task: str = Field(
        "last",
        min_length=1,
        max_length=200,
        description="The `task_id` that `context` returned; `last` is the newest of the log.",
    )

    def ask(self, invocation: Invocation) -> None:
        why.why(invocation, self.path, self.task)


class IndexArguments(Arguments):
    def ask(self, invocation: Invocation) -> None:
        index.index(invocation, full=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as it is listed. `returned` names the fields of its structured answer.

    `next_step` is told after an answer whose field `answers` holds something.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    returned: Mapping[str, str]
    next_step: str = ""
    answers: str = "schema_version"

    def next_after(self, content: Mapping[str, object]) -> str:
        """Say what to call after this answer."""
        return self.next_step.format_map(content) if content.get(self.answers) else NEXT_OF_NOTHING

    @property
    def input_schema(self) -> dict[str, object]:
        """The schema without the titles that only repeat the names: a model pays for each word."""
        schema = self.arguments.model_json_schema()
        for described in (schema, *schema["properties"].values()):
            described.pop("title", None)
        return schema

    @property
    def output_schema(self) -> dict[str, object]:
        fields: dict[str, object] = {name: {"type": kind} for name, kind in self.returned.items()}
        fields["schema_version"] = {"type": "integer"}
        return {"type": "object", "properties": fields, "required": ["schema_version"]}


TOOLS = (
    Tool(
        "context",
        "Context for a task",
        "Choose the code that matters for a task or an issue, within a token budget: whole pieces"
        " with path, lines and the reason for each, by names, call graph, text and git history."
        " Start here. Names the best of what was left out. Takes a second or more on a big"
        " repository.",
        ContextArguments,
        {
            **{"task_id": "string", "run_id": "string", "package_id": "string", "task": "string"},
            **{"commit": "string", "tokens": "integer", "budget_tokens": "integer"},
            **{"pasted_tokens": "integer", "counter": "string", "files": "array"},
            **{"excluded": "integer", "next_best": "array", "notes": "array"},
        },
        "task {task_id}. Next: `symbol` with a name shown above for its whole text, callers and"
        ' callees; `why` with a path and task "{task_id}" for why it is or is not here.',
        answers="files",
    ),
    Tool(
        "search",
        "Search the code",
        "Rank chunks of code (whole functions, classes, or files) for words, names or an error"
        " message. Gives path, lines, symbol, score, and numbered lines of each.",
        SearchArguments,
        {"run_id": "string", "query": "string", "hits": "array"},
        "Next: `symbol` with `path::name` of a hit for its whole text, callers and callees.",
        answers="hits",
    ),
    Tool(
        "symbol",
        "Definition of a name",
        "Show where a function, class or method is defined, its numbered lines, what calls it, what"
        " it calls, and how it inherits. With the path of a file: the outline of that file.",
        SymbolArguments,
        {
            **{"run_id": "string", "name": "string", "exact": "boolean", "definitions": "array"},
            **{"others": "array", "outline": "array"},
        },
        "Next: `symbol` with `path::name` of any place above.",
    ),
    Tool(
        "why",
        "Why something is in a context",
        "Explain why a file or symbol was or was not shown by an earlier `context` call: each"
        " decision with its signals, or the recorded reason that it was never a candidate.",
        WhyArguments,
        {
            **{"task_id": "string", "path": "string", "symbol": "string", "shown": "boolean"},
            **{"reason": "string", "fragments": "array", "decisions": "array"},
        },
    ),
    Tool(
        "index_status",
        "Bring the index up to date",
        "Read what changed in the repository into the index and report its totals, commit, and what"
        " was skipped and why. `context`, `search` and `symbol` do this before they answer.",
        IndexArguments,
        {
            **{"run_id": "string", "files": "integer", "symbols": "integer", "head": "string"},
            **{"references": "integer", "edges": "integer", "commits": "integer"},
            "skipped": "array",
        },
    ),
)
