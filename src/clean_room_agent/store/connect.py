"""The one door to SQLite: every database is born, checked and opened here.

Takes: a role, a repository, a task. Gives: a `Connection`, `transaction`.
Does not know: tables.

A file is born complete (made aside, then renamed), checked before anything is read from it, and
never re-created because it looks damaged. Writers only ever start immediate transactions. Does
not guard against a deleted `-wal` file (in raw `chain` finds that) or a hostile same-user process.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from clean_room_agent.errors import StoreBusyError, StoreError
from clean_room_agent.store import migrations
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.locks import named_lock, probe, write_lock
from clean_room_agent.store.paths import (
    FILE_MODE,
    Role,
    database_path,
    ensure_parent,
    state_dir,
)

__all__ = [
    "Connection",
    "Role",
    "database_path",
    "get_connection",
    "snapshot",
    "sqlite_version",
    "state_dir",
    "store_errors",
    "sweep_births",
    "transaction",
]

BUSY_SECONDS = 30.0
_UNBORN = "*.birth-*"
SIDECARS = ("-wal", "-shm", "-journal")
_HEADER_BYTES = 100
_header_fds: dict[tuple[int, int], int] = {}
_header_lock = threading.Lock()
_MAGIC = b"SQLite format 3\x00"
_SYNCHRONOUS = {
    Role.RAW: "FULL",
    Role.CURATED: "NORMAL",
    Role.SESSION: "NORMAL",
    Role.VECTORS: "NORMAL",
}


class Connection(sqlite3.Connection):
    """A connection that belongs to one process and turns SQLite's errors into `StoreError`."""

    role: Role
    path: Path
    owner_pid: int

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        self._check_owner()
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._check_owner()
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._check_owner()
        try:
            return super().executemany(sql, parameters)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        self._check_owner()
        return super().executescript(sql_script)

    def _check_owner(self) -> None:
        if os.getpid() != self.owner_pid:
            raise StoreError(
                "a database connection was carried over a fork",
                where=str(self.path),
                hint="open a connection of its own in each process",
            )


