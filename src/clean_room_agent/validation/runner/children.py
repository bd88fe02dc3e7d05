"""Work done in a forked child that reports lines to its parent.

Takes: a function of `emit`. Gives: lines as they come, then how the child ended.
Does not know: what the lines say.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .meter import TICKS_EXIT

if TYPE_CHECKING:  # Python 3.8 cannot subscript it at run time
    Emit = Callable[[Any], None]

_TIME_SIGNALS = frozenset({signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU, signal.SIGVTALRM})


class Ending:
    """How the last child ended: `done`, `timeout` or `crashed`, and a word on it."""

    def __init__(self) -> None:
        self.status = "crashed"
        self.detail = ""


def lines_of(
    work: Callable[[Emit], None], close: list[int], stall_seconds: float, ending: Ending
) -> Iterator[Any]:
    """Fork; yield each record the child emits; fill `ending`. The child's group is killed after."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(work, reader, writer, close)
    os.close(writer)
    try:
        yield from _read(reader, stall_seconds, ending)
    finally:
        os.close(reader)
        _end(pid, ending)


def _be_child(work: Callable[[Emit], None], reader: int, writer: int, close: list[int]) -> None:
    """Do the work and leave without any exit handler; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.close(reader)
        for fd in close:
            os.close(fd)

        def emit(record: Any) -> None:
            rest = json.dumps(record).encode("ascii") + b"\n"
            while rest:
                rest = rest[os.write(writer, rest) :]

        work(emit)
        code = 0
    except BaseException:  # noqa: BLE001 - candidate code ran here; the parent sees the code
        code = 1
    finally:
        os._exit(code)


def _read(reader: int, stall_seconds: float, ending: Ending) -> Iterator[Any]:
    buffer = b""
    deadline = time.monotonic() + stall_seconds
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            ending.status, ending.detail = "timeout", "no sign of life"
            return
        part = os.read(reader, 1 << 16)
        if not part:
            ending.status = "ended"
            return
        *whole, buffer = (buffer + part).split(b"\n")
        for line in whole:
            deadline = time.monotonic() + stall_seconds
            yield json.loads(line)


def _end(pid: int, ending: Ending) -> None:
    if ending.status != "ended":  # stalled, or the reader lost interest
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # what the child left behind
    if ending.status != "ended":
        return
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        ending.status = "timeout" if number in _TIME_SIGNALS else "crashed"
        ending.detail = f"signal {number}"
    else:
        code = os.WEXITSTATUS(status)
        ending.status = {0: "done", TICKS_EXIT: "timeout"}.get(code, "crashed")
        ending.detail = f"exit code {code}"
