# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH208
"""Process 1 of a sandbox: start the program, reap orphans, watch memory, tasks and space.

Takes: a `Plan`, after `mounts` and `confine.drop`. Gives: report lines, then its own end, by
which the kernel kills whatever still lives in the sandbox (a daemon, a fork bomb). The program
cannot signal it, trace it or limit it. Does not know: wall-clock time; that is the parent's.
"""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from clean_room_agent.sandbox.inside import confine

if TYPE_CHECKING:
    from clean_room_agent.sandbox.inside.plan import Bounds, Plan

_LOOK_MILLISECONDS = 50
_LOOKS_AT_TASK_LIMIT = 2
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CAPPED = ("/tmp", "/dev/shm")


class _Usage(NamedTuple):
    """What all processes but this one use together."""

    tasks: int
    resident: int
    largest_data: int
    pids: tuple[str, ...]


def report(descriptor: int, kind: str, text: str = "") -> None:
    """Write one line of the report: a word, a tab, a text."""
    line = f"{kind}\t{text}".replace("\n", " ") + "\n"
    os.write(descriptor, os.fsencode(line)[:4000])


def supervise(plan: Plan, own_processes: int) -> NoReturn:
    """Run the program to its end or its limit, and end the sandbox."""
    program = os.fork()
    if program == 0:
        _become(plan, own_processes)
    os.close(plan["channel_fd"])
    report(plan["report_fd"], "started")
    poller = select.poll()
    poller.register(os.pidfd_open(program), select.POLLIN)
    watcher = _Watcher(plan)
    while not poller.poll(_LOOK_MILLISECONDS):
        _reap_orphans(program)
        watcher.look()
    watcher.look_at_space()
    _, status = os.waitpid(program, 0)
    report(plan["report_fd"], "exit", str(status))
    os._exit(0)


def _become(plan: Plan, own_processes: int) -> NoReturn:
    """Turn this fork into the program."""
    step = "limits"
    try:
        os.setsid()
        confine.set_limits(plan["bounds"], own_processes)
        os.umask(0o022)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.set_inheritable(plan["channel_fd"], True)
        step = f"working directory {plan['cwd']}"
        os.chdir(plan["cwd"])
        step = f"start {plan['argv'][0]}"
        os.execvpe(plan["argv"][0], plan["argv"], plan["environment"])
    except OSError as error:
        report(plan["report_fd"], "failed", f"{step}: {error.strerror}")
    os._exit(127)


def _reap_orphans(program: int) -> None:
    """Collect dead descendants that were left to us, but not the program itself."""
    while True:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if info is None or info.si_pid == program:
            return
        os.waitpid(info.si_pid, 0)


class _Watcher:
    """Looks at the sandbox every few milliseconds and ends it at a limit."""

    def __init__(self, plan: Plan) -> None:
        self._bounds: Bounds = plan["bounds"]
        self._report_fd = plan["report_fd"]
        self._places = (plan["target"], *_CAPPED)
        self._before = self._space()
        self._inodes_before = {place: _inodes(place) for place in self._places}
        self._looks_at_task_limit = 0
        self._said_full = False

    def look(self) -> None:
        """Measure once; end the sandbox if a limit is passed."""
        usage = _measure()
        self._check_tasks(usage)
        self._check_memory(usage)
        self.look_at_space()

    def _check_tasks(self, usage: _Usage) -> None:
        if usage.tasks < self._bounds["processes"]:
            self._looks_at_task_limit = 0
            return
        self._looks_at_task_limit += 1
        if self._looks_at_task_limit >= _LOOKS_AT_TASK_LIMIT:
            self._end("processes", f"{usage.tasks} tasks, limit {self._bounds['processes']}")

    def _check_memory(self, usage: _Usage) -> None:
        limit = self._bounds["memory_bytes"]
        if usage.largest_data > limit:
            self._end("memory", f"one process holds {usage.largest_data} bytes, limit {limit}")
        in_files = max(0, self._space() - self._before)
        if usage.resident + in_files <= limit:
            return
        # Resident pages shared by forks are counted once for each; ask exactly before killing.
        exact = sum(_proportional(pid) for pid in usage.pids) + in_files
        if exact > limit:
            self._end("memory", f"all processes and files hold {exact} bytes, limit {limit}")

    def look_at_space(self) -> None:
        """Say once that a capped place is full; the program sees ENOSPC and decides itself.

        Inodes are also counted here, for a file system that was mounted without a cap on them.
        """
        for place in self._places:
            info = os.statvfs(place)
            inodes = _inodes(place)
            if inodes - self._inodes_before[place] > self._bounds["workspace_inodes"]:
                self._end("inodes", f"{place} holds {inodes} inodes")
            if not self._said_full and (info.f_bfree == 0 or info.f_ffree == 0):
                self._said_full = True
                report(self._report_fd, "full", f"the space of {place}")

    def _space(self) -> int:
        total = 0
        for place in self._places:
            info = os.statvfs(place)
            total += (info.f_blocks - info.f_bfree) * info.f_frsize
        return total

    def _end(self, kind: str, text: str) -> NoReturn:
        report(self._report_fd, "limit", f"{kind}\t{text}")
        os._exit(0)


def _inodes(place: str) -> int:
    info = os.statvfs(place)
    return info.f_files - info.f_ffree


def _measure() -> _Usage:
    tasks = resident = largest = 0
    pids = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        sizes = _read(f"/proc/{name}/statm").split()
        fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
        if len(sizes) < 6 or len(fields) < 18:
            continue  # it ended while we looked
        tasks += int(fields[17])
        resident += int(sizes[1]) * _PAGE
        largest = max(largest, int(sizes[5]) * _PAGE)
        pids.append(name)
    return _Usage(tasks, resident, largest, tuple(pids))


def _proportional(pid: str) -> int:
    """Return the bytes of one process with shared pages divided; its resident size if hidden."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    sizes = _read(f"/proc/{pid}/statm").split()
    return int(sizes[1]) * _PAGE if len(sizes) > 1 else 0


def _read(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(handle, 8192)
    except OSError:
        return b""
    finally:
        os.close(handle)
