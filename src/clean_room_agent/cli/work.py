"""Verbs that do the work: search, symbol, context, solve, apply, undo.

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
        'cra search "where are totals rounded"',
        "cra search parse_date --top-k 5 --filter path=src/ --filter tests=no --json",
    )
)
def search(
    query: Annotated[str, typer.Argument(help="Words, names, or an error message.")],
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=500, help="Chunks at most.")] = 10,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="path=PREFIX, language=NAME or tests=no (repeatable)."),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Print the chunks themselves.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Rank chunks of the index for a query: path, lines, chunk id, score. Asks no model."""
    from clean_room_agent.commands import search as command

    request = command.SearchRequest(query, top_k, tuple(filters or ()), text)
    command.search(open_invocation(repo, json_output, override, quiet), request)


@app.command(
    epilog=examples("cra symbol Ledger.add", "cra symbol src/money.py::share --max-lines 40 --json")
)
def symbol(
    name: Annotated[
        str, typer.Argument(help="share, Ledger.add, pkg.money.share, path::name, or a path.")
    ],
    definitions: Annotated[
        int, typer.Option("--definitions", min=1, max=50, help="With their text, at most.")
    ] = 3,
    max_lines: Annotated[
        int, typer.Option("--max-lines", min=0, help="Lines of each; 0 is all.")
    ] = 0,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Show what a name is defined as: text, callers, callees; for a path, its outline."""
    from clean_room_agent.commands import symbol as command

    request = command.SymbolRequest(name, definitions, max_lines)
    command.symbol(open_invocation(repo, json_output, override, quiet), request)


@app.command(
    epilog=examples(
        'cra context "rounding is wrong in invoice totals"',
        "cra context --file issue.md --format markdown > room.md",
    )
)
def context(
    task: Annotated[str, typer.Argument(help="What the task says; '-' reads stdin.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Read the task from here.")] = None,
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the exact bytes.")] = False,
    all_decisions: Annotated[
        bool, typer.Option("--all", help="List every candidate, the excluded ones too.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", help="Print a document to paste: markdown, xml or json.")
    ] = "",
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Show the context package for a task as it would be sent: fragments, reasons, tokens."""
    from clean_room_agent.commands import context as command

    invocation = open_invocation(repo, json_output, override, quiet)
    shown = command.ContextView(prompt, all_decisions, command.read_form(form))
    command.context(invocation, command.task_text(task, file), shown)


@app.command(
    epilog=examples(
        'cra solve "totals are off by one cent" --test "pytest -q"',
        "cra solve --file issue.md --test 'python -m pytest tests/test_money.py' --plan last",
    )
)
def solve(
    task: Annotated[str, typer.Argument(help="What is wrong; '-' reads stdin.")] = "",
    test: Annotated[str, typer.Option("--test", help="The test command (pytest).")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Read the task from here.")] = None,
    fix: Annotated[
        list[str] | None, typer.Option("--fix", help="A failing test that must pass (repeatable).")
    ] = None,
    dirty: Annotated[
        str, typer.Option("--dirty", help="Uncommitted changes: include, ignore, refuse.")
    ] = "include",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Search budget; same as -c solve.seconds=.")
    ] = None,
    plan: Annotated[
        str, typer.Option("--plan", help="Follow this plan of `cra plan`: its id, or 'last'.")
    ] = "",
    apply_patch: Annotated[
        bool, typer.Option("--apply", help="Apply the verified patch at the end.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Find a verified patch in a sandbox. Your tree stays as it is until `cra apply`."""
    from clean_room_agent.commands import context
    from clean_room_agent.commands import solve as command

    overrides = list(override or [])
    if seconds is not None:
        overrides.append(f"solve.seconds={seconds}")
    request = command.SolveRequest(
        text=context.task_text(task, file),
        test_command=test,
        fix=tuple(fix or ()),
        dirty=dirty,
        apply_patch=apply_patch,
        plan=plan,
    )
    code = command.solve(open_invocation(repo, json_output, overrides, quiet), request)
    raise typer.Exit(code)


@app.command(name="apply", epilog=examples("cra apply last", "cra apply r-20261120 --dry-run"))
def apply_run(
    run: Annotated[str, typer.Argument(help="Run or task id, a prefix, or 'last'.")] = "last",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the patch only.")] = False,
    allow_ci: Annotated[
        bool, typer.Option("--allow-ci", help="Permit edits of hooks and workflow files.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Write a verified patch into your tree; refuses when a file changed since."""
    from clean_room_agent.commands import apply as command

    command.apply(open_invocation(repo, json_output), run, dry_run=dry_run, allow_ci=allow_ci)


@app.command(epilog=examples("cra undo", "cra undo r-20261120"))
def undo(
    run: Annotated[str, typer.Argument(help="Run or task id, a prefix, or 'last'.")] = "last",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Take back the last applied patch, byte for byte."""
    from clean_room_agent.commands import apply as command

    command.undo(open_invocation(repo, json_output), run)
