"""Verbs that make and keep the room: init, index, doctor, gc, config, help.

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
    Root,
    app,
    config_app,
    examples,
    open_invocation,
)


@app.command(epilog=examples("cra init", "cra init --offline"))
def init(
    offline: Annotated[
        bool, typer.Option("--offline", help="Model-free: no server is looked for.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Write .clean_room/config.toml, every field commented and classified. Idempotent."""
    from clean_room_agent.commands import init as command

    command.init(open_invocation(repo, json_output), offline=offline)


@app.command(epilog=examples("cra models", "cra models --json"))
def models(repo: Repo = HERE, json_output: Json = False, override: Override = None) -> None:
    """List the configured models: reachable, served window, digest, adapter, stages."""
    from clean_room_agent.commands import models as command

    raise typer.Exit(command.models(open_invocation(repo, json_output, override)))


@app.command(epilog=examples("cra index", "cra index --full --json", "cra index --watch"))
def index(
    full: Annotated[bool, typer.Option("--full", help="Rebuild from nothing.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and refresh whenever files change.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Read the repository into the curated store; only what changed is parsed again."""
    invocation = open_invocation(repo, json_output, override, quiet)
    if watch:
        from clean_room_agent.commands.watch import watch as follow

        follow(invocation, full=full)
    else:
        from clean_room_agent.commands import index as command

        command.index(invocation, full=full)


@app.command(epilog=examples("cra doctor", "cra doctor --json"))
def doctor(repo: Repo = HERE, json_output: Json = False, override: Override = None) -> None:
    """Check this machine, this repository and the stores; say what to do about each finding."""
    from clean_room_agent.commands import doctor as command

    raise typer.Exit(command.doctor(open_invocation(repo, json_output, override)))


@app.command(epilog=examples("cra gc --dry-run", "cra gc"))
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List only.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Remove what finished or dead runs left behind; anything edited is salvaged first."""
    from clean_room_agent.commands import gc as command

    command.gc(open_invocation(repo, json_output), dry_run=dry_run)


@config_app.command(name="show", epilog=examples("cra config show --origin"))
def config_show(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value is from.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
) -> None:
    """Print the effective configuration."""
    from clean_room_agent.commands import config as command

    command.show(open_invocation(repo, json_output, override), origin=origin)


@app.command(name="help", epilog=examples("cra help exit-codes"))
def help_topic(
    topic: Annotated[str, typer.Argument(help="exit-codes")] = "exit-codes",
    json_output: Json = False,
) -> None:
    """Explain a topic."""
    from clean_room_agent.commands import help as command

    command.help_topic(topic, as_json=json_output or Root.json_output)
