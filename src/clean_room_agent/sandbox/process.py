"""Run a program in a sandbox, drain what it says, and end it at its limits.

Takes: a `SandboxSpec` and a `Backend`. Gives: a `SandboxProcess`, then a `SandboxOutcome`. Does
not know: how a backend isolates (`inside/`), or what the program's words mean.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType

from clean_room_agent import shell
from clean_room_agent.errors import SandboxError
from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.sandbox.frames import FrameReader, pack_frame
from clean_room_agent.sandbox.output import HeadTail, printable
from clean_room_agent.sandbox.planning import Backend, make_plan
from clean_room_agent.sandbox.spec import SandboxOutcome, SandboxSpec

LAUNCHER = Path(__file__).with_name("inside") / "launcher.py"
CHANNEL_LIMIT_FACTOR = 64
_READ_BYTES = 1 << 18
_LOOK_SECONDS = 0.25
_RESOURCE_SIGNALS = {signal.SIGXCPU: "processor time", signal.SIGXFSZ: "file size"}


def run(spec: SandboxSpec, backend: Backend) -> SandboxOutcome:
    """Run to the end or a limit. Everything the program started is dead when this returns."""
    with start(spec, backend) as process:
        return process.wait()


def start(spec: SandboxSpec, backend: Backend) -> SandboxProcess:
    """Start the program and return at once; use the result as a context manager.

    Raises:
        SandboxError: the spec names paths that are not there. A program that cannot be started
            is an outcome (`RunStatus.NOT_STARTED`), not an error.
    """
    if not spec.workspace.is_dir():
        raise SandboxError("the workspace is not a directory", where=str(spec.workspace))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    life_read, life_write = os.pipe()
    report_read, report_write = os.pipe()
    plan_fd = os.memfd_create("cra-plan", os.MFD_CLOEXEC)
    try:
        numbers = (life_read, report_write, theirs.fileno())
        _fill(plan_fd, marshal.dumps(dict(make_plan(spec, backend, numbers))))
        child = shell.spawn(
            [sys.executable, "-I", "-S", str(LAUNCHER), str(plan_fd)],
            cwd=Path("/"),
            env={"LC_ALL": "C.UTF-8"},
            pass_fds=(plan_fd, *numbers),
            stdout=shell.PIPE,
            stderr=shell.STDOUT,
        )
    except BaseException:
        ours.close()
        os.close(life_write)
        os.close(report_read)
        raise
    finally:
        theirs.close()
        for descriptor in (life_read, report_write, plan_fd):
            os.close(descriptor)
    return SandboxProcess(spec, child, ours, (life_write, report_read))


def _fill(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)


class SandboxProcess:
    """A running sandbox. Leaving the context kills it to the last grandchild."""

    def __init__(
        self,
        spec: SandboxSpec,
        child: shell.Child,
        channel: socket.socket,
        pipes: tuple[int, int],
    ) -> None:
        self._limits = spec.limits
        self._child = child
        self._channel = channel
        self._life_fd, self._report_fd = pipes
        self._output = HeadTail(spec.limits.output_bytes)
        self._frame_limit = spec.limits.output_bytes * CHANNEL_LIMIT_FACTOR
        self._reader = FrameReader(self._frame_limit)
        self._frames: deque[bytes] = deque()
        self._frames_bytes = 0
        self._report = bytearray()
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._ended = False
        self._verdict: tuple[RunStatus, str] | None = None
        self._kill_by: float | None = None
        self._started = time.perf_counter()
        self._seconds = 0.0
        self._outcome: SandboxOutcome | None = None
        self._channel.setblocking(False)
        self._pump = threading.Thread(target=self._drain, name="cra-sandbox", daemon=True)
        self._pump.start()

    @property
    def alive(self) -> bool:
        """Whether the sandbox still runs (frames may wait even after its end)."""
        return not self._ended

    def send(self, data: bytes, timeout_seconds: float = 60.0) -> bool:
        """Send one frame. False if the program is gone or does not read in time."""
        view = memoryview(pack_frame(data))
        deadline = time.monotonic() + timeout_seconds
        with self._sending, selectors.DefaultSelector() as selector:
            if self._ended:
                return False
            selector.register(self._channel, selectors.EVENT_WRITE)
            while view:
                if self._ended or time.monotonic() >= deadline:
                    return False
                selector.select(_LOOK_SECONDS)
                try:
                    view = view[self._channel.send(view, socket.MSG_NOSIGNAL) :]
                except BlockingIOError:
                    continue
                except OSError:
                    return False
        return True

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the next frame; None if none came in time or the program has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended, timeout_seconds)
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._frames_bytes -= len(frame)
            return frame

    def kill(self, reason: str = "stopped by cra") -> None:
        """End the sandbox now; `wait` then tells what was left."""
        self._end(RunStatus.CRASHED, reason)

    def wait(self) -> SandboxOutcome:
        """Wait for the end (bounded by the wall-clock limit) and return the outcome."""
        self._pump.join()
        if self._outcome is None:
            self._outcome = self._conclude()
        return self._outcome

    def __enter__(self) -> SandboxProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.wait()

    # -- the pump: one thread, the only reader of everything the sandbox says ------------------

    def _drain(self) -> None:
        deadline = time.monotonic() + self._limits.wall_seconds
        try:
            with selectors.DefaultSelector() as selector:
                self._register(selector)
                while selector.get_map():
                    self._check_clock(deadline)
                    if self._overran_grace():
                        break
                    for key, _ in selector.select(self._patience(deadline)):
                        if not key.data(key.fd):
                            selector.unregister(key.fileobj)
        finally:
            self._close()

    def _register(self, selector: selectors.BaseSelector) -> None:
        assert self._child.stdout is not None
        selector.register(self._child.stdout, selectors.EVENT_READ, self._read_output)
        selector.register(self._report_fd, selectors.EVENT_READ, self._read_report)
        selector.register(self._channel, selectors.EVENT_READ, self._read_channel)

    def _patience(self, deadline: float) -> float:
        return min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic()) + 0.001)

    def _check_clock(self, deadline: float) -> None:
        if self._kill_by is None and time.monotonic() >= deadline:
            limit = self._limits.wall_seconds
            self._end(RunStatus.TIMEOUT, f"ran longer than {limit:g} s")

    def _overran_grace(self) -> bool:
        return self._kill_by is not None and time.monotonic() >= self._kill_by

    def _read_output(self, descriptor: int) -> bool:
        data = os.read(descriptor, _READ_BYTES)
        self._output.add(data)
        return bool(data)

    def _read_report(self, descriptor: int) -> bool:
        data = os.read(descriptor, _READ_BYTES)
        self._report += data
        return bool(data)

    def _read_channel(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except ConnectionResetError:
            return False
        frames = self._reader.feed(data)
        with self._changed:
            self._frames.extend(frames)
            self._frames_bytes += sum(len(frame) for frame in frames)
            if self._frames_bytes > self._frame_limit or self._reader.overflowed:
                self._end(RunStatus.RESOURCE, f"sent more than {self._frame_limit} bytes")
                return False
            self._changed.notify_all()
        return bool(data)

    def _end(self, status: RunStatus, reason: str) -> None:
        """Ask the launcher to kill the namespace. The first cause stays the verdict."""
        with self._changed:
            if self._kill_by is not None or self._ended:
                return
            self._verdict = (status, reason)
            self._kill_by = time.monotonic() + self._limits.grace_seconds
            # Say it as well: a forked child of ours may hold a copy of this end.
            with contextlib.suppress(BrokenPipeError):
                os.write(self._life_fd, b"x")
            os.close(self._life_fd)
            self._life_fd = -1

    def _close(self) -> None:
        if self._child.wait(self._limits.grace_seconds) is None:
            self._child.kill()
        self._child.close()
        os.close(self._report_fd)
        with self._changed:
            self._seconds = time.perf_counter() - self._started
            self._ended = True
            if self._life_fd >= 0:
                os.close(self._life_fd)
            self._changed.notify_all()
        with self._sending:
            self._channel.close()

    # -- the verdict ----------------------------------------------------------------------------

    def _conclude(self) -> SandboxOutcome:
        lines = [line.split("\t") for line in os.fsdecode(bytes(self._report)).splitlines()]
        said = {line[0]: line[1:] for line in lines if line[0] != "fact"}
        facts = {line[1]: line[2] for line in lines if line[0] == "fact" and len(line) == 3}
        code, number = _exit_of(said)
        status, reason = self._judge(said, code, number)
        return SandboxOutcome(
            status=status,
            exit_code=code,
            signal=number,
            seconds=self._seconds,
            output_head=self._output.head,
            output_tail=self._output.tail,
            output_bytes=self._output.total_bytes,
            channel=tuple(self._frames),
            reason=reason,
            facts=facts,
        )

    def _judge(
        self, said: dict[str, list[str]], code: int | None, number: int | None
    ) -> tuple[RunStatus, str]:
        if "failed" in said:
            return RunStatus.NOT_STARTED, said["failed"][0]
        if code is None and number is None and self._verdict is not None:
            return self._verdict
        if "started" not in said:
            return RunStatus.NOT_STARTED, printable(self._output.tail or self._output.head).strip()
        if "limit" in said:
            kind, text = (*said["limit"], "")[:2]
            return (RunStatus.MEMORY if kind == "memory" else RunStatus.RESOURCE), text
        if number is not None:
            return _judge_signal(number)
        if code is None:
            return RunStatus.CRASHED, "the sandbox ended without a report"
        if code != 0 and "full" in said:
            return RunStatus.RESOURCE, f"{said['full'][0]} was exhausted"
        return RunStatus.COMPLETED, ""


def _exit_of(said: dict[str, list[str]]) -> tuple[int | None, int | None]:
    """Return the exit code and the signal, of which at most one is not None."""
    if "exit" not in said:
        return None, None
    status = int(said["exit"][0])
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def _judge_signal(number: int) -> tuple[RunStatus, str]:
    for known, what in _RESOURCE_SIGNALS.items():
        if number == known:
            return RunStatus.RESOURCE, f"the limit of {what} was reached"
    return RunStatus.CRASHED, f"ended by signal {number}"
