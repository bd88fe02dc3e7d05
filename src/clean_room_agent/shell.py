"""The one place a child process is born.

Takes: an argument list, a working directory, and a *complete* environment (nothing is inherited).
Gives: `Completed`, a stream of bytes, or a `Child` that cannot be left behind.
Does not know: git, sandboxes, tests. Does not isolate: a child sees what this user sees; see
`sandbox` for that. Killing a process group misses a grandchild that called setsid; only a PID
namespace catches it, which is the sandbox's work too.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from clean_room_agent.errors import ShellError

_READ_BYTES = 1 << 18
_STDERR_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Completed:
    """A child that ended by itself: its exit code (negative: signal) and its whole output."""

    argv: tuple[str | bytes, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float

    def check(self, what: str) -> bytes:
        """Return stdout, or raise `ShellError` that names `what` and the last words of stderr."""
        if self.returncode != 0:
            raise ShellError(
                f"{what} failed with exit code {self.returncode}: {_words(self.stderr)}"
            )
        return self.stdout


class Child:
    """A running child in a process group of its own; leaving the context kills the group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        return self._process.stderr

    def poll(self) -> int | None:
        """Return the exit code if the child has ended, else None."""
        return self._process.poll()

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Return the exit code, or None when the child still runs after `timeout_seconds`."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kill the whole process group and reap the child."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Kill what still runs and close our ends of its pipes."""
        if self._process.poll() is None:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def spawn(
    argv: Sequence[str | bytes],
    *,
    cwd: Path,
    env: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Child:
    """Start `argv` in a session of its own with exactly `env`. Pipes: pass `PIPE`.

    Raises:
        ShellError: the program is missing or cannot be executed, or `cwd` is not there.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            pass_fds=tuple(pass_fds),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise ShellError(
            f"cannot start {_shown(argv[0])}: {error.strerror}", where=str(cwd)
        ) from error
    return Child(process)


PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL
STDOUT = subprocess.STDOUT


def run(
    argv: Sequence[str | bytes],
    *,
    cwd: Path,
    env: Mapping[str, str],
    input_bytes: bytes = b"",
    timeout_seconds: float = 600.0,
    max_output_bytes: int = 1 << 30,
) -> Completed:
    """Run `argv` to its end, feeding `input_bytes`, and return everything it wrote.

    Raises:
        ShellError: it could not start, overran `timeout_seconds` or `max_output_bytes`; the
            group is dead then. A non-zero exit code is no error here: see `Completed.check`.
    """
    started = time.perf_counter()
    # A child that reads nothing must not be handed a pipe that it could block on.
    source = PIPE if input_bytes else DEVNULL
    with spawn(argv, cwd=cwd, env=env, stdin=source, stdout=PIPE, stderr=PIPE) as child:
        out, err = _communicate(child, argv, input_bytes, timeout_seconds, max_output_bytes)
        code = child.wait(max(0.1, timeout_seconds - (time.perf_counter() - started)))
    if code is None:
        raise ShellError(f"{_shown(argv[0])} ran longer than {timeout_seconds:g} s", where=str(cwd))
    return Completed(tuple(argv), code, out, err, time.perf_counter() - started)


def _communicate(
    child: Child,
    argv: Sequence[str | bytes],
    input_bytes: bytes,
    timeout_seconds: float,
    max_output_bytes: int,
) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + timeout_seconds
    chunks: dict[str, list[bytes]] = {"out": [], "err": []}
    total = 0
    pending = memoryview(input_bytes)
    with selectors.DefaultSelector() as selector:
        _register(selector, child, bool(input_bytes))
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise ShellError(f"{_shown(argv[0])} ran longer than {timeout_seconds:g} s")
            for key, _ in selector.select(left):
                if key.data == "in":
                    pending = _feed(selector, key.fileobj, pending)
                    continue
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                total += len(data)
                if total > max_output_bytes:
                    raise ShellError(f"{_shown(argv[0])} wrote more than {max_output_bytes} bytes")
                chunks[key.data].append(data)
    return b"".join(chunks["out"]), b"".join(chunks["err"])


def _register(selector: selectors.BaseSelector, child: Child, feeds: bool) -> None:
    for pipe, name in ((child.stdout, "out"), (child.stderr, "err")):
        if pipe is not None:
            selector.register(pipe, selectors.EVENT_READ, name)
    if feeds and child.stdin is not None:
        os.set_blocking(child.stdin.fileno(), False)
        selector.register(child.stdin, selectors.EVENT_WRITE, "in")


def _feed(selector: selectors.BaseSelector, pipe: object, pending: memoryview) -> memoryview:
    stream = pipe
    assert hasattr(stream, "fileno")
    try:
        written = os.write(stream.fileno(), pending[: 1 << 16])
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        written = len(pending)
    pending = pending[written:]
    if not pending:
        selector.unregister(stream)
        with contextlib.suppress(BrokenPipeError):
            stream.close()  # type: ignore[attr-defined]
    return pending


def stream(
    argv: Sequence[str | bytes],
    *,
    cwd: Path,
    env: Mapping[str, str],
    what: str,
    input_path: Path | None = None,
) -> Iterator[bytes]:
    """Yield the output of `argv` in blocks as it comes; bounded memory for long outputs.

    Raises:
        ShellError: after the last block, when the exit code is not 0: never take a short read
            for the end. `what` names the work in the message.
    """
    with contextlib.ExitStack() as stack:
        source: int | IO[bytes] = DEVNULL
        if input_path is not None:
            source = stack.enter_context(input_path.open("rb"))
        # A file, not a pipe: a child that complains at length must not block on us.
        errors = stack.enter_context(tempfile.TemporaryFile())
        child = stack.enter_context(
            spawn(argv, cwd=cwd, env=env, stdin=source, stdout=PIPE, stderr=errors)
        )
        assert child.stdout is not None
        while block := os.read(child.stdout.fileno(), _READ_BYTES):
            yield block
        code = child.wait()
        if code != 0:
            errors.seek(0)
            words = _words(errors.read(_STDERR_LIMIT_BYTES))
            raise ShellError(f"{what} failed with exit code {code}: {words}")


def _words(stderr: bytes) -> str:
    text = stderr[-2000:].decode("utf-8", "replace").strip()
    return text or "(no message)"


def _shown(word: str | bytes) -> str:
    return os.fsdecode(word)
