"""One task's working memory, archived into raw exactly once and then deleted.

Takes: a task id; keys and JSON values. Gives: `Session`, `archive_session`, `recover_sessions`.
Does not know: what the values mean.

The owner of a session holds a kernel lock, so an orphan is known by its free lock. Archiving is
one append (content as a blob, a row naming it) and then the deletion of the file: killed before
the append, nothing happened; killed after it, the next start finds the same content archived and
only deletes. The main file goes before its sidecars, so no half of a session is ever read again.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from clean_room_agent.errors import StoreBusyError, StoreError
from clean_room_agent.store.connect import (
    SIDECARS,
    Connection,
    Role,
    database_path,
    get_connection,
    state_dir,
    store_errors,
    sweep_births,
    transaction,
)
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.locks import named_holder, named_lock
from clean_room_agent.store.paths import lock_path
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.salt import open_redactor
from clean_room_agent.store.values import from_json, json_text, now_text, text

_PREFIX, _SUFFIX = "session_", ".sqlite"


class Session:
    """The working memory of one task, owned by this process until `close`.

    Raises: StoreBusyError if another process owns it.
    """

    def __init__(self, task_id: str, *, repo_path: Path, wait_seconds: float = 0.0) -> None:
        self.task_id = task_id
        self.repo_path = repo_path
        self._path = database_path(Role.SESSION, repo_path, task_id)
        self._redactor = open_redactor(repo_path)
        with ExitStack() as stack:
            stack.enter_context(
                named_lock(_lock_name(task_id), repo_path=repo_path, wait_seconds=wait_seconds)
            )
            self._connection: Connection = get_connection(
                Role.SESSION, repo_path=repo_path, task_id=task_id
            )
            stack.callback(self._connection.close)
            self._owned = stack.pop_all()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give up ownership; the content stays."""
        self._owned.close()

    def put(self, key: str, value: object) -> None:
        """Keep a JSON value under `key`, in place of an earlier one."""
        with store_errors(self._path), transaction(self._connection):
            fault_point("session.put")
            self._connection.execute(
                "INSERT INTO entries (key, value, at) VALUES (?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value, at = excluded.at",
                (text(key), self._redactor.column(json_text(value)), now_text()),
            )

    def get(self, key: str) -> Any:
        """Return the value under `key`, `None` if there is none."""
        row = self._connection.execute(
            "SELECT value FROM entries WHERE key = ?", (text(key),)
        ).fetchone()
        return from_json(row[0]) if row else None

    def keys(self) -> tuple[str, ...]:
        """Return all keys, sorted."""
        return tuple(k for (k,) in self._connection.execute("SELECT key FROM entries ORDER BY key"))

    def dump(self) -> tuple[bytes, int]:
        """Return the whole content as canonical JSON, and the number of entries."""
        rows = self._connection.execute("SELECT key, value, at FROM entries ORDER BY key")
        entries = [{"key": key, "value": from_json(value), "at": at} for key, value, at in rows]
        content = json_text({"task_id": self.task_id, "entries": entries}).encode()
        return content, len(entries)


@dataclass(frozen=True, slots=True)
class RecoveredSession:
    """What became of one session file found at start; `reason` says why it was left alone."""

    task_id: str
    archived: bool
    reason: str = ""


def is_owned(repo_path: Path, task_id: str) -> bool:
    """Say whether a living process works on the session of `task_id`."""
    return named_holder(_lock_name(task_id), repo_path) is not None


def archive_session(repo_path: Path, task_id: str, raw: RawLog) -> None:
    """Copy a session into raw and delete its files; nothing to do if there is none.

    Raises: StoreBusyError if another process owns the session; StoreError if it is damaged.
    """
    path = database_path(Role.SESSION, repo_path, task_id)
    lock = named_lock(_lock_name(task_id), repo_path=repo_path, wait_seconds=0.0)
    with lock, store_errors(path):
        if os.path.lexists(path):
            with Session(task_id, repo_path=repo_path) as session:
                content, entries = session.dump()
            fault_point("session.before_archive")
            raw.append_session_archive(task_id, content, entries)
            fault_point("session.after_archive")
        _delete_files(path)
        lock_path(_lock_name(task_id), repo_path).unlink(missing_ok=True)


def recover_sessions(repo_path: Path, raw: RawLog) -> tuple[RecoveredSession, ...]:
    """Archive the sessions that no living process owns; leave damaged ones where they are."""
    directory = state_dir(repo_path) / "sessions"
    sweep_births(directory, repo_path=repo_path)
    found = sorted({_task_of(p.name) for p in directory.glob(f"{_PREFIX}*{_SUFFIX}*")} - {""})
    recovered = []
    for task_id in found:
        try:
            archive_session(repo_path, task_id, raw)
        except StoreBusyError:
            continue
        except StoreError as error:
            recovered.append(RecoveredSession(task_id, archived=False, reason=error.message))
        else:
            recovered.append(RecoveredSession(task_id, archived=True))
    return tuple(recovered)


def _delete_files(path: Path) -> None:
    """Delete the database first: sidecars without it are litter, it without them is half of it."""
    with store_errors(path):
        for suffix in ("", *SIDECARS):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
            fault_point("session.deleted")


def _lock_name(task_id: str) -> str:
    return f"session-{task_id}"


def _task_of(name: str) -> str:
    for suffix in ("", *SIDECARS):
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX + suffix):
            return name[len(_PREFIX) : len(name) - len(_SUFFIX + suffix)]
    return ""
