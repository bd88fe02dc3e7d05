"""Reads a file that an attacker may have put there: never a link, a FIFO or a device.

Takes: a path or a name under a directory handle. Gives: bytes or None. Does not know: git.
Does not guard against a link in a *parent* of a plain path; callers that walk a tree open each
directory through its parent's handle.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(name: str | Path, directory: int | None = None) -> tuple[int, os.stat_result]:
    """Open a regular file for reading and return its handle and status.

    Raises:
        OSError: as the kernel says; a link, FIFO, device or directory is `ELOOP`/`EINVAL`-like.
    """
    handle = os.open(name, _FLAGS, dir_fd=directory)
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise OSError(0, kind_of(status.st_mode))
    return handle, status


def read_handle(handle: int, limit_bytes: int) -> bytes:
    """Read at most `limit_bytes` from `handle`."""
    chunks = []
    left = limit_bytes
    while left > 0 and (chunk := os.read(handle, min(left, 1 << 20))):
        chunks.append(chunk)
        left -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def read_regular(path: Path, *, limit_bytes: int) -> bytes | None:
    """Return the first `limit_bytes` of a regular file; None when there is no such file."""
    try:
        handle, _ = open_regular(path)
    except OSError:
        return None
    try:
        return read_handle(handle, limit_bytes)
    except OSError:
        return None
    finally:
        os.close(handle)


def kind_of(mode: int) -> str:
    """Name a file type for a reader: `symbolic link`, `fifo`, ..."""
    names = {
        stat.S_IFLNK: "symbolic link",
        stat.S_IFIFO: "fifo",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "character device",
        stat.S_IFBLK: "block device",
        stat.S_IFDIR: "directory",
        stat.S_IFREG: "regular file",
    }
    return names.get(stat.S_IFMT(mode), "unknown file type")


def read_git_file(path: Path, *, limit_bytes: int) -> bytes | None:
    """Like `read_regular`, for a file of a git directory: some tools make those links."""
    return read_regular(Path(os.path.realpath(path)), limit_bytes=limit_bytes)
