"""One writer per database: kernel locks that name their holder and die with it.

Takes: a role (or a lock name) and the repository. Gives: `write_lock`, `holder`.
Does not know: what is written under the lock.

The lock is `flock` on `.clean_room/locks/<name>.lock`, so a dead or reused pid never blocks
(the kernel released it). The JSON inside only serves messages. A forked child drops what it
inherited. Does not guard against a program that ignores the lock, nor across machines on a
network file system without locks (`probe` finds those).
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.errors import StoreBusyError, StoreError
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.paths import FILE_MODE, Role, ensure_parent, lock_path
from clean_room_agent.store.values import now_text

WAIT_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.05
_LEAST_TRIES = 4


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, since when, doing what."""

    pid: int
    verb: str
    since: str

    def __str__(self) -> str:
        verb = f" ({self.verb})" if self.verb else ""
        return f"held by pid {self.pid} since {self.since}{verb}"


@dataclass(slots=True)
class _Held:
    fd: int
    depth: int


_held: dict[Path, _Held] = {}
_thread_locks: dict[Path, threading.RLock] = {}
_registry = threading.Lock()
_verb = ""


def name_process(verb: str) -> None:
    """Say what this process does, for the message that others see when they have to wait."""
    global _verb
    _verb = verb


@contextmanager
def write_lock(
    role: Role,
    *,
    repo_path: Path,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[Holder], None] | None = None,
) -> Iterator[None]:
    """Hold the write lock of a database; re-entrant within a thread.

    `on_wait` is called once, with the holder, if the lock is not free at once.
    Raises: StoreBusyError naming the holder after `wait_seconds`.
    """
    with named_lock(str(role), repo_path=repo_path, wait_seconds=wait_seconds, on_wait=on_wait):
        yield


@contextmanager
def named_lock(
    name: str,
    *,
    repo_path: Path,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[Holder], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file called `name`; see `write_lock`."""
    path = lock_path(name, repo_path)
    with _registry:
        thread_lock = _thread_locks.setdefault(path, threading.RLock())
    deadline = time.monotonic() + wait_seconds
    if not thread_lock.acquire(timeout=max(wait_seconds, 0.0)):
        raise _busy(name, path, Holder(os.getpid(), "another thread", now_text()))
    try:
        held = _held.get(path)
        if held is None:
            ensure_parent(path, repo_path)
            held = _held[path] = _Held(_acquire(name, path, deadline, on_wait), 0)
        held.depth += 1
        try:
            yield
        finally:
            held.depth -= 1
            if held.depth == 0 and _held.get(path) is held:
                del _held[path]
                os.close(held.fd)
    finally:
        thread_lock.release()


def holder(role: Role, repo_path: Path) -> Holder | None:
    """Return who holds the write lock of `role` now, or `None`."""
    return named_holder(str(role), repo_path)


def named_holder(name: str, repo_path: Path) -> Holder | None:
    """Return who holds the lock called `name` now, or `None`."""
    path = lock_path(name, repo_path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(fd)
    except OSError as error:
        raise _unusable(path, error) from error
    else:
        return None
    finally:
        os.close(fd)


def probe(repo_path: Path) -> None:
    """Check that locks on this file system exclude each other.

    Raises: StoreError if they do not (some network and overlay file systems).
    """
    path = lock_path(f"probe-{os.getpid()}", repo_path)
    ensure_parent(path, repo_path)
    first = _open(path)
    second = _open(path)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        os.close(first)
        os.close(second)
        path.unlink(missing_ok=True)
    raise StoreError(
        "file locks do not exclude each other on this file system",
        where=str(path.parent),
        hint="keep the repository on a local disk",
    )


def _acquire(
    name: str, path: Path, deadline: float, on_wait: Callable[[Holder], None] | None
) -> int:
    pause, tries = _FIRST_PAUSE_SECONDS, 0
    while True:
        fd = _open(path)
        if _try_lock(fd, path):
            return fd
        found = _read_holder(fd)
        os.close(fd)
        tries += 1
        if tries == _LEAST_TRIES and on_wait is not None:
            on_wait(found)
        if tries >= _LEAST_TRIES and time.monotonic() >= deadline:
            raise _busy(name, path, found)
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _try_lock(fd: int, path: Path) -> bool:
    """Lock `fd` and sign it, unless it is locked, or no longer the file at `path`."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        os.close(fd)
        raise _unusable(path, error) from error
    try:
        if not os.path.samestat(os.fstat(fd), path.stat()):
            return False
        fault_point("locks.acquired")
        signature = {"pid": os.getpid(), "since": now_text(), "verb": _verb}
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(signature).encode(), 0)
    except FileNotFoundError:
        return False
    except OSError as error:
        os.close(fd)
        raise _unusable(path, error) from error
    return True


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, FILE_MODE)
        if os.fstat(fd).st_mode & 0o777 != FILE_MODE:
            os.fchmod(fd, FILE_MODE)
    except OSError as error:
        raise _unusable(path, error) from error
    return fd


def _read_holder(fd: int) -> Holder:
    """Read the signature; the holder may be between locking and signing, so it may be empty."""
    try:
        found = json.loads(os.pread(fd, 4096, 0))
        return Holder(int(found["pid"]), str(found["verb"]), str(found["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder(0, "unknown", "unknown")


def _busy(name: str, path: Path, found: Holder) -> StoreBusyError:
    return StoreBusyError(
        f"the {name} lock is {found}", where=str(path), hint="wait for that process, or stop it"
    )


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot use the lock file: {error.strerror}",
        where=str(path),
        hint="check that the state directory is writable and the disk not full",
    )


def _drop_inherited() -> None:
    """In a forked child: close inherited lock files; the parent keeps its locks."""
    global _registry
    for held in _held.values():
        os.close(held.fd)
    _held.clear()
    _thread_locks.clear()
    _registry = threading.Lock()


os.register_at_fork(after_in_child=_drop_inherited)