def get_connection(
    role: Role, *, repo_path: Path, task_id: str | None = None, read_only: bool = False
) -> Connection:
    """Open a database of the repository at `repo_path`; a missing one is born unless `read_only`.

    Raises: StoreError if the file is damaged, foreign, newer, of another schema, or not writable.
    """
    path = database_path(role, repo_path, task_id)
    if not os.path.lexists(path):
        if read_only:
            hint = "run `cra index`" if role is Role.CURATED else "nothing was logged here yet"
            raise StoreError(f"there is no {role} database yet", where=str(path), hint=hint)
        _give_birth(role, path, repo_path)
    check_file(path, role)
    with store_errors(path):
        connection = _open(role, path, read_only=read_only)
        try:
            migrations.check_schema(connection, role, path)
            if read_only:
                _refuse_older(connection)
            else:
                _bring_up_to_date(connection, repo_path)
                _prepare_to_write(connection)
            _check_length(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library in use."""
    return sqlite3.sqlite_version_info


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the body does, or nothing of it; nested, a savepoint.

    The outermost one is `BEGIN IMMEDIATE`: it waits for another writer before it reads, so it
    never fails half-way by having read too early. Errors of the body pass as they are.
    """
    if connection.in_transaction:
        with _savepoint(connection):
            yield
        return
    path = connection.path if isinstance(connection, Connection) else Path()
    with store_errors(path):
        fault_point("transaction.begin")
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        with store_errors(path):
            fault_point("transaction.before_commit")
            connection.execute("COMMIT")
    except BaseException:
        _roll_back(connection)
        raise
    with store_errors(path):
        fault_point("transaction.after_commit")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Let every read of the body see one state; refuse writes, so it never needs an upgrade."""
    if connection.in_transaction:
        yield
        return
    writable = not connection.execute("PRAGMA query_only").fetchone()[0]
    connection.execute("PRAGMA query_only = ON")
    connection.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        _roll_back(connection)
        if writable:
            connection.execute("PRAGMA query_only = OFF")


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into `StoreError` naming `path` and the next step."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except OSError as error:
        raise _disk_error(error, path) from error


def _read_header(path: Path, role: Role) -> bytes:
    """Read the first bytes of a database without taking SQLite's locks from it.

    Closing any descriptor of a file drops all locks that this process holds on it, also those of an
    open connection; another process then takes itself for the last one and removes the write-ahead
    log under us. So the descriptor of a store that several processes share is kept.
    """
    if role is Role.SESSION:
        with path.open("rb") as file:
            return file.read(_HEADER_BYTES)
    with _header_lock:
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        fd = _header_fds.get(identity)
        if fd is None:
            fd = _header_fds[identity] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(fd, _HEADER_BYTES, 0)


def check_file(path: Path, role: Role) -> None:
    """Refuse what cannot be a database of ours before SQLite reads it.

    Raises: StoreError for a link, an empty file, a damaged header, a linked sidecar.
    """
    with store_errors(path):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise StoreError("not a regular file (links are not followed)", where=str(path))
        header = _read_header(path, role)
    hint = migrations.rebuild_hint(role)
    if not header:
        raise StoreError(f"the {role} database is an empty file", where=str(path), hint=hint)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        message = f"the {role} file has no database header: damaged, or no database"
        raise StoreError(message, where=str(path), hint=hint)
    for suffix in SIDECARS:
        if Path(f"{path}{suffix}").is_symlink():
            raise StoreError("a sidecar file is a link", where=f"{path}{suffix}", hint="delete it")


def sweep_births(directory: Path, *, repo_path: Path) -> None:
    """Delete what killed births left in `directory`; waits for a birth going on."""
    if any(directory.glob(_UNBORN)):
        with named_lock("birth", repo_path=repo_path), store_errors(directory):
            _sweep(directory)


def _sweep(directory: Path) -> None:
    for leftover in directory.glob(_UNBORN):
        leftover.unlink(missing_ok=True)


def _give_birth(role: Role, path: Path, repo_path: Path) -> None:
    """Make a complete database aside and rename it into place; one process at a time."""
    ensure_parent(path, repo_path)
    with named_lock("birth", repo_path=repo_path), store_errors(path):
        if os.path.lexists(path):
            return
        probe(repo_path)
        _sweep(path.parent)
        unborn = path.with_name(f"{path.name}.birth-{os.urandom(8).hex()}")
        os.close(os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        try:
            unborn.chmod(FILE_MODE)
            fault_point("birth.before_schema")
            with closing(_open(role, unborn, read_only=False)) as connection:
                migrations.migrate(
                    connection, migrations.APPLICATION_IDS[role], migrations.steps_of(role)
                )
                _prepare_to_write(connection)
            fault_point("birth.before_rename")
            unborn.rename(path)
            _sync_directory(path.parent)
            fault_point("birth.after_rename")
        finally:
            for suffix in ("", *SIDECARS):
                Path(f"{unborn}{suffix}").unlink(missing_ok=True)


def _open(role: Role, path: Path, *, read_only: bool) -> Connection:
    mode = "ro" if read_only else "rw"
    uri = f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?mode={mode}"
    connection: Connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, factory=Connection
    )
    connection.role, connection.path, connection.owner_pid = role, path, os.getpid()
    for pragma in (
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        f"synchronous = {_SYNCHRONOUS[role]}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _prepare_to_write(connection: Connection) -> None:
    found = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if found != "wal":
        raise StoreError(
            f"cannot use write-ahead logging (got {found})", where=str(connection.path)
        )


def _bring_up_to_date(connection: Connection, repo_path: Path) -> None:
    """Migrate an older file, under the write lock, after copying it."""
    role, path = connection.role, connection.path
    if migrations.read_version(connection) == migrations.newest_version(role):
        return
    with write_lock(role, repo_path=repo_path):
        if migrations.read_version(connection) < migrations.newest_version(role):
            migrations.back_up(connection, path)
            migrations.migrate(
                connection, migrations.APPLICATION_IDS[role], migrations.steps_of(role)
            )
        migrations.check_schema(connection, role, path)


def _refuse_older(connection: Connection) -> None:
    if migrations.read_version(connection) < migrations.newest_version(connection.role):
        raise StoreError(
            f"the {connection.role} database has an older schema",
            where=str(connection.path),
            hint="run a verb that writes, such as `cra index`, to migrate it",
        )


def _check_length(connection: Connection) -> None:
    """Find a file cut short. A checkpoint of another process may grow the file under us."""
    for _ in range(3):
        if _size_of(Path(f"{connection.path}-wal")):
            return
        pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
        size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        if _size_of(connection.path) >= pages * size:
            return
    raise StoreError(
        f"the {connection.role} database is cut short",
        where=str(connection.path),
        hint=migrations.rebuild_hint(connection.role),
    )


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    name = f"s{os.urandom(4).hex()}"
    connection.execute(f"SAVEPOINT {name}")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute(f"ROLLBACK TO {name}")
            connection.execute(f"RELEASE {name}")
        raise
    connection.execute(f"RELEASE {name}")


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


_MEANINGS = (
    ("SQLITE_FULL", "the disk is full", "free some space; what was committed is intact"),
    ("SQLITE_READONLY", "the database cannot be written", "make the state directory writable"),
    ("SQLITE_CANTOPEN", "the database cannot be opened", "make the state directory writable"),
    ("SQLITE_IOERR", "the disk gave an error", "check the disk and its free space"),
    ("SQLITE_CORRUPT", "the database is damaged", "run `cra doctor`"),
    ("SQLITE_NOTADB", "the file is not a database", "move the file away; it was not changed"),
)


def _translate(error: sqlite3.Error, path: Path) -> StoreError:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreBusyError(
            f"another process is writing: {error}", where=str(path), hint="try again"
        )
    for prefix, meaning, hint in _MEANINGS:
        if name.startswith(prefix):
            return StoreError(f"{meaning} ({error})", where=str(path), hint=hint)
    return StoreError(f"the database refused: {error}", where=str(path))


def _disk_error(error: OSError, path: Path) -> StoreError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StoreError(
        f"{'the disk is full' if full else 'the disk gave an error'}: {error.strerror}",
        where=str(path),
        hint="free some space and try again" if full else "check the disk and its permissions",
    )
