"""`cra gc`: remove what finished or dead runs left behind; salvage what a person edited.

Takes: our worktrees, fresh trees and sessions, parsed contents kept for other branches. Gives: what
was removed, salvaged, left alone.
Does not know: anything that we did not register. A tree in use or locked is left alone.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.pipeline.at_commit import find_exports, remove_export
from clean_room_agent.pipeline.embedding import drop_vectors
from clean_room_agent.pipeline.workplace import WORKTREES, forget_manifest, is_as_we_left_it
from clean_room_agent.records.log import WorktreeAction, WorktreeEvent
from clean_room_agent.records.spelling import counted
from clean_room_agent.records.task import TaskId
from clean_room_agent.repo.worktree import (
    Worktree,
    discard_worktree,
    list_worktrees,
    remove_worktree,
)
from clean_room_agent.store.connect import Role, database_path, state_dir
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.kept import count_kept, drop_kept
from clean_room_agent.store.session import is_owned

FRESH = "fresh"
SALVAGE = "salvage"
EXPORT = "export of an earlier commit"
KEPT = "parsed contents of other branches in"
_FRESH_NAME = re.compile(r"t-[0-9]{8}-[0-9a-z]+-[0-9]+(\.journal)?")


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that a run left: a worktree, or a grading tree without its run."""

    kind: str
    path: Path
    task_id: TaskId
    worktree: Worktree | None = None


def find_leftovers(invocation: Invocation) -> list[Leftover]:
    """List worktrees and grading trees whose task is not being worked on now."""
    state = state_dir(invocation.root)
    found = []
    for worktree in list_worktrees(invocation.repository, under=state / WORKTREES):
        task_id = TaskId(worktree.path.name)
        if not is_owned(invocation.root, task_id):
            found.append(Leftover("worktree", worktree.path, task_id, worktree))
    fresh = state / FRESH
    for path in sorted(fresh.iterdir()) if fresh.is_dir() and not fresh.is_symlink() else []:
        task_id = TaskId(path.name.rsplit("-", 1)[0])
        # Only what bears a name that we give, and never through a link: it may lead anywhere.
        ours = _FRESH_NAME.fullmatch(path.name) and not path.is_symlink()
        if ours and not is_owned(invocation.root, task_id):
            found.append(Leftover("grading tree", path, task_id))
    exports = find_exports(invocation.root)
    found += [Leftover(EXPORT, path, TaskId("")) for path in exports]
    return found


def gc(invocation: Invocation, *, dry_run: bool) -> None:
    """Remove the leftovers; with `dry_run` only list them."""
    invocation.require_room()
    leftovers = [*find_leftovers(invocation), *_find_kept(invocation)]
    results: list[dict[str, object]] = []
    if dry_run or not leftovers:
        results = [_row(item, "would be removed") for item in leftovers]
    else:
        with recorded_run(invocation, "gc", []) as run:
            results = [_row(item, _remove(invocation, run, item)) for item in leftovers]
            run.summary = {"leftovers": len(leftovers)}
    vectors = _drop_vectors(invocation, dry_run=dry_run)
    results += [vectors] if vectors else []
    for row in results:
        invocation.output.line(f"{row['kind']} {row['path']}: {row['result']}")
    if not results:
        invocation.output.line("nothing to remove")
    invocation.output.document({"leftovers": results, "dry_run": dry_run})


def _find_kept(invocation: Invocation) -> list[Leftover]:
    if not count_kept(repo_path=invocation.root):
        return []
    return [Leftover(KEPT, database_path(Role.CURATED, invocation.root), TaskId(""))]


def _remove(invocation: Invocation, run: OpenRun, item: Leftover) -> str:
    if item.kind == KEPT:
        drop_kept(repo_path=invocation.root)
        return "removed; a switch to their branch parses them again"
    if item.kind == EXPORT:
        gone = remove_export(invocation.root, item.path)
        return "removed; it is made again when it is asked for" if gone else "left alone: in use"
    if item.worktree is None:
        shutil.rmtree(item.path, ignore_errors=True) if item.path.is_dir() else item.path.unlink()
        return "removed"
    if is_as_we_left_it(invocation.repository, item.worktree):
        discard_worktree(invocation.repository, item.worktree)
        forget_manifest(item.worktree)
        run.raw.append_worktree(WorktreeEvent(item.task_id, str(item.path), WorktreeAction.REMOVED))
        return "removed; its patch is in the log"
    salvage = state_dir(invocation.root) / SALVAGE / item.task_id
    removal = remove_worktree(invocation.repository, item.worktree, salvage_to=salvage)
    if not removal.removed:
        return f"left alone: {', '.join(removal.reasons)}"
    forget_manifest(item.worktree)
    action = WorktreeAction.SALVAGED if removal.salvaged else WorktreeAction.REMOVED
    detail = ", ".join(str(path) for path in removal.salvaged)
    run.raw.append_worktree(WorktreeEvent(item.task_id, str(item.path), action, detail))
    return f"removed, its changes are in {salvage}" if removal.salvaged else "removed"


def _drop_vectors(invocation: Invocation, *, dry_run: bool) -> dict[str, object] | None:
    """Drop vectors of content that the index no longer keeps; None where there are none."""
    config = invocation.settings.config.embed
    paths = [database_path(role, invocation.root) for role in (Role.VECTORS, Role.CURATED)]
    if not config.enabled or not all(path.exists() for path in paths):
        return None
    with CuratedReader(invocation.root) as reader:
        count = drop_vectors(reader, invocation.root, config, dry_run=dry_run)
    if not count:
        return None
    done = "would be removed" if dry_run else "removed; made again where they are needed"
    result = f"{counted(count, 'content')} that the index does not keep: {done}"
    return {"kind": "vectors", "path": str(paths[0]), "task_id": "", "result": result}


def _row(item: Leftover, result: str) -> dict[str, object]:
    return {
        "kind": item.kind,
        "path": str(item.path),
        "task_id": item.task_id,
        "result": result,
    }
