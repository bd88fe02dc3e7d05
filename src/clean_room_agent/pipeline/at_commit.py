"""The tree of one commit, indexed for itself: what `--at` reads instead of the working tree.

Takes: a repository, a revision. Gives: a `Repository` of that commit with an index of its own,
below `.clean_room/at/<commit>`. Does not know: what is asked of it.

It is kept for the next question. A process killed while making one leaves a directory with another
name, or an index without its last state; both are found and made again. A kept tree that no longer
holds the commit's bytes is made again too. Each is used under its lock, so `cra gc` removes only
those that nobody reads.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clean_room_agent.errors import RepositoryError, UsageError
from clean_room_agent.indexing import index_repository
from clean_room_agent.pipeline.embedding import embed_new
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.exported import UNFINISHED, export_commit, open_export
from clean_room_agent.repo.git import Repository
from clean_room_agent.store.connect import state_dir
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.locks import named_holder, named_lock

AT = "at"
_NAME = re.compile(rf"(?P<commit>[0-9a-f]{{40}}(?:[0-9a-f]{{24}})?)(?:{re.escape(UNFINISHED)})?")


def resolve_commit(repository: Repository, revision: str) -> CommitId:
    """Return the commit that a person names.

    Raises: UsageError where there is none.
    """
    try:
        return repository.resolve(revision)
    except RepositoryError as error:
        hint = error.hint or "a commit, branch or tag of this repository: git log --oneline"
        raise UsageError(error.message, where=f"--at {revision}", hint=hint) from error


@contextmanager
def open_at(room: TaskRoom, commit: CommitId) -> Iterator[Repository]:
    """Give the indexed tree of `commit`; made when it is not there, kept afterwards.

    Raises:
        ConfigError: [embed] is on and cannot work.
        RepositoryError: the commit cannot be read or laid out.
        StoreBusyError: another process is reading the same one.
    """
    if room.config.embed.enabled:
        from clean_room_agent.llm.embedding import require_embedding

        require_embedding(room.config.embed)
    root = room.root
    place = state_dir(root) / AT / commit
    if place.parent.is_symlink():
        raise RepositoryError("the place for exported commits is a link", where=str(place.parent))
    waits = room.config.store.lock_wait_seconds
    with named_lock(_lock_name(commit), repo_path=root, wait_seconds=waits):
        yield _prepare(room, commit, place)


def find_exports(root: Path) -> list[Path]:
    """List the exported commits that no process is reading, and what killed ones left."""
    folder = state_dir(root) / AT
    if folder.is_symlink() or not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        named = _NAME.fullmatch(path.name)
        if named is None or path.is_symlink() or not path.is_dir():
            continue
        if named_holder(_lock_name(named["commit"]), root) is None:
            found.append(path)
    return found


def remove_export(root: Path, path: Path) -> bool:
    """Remove one of `find_exports`; False where a process has begun to read it since."""
    named = _NAME.fullmatch(path.name)
    assert named is not None
    if named_holder(_lock_name(named["commit"]), root) is not None:
        return False
    with named_lock(_lock_name(named["commit"]), repo_path=root):
        shutil.rmtree(path, ignore_errors=True)
    return True


def _lock_name(commit: str) -> str:
    return f"at-{commit}"


def _prepare(room: TaskRoom, commit: CommitId, place: Path) -> Repository:
    repository = room.repository
    view = open_export(repository, commit, place)
    if place.is_dir() and not place.is_symlink():
        _index(room, view)
        if _holds(repository, view, commit):
            return view
        room.note(f"the kept tree of {commit[:10]} was changed; it is made again")
    room.progress("laying out the commit", 0, 0, "")
    export_commit(repository, commit, place)
    _index(room, view)
    if not _holds(repository, view, commit):
        raise RepositoryError(
            "the exported tree does not hold the commit's bytes", where=str(place), hint="cra gc"
        )
    return view


def _index(room: TaskRoom, view: Repository) -> None:
    def progress(phase: str, done: int, total: int) -> None:
        room.progress(phase, done, total, "at the commit")

    index_repository(
        view,
        repo_path=view.root,
        progress=progress,
    )
    if room.config.embed.enabled:
        embed_new(view, room.root, room.config.embed, progress)


def _holds(repository: Repository, view: Repository, commit: CommitId) -> bool:
    """Whether every indexed file is, byte for byte, the commit's file at that path."""
    tree = repository.tree(commit)
    with CuratedReader(view.root) as reader:
        files = reader.read_all_files()
    return all(file.path in tree and tree[file.path].blob_id == file.blob_id for file in files)
