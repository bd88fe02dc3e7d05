"""What a sandbox is asked to run, and what came of it.

Takes: nothing. Gives: `SandboxSpec`, `SandboxOutcome`. Does not know: how either is carried out.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.errors import SandboxError
from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.records.task import Limits


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One program in one tree.

    `workspace` (host) appears at `workspace_target` (inside), writable, and every write vanishes.
    `read_only` are bound at their own place, also on top of the workspace; a file system object
    that is neither here nor in the system folders does not exist inside. `environment` is
    complete (`HOME` and `CRA_CHANNEL_FD` are added). `files` are extra read-only files, absolute
    path to content. `hide` are workspace-relative names that are absent inside.
    """

    argv: tuple[str, ...]
    workspace: Path
    workspace_target: Path
    environment: Mapping[str, str]
    read_only: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    files: Mapping[str, bytes] = field(default_factory=dict)
    cwd: Path | None = None
    hide: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.argv:
            raise SandboxError("there is no program to run")
        for path in (self.workspace, self.workspace_target, *self.read_only):
            _check_absolute(os.fspath(path))
        for name in self.files:
            _check_absolute(name)
        for name in self.hide:
            outside = name.startswith("/") or name.split("/")[0] in (".", "..")
            if outside or posixpath.normpath(name) != name:
                raise SandboxError(f"not a name inside the workspace: {name!r}")


@dataclass(frozen=True, slots=True)
class SandboxOutcome:
    """How the program ended. `channel`: the frames it sent that nobody has received yet.

    `exit_code` is None unless the program ended by itself, `signal` None unless a signal ended
    it. `facts` say how this sandbox was made (`workspace`: overlay or copy; `seccomp`).
    """

    status: RunStatus
    exit_code: int | None
    signal: int | None
    seconds: float
    output_head: bytes
    output_tail: bytes
    output_bytes: int
    channel: tuple[bytes, ...]
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def _check_absolute(path: str) -> None:
    if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
        raise SandboxError(f"not a plain absolute path: {path!r}")
