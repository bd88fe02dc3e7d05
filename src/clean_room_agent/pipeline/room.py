"""What a task needs from the outside, gathered once: repository, log, settings, progress.

Takes: what `commands` opened. Gives: `TaskRoom`, and small acts on it that several stages share.
Does not know: stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clean_room_agent.config import Config
from clean_room_agent.records.log import Event, EventLevel
from clean_room_agent.records.task import Limits, RunId, TaskId
from clean_room_agent.repo.git import Repository
from clean_room_agent.store.connect import state_dir
from clean_room_agent.store.raw import RawLog

if TYPE_CHECKING:
    from clean_room_agent.llm.client import ModelClient

Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True, slots=True)
class TaskRoom:
    """The surroundings of one task."""

    repository: Repository
    raw: RawLog
    run_id: RunId
    config: Config
    progress: Progress
    note: Callable[[str], None]
    models: ModelClient | None = None

    @property
    def root(self) -> Path:
        return self.repository.root

    @property
    def state(self) -> Path:
        return state_dir(self.root)

    def limits(self) -> Limits:
        """Return the bounds of one whole test run, from the settings."""
        sandbox = self.config.sandbox
        return Limits(
            wall_seconds=sandbox.test_seconds,
            cpu_seconds=sandbox.test_seconds * 2,
            memory_bytes=sandbox.memory_mib * 1024**2,
            processes=sandbox.processes,
            one_test_seconds=sandbox.one_test_seconds,
            workspace_bytes=sandbox.workspace_mib * 1024**2,
        )

    def event(
        self,
        kind: str,
        data: Mapping[str, object],
        task_id: TaskId | None = None,
        level: EventLevel = EventLevel.INFO,
    ) -> None:
        """Append an event of this run."""
        self.raw.append_event(Event(self.run_id, kind, dict(data), level, task_id))
