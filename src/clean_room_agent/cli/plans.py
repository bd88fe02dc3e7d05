"""The verb that plans: plan.

Takes: words of the command line. Gives: a call of one module in `commands`, imported inside so
that help loads no room. Does not know: what a verb does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clean_room_agent.cli.options import (
    HERE,
    Json,
    Override,
    Quiet,
    Repo,
    app,
    examples,
    open_invocation,
)


@app.command(
    epilog=examples(
        'cra plan "rounding is wrong in invoice totals"', "cra plan --file issue.md --json"
    )
)
def plan(
    task: Annotated[str, typer.Argument(help="What is wrong; '-' reads stdin.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Read the task from here.")] = None,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Write the steps of a change; every target is checked to exist. Needs a model."""
    from clean_room_agent.commands import context
    from clean_room_agent.commands import plan as command

    text = context.task_text(task, file)
    raise typer.Exit(command.plan(open_invocation(repo, json_output, override, quiet), text))
