"""The list of system calls a sandboxed program may not make, and the filter that says so.

Takes: the machine name. Gives: a BPF program, or None where the machine is unknown (the sandbox
then says so in its matrix). Does not know: who is filtered. Does not guard: calls that are
allowed; namespaces, mounts and missing capabilities are the first wall, this is the second.
"""

from __future__ import annotations

import struct

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR_OFFSET, _ARCH_OFFSET, _ARGS_OFFSET = 0, 4, 16
_CLONE_NEW_ANY = 0x7E020000  # every CLONE_NEW* flag: no namespace of its own
_X32_BIT = 0x40000000

# name -> (x86-64, aarch64); None: the machine has no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "unshare": (272, 97),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    # Memory without a mapping or a capped file system: no watcher could count it.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "_sysctl": (156, None),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
# name -> numbers, the argument that must be 0: these may touch the caller itself only, so that
# nobody weakens the watching init process.
_SELF_ONLY: dict[str, tuple[int, int, int]] = {
    "prlimit64": (302, 261, 0),
    "setpriority": (141, 140, 1),
    "sched_setscheduler": (144, 119, 0),
    "sched_setparam": (142, 118, 0),
    "sched_setattr": (314, 274, 0),
}
_CLONE = (56, 220)
_CLONE3 = 435
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def _op(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value)


def _refuse(number: int) -> bytes:
    return _op(_RETURN, _ERRNO | number)


def _when(number: int, *body: bytes) -> bytes:
    """Run `body` (which must return) for call `number` only."""
    block = b"".join(body)
    return _op(_JUMP_EQ, number, 0, len(block) // 8) + block


def _argument(index: int) -> bytes:
    return _op(_LOAD, _ARGS_OFFSET + 8 * index)  # the low half: both machines are little-endian


def _socket_rules(number: int) -> bytes:
    """Allow unix and internet sockets and route netlink; refuse every other family."""
    allow, refuse = _op(_RETURN, _ALLOW), _refuse(_EAFNOSUPPORT)
    body = _argument(0)
    for family in (_AF_UNIX, _AF_INET, _AF_INET6):
        body += _op(_JUMP_EQ, family, 0, 1) + allow
    body += _op(_JUMP_EQ, _AF_NETLINK, 1, 0) + refuse
    body += _argument(2) + _op(_JUMP_EQ, 0, 0, 1) + allow + refuse
    return _when(number, body)


def build_filter(machine: str) -> bytes | None:
    """Return the filter for `machine` (as `os.uname().machine` says it), or None."""
    if machine not in _MACHINES:
        return None
    column, arch = _MACHINES[machine]
    allow, refuse = _op(_RETURN, _ALLOW), _refuse(_EPERM)
    program = _op(_LOAD, _ARCH_OFFSET) + _op(_JUMP_EQ, arch, 1, 0) + _refuse(_ENOSYS)
    program += _op(_LOAD, _NR_OFFSET)
    if column == 0:
        program += _op(_JUMP_GE, _X32_BIT, 0, 1) + _refuse(_ENOSYS)
    # clone3 hides its flags behind a pointer; without it the C library falls back to clone.
    program += _when(_CLONE3, _refuse(_ENOSYS))
    flags = _argument(0) + _op(_JUMP_SET, _CLONE_NEW_ANY, 0, 1) + refuse + allow
    program += _when(_CLONE[column], flags)
    for numbers in (_SOCKET, _SOCKETPAIR):
        program += _socket_rules(numbers[column])
    for rule in _SELF_ONLY.values():
        only_self = _argument(rule[2]) + _op(_JUMP_EQ, 0, 0, 1) + allow + refuse
        program += _when(rule[column], only_self)
    for denied in _DENIED.values():
        number = denied[column]
        if number is not None:
            program += _when(number, refuse)
    return program + allow
