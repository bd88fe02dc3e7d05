"""Verbs that run a logged run again: replay, resume.

Takes: words of the command line. Gives: a call of one module in `commands`, imported inside so
that help loads no room. Does not know: what a verb does.
"""

from __future__ import annotations

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


@app.command(epilog=examples("cra replay last", "cra replay t-20261120-ab12cd --json"))
def replay(
    identifier: Annotated[str, typer.Argument(help="Run or task id, or 'last'.")] = "last",
    repo: Repo = HERE,
    json_output: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a logged run again from its recorded answers; name the first divergence, or none."""
    from clean_room_agent.commands import replay as command

    invocation = open_invocation(repo, json_output, quiet=quiet)
    raise typer.Exit(command.replay(invocation, identifier))


@app.command(epilog=examples("cra resume", "cra resume r-20261120-ab12cd"))
def resume(
    identifier: Annotated[str, typer.Argument(help="Run or task id, or 'last'.")] = "last",
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Finish a run that was killed or whose model failed; what was answered is not asked again.

    The settings are those of that run, -c words included. How the server is reached (its address,
    key and timeouts) is taken from now where it is configured now; -c here wins over both.
    """
    from clean_room_agent.commands import resume as command

    invocation = open_invocation(repo, json_output, override, quiet)
    raise typer.Exit(command.resume(invocation, identifier))
