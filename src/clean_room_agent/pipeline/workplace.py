"""The worktree of one task: made without hooks or filters, removed, or kept when it is the answer.

Takes: a `TaskRoom`, a `Base`. Gives: `Workplace`. Does not know: what happens in it.
Its life is logged (`worktrees`), so that `cra gc` finds what a killed run left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clean_room_agent.execute import apply_plan, plan_edits
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.trees import Base
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.log import WorktreeAction, WorktreeEvent
from clean_room_agent.records.task import TaskId
from clean_room_agent.repo.git import Repository, open_repository
from clean_room_agent.repo.worktree import Worktree, create_worktree, discard_worktree

WORKTREES = "worktrees"


class Workplace:
    """One task's worktree. `keep` applies the verified patch and leaves it for a person to open."""

    def __init__(self, repository: Repository, worktree: Worktree) -> None:
        self._repository = repository
        self.worktree = worktree
        self.kept = False

    @property
    def tree(self) -> Path:
        return self.worktree.path

    def keep(self, replacements: tuple[Replacement, ...]) -> None:
        """Write the patch into the worktree and do not remove it at the end."""
        journal = self.tree.with_name(self.tree.name + ".journal")
        apply_plan(self.tree, plan_edits(self.tree, replacements), journal=journal)
        _manifest(self.tree).write_text(json.dumps(self._changes()), "ascii")
        self.kept = True

    def _changes(self) -> dict[str, str]:
        return changes_in(self._repository, self.worktree)


def changes_in(repository: Repository, worktree: Worktree) -> dict[str, str]:
    """Return what differs from the base in a worktree: path to object id, "" where it is gone."""
    inner = open_repository(worktree.path, shadow=repository.shadow.path)
    found = {}
    for path in inner.dirty_paths(worktree.base):
        place = worktree.path / path
        readable = place.is_file() and not place.is_symlink()
        found[path] = str(inner.hash_bytes(place.read_bytes())) if readable else ""
    return found


def is_as_we_left_it(repository: Repository, worktree: Worktree) -> bool:
    """Whether nobody changed a kept worktree since; its patch is in the log then."""
    manifest = _manifest(worktree.path)
    if not manifest.is_file() or not worktree.exists:
        return False
    kept: dict[str, str] = json.loads(manifest.read_text("ascii"))
    inner = open_repository(worktree.path, shadow=repository.shadow.path)
    return inner.head == worktree.base and kept == changes_in(repository, worktree)


def forget_manifest(worktree: Worktree) -> None:
    """Remove our note beside a worktree that is gone."""
    _manifest(worktree.path).unlink(missing_ok=True)


def _manifest(tree: Path) -> Path:
    return tree.with_name(tree.name + ".kept")


@contextmanager
def open_workplace(room: TaskRoom, base: Base, task_id: TaskId) -> Iterator[Workplace]:
    """Make the worktree of a task; unless kept, it is gone afterwards, whatever happened."""
    room.progress("making a worktree", 0, 0, "")
    destination = room.state / WORKTREES / task_id
    room.raw.append_worktree(WorktreeEvent(task_id, str(destination), WorktreeAction.CREATED))
    worktree = create_worktree(room.repository, base.commit, destination, name=f"cra-{task_id}")
    place = Workplace(room.repository, worktree)
    try:
        base.overlay(worktree.path)
        yield place
    finally:
        if not place.kept:
            # Everything in it came from the base or from us, so nothing of the user's is lost.
            discard_worktree(room.repository, worktree)
            room.raw.append_worktree(
                WorktreeEvent(task_id, str(destination), WorktreeAction.REMOVED)
            )
