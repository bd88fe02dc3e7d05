"""Waits until something changes that an index of a checkout could show.

Takes: a `Repository`. Gives: `Watch` (the kernel tells of changes) and `Polling` (nobody does).
Does not know: what is done then. That something changed is all it says: what did is found by the
index itself, so an event that is lost, doubled or late costs nothing but time.

Of git's own files only those count that tell of a commit, a switch or other listed files. What git
ignores does not count, nor `.clean_room`. A burst that may have overrun the kernel's queue counts
whatever it was about. Not seen: the user's global exclude file, and file systems whose changes the
kernel is not told of (network shares written elsewhere); `Polling` is for those.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from clean_room_agent.errors import WatchError
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.ignore import OWN_DIRECTORY

# Changes are gathered until none comes for the one, or for the other at most.
QUIET_MS, LONGEST_MS = 100, 1600
# An index.lock of a git that was killed stays; one that is older than this stops nothing.
STALE_LOCK_SECONDS = 60.0
_GIT_FILES = frozenset(
    {"HEAD", "index", "packed-refs", "shallow", "config", "info/exclude", "info/sparse-checkout"}
)
_GIT_FOLDERS = ("refs/heads/", "reftable/")
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
_QUEUED_BY_DEFAULT = 16_384
# A change is up to three events, and the queue is emptied in several steps.
_SHARE_OF_QUEUE = 8
_LIMIT_HINT = (
    "a limit is set by: sysctl fs.inotify.max_user_watches fs.inotify.max_user_instances\n"
    "or look every 5 seconds instead: cra index --watch -c index.watch_poll_seconds=5"
)


class Waiting(Protocol):
    """How the next refresh is waited for."""

    def wait(self, *, seconds: float) -> bool:
        """Return True once something may have changed, False after `seconds` without that."""
        ...

    def ignore(self, paths: Collection[str]) -> None:
        """Set which files and folders (relative) do not count from now on."""
        ...

    def close(self) -> None: ...


class Watch:
    """The kernel's events of one checkout and its git directory, until it is closed."""

    def __init__(self, repository: Repository) -> None:
        """Begin to watch: whatever changes after this is told of.

        Raises: WatchError where a limit of the system is reached, or a folder cannot be read.
        """
        self._root = str(repository.root)
        self._git_dirs = _git_dirs(repository)
        self._lock = repository.git_dir / "index.lock"
        self._ignored: frozenset[str] = frozenset()
        self._uncounted = 0
        self._most_uncounted = _read_queue() // _SHARE_OF_QUEUE
        self._events = self._open()

    def close(self) -> None:
        """Stop watching."""
        self._events.close()

    def ignore(self, paths: Collection[str]) -> None:
        """Set which files and folders (relative) do not count from now on."""
        self._ignored = frozenset(paths)

    def wait(self, *, seconds: float) -> bool:
        """Return True once something that counts changed, False after `seconds` without that.

        While git holds its index it is not done: its changes are waited for.
        Raises: KeyboardInterrupt, WatchError.
        """
        deadline = time.monotonic() + seconds
        changed = False
        while True:
            left_ms = max(1, int((deadline - time.monotonic()) * 1000))
            changed |= self._next(QUIET_MS if changed else left_ms)
            if changed and not self._git_works():
                self._uncounted = 0
                return True
            if not changed and time.monotonic() >= deadline:
                return False

    def _next(self, timeout_ms: int) -> bool:
        try:
            found = self._events.watch(LONGEST_MS, QUIET_MS, timeout_ms, None)
        except WatchfilesRustInternalError:
            # A name that is no UTF-8 ends this watcher for good; what it says is that it changed.
            self._events.close()
            self._events = self._open()
            return True
        if found == "signal":
            raise KeyboardInterrupt
        if isinstance(found, str):
            return False
        self._uncounted += len(found)
        return self._uncounted >= self._most_uncounted or any(
            self._counts(path) for _, path in found
        )

    def _open(self) -> RustNotify:
        outside = [place for place in self._git_dirs if not _is_below(place, self._root)]
        try:
            # Told to overlook folders it may not read, the library would overlook limits too.
            return RustNotify([self._root, *outside], False, False, 0, True, False)
        except (OSError, WatchfilesRustInternalError) as error:
            raise WatchError(
                f"the files cannot be watched: {str(error).partition(' about [')[0]}",
                where=self._root,
                hint=_LIMIT_HINT,
            ) from error

    def _counts(self, path: str) -> bool:
        for place in self._git_dirs:
            if _is_below(path, place):
                inner = path[len(place) + 1 :]
                named = inner in _GIT_FILES or inner.startswith(_GIT_FOLDERS)
                return named and not inner.endswith(".lock")
        inner = path[len(self._root) + 1 :]
        parts = inner.split("/")
        if parts[0] == OWN_DIRECTORY or ".git" in parts[:-1]:
            return False
        so_far = ""
        for part in parts:
            so_far = f"{so_far}/{part}" if so_far else part
            if so_far in self._ignored:
                return False
        return True

    def _git_works(self) -> bool:
        try:
            return time.time() - self._lock.stat().st_mtime < STALE_LOCK_SECONDS
        except OSError:
            return False


class Polling:
    """No events: something may have changed each time a period is over."""

    def __init__(self, period_seconds: float) -> None:
        self._period_seconds = period_seconds

    def wait(self, *, seconds: float) -> bool:
        """Sleep for one period."""
        del seconds
        time.sleep(self._period_seconds)
        return True

    def ignore(self, paths: Collection[str]) -> None:
        """Nothing has to be told apart."""

    def close(self) -> None:
        """Nothing is open."""


def _git_dirs(repository: Repository) -> tuple[str, ...]:
    """The git directory and the one it shares, as they are named in events; the inner one first."""
    places = {str(repository.git_dir), str(repository.common_dir)}
    return tuple(sorted(places, key=len, reverse=True))


def _is_below(path: str, place: str) -> bool:
    return path.startswith(place + os.sep)


def _read_queue() -> int:
    try:
        return int(_QUEUE.read_text())
    except (OSError, ValueError):
        return _QUEUED_BY_DEFAULT
