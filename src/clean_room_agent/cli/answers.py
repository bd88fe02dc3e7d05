"""Verbs that ask a model about the repository: ask, chat, enrich.

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
        'cra ask "where are totals rounded?"', 'cra ask "who calls share()?" --at v1.2 --json'
    )
)
def ask(
    question: Annotated[str, typer.Argument(help="What to answer; '-' reads stdin.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="Read the question from here.")
    ] = None,
    at: Annotated[
        str, typer.Option("--at", metavar="COMMIT", help="Ask about the tree of this commit.")
    ] = "",
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Answer with citations (path:start-end@commit), each read again before it is printed."""
    from clean_room_agent.commands import ask as command
    from clean_room_agent.commands.context import task_text

    invocation = open_invocation(repo, json_output, override, quiet)
    raise typer.Exit(command.ask(invocation, task_text(question, file, "question"), at=at))


@app.command(epilog=examples("cra chat", "cra chat --json < questions.txt"))
def chat(
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Ask one question after the other; each is curated anew, and no transcript is kept."""
    from clean_room_agent.commands import chat as command

    raise typer.Exit(command.chat(open_invocation(repo, json_output, override, quiet)))


@app.command(
    epilog=examples(
        "cra enrich -c enrich.tokens=50000", "cra enrich --promote src/billing/rounding.py"
    )
)
def enrich(
    paths: Annotated[
        list[str] | None, typer.Argument(help="With --promote: only these files.")
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Let descriptions into the index, by your word.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show what is described and promoted.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Let a model describe files, into the log; no prompt shows it before you promote it."""
    from clean_room_agent.commands import enrich as command

    invocation = open_invocation(repo, json_output, override, quiet)
    asked = command.EnrichRequest(paths=tuple(paths or ()), promote=promote, status=status)
    raise typer.Exit(command.enrich(invocation, asked))
