"""Reads the working tree through directory handles, so that no link is followed on the way.

Takes: a root and repository-relative paths. Gives: statuses, bytes, and which paths differ from a
commit. Does not know: git processes, languages, databases. Does not freeze the tree: a file may
change between two calls.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.objects import (
    MODE_EXECUTABLE,
    MODE_LINK,
    MODE_SUBMODULE,
    TreeEntry,
    hash_blob,
)
from clean_room_agent.repo.safe_read import kind_of, open_regular, read_handle

MAX_DEPTH = 200
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_COMPARE_LIMIT_BYTES = 1 << 31

_REASONS = {
    errno.ENOENT: "vanished",
    errno.ELOOP: "symbolic link",
    errno.ENOTDIR: "a parent is a link or no directory",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENAMETOOLONG: "too deep or too long a path",
}


class WorkingTree:
    """Handles to the directories of one root. Ask in sorted order: ancestors stay open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: list[str] = []
        self._handles: list[int] = []

    def __enter__(self) -> WorkingTree:
        self._handles = [os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_below(-1)

    def directory(self, path: str) -> int:
        """Return a handle to the directory `path` (empty: the root), valid until the next call.

        Raises:
            OSError: it is absent, beyond a link, or deeper than 200 levels.
        """
        parts = path.split("/") if path else []
        if len(parts) > MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, "too deep")
        same = 0
        while same < min(len(parts), len(self._names)) and parts[same] == self._names[same]:
            same += 1
        self._close_below(same)
        for part in parts[same:]:
            if part in ("", ".", ".."):
                raise OSError(errno.EINVAL, "not a plain path")
            self._handles.append(os.open(part, _DIRECTORY, dir_fd=self._handles[-1]))
            self._names.append(part)
        return self._handles[-1]

    def _close_below(self, level: int) -> None:
        while len(self._handles) > level + 1:
            os.close(self._handles.pop())
        del self._names[max(level, 0) :]


def reason_for(error: OSError) -> str:
    """Say in a few words why a path was not read."""
    return _REASONS.get(error.errno or 0, error.strerror or "unreadable")


def read_working_file(root: Path, path: str, *, limit_bytes: int) -> bytes:
    """Return the bytes of a regular file of the tree; see `Repository.read_file`."""
    directory, _, name = path.rpartition("/")
    try:
        with WorkingTree(root) as tree:
            handle, status = open_regular(name, tree.directory(directory))
            try:
                if status.st_size > limit_bytes:
                    raise RepositoryError(f"larger than {limit_bytes} bytes", where=path)
                return read_handle(handle, limit_bytes)
            finally:
                os.close(handle)
    except OSError as error:
        raise RepositoryError(f"cannot be read: {reason_for(error)}", where=path) from error


def dirty_paths(
    root: Path, tree: Mapping[str, TreeEntry], present: Iterable[str], object_format: str
) -> list[str]:
    """List paths that differ from `tree`, were deleted, or are `present` without being in it."""
    dirty = set(present) - tree.keys()
    with WorkingTree(root) as working:
        for path in sorted(tree):
            entry = tree[path]
            if entry.mode != MODE_SUBMODULE and not _same(working, path, entry, object_format):
                dirty.add(path)
    return sorted(dirty)


def _same(working: WorkingTree, path: str, entry: TreeEntry, object_format: str) -> bool:
    directory, _, name = path.rpartition("/")
    try:
        parent = working.directory(directory)
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if entry.mode == MODE_LINK:
            if not stat.S_ISLNK(status.st_mode):
                return False
            target = os.fsencode(os.readlink(name, dir_fd=parent))
            return hash_blob(target, object_format) == entry.blob_id
        if not stat.S_ISREG(status.st_mode):
            return False
        if bool(status.st_mode & stat.S_IXUSR) != (entry.mode == MODE_EXECUTABLE):
            return False
        handle, _ = open_regular(name, parent)
        try:
            data = read_handle(handle, _COMPARE_LIMIT_BYTES)
        finally:
            os.close(handle)
    except OSError:
        return False
    return hash_blob(data, object_format) == entry.blob_id


__all__ = ["WorkingTree", "dirty_paths", "kind_of", "read_working_file", "reason_for"]
