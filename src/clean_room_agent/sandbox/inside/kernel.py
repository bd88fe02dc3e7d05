"""The system calls a sandbox needs and Python 3.11 lacks, through ctypes.

Takes: plain numbers, bytes and paths. Gives: nothing, or a descriptor; raises `OSError` whose
`filename` names the call. Does not know: why a call is made.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

ATTR_RDONLY = 0x1
ATTR_NOSUID = 0x2
ATTR_NODEV = 0x4
ATTR_IDMAP = 0x00100000

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 0x4
# The same on every architecture: they came after the numbers were unified.
_NR_OPEN_TREE = 428
_NR_MOVE_MOUNT = 429
_NR_MOUNT_SETATTR = 442

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_VERSION_3 = 0x20080522
_EINVAL = 22

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _check(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags),
        os.fsencode(options) if options else None,
    )  # fmt: skip
    _check(result, f"mount {kind or 'flags'} on {target}")


def umount(target: str) -> None:
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def set_host_name(name: str) -> None:
    data = name.encode()
    _check(_libc.sethostname(data, ctypes.c_size_t(len(data))), "sethostname")


def pivot_root(new_root: str, put_old: str) -> None:
    _check(_libc.pivot_root(os.fsencode(new_root), os.fsencode(put_old)), "pivot_root")


def open_tree(path: str) -> int:
    """Return a detached copy of the mounts at and below `path`."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    name = ctypes.c_char_p(os.fsencode(path))
    return _check(_libc.syscall(_NR_OPEN_TREE, _AT_FDCWD, name, flags), f"open_tree {path}")


def set_tree(tree: int, attributes: int, *, id_map: int = -1, recursive: bool = True) -> None:
    """Add mount attributes (and an id map) to a detached tree."""
    attr = _MountAttr(attributes, 0, 0, 0)
    if id_map >= 0:
        attr.attr_set |= ATTR_IDMAP
        attr.userns_fd = id_map
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    result = _libc.syscall(
        _NR_MOUNT_SETATTR, tree, ctypes.c_char_p(b""), flags, ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )  # fmt: skip
    _check(result, "mount_setattr")


def set_mount(path: str, attributes: int) -> None:
    """Add mount attributes to the one mount at `path`."""
    attr = _MountAttr(attributes, 0, 0, 0)
    result = _libc.syscall(
        _NR_MOUNT_SETATTR, _AT_FDCWD, ctypes.c_char_p(os.fsencode(path)), 0, ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )  # fmt: skip
    _check(result, f"mount_setattr {path}")


def attach_tree(tree: int, target: str) -> None:
    result = _libc.syscall(
        _NR_MOVE_MOUNT, tree, ctypes.c_char_p(b""), _AT_FDCWD,
        ctypes.c_char_p(os.fsencode(target)), _MOVE_MOUNT_F_EMPTY_PATH,
    )  # fmt: skip
    _check(result, f"move_mount {target}")


def prctl(option: int, *values: int) -> int:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return int(_libc.prctl(option, *padded))


def die_with_parent(signal_number: int) -> None:
    _check(prctl(_PR_SET_PDEATHSIG, signal_number), "prctl PDEATHSIG")


def set_dumpable(allowed: bool) -> None:
    _check(prctl(_PR_SET_DUMPABLE, int(allowed)), "prctl DUMPABLE")


def forbid_new_privileges() -> None:
    _check(prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl NO_NEW_PRIVS")


def drop_bounding_set() -> None:
    """Empty the capability bounding set, so that no exec can give one back."""
    for capability in range(64):
        if prctl(_PR_CAPBSET_DROP, capability) < 0:
            if ctypes.get_errno() == _EINVAL:
                return
            _check(-1, "prctl CAPBSET_DROP")


def drop_capabilities() -> None:
    """Empty the ambient, effective, permitted and inheritable sets."""
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = _CapHeader(_CAP_VERSION_3, 0)
    data = (_CapData * 2)()
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def attach_filter(program: bytes) -> None:
    """Install a seccomp filter: `program` is an array of struct sock_filter."""

    class _Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    pr_set_seccomp, mode_filter = 22, 2
    prog = _Program(len(program) // 8, program)
    result = _libc.prctl(pr_set_seccomp, ctypes.c_ulong(mode_filter), ctypes.byref(prog), 0, 0)
    _check(int(result), "prctl SECCOMP")
