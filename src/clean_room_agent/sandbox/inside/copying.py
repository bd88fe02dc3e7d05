# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH101, PTH103, PTH115, PTH211
"""Copy a tree into the sandbox's own memory, where no overlay can be laid over it.

Takes: two directories and an owner. Gives: nothing; sockets, pipes and devices are left out.
Does not know: why an overlay was not possible.
"""

from __future__ import annotations

import os
import stat

_BLOCK_BYTES = 1 << 24


def copy_tree(
    source: str, target: str, *, hide: set[str], owner: tuple[int, int] | None, prefix: str = ""
) -> None:
    """Copy everything below `source` except `hide` (relative names), with modes and times."""
    with os.scandir(source) as entries:
        for entry in entries:
            name = prefix + entry.name
            if name in hide:
                continue
            info = entry.stat(follow_symlinks=False)
            place = f"{target}/{entry.name}"
            if stat.S_ISDIR(info.st_mode):
                os.makedirs(place, 0o700, exist_ok=True)  # bubblewrap may have made it
                copy_tree(entry.path, place, hide=hide, owner=owner, prefix=name + "/")
            elif stat.S_ISREG(info.st_mode):
                _copy_file(entry.path, place, info.st_size)
            elif stat.S_ISLNK(info.st_mode):
                os.symlink(os.readlink(entry.path), place)
                if owner is not None:
                    os.lchown(place, *owner)
                continue
            else:
                continue
            if owner is not None:
                os.chown(place, *owner)
            os.chmod(place, stat.S_IMODE(info.st_mode) & 0o777)
            os.utime(place, ns=(info.st_atime_ns, info.st_mtime_ns))


def _copy_file(source: str, target: str, size: int) -> None:
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while size > 0:
                sent = os.sendfile(writer, reader, None, min(size, _BLOCK_BYTES))
                if sent == 0:
                    break
                size -= sent
        finally:
            os.close(writer)
    finally:
        os.close(reader)
