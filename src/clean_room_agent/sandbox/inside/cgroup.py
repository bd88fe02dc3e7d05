# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH110, PTH120, PTH123
"""A control group around one sandbox, where this user may make one: memory and tasks, exactly.

Takes: `Bounds`. Gives: an open `Group` for each controller, or none; the watcher of `init.py`
then stands alone, and the matrix says so. Counts what a watcher cannot see: kernel memory, and
what grows between two looks. Does not know: who joins.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from clean_room_agent.sandbox.inside.plan import Bounds

_BASE = "/sys/fs/cgroup"
_PREFIX = "cra-"
# For our own processes in the group and for page tables; the watcher looks at the plain limit.
_SLACK_BYTES = 64 * 1024**2


class Group(NamedTuple):
    """One group, held open: after the sandbox has its own root, no path leads here."""

    parent_fd: int
    name: str
    fd: int
    version: str


def create(bounds: Bounds, own_processes: int) -> list[Group]:
    """Make the groups with their limits; an empty list where that is not possible."""
    memory = str(bounds["memory_bytes"] + _SLACK_BYTES)
    tasks = str(bounds["processes"] + own_processes)
    wanted: list[tuple[str, str, dict[str, str]]] = []
    places = _places()
    if "memory" in places and "pids" in places:
        wanted.append(("v1", places["memory"], {"memory.limit_in_bytes": memory}))
        wanted.append(("v1", places["pids"], {"pids.max": tasks}))
    elif "" in places:
        limits = {"memory.max": memory, "memory.oom.group": "1", "pids.max": tasks}
        wanted.append(("v2", places[""], limits))
    groups: list[Group] = []
    try:
        for version, place, limits in wanted:
            groups.append(_make(version, place))
            for name, value in limits.items():
                _write(groups[-1], name, value)
    except OSError:
        remove(groups)
        return []
    return groups


def _places() -> dict[str, str]:
    """Return controller -> folder in which a group may be made; version 2 has the name ''."""
    places = {}
    with open("/proc/self/cgroup", "rb") as table:
        for line in table.read().decode().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("memory", "pids"):
                places[controllers] = f"{_BASE}/{controllers}{path}"
            elif not controllers:
                # A group with members can have no limited children: make a neighbour.
                places[""] = _BASE + (os.path.dirname(path) if path != "/" else "/")
    return places


def _make(version: str, place: str) -> Group:
    parent_fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    name = f"{_PREFIX}{os.getpid()}"
    try:
        _remove_stale(parent_fd)
        os.mkdir(name, dir_fd=parent_fd)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        return Group(parent_fd, name, os.open(name, flags, dir_fd=parent_fd), version)
    except OSError:
        os.close(parent_fd)
        raise


def _remove_stale(parent_fd: int) -> None:
    """Remove groups of launchers that were killed; a group in use cannot be removed."""
    for name in os.listdir(parent_fd):
        pid = name.removeprefix(_PREFIX)
        if name != pid and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            try:
                os.rmdir(name, dir_fd=parent_fd)
            except OSError:
                continue


def join(groups: list[Group]) -> None:
    """Move this process in; what it starts follows."""
    for group in groups:
        _write(group, "cgroup.procs", "0")


def events(groups: list[Group]) -> tuple[int, int]:
    """Return how many processes were killed for memory, and how many forks were refused."""
    killed = refused = 0
    for group in groups:
        killed += _count(group, "memory.events", "oom_kill")
        killed += _count(group, "memory.oom_control", "oom_kill")
        refused += _count(group, "pids.events", "max")
    return killed, refused


def remove(groups: list[Group]) -> None:
    for group in groups:
        os.close(group.fd)
        try:
            os.rmdir(group.name, dir_fd=group.parent_fd)
        except OSError:
            continue  # the next sandbox removes it
        finally:
            os.close(group.parent_fd)


def _write(group: Group, name: str, value: str) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=group.fd)
    try:
        os.write(handle, value.encode())
    finally:
        os.close(handle)


def _count(group: Group, name: str, key: str) -> int:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=group.fd)
    except OSError:
        return 0
    with os.fdopen(handle, "rb") as table:
        for line in table:
            words = line.split()
            if len(words) == 2 and words[0] == key.encode():
                return int(words[1])
    return 0
