"""Parse many blobs in worker processes that can be killed.

Takes: jobs (a key, a language, bytes). Gives: `(key, rows)` for each, in no fixed order. Does not
know: paths, databases, or what the rows are for.

Jobs travel in batches. A worker that dies, or holds a batch longer than one file may take, is
killed and replaced, and the files of its batch are then tried one by one: the file that fails
alone is marked `crashed` or `timeout`, and the run goes on. Workers are started by
`multiprocessing` (spawn), limit their own memory, and end when the pool does: each waits on a
pipe whose other end only the pool holds.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import resource
import signal
import sys
import time
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from clean_room_agent.repo.syntax import BlobRows

FILE_SECONDS = 10.0
# Each file that takes longer halves what the next ones may take, down to these: a hundred files
# made to be slow must not cost a hundred times the limit.
LEAST_SECONDS = 2.0
WORKER_MEMORY_BYTES = 1 << 30
BATCH_BYTES = 192 * 1024
BATCH_FILES = 200
# Below this much source a second worker costs more to start than it saves.
BYTES_PER_WORKER = 400_000

Job = tuple[int, str | None, bytes]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    connection: Connection
    batch: list[Job] = field(default_factory=list)
    seconds: float = 0.0
    deadline: float = 0.0


class ParserPool:
    """Up to `workers` processes, started as work arrives. A context manager: leaves none behind."""

    def __init__(
        self,
        workers: int | None = None,
        *,
        file_seconds: float = FILE_SECONDS,
        least_seconds: float = LEAST_SECONDS,
        memory_bytes: int = WORKER_MEMORY_BYTES,
    ) -> None:
        self._limit = workers or len(os.sched_getaffinity(0))
        self._file_seconds = file_seconds
        self._least_seconds = min(file_seconds, least_seconds)
        self._memory_bytes = memory_bytes
        self._workers: list[_Worker] = []
        self._alone: deque[Job] = deque()

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            _end(worker)
        self._workers.clear()

    def parse(
        self, jobs: Iterable[Job], *, meanwhile: Callable[[], bool] | None = None
    ) -> Iterator[list[tuple[int, BlobRows]]]:
        """Yield results in batches; each job gives exactly one. Jobs are drawn as needed.

        `meanwhile` is called while no result is there, until it returns False.
        """
        batches = _batches(jobs)
        self._feed(batches)
        while busy := [worker for worker in self._workers if worker.batch]:
            results = self._collect(busy, meanwhile)
            # The workers go on while the caller takes in what they gave.
            self._feed(batches)
            yield from results

    def _feed(self, batches: Iterator[list[Job]]) -> None:
        while (worker := self._free_worker()) is not None:
            batch = next(batches, None)
            if batch is None:
                if not self._alone:
                    return
                batch = [self._alone.popleft()]
            self._send(worker, batch)

    def _free_worker(self) -> _Worker | None:
        for worker in self._workers:
            if not worker.batch:
                return worker
        if len(self._workers) < self._limit:
            worker = _start(self._memory_bytes)
            self._workers.append(worker)
            return worker
        return None

    def _send(self, worker: _Worker, batch: list[Job]) -> None:
        worker.batch = batch
        worker.seconds = self._file_seconds
        worker.deadline = time.monotonic() + worker.seconds
        # A worker that died meanwhile is found by `_collect`: its pipe is closed.
        with contextlib.suppress(OSError):
            worker.connection.send_bytes(marshal.dumps(batch))

    def _collect(
        self, busy: list[_Worker], meanwhile: Callable[[], bool] | None
    ) -> list[list[tuple[int, BlobRows]]]:
        ready = self._wait(busy, meanwhile)
        now = time.monotonic()
        found: list[list[tuple[int, BlobRows]]] = []
        for worker in busy:
            if worker.connection in ready:
                try:
                    results = marshal.loads(worker.connection.recv_bytes())
                except (EOFError, OSError):
                    found += self._failed(worker, "crashed", "the parser crashed")
                else:
                    worker.batch = []
                    found.append(results)
            elif now >= worker.deadline:
                reason = f"not parsed within {worker.seconds:g} s"
                found += self._failed(worker, "timeout", reason)
                self._file_seconds = max(self._file_seconds / 2, self._least_seconds)
        return found

    def _wait(self, busy: list[_Worker], meanwhile: Callable[[], bool] | None) -> Sequence[object]:
        """Give the connections that can be read; none when a deadline has passed."""
        wait = importlib.import_module("multiprocessing.connection").wait
        connections = [worker.connection for worker in busy]
        deadline = min(worker.deadline for worker in busy)
        while meanwhile is not None and time.monotonic() < deadline:
            ready: Sequence[object] = wait(connections, timeout=0)
            if ready:
                return ready
            if not meanwhile():
                break
        left: Sequence[object] = wait(connections, max(deadline - time.monotonic(), 0.0))
        return left

    def _failed(
        self, worker: _Worker, status: str, reason: str
    ) -> list[list[tuple[int, BlobRows]]]:
        _end(worker)
        self._workers.remove(worker)
        if len(worker.batch) > 1:
            self._alone.extend(worker.batch)
            return []
        key, _, data = worker.batch[0]
        lines = data.count(b"\n") + (not data.endswith(b"\n"))
        return [[(key, (status, reason, lines, [], [], [], "", "", ""))]]


def workers_for(total_bytes: int) -> int:
    """Say how many workers this much source is worth: one for a little, at most one per core."""
    return max(1, min(len(os.sched_getaffinity(0)), total_bytes // BYTES_PER_WORKER))


def _batches(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    batch: list[Job] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += len(job[2])
        if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _start(memory_bytes: int) -> _Worker:
    # Loaded with the first worker: a run that finds nothing to parse does not pay for it.
    context = importlib.import_module("multiprocessing").get_context("spawn")
    # A child is started with `python -c`, whose module path begins with the current directory:
    # a repository's own `multiprocessing.py` would run there. This keeps it out (Python 3.11).
    os.environ["PYTHONSAFEPATH"] = "1"
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, memory_bytes), daemon=True)
    # A spawned child imports the parent's main module, which would load the whole command line.
    # A worker needs none of it, so it is started as if there were no main module.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
    there.close()
    return _Worker(process, here)


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.kill()
    worker.process.join()
    worker.process.close()


def _work(connection: Connection, memory_bytes: int) -> None:
    """Answer batches until the pool closes its end."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool ends its workers itself
    # What a dying worker prints says nothing that the status of its file does not.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    # Loads the native parser, which the pool's own process never does.
    parse_rows = importlib.import_module("clean_room_agent.repo.syntax").parse_rows
    # A parse makes many short-lived tuples and no cycles: looking for some only costs time.
    gc.set_threshold(200_000, 50, 100)
    while True:
        try:
            batch = marshal.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        answer = [(key, parse_rows(data, language)) for key, language, data in batch]
        connection.send_bytes(marshal.dumps(answer))
