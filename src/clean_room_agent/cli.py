"""Arguments only: each verb parses its words and calls one module in `commands`.

Takes: the command line. Gives: an exit code (`cra help exit-codes`). Does not know: what a verb
does; commands are imported inside the functions, so that help loads no room.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from clean_room_agent import __version__
from clean_room_agent.errors import CraError

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
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
# typer carries its own click and exports only leaves of that tree of errors.
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]


def _examples(*lines: str) -> str:
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


class _Root:
    """Options given before the verb; they hold as if they stood after it."""

    json_output = False
    repo = HERE


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    json_output: Json = False,
    repo: Repo = HERE,
) -> None:
    _Root.json_output, _Root.repo = json_output, repo
    if version:
        if json_output:
            from clean_room_agent.commands.version import print_version

            print_version()
        else:
            sys.stdout.write(f"cra {__version__}\n")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


@app.command(epilog=_examples("cra init --offline", "cra -C path/to/repo init --offline"))
def init(
    offline: Annotated[bool, typer.Option("--offline", help="Model-free mode.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Write .clean_room/config.toml, every field commented and classified. Idempotent."""
    from clean_room_agent.commands import init as command

    command.init(_invocation(repo, json_output), offline=offline)


@app.command(epilog=_examples("cra index", "cra index --full --json"))
def index(
    full: Annotated[bool, typer.Option("--full", help="Rebuild from nothing.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Read the repository into the curated store; only what changed is parsed again."""
    from clean_room_agent.commands import index as command

    command.index(_invocation(repo, json_output, override, quiet), full=full)


@app.command(
    epilog=_examples(
        'cra context "rounding is wrong in invoice totals"', "cra context --file issue.md --json"
    )
)
def context(
    task: Annotated[str, typer.Argument(help="What the task says; '-' reads stdin.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Read the task from here.")] = None,
    prompt: Annotated[bool, typer.Option("--prompt", help="Print the exact bytes.")] = False,
    all_decisions: Annotated[
        bool, typer.Option("--all", help="List every candidate, the excluded ones too.")
    ] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
    quiet: Quiet = False,
) -> None:
    """Show the context package for a task as it would be sent: fragments, reasons, tokens."""
    from clean_room_agent.commands import context as command

    invocation = _invocation(repo, json_output, override, quiet)
    shown = command.ContextView(prompt=prompt, all_decisions=all_decisions)
    command.context(invocation, command.task_text(task, file), shown)


@app.command(
    epilog=_examples(
        'cra solve "totals are off by one cent" --test "pytest -q"',
        "cra solve --file issue.md --test 'python -m pytest tests/test_money.py' --json",
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
    )
    code = command.solve(_invocation(repo, json_output, overrides, quiet), request)
    raise typer.Exit(code)


@app.command(name="apply", epilog=_examples("cra apply last", "cra apply r-20261120 --dry-run"))
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

    command.apply(_invocation(repo, json_output), run, dry_run=dry_run, allow_ci=allow_ci)


@app.command(epilog=_examples("cra undo", "cra undo r-20261120"))
def undo(
    run: Annotated[str, typer.Argument(help="Run or task id, a prefix, or 'last'.")] = "last",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Take back the last applied patch, byte for byte."""
    from clean_room_agent.commands import apply as command

    command.undo(_invocation(repo, json_output), run)


@app.command(epilog=_examples("cra runs", "cra runs --verb solve --limit 5 --json"))
def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Newest first.")] = 20,
    verb: Annotated[str, typer.Option("--verb", help="Only runs of this verb.")] = "",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """List what was run, how it ended, and how long it took."""
    from clean_room_agent.commands import runs as command

    command.runs(_invocation(repo, json_output), limit=limit, verb=verb)


@app.command(epilog=_examples("cra trace last", "cra trace t-20261120-ab12cd --json"))
def trace(
    identifier: Annotated[str, typer.Argument(help="Run, task or patch id, or 'last'.")] = "last",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Walk an output back to every decision behind it."""
    from clean_room_agent.commands import trace as command

    command.trace(_invocation(repo, json_output), identifier)


@app.command(
    epilog=_examples("cra why src/billing/rounding.py", "cra why README.md --task last --json")
)
def why(
    path: Annotated[str, typer.Argument(help="A file, or file::symbol.")],
    task: TaskOption = "last",
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Say why a file or symbol was shown, or not shown, with each signal's score."""
    from clean_room_agent.commands import why as command

    command.why(_invocation(repo, json_output), path, task)


@app.command(epilog=_examples("cra verify", "cra verify --json"))
def verify(repo: Repo = HERE, json_output: Json = False) -> None:
    """Rebuild every logged prompt, check every hash and the chain; non-zero on any break."""
    from clean_room_agent.commands import verify as command

    raise typer.Exit(command.verify(_invocation(repo, json_output)))


@app.command(epilog=_examples("cra doctor", "cra doctor --json"))
def doctor(repo: Repo = HERE, json_output: Json = False, override: Override = None) -> None:
    """Check this machine, this repository and the stores; say what to do about each finding."""
    from clean_room_agent.commands import doctor as command

    raise typer.Exit(command.doctor(_invocation(repo, json_output, override)))


@app.command(epilog=_examples("cra gc --dry-run", "cra gc"))
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List only.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
) -> None:
    """Remove what finished or dead runs left behind; anything edited is salvaged first."""
    from clean_room_agent.commands import gc as command

    command.gc(_invocation(repo, json_output), dry_run=dry_run)


@config_app.command(name="show", epilog=_examples("cra config show --origin"))
def config_show(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value is from.")] = False,
    repo: Repo = HERE,
    json_output: Json = False,
    override: Override = None,
) -> None:
    """Print the effective configuration."""
    from clean_room_agent.commands import config as command

    command.show(_invocation(repo, json_output, override), origin=origin)


@app.command(name="help", epilog=_examples("cra help exit-codes"))
def help_topic(
    topic: Annotated[str, typer.Argument(help="exit-codes")] = "exit-codes",
) -> None:
    """Explain a topic."""
    from clean_room_agent.commands import help as command

    command.help_topic(topic)


def _invocation(
    repo: Path, json_output: bool, override: list[str] | None = None, quiet: bool = False
) -> Invocation:
    from clean_room_agent.commands.invocation import Invocation

    return Invocation(
        directory=_Root.repo / repo,
        json=json_output or _Root.json_output,
        overrides=tuple(override or ()),
        quiet=quiet,
    )


class _Terminated(BaseException):
    """SIGTERM arrived: unwinds like Ctrl-C, so that every context cleans up."""


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise _Terminated


def main() -> None:
    """Run the command line and exit with the documented code."""
    signal.signal(signal.SIGTERM, _terminate)
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
        # The reader (`| head`) went away: nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the one broad catch: a bug is reported, not hidden
        code = report_bug(error, as_json="--json" in sys.argv)
    # The parser turns Ctrl-C into its exit code by itself.
    if code in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        report_interruption(code)
    sys.exit(code)
