# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH100, PTH112, PTH114, PTH115, PTH120, PTH123
"""Start process 1 below bubblewrap, for machines that let only it make namespaces.

Takes: a `Plan`. Gives: the process id of bubblewrap. The workspace is copied into a capped tmpfs,
because the program below bubblewrap may have no right to lay an overlay. Does not know: limits.
"""

from __future__ import annotations

import marshal
import os
import sys
from typing import TYPE_CHECKING

from clean_room_agent.sandbox.inside import mounts
from clean_room_agent.sandbox.inside.layout import (
    BWRAP_INSIDE,
    HOME,
    SYSTEM_PATHS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clean_room_agent.sandbox.inside.plan import Plan

_SIGKILL = 9


def start(plan: Plan, who: mounts.Identity, launcher: str, *, before: Callable[[], None]) -> int:
    """Fork and become bubblewrap in the child, after `before` there."""
    argv, descriptors = _arguments(plan, who, launcher)
    argv += [sys.executable, "-I", "-S", f"{BWRAP_INSIDE}/launcher.py", "inner"]
    # The workspace goes in as an open folder, not as a mount that the program could look into.
    workspace_fd = os.open(plan["workspace"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    plan_fd = _memory_file(marshal.dumps(dict(plan)))
    descriptors += [workspace_fd, plan_fd]
    argv += [str(who.uid), str(who.gid), str(int(who.privileged))]
    argv += [str(workspace_fd), str(plan_fd)]
    child = os.fork()
    if child:
        for descriptor in descriptors:
            os.close(descriptor)
        return child
    try:
        before()
        for descriptor in (plan["report_fd"], plan["channel_fd"], *descriptors):
            os.set_inheritable(descriptor, True)
        os.execv(plan["bwrap"], argv)
    finally:
        os._exit(127)


def kill(child: int) -> None:
    """Kill the sandbox's process 1 (its own child if there is one), so that waiting is enough."""
    try:
        with open(f"/proc/{child}/task/{child}/children", "rb") as children:
            below = [int(word) for word in children.read().split()]
    except OSError:
        below = []
    for process in below or [child]:
        try:
            os.kill(process, _SIGKILL)
        except ProcessLookupError:
            continue


def _arguments(plan: Plan, who: mounts.Identity, launcher: str) -> tuple[list[str], list[int]]:
    argv = [plan["bwrap"], "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
            "--unshare-cgroup-try", "--hostname", "sandbox", "--as-pid-1", "--die-with-parent",
            "--clearenv", "--cap-add" if who.privileged else "--unshare-user"]  # fmt: skip
    if who.privileged:
        argv.append("ALL")  # for our second stage only, which drops them all
    for name in SYSTEM_PATHS:
        if os.path.islink(name):
            argv += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            argv += ["--ro-bind", name, name]
    for name in mounts.ETC_DIRECTORIES:
        argv += [*_parents("/etc/" + name), "--ro-bind-try", "/etc/" + name, "/etc/" + name]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += _scratch(plan) + _places(plan, launcher)
    descriptors: list[int] = []
    made_up = mounts.etc_files(who.uid, who.gid).items()
    files = {f"/etc/{name}": data for name, data in made_up} | plan["files"]
    for path, data in sorted(files.items()):
        descriptors.append(_memory_file(data))
        argv += _parents(path)
        argv += ["--perms", "0444", "--ro-bind-data", str(descriptors[-1]), path]
    return [*argv, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"], descriptors


def _scratch(plan: Plan) -> list[str]:
    bounds = plan["bounds"]
    size = str(bounds["workspace_bytes"])
    shared = str(min(mounts.SHM_BYTES, bounds["memory_bytes"]))
    return ["--perms", "1777", "--size", size, "--tmpfs", "/tmp",
            "--perms", "0777", "--dir", HOME,
            "--perms", "1777", "--size", shared, "--tmpfs", "/dev/shm",
            "--dir", "/var", "--symlink", "/tmp", "/var/tmp", "--dir", "/run"]  # fmt: skip


def _places(plan: Plan, launcher: str) -> list[str]:
    """Bind the read-only paths and make the workspace, parents first."""
    argv = []
    target = plan["target"]
    for path in sorted({target, *plan["read_only"], *plan["python_paths"]}):
        argv += _parents(path)
        if path == target:
            size = str(plan["bounds"]["workspace_bytes"])
            argv += ["--perms", "0755", "--size", size, "--tmpfs", target]
        else:
            argv += ["--ro-bind", path, path]
    argv += _parents(BWRAP_INSIDE)
    argv += ["--ro-bind", os.path.dirname(os.path.abspath(launcher)), BWRAP_INSIDE]
    return argv


def _parents(path: str) -> list[str]:
    """Make the folders above a place: bubblewrap would close them to everyone but root."""
    argv: list[str] = []
    parts = path.split("/")[1:-1]
    for depth in range(1, len(parts) + 1):
        argv += ["--dir", "/" + "/".join(parts[:depth])]
    return argv


def _memory_file(data: bytes) -> int:
    descriptor = os.memfd_create("cra-file", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as target:
        target.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
