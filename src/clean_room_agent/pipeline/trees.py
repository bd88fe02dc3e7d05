"""The trees a task works on: what the user sees now, laid out where tests may run.

Takes: a repository, a commit, how to treat uncommitted changes. Gives: a `Base` that can be laid
out any number of times. Does not know: tests or edits. The user's own tree is only ever read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clean_room_agent.errors import RepositoryError, UsageError
from clean_room_agent.execute import apply_plan, plan_edits
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.worktree import export_tree

MAX_SNAPSHOT_BYTES = 256 * 1024**2
MAX_SNAPSHOT_FILE_BYTES = 64 * 1024**2


class DirtyPolicy(StrEnum):
    """What becomes of changes that are not committed."""

    INCLUDE = "include"
    IGNORE = "ignore"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class UncommittedFile:
    """One path as it lies in the user's tree: its bytes, or None where it was removed."""

    content: bytes | None
    executable: bool


@dataclass(frozen=True, slots=True)
class Base:
    """A commit plus what the user changed since, read once when the task starts."""

    repository: Repository
    commit: CommitId
    uncommitted: Mapping[str, UncommittedFile]
    left_out: tuple[str, ...]

    def lay_out(self, destination: Path) -> None:
        """Write this tree as plain files below `destination`, which must not exist."""
        export_tree(self.repository, self.commit, destination)
        self.overlay(destination)

    def overlay(self, destination: Path) -> None:
        """Write the uncommitted changes over a checkout of the commit."""
        for path, file in self.uncommitted.items():
            target = destination / path
            if file.content is None:
                target.unlink(missing_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(file.content)
            target.chmod(0o755 if file.executable else 0o644)


def read_base(repository: Repository, policy: DirtyPolicy) -> Base:
    """Fix the tree that a task starts from.

    Raises:
        RepositoryError: there is no commit yet.
        UsageError: there are uncommitted changes and the policy refuses them, or they are too many.
    """
    commit = repository.head
    if commit is None:
        raise RepositoryError(
            "the repository has no commit yet",
            where=str(repository.root),
            hint="make a first commit, then run this again",
        )
    if policy is DirtyPolicy.IGNORE:
        return Base(repository, commit, {}, ())
    paths = repository.dirty_paths(commit)
    if paths and policy is DirtyPolicy.REFUSE:
        raise UsageError(
            f"{len(paths)} files have uncommitted changes, the first is {paths[0]}",
            hint="commit them, or choose --dirty include or --dirty ignore",
        )
    found: dict[str, UncommittedFile] = {}
    left_out: list[str] = []
    total = 0
    for path in paths:
        file = _read_uncommitted(repository, path)
        if file is None:
            left_out.append(path)
            continue
        found[path] = file
        total += len(file.content or b"")
        if total > MAX_SNAPSHOT_BYTES:
            raise UsageError(
                f"the uncommitted changes are larger than {MAX_SNAPSHOT_BYTES // 1024**2} MiB",
                hint="ignore large files in .gitignore, or use --dirty ignore",
            )
    return Base(repository, commit, found, tuple(left_out))


def _read_uncommitted(repository: Repository, path: str) -> UncommittedFile | None:
    """Read one changed path; None for what is no plain file (links, submodules, too large)."""
    place = repository.root / path
    if not os.path.lexists(place):
        return UncommittedFile(None, executable=False)
    try:
        content = repository.read_file(path, limit_bytes=MAX_SNAPSHOT_FILE_BYTES)
    except RepositoryError:
        return None
    return UncommittedFile(content, executable=os.access(place, os.X_OK))


@contextmanager
def fresh_tree(base: Base, destination: Path, accepted: tuple[Replacement, ...]) -> Iterator[Path]:
    """Lay `base` out anew with only `accepted` applied; the tree is gone afterwards."""
    shutil.rmtree(destination, ignore_errors=True)
    destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        base.lay_out(destination)
        journal = destination.with_name(destination.name + ".journal")
        apply_plan(destination, plan_edits(destination, accepted), journal=journal)
        yield destination
    finally:
        shutil.rmtree(destination, ignore_errors=True)
