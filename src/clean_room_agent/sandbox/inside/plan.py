"""The plan: what the parent tells the launcher, once, over an inherited descriptor.

Takes and gives: nothing; only the shape. It travels by `marshal`, between two processes of the
same interpreter, because that costs no import. Does not know: `SandboxSpec`.
"""

from __future__ import annotations

from typing import TypedDict


class Bounds(TypedDict):
    """Limits as the kernel and the watcher need them."""

    cpu_seconds: int
    memory_bytes: int
    processes: int
    file_bytes: int
    workspace_bytes: int
    workspace_inodes: int


class Plan(TypedDict):
    """One sandbox. `bwrap` is empty for the namespaces backend; `*_fd` are inherited numbers."""

    argv: list[str]
    environment: dict[str, str]
    cwd: str
    workspace: str
    target: str
    hide: list[str]
    read_only: list[str]
    files: dict[str, bytes]
    bounds: Bounds
    bwrap: str
    python_paths: list[str]
    copy_workspace: bool
    life_fd: int
    report_fd: int
    channel_fd: int
