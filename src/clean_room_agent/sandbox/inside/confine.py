"""Take away what a sandboxed program must not have: identity, capabilities, calls, resources.

Takes: an `Identity` and `Bounds`. Gives: nothing; after it the process is bound for good. Does
not know: mounts.
"""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from clean_room_agent.sandbox.inside import kernel, seccomp

if TYPE_CHECKING:
    from clean_room_agent.sandbox.inside.mounts import Identity
    from clean_room_agent.sandbox.inside.plan import Bounds

_OPEN_FILES = 4096
_MEMLOCK_BYTES = 64 * 1024


def drop(identity: Identity) -> bool:
    """Give up root, every capability and many system calls; True if the call filter is in."""
    if identity.privileged:
        kernel.drop_bounding_set()
        os.setgroups([])
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
    else:
        _drop_bounding_if_possible()
    kernel.drop_capabilities()
    kernel.forbid_new_privileges()
    # The init of the sandbox shares its user with the program: keep its memory closed to it.
    kernel.set_dumpable(False)
    program = seccomp.build_filter(os.uname().machine)
    if program is not None:
        kernel.attach_filter(program)
    return program is not None


def _drop_bounding_if_possible() -> None:
    try:
        kernel.drop_bounding_set()
    except PermissionError:
        return  # bubblewrap has emptied it before us, and left us no capability to do it again


def set_limits(bounds: Bounds, own_processes: int) -> None:
    """Set the limits of the program; `own_processes` of its user are ours and do not count."""
    cpu = bounds["cpu_seconds"]
    _limit(resource.RLIMIT_CPU, cpu, cpu + 1)
    # The watcher kills at `memory_bytes`; this bounds what one process gets between two looks.
    _limit(resource.RLIMIT_DATA, 2 * bounds["memory_bytes"], 2 * bounds["memory_bytes"])
    tasks = bounds["processes"] + own_processes
    _limit(resource.RLIMIT_NPROC, tasks, tasks)
    _limit(resource.RLIMIT_FSIZE, bounds["file_bytes"], bounds["file_bytes"])
    _limit(resource.RLIMIT_NOFILE, 1024, _OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_MEMLOCK, _MEMLOCK_BYTES, _MEMLOCK_BYTES)


def _limit(which: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))
