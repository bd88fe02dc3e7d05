"""The verb for other programs: mcp.

Takes: words of the command line. Gives: a call of the server, imported inside so that help loads no
room. Does not know: the protocol.
"""

from __future__ import annotations

import typer

from clean_room_agent.cli.options import (
    HERE,
    Override,
    Quiet,
    Repo,
    app,
    examples,
    open_invocation,
)


@app.command(epilog=examples("cra mcp", "cra mcp --repo path/to/repository --quiet"))
def mcp(repo: Repo = HERE, override: Override = None, quiet: Quiet = False) -> None:
    """Serve search, context, symbol and why to an agent or editor (MCP on stdio). Read-only."""
    from clean_room_agent.serve.server import serve

    raise typer.Exit(serve(open_invocation(repo, False, override, quiet)))
