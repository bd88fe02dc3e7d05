"""Real child processes for tests: forked, talked to by lines, killed when left behind.

Takes: a function to run in the child. Gives: what it acknowledged and how it ended.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from clean_room_agent.errors import CraError
from clean_room_agent.store import faults

CRASHED = 99


@dataclass(frozen=True)
class Outcome:
    """How a child ended: exit code, or minus the signal; and the lines it said."""

    exit_code: int
    lines: tuple[str, ...]

    @property
    def killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL


class Voice:
    """The child's end: `say` is acknowledged to the parent at once, `wait` for its word."""

    def __init__(self, out: int, heard: BinaryIO) -> None:
        self._out = out
        self._heard = heard

    def say(self, line: str) -> None:
        os.write(self._out, f"{line}\n".encode())

    def wait(self) -> None:
        self._heard.readline()


class Child:
    """The parent's end of a running child."""

    def __init__(self, pid: int, out: BinaryIO, into: BinaryIO) -> None:
        self.pid = pid
        self._out = out
        self._into = into
        self._ended: int | None = None

    def read_line(self) -> str:
        return self._out.readline().decode().rstrip("\n")

    def release(self) -> None:
        self._into.write(b"go\n")
        self._into.flush()

    def kill(self) -> None:
        if self._ended is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Outcome:
        lines = tuple(line.decode().rstrip("\n") for line in self._out)
        if self._ended is None:
            _, status = os.waitpid(self.pid, 0)
            self._ended = os.waitstatus_to_exitcode(status)
        return Outcome(self._ended, lines)

    def close(self) -> None:
        self.kill()
        self.wait()
        self._out.close()
        self._into.close()


@contextmanager
def child(work: Callable[[Voice], object], *, fault: str | None = None) -> Iterator[Child]:
    """Run `work` in a forked child; killed and reaped at the end of the block.

    A `CraError` ends the child with its exit code after saying its message.
    """
    said, out = os.pipe()
    heard, into = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(said)
        os.close(into)
        os._exit(_run(work, Voice(out, os.fdopen(heard, "rb")), fault))
    os.close(out)
    os.close(heard)
    running = Child(pid, os.fdopen(said, "rb"), os.fdopen(into, "wb"))
    try:
        yield running
    finally:
        running.close()


def run_child(work: Callable[[Voice], object], *, fault: str | None = None) -> Outcome:
    """Run `work` in a forked child to its end."""
    with child(work, fault=fault) as running:
        return running.wait()


def _run(work: Callable[[Voice], object], voice: Voice, fault: str | None) -> int:
    try:
        faults.arm(fault)
        work(voice)
    except CraError as error:
        voice.say(str(error))
        return error.exit_code
    except BaseException:  # noqa: BLE001 - the child must end here, whatever happened
        traceback.print_exc()
        sys.stderr.flush()
        return CRASHED
    return 0
