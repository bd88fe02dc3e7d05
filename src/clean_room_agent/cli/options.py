"""What all verbs of the command line share: the app, its common options, an invocation.

Takes: parsed options. Gives: `app`, option types, `examples`, `open_invocation`.
Does not know: any verb.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clean_room_agent.commands.invocation import Invocation

app = typer.Typer(
    name="cra",
    help="The Clean Room Agent: index a repository, curate a context, solve a task, explain it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Show the effective configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")

Repo = Annotated[
    Path, typer.Option("--repo", "-C", help="A directory in the repository.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Override = Annotated[
    list[str] | None,
    typer.Option("-c", metavar="SECTION.KEY=VALUE", help="Override one setting for this run."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
TaskOption = Annotated[str, typer.Option("--task", help="Task or run id, a prefix, or 'last'.")]
HERE = Path()


def examples(*lines: str) -> str:
    """Return the epilogue of a verb's help."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


class Root:
    """Options given before the verb; they hold as if they stood after it."""

    json_output = False
    repo = HERE


def open_invocation(
    repo: Path, json_output: bool, override: list[str] | None = None, quiet: bool = False
) -> Invocation:
    """Gather the shared options for a command."""
    from clean_room_agent.commands.invocation import Invocation

    return Invocation(
        directory=Root.repo / repo,
        json=json_output or Root.json_output,
        overrides=tuple(override or ()),
        quiet=quiet,
    )
