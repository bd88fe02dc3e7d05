"""Where the databases and their locks live: the layout of `.clean_room/`.

Takes: the path of the user's repository. Gives: paths, and directories made with mode 0700.
Does not know: SQLite.
"""

from __future__ import annotations

import os
import re
import stat
from enum import StrEnum
from pathlib import Path

from clean_room_agent.errors import StoreError, UsageError

STATE_DIR_NAME = ".clean_room"
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
_TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Role(StrEnum):
    """The databases: the log, what models may read, one task's working memory, and vectors of
    code where [embed] is on."""

    RAW = "raw"
    CURATED = "curated"
    SESSION = "session"
    VECTORS = "vectors"


def state_dir(repo_path: Path) -> Path:
    """Return `<repo>/.clean_room` without making it."""
    return repo_path / STATE_DIR_NAME


def database_path(role: Role, repo_path: Path, task_id: str | None = None) -> Path:
    """Return the file of `role`; a session needs its task.

    Raises: UsageError for a task id that could not have been ours.
    """
    if role is not Role.SESSION:
        return state_dir(repo_path) / f"{role}.sqlite"
    if task_id is None or not _TASK_ID.fullmatch(task_id):
        raise UsageError(f"not a task id: {task_id!r}", hint="see `cra runs`")
    return state_dir(repo_path) / "sessions" / f"session_{task_id}.sqlite"


def lock_path(name: str, repo_path: Path) -> Path:
    """Return the lock file called `name`."""
    return state_dir(repo_path) / "locks" / f"{name}.lock"


def ensure_parent(path: Path, repo_path: Path) -> None:
    """Make the directories between the repository and `path`, each 0700 whatever the umask.

    Raises: StoreError if the repository is missing, a directory is a link or not ours to write.
    """
    if not repo_path.is_dir():
        raise StoreError("the repository directory does not exist", where=str(repo_path))
    for directory in reversed([p for p in path.parents if p.is_relative_to(state_dir(repo_path))]):
        _ensure_directory(directory)


def _ensure_directory(directory: Path) -> None:
    try:
        status = directory.lstat()
    except FileNotFoundError:
        try:
            directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            status = directory.lstat()
        except OSError as error:
            raise _not_writable(directory, error) from error
    except OSError as error:
        raise _not_writable(directory, error) from error
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError("not a directory (links are not followed)", where=str(directory))
    if stat.S_IMODE(status.st_mode) != DIRECTORY_MODE and status.st_uid == os.getuid():
        try:
            directory.chmod(DIRECTORY_MODE)
        except OSError as error:
            raise _not_writable(directory, error) from error


def _not_writable(directory: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot make or enter the state directory: {error.strerror}",
        where=str(directory),
        hint="make the repository directory writable and check the free space",
    )
