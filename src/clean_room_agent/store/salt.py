"""The salt of one repository's marks: made once, kept beside the databases, read by nobody else.

Takes: the path of the repository. Gives: a `Redactor`. Does not know: what is redacted.

The file is 0600 like the databases, never in them, and no export takes it along: with it, and
only with it, a guess at a secret could be tried against the marks in the log.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from clean_room_agent.errors import StoreError
from clean_room_agent.redaction import Redactor
from clean_room_agent.store.paths import FILE_MODE, ensure_parent, state_dir

SALT_NAME = "redaction.salt"
_SALT_BYTES = 32


def open_redactor(repo_path: Path) -> Redactor:
    """Return the redactor of a repository, with a new salt where it has none yet.

    Raises: StoreError when the salt cannot be made, or is no plain file of ours.
    """
    path = state_dir(repo_path) / SALT_NAME
    try:
        salt = _read(path)
        if salt is None:
            ensure_parent(path, repo_path)
            _make(path)
            salt = _read(path)
    except OSError as error:
        raise StoreError(
            f"the salt of the marks cannot be kept: {error.strerror}",
            where=str(path),
            hint="make .clean_room writable, and check the free space",
        ) from error
    if salt is None or len(salt) != _SALT_BYTES:
        raise StoreError(
            "the salt of the marks is damaged", where=str(path), hint="move the file aside"
        )
    return Redactor(salt)


def _read(path: Path) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b""
        return os.read(handle, _SALT_BYTES + 1)
    finally:
        os.close(handle)


def _make(path: Path) -> None:
    """Write a new salt whole or not at all; of two processes the first wins."""
    temporary = path.with_name(f"{SALT_NAME}.{os.getpid()}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(temporary, flags, FILE_MODE)
    try:
        try:
            os.fchmod(handle, FILE_MODE)
            os.write(handle, os.urandom(_SALT_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()
