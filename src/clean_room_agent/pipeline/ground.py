"""What every step of one solve stands on, gathered once the baseline is known.

Takes: the room, the task, its base and worktree, the baseline, targets and spectrum.
Gives: `Ground`. Does not know: who uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.targets import Targets
from clean_room_agent.pipeline.task_tests import LoggedRun, TaskTests
from clean_room_agent.pipeline.trees import Base
from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.records.task import Task


@dataclass(frozen=True, slots=True)
class Ground:
    """One task after its baseline. `tree` is the worktree; between steps it holds the base."""

    room: TaskRoom
    task: Task
    base: Base
    tree: Path
    tests: TaskTests
    baseline: LoggedRun
    targets: Targets
    spectrum: Spectrum

    @property
    def test_files(self) -> frozenset[str]:
        """The files of the tests that must come to pass."""
        return frozenset(test_id.split("::", 1)[0] for test_id in self.targets.fail_to_pass)

    @property
    def failing(self) -> tuple[tuple[str, str], ...]:
        """Each test that must come to pass with what it said on the base."""
        return self.baseline.details(self.targets.fail_to_pass)

    def read(self, path: str) -> bytes | None:
        """Return the base bytes of a path; None where there is no plain file."""
        place = self.tree / path
        if place.is_symlink() or not place.is_file():
            return None
        return place.read_bytes()
