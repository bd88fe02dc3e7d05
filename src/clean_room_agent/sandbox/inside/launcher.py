# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH100, PTH116, PTH120
"""The script that makes a sandbox: `python -I -S launcher.py PLAN_FD` (and `inner` below bwrap).

Takes: a descriptor of a marshalled `Plan`. Gives: report lines on `report_fd`, and a child that
is process 1 of new namespaces. It stays outside, and kills that child when `life_fd` closes, so
that nothing outlives `cra`. Does not know: what the program is.
"""

from __future__ import annotations

import marshal
import os
import select
import sys
import types
from typing import TYPE_CHECKING, NoReturn


def _offer_siblings() -> None:
    """Make our folder importable under its full name without running the package's own code."""
    here = os.path.dirname(os.path.abspath(__file__))
    parts = ["clean_room_agent", "sandbox", "inside"]
    for depth in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:depth]))
        module.__path__ = [here] if depth == len(parts) else []
        sys.modules[module.__name__] = module


if __name__ == "__main__":
    _offer_siblings()

from clean_room_agent.sandbox.inside import (  # noqa: E402
    bwrap,
    cgroup,
    confine,
    identity,
    init,
    kernel,
    mounts,
)

if TYPE_CHECKING:
    from clean_room_agent.sandbox.inside.plan import Plan

_SIGKILL = 9
_NAMESPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP
)  # fmt: skip


def main(argv: list[str]) -> NoReturn:
    plan = _read_plan(int(argv[-1]))
    inner = argv[1] == "inner"
    for descriptor in (plan["report_fd"], plan["channel_fd"]):
        os.set_inheritable(descriptor, False)
    try:
        if inner:
            uid, gid, privileged, workspace_fd = map(int, argv[2:6])
            _inner(plan, mounts.Identity(uid, gid, bool(privileged), -1), workspace_fd)
        os.set_inheritable(plan["life_fd"], False)
        who = identity.choose()
        below_bwrap = plan["bwrap"] != ""
        ours = 2 if below_bwrap or not who.privileged else 1
        groups = cgroup.create(plan["bounds"], ours) if who.privileged else []
        init.report(plan["report_fd"], "fact", f"cgroup\t{_versions(groups)}")
        start = _start_bubblewrap if below_bwrap else _start_namespaces
        child = start(plan, who, groups)
    except OSError as error:
        _fail(plan, error)
    os.close(plan["channel_fd"])
    _guard(plan, child, groups)


def _versions(groups: list[cgroup.Group]) -> str:
    return groups[0].version if groups else "absent"


def _start_bubblewrap(plan: Plan, who: mounts.Identity, groups: list[cgroup.Group]) -> int:
    return bwrap.start(plan, who, __file__, before=lambda: cgroup.join(groups))


def _read_plan(descriptor: int) -> Plan:
    with os.fdopen(descriptor, "rb") as source:
        plan: Plan = marshal.loads(source.read())
    return plan


def _fail(plan: Plan, error: OSError) -> NoReturn:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    init.report(plan["report_fd"], "failed", what)
    os._exit(1)


def _start_namespaces(plan: Plan, who: mounts.Identity, groups: list[cgroup.Group]) -> int:
    """Fork process 1 of new namespaces; in the child this never returns."""
    owner = os.stat(plan["workspace"])
    if who.privileged:
        who = who._replace(id_map=identity.map_owner(owner.st_uid, owner.st_gid, who))
        kernel.unshare(_NAMESPACES)
    else:
        # Asked here: inside, every other user looks alike.
        plan["copy_workspace"] |= owner.st_uid != who.uid
        kernel.unshare(_NAMESPACES | kernel.CLONE_NEWUSER)
        identity.map_self(who)
    child = os.fork()
    if child:
        return child
    try:
        os.close(plan["life_fd"])
        cgroup.join(groups)
        kernel.die_with_parent(_SIGKILL)
        kernel.set_host_name("sandbox")
        identity.raise_loopback()
        made = mounts.enter(plan, who)
        # One more than the group allows, so that the group is the one to refuse, and counts it.
        ours = (1 if who.privileged else 2) + bool(groups)
        _confine_and_run(plan, who, made, own_processes=ours)
    except OSError as error:
        _fail(plan, error)


def _inner(plan: Plan, who: mounts.Identity, workspace_fd: int) -> NoReturn:
    """Go on as process 1 below bubblewrap, which has made the namespaces and the mounts."""
    mounts.fill_workspace(plan, who, workspace_fd)
    _confine_and_run(plan, who, "copy", own_processes=1 + who.privileged)


def _confine_and_run(
    plan: Plan, who: mounts.Identity, made: str, *, own_processes: int
) -> NoReturn:
    filtered = confine.drop(who)
    kernel.die_with_parent(_SIGKILL)  # a change of user has cleared it
    init.report(plan["report_fd"], "fact", f"workspace\t{made}")
    init.report(plan["report_fd"], "fact", f"seccomp\t{'on' if filtered else 'absent'}")
    init.supervise(plan, own_processes)


def _guard(plan: Plan, child: int, groups: list[cgroup.Group]) -> NoReturn:
    """Wait for the sandbox to end; kill it when `cra` goes away or says so."""
    ended = os.pidfd_open(child)
    poller = select.poll()
    poller.register(ended, select.POLLIN)
    poller.register(plan["life_fd"], select.POLLIN | select.POLLHUP)
    if all(number != ended for number, _ in poller.poll()):
        _kill(plan, child)
    os.waitpid(child, 0)
    killed, refused = cgroup.events(groups)
    if killed:
        text = f"the kernel killed {killed} processes at the memory limit"
        init.report(plan["report_fd"], "limit", f"memory\t{text}")
    elif refused:
        init.report(plan["report_fd"], "full", "the task limit")
    cgroup.remove(groups)
    os._exit(0)


def _kill(plan: Plan, child: int) -> None:
    if plan["bwrap"]:
        bwrap.kill(child)
    else:
        os.kill(child, _SIGKILL)


if __name__ == "__main__":
    main(sys.argv)
