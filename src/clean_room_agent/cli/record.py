"""Verbs that explain what was done: runs, trace, why, verify.

Takes: words of the command line. Gives: a call of one module in `commands`, imported inside so
that help loads no room. Does not know: what a verb does.
"""

from __future__ import annotations

from typing import Annotated

import typer

from clean_room_agent.cli.options import (
    HERE,
    Json,
    Repo,
    TaskOption,
    app,
    examples,
    open_invocation,
)


@app.command(epilog=examples("cra runs", "cra runs --verb solve --limit 5 --json"))
def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Newest first.")] = 20,
    verb: Annotated[str, typer.Option("--verb", help="Only runs of this verb.")] = "",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """List what was run, how it ended, and how long it took."""
    from clean_room_agent.commands import runs as command

    command.runs(open_invocation(repo, json_output), limit=limit, verb=verb)


@app.command(epilog=examples("cra trace last", "cra trace q-20261120-ab12cd --prompt"))
def trace(
    identifier: Annotated[
        str, typer.Argument(help="Any id that cra prints (run, task, call, plan, ...), or 'last'.")
    ] = "last",
    prompt: Annotated[
        bool, typer.Option("--prompt", help="Print the exact prompt of one call.")
    ] = False,
    answer: Annotated[
        bool, typer.Option("--answer", help="Print the exact answer of one call.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Walk an output back to every decision behind it, a call to the origin of each byte."""
    from clean_room_agent.commands import trace as command

    exact = command.ExactBytes(prompt=prompt, answer=answer)
    command.trace(open_invocation(repo, json_output), identifier, exact)


@app.command(
    epilog=examples("cra why src/billing/rounding.py", "cra why README.md --task last --json")
)
def why(
    path: Annotated[str, typer.Argument(help="A file, or file::symbol.")],
    task: TaskOption = "last",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Say why a file or symbol was shown, or not shown, with each signal's score."""
    from clean_room_agent.commands import why as command

    command.why(open_invocation(repo, json_output), path, task)


@app.command(epilog=examples("cra verify", "cra verify --json"))
def verify(repo: Repo = HERE, json_output: Json = False) -> None:
    """Rebuild every logged prompt, check every hash and the chain; non-zero on any break."""
    from clean_room_agent.commands import verify as command

    raise typer.Exit(command.verify(open_invocation(repo, json_output)))
