"""Which paths an edit may name, and how one is opened without following a link.

Takes: a path as somebody wrote it, a handle on the root. Gives: its checked parts, a directory
descriptor. Raises `EditError` before anything is touched. Does not know: what is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from clean_room_agent.errors import EditError

MAX_PATH_BYTES = 4096
# As deep as the index reads: a deeper tree could not be walked to be removed again.
MAX_PATH_DEPTH = 200
_NEVER = frozenset({".git", ".gitmodules", ".clean_room"})
_BY_PERMISSION = (".github/workflows/", ".gitlab-ci", ".circleci/", ".ci/", ".husky/", ".githooks/")


def check_path(path: str, *, allow_ci: bool = False) -> tuple[str, ...]:
    """Return the components of a repository-relative path that an edit may touch.

    Refused always: empty, absolute, `.`/`..` components, trailing slash, NUL, too long or deep, all
    at or under `.git` (any depth, any case), `.gitmodules`, `.clean_room`. Refused unless
    `allow_ci`: hooks folders and workflow files.
    """
    if not path or "\0" in path:
        raise EditError(f"the edit names no usable path: {path[:80]!r}")
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise EditError(f"the path is longer than {MAX_PATH_BYTES} bytes", where=path[:80] + "...")
    if path.startswith(("/", "\\")) or path.endswith("/"):
        raise EditError("the path must be relative and name a file", where=path)
    parts = tuple(path.split("/"))
    if len(parts) > MAX_PATH_DEPTH:
        raise EditError(f"the path is deeper than {MAX_PATH_DEPTH} levels", where=path[:80] + "...")
    if any(part in ("", ".", "..") or len(os.fsencode(part)) > 255 for part in parts):
        raise EditError("the path leaves the tree or is not in normal form", where=path)
    # Other systems fold case and trailing dots: `.GIT` there is `.git`.
    if any(part.lower().rstrip(". ") in _NEVER for part in parts):
        raise EditError("git's and our own files are never edited", where=path)
    if not allow_ci and path.lower().startswith(_BY_PERMISSION):
        raise EditError(
            "hooks and workflow files need explicit permission",
            where=path,
            hint="pass --allow-ci if this change is wanted",
        )
    return parts


@contextmanager
def open_parent(root_fd: int, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """Yield a descriptor of the file's directory, reached one component at a time, no links.

    Raises:
        EditError: a component is a link or no directory.
    """
    current = os.dup(root_fd)
    try:
        for part in parts[:-1]:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o777, dir_fd=current)
            try:
                following = os.open(
                    part,
                    os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                    dir_fd=current,
                )
            except OSError as error:
                raise EditError(
                    f"a parent directory is a link or cannot be entered: {error.strerror}",
                    where="/".join(parts),
                ) from error
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)
