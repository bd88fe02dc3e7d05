"""Run a program in a tree, isolated by the kernel, and report how it ended.

Takes: a `SandboxSpec` and a `Backend`. Gives: a `SandboxOutcome`, or a running `SandboxProcess`.
Does not know: git, tests, models.

Covers: files (a new root with system folders read-only, the workspace on a size-capped layer,
nothing else), network (own namespace, only loopback), processes (own PID namespace that dies
whole), users (never root, no capabilities, no new privileges, a call filter), environment (an
allow-list), resources (processor time, memory, processes, file size, space, inodes, wall clock),
output (head and tail).

Does not cover: flaws of the kernel; side channels (timing, caches, load, /proc/cpuinfo); what
the system folders hold (/usr is readable as it is); a listening socket inside a read-only path
(connecting needs no write); the names of bound host folders in /proc/self/mountinfo; processor
time of the whole tree (the limit is for each process, the wall clock bounds the sum); without a
control group (an ordinary user) kernel memory, such as full socket buffers, and what is allocated
between two looks of the watcher; bandwidth of the disk.

Differs from the host: a file of the workspace that belongs to another user or group than the
workspace itself may be read there, but perhaps not changed; for an ordinary user on an overlay,
renaming a folder of the original tree is EXDEV (as across file systems; `mv` and `shutil.move`
copy instead); memfd_create and System V shared memory are refused (nobody could count them).
"""

from clean_room_agent.sandbox.backend import select_backend
from clean_room_agent.sandbox.interpreter import interpreter_paths
from clean_room_agent.sandbox.output import printable
from clean_room_agent.sandbox.planning import Backend
from clean_room_agent.sandbox.process import SandboxProcess, run, start
from clean_room_agent.sandbox.spec import SandboxOutcome, SandboxSpec

__all__ = [
    "Backend",
    "SandboxOutcome",
    "SandboxProcess",
    "SandboxSpec",
    "interpreter_paths",
    "printable",
    "run",
    "select_backend",
    "start",
]
