"""What every verb starts from: where it was called, how it prints, its repository and settings.

Takes: the parsed options. Gives: `Invocation`, and `Room` once repository and configuration are
open. Does not know: any single verb.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clean_room_agent import __version__
from clean_room_agent.commands.output import Output

if TYPE_CHECKING:
    from clean_room_agent.config import LoadedConfig
    from clean_room_agent.records.task import RunId
    from clean_room_agent.repo.git import Repository
    from clean_room_agent.store.raw import RawLog


@dataclass(frozen=True)
class Invocation:
    """The options that all verbs share."""

    directory: Path
    json: bool
    overrides: tuple[str, ...] = ()
    quiet: bool = False

    @cached_property
    def output(self) -> Output:
        return Output(as_json=self.json, quiet=self.quiet)

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
        from clean_room_agent.config import load_config

        return load_config(self.root, overrides=self.overrides, environment=os.environ)

    def require_room(self) -> None:
        """Raise when `cra init` has not run here, or the room's files come with the repository."""
        from clean_room_agent.config import project_config_path
        from clean_room_agent.errors import ConfigError

        path = project_config_path(self.root)
        _ = self.settings
        if not path.parent.is_dir():
            raise ConfigError(
                "there is no clean room here yet", where=str(path.parent), hint="cra init --offline"
            )


@contextmanager
def recorded_run(invocation: Invocation, verb: str, arguments: dict[str, object]) -> Iterator[Run]:
    """Append the run to raw, hand it to the verb, and append how it ended, whatever happens."""
    from clean_room_agent.errors import CraError
    from clean_room_agent.store.raw import RawLog

    with RawLog(invocation.root) as raw:
        config = {key: _plain(value) for key, value in invocation.settings.values.items()}
        run_id = raw.append_run(verb=verb, arguments=arguments, config=config, version=__version__)
        run = Run(raw, run_id)
        try:
            yield run
        except BaseException as error:
            status, code = _ending(error)
            message = error.message if isinstance(error, CraError) else type(error).__name__
            raw.append_run_end(run_id, status=status, exit_code=code, summary={"error": message})
            raise
        raw.append_run_end(run_id, status=run.status, exit_code=run.exit_code, summary=run.summary)


class Run:
    """A run in progress: its log and id, and what its verb says of the end."""

    def __init__(self, raw: RawLog, run_id: RunId) -> None:
        self.raw = raw
        self.run_id = run_id
        self.status = "completed"
        self.exit_code = 0
        self.summary: dict[str, object] = {}


def _ending(error: BaseException) -> tuple[str, int]:
    from clean_room_agent.errors import CraError

    if isinstance(error, CraError):
        return error.code, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    return "bug", 70


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
