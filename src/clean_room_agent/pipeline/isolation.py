"""Where two rooms meet: the sandbox, started the way validation asks for.

Takes: a sandbox backend and what tests may read. Gives: an `Isolation`.
Does not know: what is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.records.task import Limits
from clean_room_agent.sandbox import Backend, SandboxProcess, SandboxSpec, start


@dataclass(frozen=True, slots=True)
class SandboxIsolation:
    """Runs a tree at the place of the user's checkout; `read_only` are bound where they lie."""

    backend: Backend
    workspace_target: Path
    read_only: tuple[Path, ...]

    def start(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        environment: Mapping[str, str],
        limits: Limits,
    ) -> SandboxProcess:
        """Start `argv` around `tree`; see `validation.isolation.Isolation`."""
        spec = SandboxSpec(
            argv=tuple(argv),
            workspace=tree,
            workspace_target=self.workspace_target,
            environment=environment,
            read_only=self.read_only,
            limits=limits,
        )
        return start(spec, self.backend)
