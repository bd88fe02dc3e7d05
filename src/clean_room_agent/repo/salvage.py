"""Saves the work that lies in a worktree before the worktree goes.

Takes: a `Repository` and `Work` (what differs from the base). Gives: a patch, copies of untracked
files, and for commits a ref of ours (`refs/cra/salvage/...`). Does not know: whether it may.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo import objects
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.shadow import command, environment
from clean_room_agent.repo.working import read_working_file

_FILE_BYTES = 1 << 30
SALVAGE_REFS = "refs/cra/salvage/"


@dataclass(frozen=True, slots=True)
class Work:
    """What a worktree at `root` holds beyond `base`: its HEAD, and paths that differ."""

    root: Path
    base: CommitId
    head: CommitId | None
    changed: tuple[str, ...]


def salvage(repository: Repository, work: Work, folder: Path) -> tuple[Path, ...]:
    """Put `<name>-<base>.patch` and the untracked files into `folder`; keep commits by a ref.

    The patch goes from the base to the files as they lie there, untracked ones included.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stem = f"{work.root.name}-{work.base[:12]}"
    if work.head is not None and work.head != work.base:
        _keep_commits(repository, work.head)
    tree = objects.read_tree(repository.shadow, work.base)
    tracked = [path for path in work.changed if path in tree]
    before = dict(objects.read_blobs(repository.shadow, [tree[path].blob_id for path in tracked]))
    after, modes = _contents(work.root, work.changed)
    patch = repository.diff(
        {path: before[tree[path].blob_id] for path in tracked},
        after,
        modes_before={path: tree[path].mode for path in tracked},
        modes_after=modes,
    )
    kept = [_free_name(folder, f"{stem}.patch")]
    kept[0].write_bytes(patch)
    copies = _free_name(folder, f"{stem}-untracked")
    for path in work.changed:
        if path not in tree and path in after:
            copy = copies / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(after[path])
            kept.append(copy)
    return tuple(kept)


def _keep_commits(repository: Repository, head: CommitId) -> None:
    words = ("update-ref", "--no-deref", f"{SALVAGE_REFS}{head[:12]}", head)
    extra = {"GIT_DIR": str(repository.common_dir)}
    shell.run(command(words), cwd=repository.root, env=environment(extra)).check("keeping a ref")


def _contents(root: Path, paths: Iterable[str]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read what can be read of `paths`; a link is read as its target."""
    contents: dict[str, bytes] = {}
    modes: dict[str, str] = {}
    for path in paths:
        place = root / path
        if place.is_symlink():
            contents[path] = os.fsencode(place.readlink())
            modes[path] = objects.MODE_LINK
        elif place.is_file():
            contents[path] = read_working_file(root, path, limit_bytes=_FILE_BYTES)
            executable = os.access(place, os.X_OK)
            modes[path] = objects.MODE_EXECUTABLE if executable else objects.MODE_FILE
    return contents, modes


def _free_name(folder: Path, name: str) -> Path:
    number = 0
    while os.path.lexists(place := folder / (f"{name}.{number}" if number else name)):
        number += 1
    return place
