"""What every verb starts from: where it was called, how it prints, its repository and settings.

Takes: the parsed options. Gives: `Invocation`, and `Room` once repository and configuration are
open. Does not know: any single verb.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clean_room_agent import __version__
from clean_room_agent.commands.failure import note_resumable
from clean_room_agent.commands.output import Output
from clean_room_agent.config import load_config, project_config_path
from clean_room_agent.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    ConfigError,
    CraError,
)

if TYPE_CHECKING:
    from clean_room_agent.config import LoadedConfig
    from clean_room_agent.llm.rooms import CountOverride
    from clean_room_agent.llm.router import Router
    from clean_room_agent.llm.wire import Transport
    from clean_room_agent.records.task import RunId
    from clean_room_agent.repo.git import Repository
    from clean_room_agent.store.raw import RawLog


@dataclass(frozen=True)
class Repeats:
    """The logged run that this one runs again, and the verb that does so: replay or resume."""

    verb: str
    run_id: RunId


@dataclass(frozen=True)
class Invocation:
    """The options that all verbs share.

    Three are set where a logged run is run again: where answers come from instead of the
    configured server, the counters of that run, and which run it is. The last two are set where
    another program asks: who it is, for the log, and where what is printed goes.
    """

    directory: Path
    json: bool
    overrides: tuple[str, ...] = ()
    quiet: bool = False
    transport_override: Callable[[Router], Transport] | None = None
    counters_override: CountOverride | None = None
    repeats: Repeats | None = None
    asked_by: str = ""
    output_override: Output | None = None

    @cached_property
    def output(self) -> Output:
        return self.output_override or Output(as_json=self.json, quiet=self.quiet)

    @cached_property
    def repository(self) -> Repository:
        """The repository around `directory`; raises `RepositoryError` when there is none."""
        from clean_room_agent.repo.git import open_repository

        return open_repository(self.directory)

    @property
    def root(self) -> Path:
        return self.repository.root

    @cached_property
    def settings(self) -> LoadedConfig:
        """The effective configuration; raises `ConfigError`."""
        return load_config(self.root, overrides=self.overrides, environment=os.environ)

    def require_room(self) -> None:
        """Raise when `cra init` has not run here, or the room came with the repository.

        Raises:
            ConfigError: there is no room, or it is shipped and so never trusted.
        """
        path = project_config_path(self.root)
        refuse_shipped_room(self)
        _ = self.settings
        if not path.parent.is_dir():
            raise ConfigError(
                "there is no clean room here yet", where=str(path.parent), hint="cra init --offline"
            )


def refuse_shipped_room(invocation: Invocation) -> None:
    """Raise when git tracks anything in `.clean_room`: its settings would be somebody else's.

    A tracked path stands in git's index in full, so that a search of its bytes is certain;
    version 4 of the format shortens paths, so there the last commit is asked.
    """
    repository = invocation.repository
    index = repository.git_dir / "index"
    content = index.read_bytes() if index.is_file() else b""
    # With a slash for a folder's files, with the terminator for a link or a submodule.
    shipped = b".clean_room/" in content or b".clean_room\0" in content
    if content[4:8] == b"\0\0\0\4" and repository.head is not None:
        paths = repository.tree(repository.head)
        shipped |= any(path.split("/", 1)[0] == ".clean_room" for path in paths)
    room = project_config_path(repository.root).parent
    if shipped or room.is_symlink():
        raise ConfigError(
            "the repository ships its own .clean_room, which is never trusted",
            where=str(project_config_path(invocation.root).parent),
            hint="remove it from the repository: git rm -r --cached .clean_room",
        )


@contextmanager
def recorded_run(invocation: Invocation, verb: str, arguments: Sequence[str]) -> Iterator[OpenRun]:
    """Append the run to raw, hand it to the verb, and append how it ended, whatever happens."""
    from clean_room_agent.records.log import Event, Run, RunEnd
    from clean_room_agent.records.task import RunId
    from clean_room_agent.store.locks import name_process
    from clean_room_agent.store.raw import RawLog, new_id
    from clean_room_agent.store.session import recover_sessions

    repeats = invocation.repeats
    # A replay is no solve or ask of its own: it only shows that one can be repeated.
    verb = "replay" if repeats is not None and repeats.verb == "replay" else verb
    name_process(verb)
    waits = invocation.settings.config.store.lock_wait_seconds
    config = {key: _plain(value) for key, value in invocation.settings.values.items()}
    run_id = RunId(new_id("r"))
    with RawLog(invocation.root, wait_seconds=waits) as raw:
        raw.append_run(Run(run_id, verb, tuple(arguments), config, __version__, os.getpid()))
        run = OpenRun(raw, run_id)
        try:
            # From here on the log says how the run ended, also where a signal comes early.
            if repeats is not None:
                raw.append_event(Event(run_id, f"run.{repeats.verb}s", {"run_id": repeats.run_id}))
            if invocation.asked_by:
                raw.append_event(Event(run_id, "run.asked", {"by": invocation.asked_by}))
            recover_sessions(invocation.root, raw)
            yield run
        except BaseException as error:
            status, code = _ending(error)
            if code in (EXIT_INTERRUPTED, EXIT_TERMINATED) and _resumes(invocation, verb):
                note_resumable(run_id)
            message = error.message if isinstance(error, CraError) else type(error).__name__
            raw.append_run_end(RunEnd(run_id, status, code, {**run.summary, "error": message}))
            raise
        raw.append_run_end(RunEnd(run_id, run.status, run.exit_code, run.summary))


def _resumes(invocation: Invocation, verb: str) -> bool:
    """Say whether a run of this verb asked models, so that `cra resume` saves what they said."""
    from clean_room_agent.commands.again import VERBS  # it is built on this module

    return verb in VERBS and invocation.settings.config.models.backend != "none"


class OpenRun:
    """A run in progress: its log and id, and what its verb says of the end."""

    def __init__(self, raw: RawLog, run_id: RunId) -> None:
        self.raw = raw
        self.run_id = run_id
        self.status = "completed"
        self.exit_code = 0
        self.summary: dict[str, object] = {}


def _ending(error: BaseException) -> tuple[str, int]:
    if isinstance(error, CraError):
        return error.code, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", EXIT_INTERRUPTED
    if not isinstance(error, Exception | SystemExit):
        return "terminated", EXIT_TERMINATED
    return "bug", 70


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
