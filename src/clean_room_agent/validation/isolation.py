"""What validation asks of an isolated process, so that it need not know the sandbox.

Takes: nothing. Gives: the protocols `Isolation`, `IsolatedProcess`, `IsolatedRun`.
Does not know: how isolation is enforced; `pipeline` adapts `sandbox` to these protocols.

On the wire inside, a frame is four bytes of big-endian length, then the data, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.records.task import Limits

CHANNEL_VARIABLE = "CRA_CHANNEL_FD"


class IsolatedRun(Protocol):
    """How an isolated process ended, and the head and tail of what it printed."""

    @property
    def status(self) -> RunStatus: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def output_head(self) -> bytes: ...
    @property
    def output_tail(self) -> bytes: ...
    @property
    def output_bytes(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def reason(self) -> str: ...


class IsolatedProcess(Protocol):
    """A running process; leaving the context kills it to the last grandchild."""

    @property
    def alive(self) -> bool:
        """Whether it still runs; frames may wait even after its end."""

    def send(self, data: bytes) -> object:
        """Write one frame to the channel; does nothing once the process ended."""

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the next frame; None if none came in time or the process has ended."""

    def wait(self) -> IsolatedRun:
        """Wait for the end (the limits guarantee one) and say how it came."""

    def kill(self) -> None:
        """End the process now; `wait` then returns soon."""

    def __enter__(self) -> Any: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None: ...


class Isolation(Protocol):
    """Starts processes around a tree: it is their current directory, and their writes vanish.

    The process sees `environment` (plus what isolation itself needs) and the variable
    `CRA_CHANNEL_FD`, the number of the descriptor of its end of the channel.
    """

    def start(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        environment: Mapping[str, str],
        limits: Limits,
    ) -> IsolatedProcess:
        """Start `argv` with `tree` as its workspace.

        Raises:
            SandboxError: the process could not be started.
        """
