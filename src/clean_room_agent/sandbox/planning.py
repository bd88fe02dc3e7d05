"""Turn a `SandboxSpec` into the launcher's `Plan`.

Takes: a spec and a `Backend`. Gives: a `Plan`. Does not know: processes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.errors import SandboxError
from clean_room_agent.records.task import Limits
from clean_room_agent.sandbox.inside.layout import CHANNEL_VARIABLE, HOME, SYSTEM_PATHS
from clean_room_agent.sandbox.inside.plan import Bounds, Plan
from clean_room_agent.sandbox.spec import SandboxSpec


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to isolate that was tried on this machine.

    `program` is bubblewrap's path, or empty; `python_paths` is what our own interpreter needs
    inside; `features` is what the probe saw, for `matrix`.
    """

    name: str
    program: str = ""
    python_paths: tuple[str, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)

    def matrix(self) -> Mapping[str, str]:
        """Return feature -> how it is enforced here, or `absent`; for `cra doctor`."""
        return self.features


def make_plan(spec: SandboxSpec, backend: Backend, numbers: tuple[int, int, int]) -> Plan:
    """Return the plan; `numbers` are the life, report and channel descriptors.

    Raises:
        SandboxError: a read-only path does not exist.
    """
    life_fd, report_fd, channel_fd = numbers
    target = os.fspath(spec.workspace_target)
    environment = {"HOME": HOME, **spec.environment, CHANNEL_VARIABLE: str(channel_fd)}
    return Plan(
        argv=list(spec.argv),
        environment=environment,
        cwd=os.fspath(spec.cwd or spec.workspace_target),
        workspace=os.fspath(spec.workspace),
        target=target,
        hide=list(spec.hide),
        read_only=outermost(map(os.fspath, spec.read_only), target),
        files=dict(spec.files),
        bounds=_bounds(spec.limits),
        bwrap=backend.program,
        python_paths=outermost(backend.python_paths, target),
        copy_workspace=bool(backend.program),
        life_fd=life_fd,
        report_fd=report_fd,
        channel_fd=channel_fd,
    )


def _bounds(limits: Limits) -> Bounds:
    return Bounds(
        cpu_seconds=max(1, math.ceil(limits.cpu_seconds)),
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        file_bytes=limits.file_bytes,
        workspace_bytes=limits.workspace_bytes,
        workspace_inodes=limits.workspace_inodes,
    )


def outermost(paths: Iterable[str], target: str) -> list[str]:
    """Return the paths to bind: sorted, none below a system folder or below another one.

    What lies below the workspace's place is always kept: the workspace covers what is under it.
    """
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not Path(path).exists():
            raise SandboxError("a read-only path does not exist", where=path)
        if is_below(path, target):
            if path != target and not any(is_below(path, k) and k != target for k in kept
                                          if is_below(k, target)):  # fmt: skip
                kept.append(path)
        elif not any(is_below(path, known) for known in (*SYSTEM_PATHS, *kept)):
            kept.append(path)
    return kept


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it, by name."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
