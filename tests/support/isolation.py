"""Isolations for tests of validation: plain local processes, and the real sandbox.

`LocalIsolation` isolates nothing: it copies the tree, starts a process and kills its group. It
exists so that verdict logic can be tested quickly on any machine. `SandboxIsolation` is the real
thing, bound to a place where the tree appears.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.records.task import Limits
from clean_room_agent.sandbox.backend import select_backend
from clean_room_agent.sandbox.interpreter import interpreter_paths
from clean_room_agent.sandbox.process import SandboxProcess, start
from clean_room_agent.sandbox.spec import SandboxSpec
from clean_room_agent.validation.isolation import CHANNEL_VARIABLE, IsolatedProcess


@dataclass(frozen=True, slots=True)
class LocalRun:
    status: RunStatus
    exit_code: int | None
    output_head: bytes
    output_tail: bytes
    output_bytes: int
    seconds: float
    reason: str = ""


class LocalProcess:
    def __init__(self, argv, tree: Path, environment: Mapping[str, str], limits: Limits) -> None:
        self._scratch = tempfile.mkdtemp(prefix="cra-local-")
        workspace = Path(self._scratch) / "tree"
        shutil.copytree(tree, workspace, symlinks=True)
        self._ours, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._limits, self._started = limits, time.monotonic()
        self._timed_out = False
        self._buffer = b""
        self.alive = True
        with theirs:
            self._process = subprocess.Popen(
                list(argv),
                cwd=workspace,
                env={**environment, CHANNEL_VARIABLE: str(theirs.fileno()), "PATH": os.defpath},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def send(self, data: bytes) -> None:
        self._ours.settimeout(30)
        with contextlib.suppress(OSError):
            self._ours.sendall(struct.pack(">I", len(data)) + data)

    def receive(self, timeout_seconds: float) -> bytes | None:
        deadline = time.monotonic() + timeout_seconds
        end = self._started + self._limits.wall_seconds
        while (frame := self._next()) is None and self.alive:
            now = time.monotonic()
            if now >= end:
                self._timed_out = True
                self.kill()
            if now >= deadline:
                return None
            self._ours.settimeout(max(0.001, min(deadline, max(end, now + 1)) - now))
            with contextlib.suppress(TimeoutError):
                self._read()
        return frame

    def _read(self) -> None:
        try:
            data = self._ours.recv(1 << 16)
        except ConnectionError:
            data = b""
        self._buffer += data
        self.alive = bool(data)

    def _next(self) -> bytes | None:
        size = int.from_bytes(self._buffer[:4], "big")
        if len(self._buffer) < 4 + size:
            return None
        frame, self._buffer = self._buffer[4 : 4 + size], self._buffer[4 + size :]
        return frame if size else None

    def wait(self) -> LocalRun:
        left = max(0.1, self._started + self._limits.wall_seconds - time.monotonic())
        try:
            code = self._process.wait(left)
        except subprocess.TimeoutExpired:
            self._timed_out = True
            self.kill()
            code = self._process.wait()
        seconds = time.monotonic() - self._started
        self._output.seek(0)
        text = self._output.read()
        status = RunStatus.COMPLETED if code >= 0 else RunStatus.CRASHED
        if self._timed_out:
            status = RunStatus.TIMEOUT
        return LocalRun(status, code, text[:10_000], text[-10_000:], len(text), seconds)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        self._ours.close()
        self._output.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


class LocalIsolation:
    def start(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        environment: Mapping[str, str],
        limits: Limits,
    ) -> IsolatedProcess:
        return LocalProcess(argv, tree, environment, limits)


class SandboxIsolation:
    """The real sandbox, with the tree shown at `target`."""

    def __init__(self, target: Path, backend: str = "auto") -> None:
        self._target = target
        self._backend = select_backend(backend)

    def start(
        self,
        argv: Sequence[str],
        tree: Path,
        *,
        environment: Mapping[str, str],
        limits: Limits,
    ) -> SandboxProcess:
        spec = SandboxSpec(
            argv=tuple(argv),
            workspace=tree,
            workspace_target=self._target,
            environment=environment,
            read_only=interpreter_paths(Path(argv[0]), workspace_target=self._target),
            limits=limits,
        )
        return start(spec, self._backend)
