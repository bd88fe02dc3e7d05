"""Name a model by the bytes of its files.

Takes: paths. Gives: `file_digest` and `folder_digest`; `file_state`, which tells cheaply whether
a file may have changed.
Does not know: any format.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

BLOCK_BYTES = 1 << 20

State = tuple[int, ...]

_digests: dict[State, str] = {}
_digests_lock = threading.Lock()


def file_state(path: Path) -> State:
    """Return what the file system tells of a file; equal states mean that nothing was written."""
    told = path.stat()
    return (told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns)


def file_digest(path: Path, pause: Callable[[], None] | None = None) -> str:
    """Return the sha256 of a file; computed again only when the file system shows a change.

    `pause` is called between blocks and may raise.
    """
    key = file_state(path)
    with _digests_lock:
        known = _digests.get(key)
    if known is not None:
        return known
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            if pause is not None:
                pause()
    with _digests_lock:
        return _digests.setdefault(key, digest.hexdigest())


def folder_digest(files: Sequence[Path], pause: Callable[[], None] | None = None) -> str:
    """Return the sha256 over the names and digests of files, in the order of their names."""
    lines = sorted(f"{path.name} {file_digest(path, pause)}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
