# Importing pathlib would cost each sandbox several milliseconds.
# ruff: noqa: PTH123
"""Who the sandboxed program is: never a user that limits do not bind, never one with rights.

Takes: what the kernel says about this process. Gives: an `Identity`, id maps, a
loopback. Does not know: what the identity will run.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import struct

from clean_room_agent.sandbox.inside import kernel
from clean_room_agent.sandbox.inside.mounts import Identity

_CAP_SETUID, _CAP_SYS_ADMIN = 7, 21
_FAR_IDS = 2_000_000_000
_FAR_ENOUGH = 2_100_000_000
_SPARE_IDS = 1000
_SIGKILL = 9
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def choose() -> Identity:
    """Return an unprivileged identity: as root a user of this sandbox only, else oneself.

    Root is not bound by RLIMIT_NPROC, and owns too much; so a root that may change its user takes
    an id that nothing else has. A root that may not stays what it is, and the probe tells.
    """
    top = _highest_id()
    if os.geteuid() == 0 and _has(_CAP_SETUID) and _has(_CAP_SYS_ADMIN) and top > _SPARE_IDS:
        spread = _FAR_IDS + os.getpid() if top > _FAR_ENOUGH else top - os.getpid() % (top // 2)
        return Identity(spread, spread, True, -1)
    return Identity(os.getuid(), os.getgid(), False, -1)


def _has(capability: int) -> bool:
    with open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def _highest_id() -> int:
    """Return the highest id that both maps of this user namespace know."""
    tops = []
    for name in ("uid_map", "gid_map"):
        with open("/proc/self/" + name, "rb") as table:
            extents = [[int(word) for word in line.split()] for line in table]
        tops.append(max(start + count - 1 for start, _, count in extents))
    return min(tops)


def map_self(who: Identity) -> None:
    """In a new user namespace: be the same user, alone."""
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{who.uid} {who.uid} 1")
    _write("/proc/self/gid_map", f"{who.gid} {who.gid} 1")


def map_owner(uid: int, gid: int, who: Identity) -> int:
    """Return a user namespace by which files of `uid` are seen as files of `who`; -1 if none."""
    ready_read, ready_write = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            kernel.unshare(kernel.CLONE_NEWUSER)
            os.write(ready_write, b"+")
            os.read(os.pipe()[0], 1)  # until killed
        finally:
            os._exit(1)
    os.close(ready_write)
    try:
        if not os.read(ready_read, 1):
            return -1
        _write(f"/proc/{holder}/uid_map", f"{uid} {who.uid} 1")
        _write(f"/proc/{holder}/gid_map", f"{gid} {who.gid} 1")
        return os.open(f"/proc/{holder}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1  # no user namespaces here: the workspace is copied instead
    finally:
        os.close(ready_read)
        os.kill(holder, _SIGKILL)
        os.waitpid(holder, 0)


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(handle)


def raise_loopback() -> None:
    """Bring up `lo`, the only interface of a new network namespace."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(probe.fileno(), _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    finally:
        probe.close()
