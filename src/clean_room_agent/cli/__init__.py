"""Arguments only: each verb parses its words and calls one module in `commands`.

Takes: the command line. Gives: an exit code (`cra help exit-codes`). Does not know: what a verb
does; commands are imported inside the functions, so that help loads no room.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from clean_room_agent import __version__
from clean_room_agent.cli import again, agents, answers, plans, record, room, work
from clean_room_agent.cli.options import HERE, Json, Repo, Root, app
from clean_room_agent.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, CraError
from clean_room_agent.network import guard_network

# typer carries its own click and exports only leaves of that tree of errors.
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]
# Importing a module registers its verbs; help lists them in the order of a user's day.
MODULES = (room, answers, plans, work, again, record, agents)
_ORDER = (
    *("init", "index", "models", "enrich", "search", "symbol", "context", "ask", "chat", "plan"),
    *("solve", "resume", "apply", "undo", "runs", "trace", "why", "replay", "verify", "mcp"),
    *("doctor", "gc", "config", "help"),
)
app.registered_commands.sort(
    key=lambda verb: _ORDER.index(verb.name or getattr(verb.callback, "__name__", ""))
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    json_output: Json = False,
    repo: Repo = HERE,
) -> None:
    Root.json_output, Root.repo = json_output, repo
    if version:
        if json_output:
            from clean_room_agent.commands.version import print_version

            print_version()
        else:
            sys.stdout.write(f"cra {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


class _Terminated(BaseException):
    """SIGTERM arrived: unwinds like Ctrl-C, so that every context cleans up."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _Terminated


def _reader_gone() -> int:
    """The reader (`| head`) went away: nothing is wrong, and nothing more can be said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def main() -> None:
    """Run the command line and exit with the documented code."""
    signal.signal(signal.SIGTERM, _terminate)
    guard_network()
    from clean_room_agent.commands.failure import (
        report_bug,
        report_error,
        report_interruption,
        report_usage,
    )

    try:
        code = app(standalone_mode=False)
    except CraError as error:
        code = report_error(error, as_json="--json" in sys.argv)
    except _ClickError as error:
        code = report_usage(error, as_json="--json" in sys.argv)
    except (typer.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except _Terminated:
        code = EXIT_TERMINATED
    except BrokenPipeError:
        code = _reader_gone()
    except SystemExit as end:
        # The parser ends with 1 when a pipe breaks below it, in standalone mode or not.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = _reader_gone()
    except Exception as error:  # noqa: BLE001 - the one broad catch: a bug is reported, not hidden
        code = report_bug(error, as_json="--json" in sys.argv)
    # The parser turns Ctrl-C into its exit code by itself.
    if code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        report_interruption(code)
    sys.exit(code)
