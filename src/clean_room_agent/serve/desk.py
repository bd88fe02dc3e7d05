"""Calls are worked on one after the other in the main thread, where a signal can end one.

Takes: jobs from the protocol's thread. Gives: their results as futures. Does not know: what a job
does, or the protocol.

The main thread is where Ctrl-C arrives, so a call that is cancelled ends as one that was
interrupted at a terminal: the same unwinding, the same entry in the log. A cancelled job that is
still waiting is never begun. SQLite connections stay in one thread by this, too.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType

from clean_room_agent.errors import CraError
from clean_room_agent.serve.answering import Answer

MAX_WAITING = 64
CANCEL_SIGNAL = signal.SIGUSR1


class Cancelled(KeyboardInterrupt):
    """The client cancelled the call that is worked on."""


class Job:
    """One call: what to do, and where its answer goes."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self.work = work
        self.future: Future[Answer] = Future()
        self.is_cancelled = False


class Desk:
    """The queue of calls. `work` belongs to the main thread, all else to any."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._running: Job | None = None

    def submit(self, work: Callable[[], Answer]) -> Job:
        """Add a call. Raises: CraError where too many are waiting."""
        if self._jobs.qsize() >= MAX_WAITING:
            raise CraError(
                f"{MAX_WAITING} calls are waiting already", hint="wait for their answers"
            )
        job = Job(work)
        self._jobs.put(job)
        return job

    def cancel(self, job: Job) -> None:
        """End a call: at once if it is worked on, before it begins if it waits."""
        job.is_cancelled = True
        job.future.cancel()
        if self._running is job:
            ident = threading.main_thread().ident
            assert ident is not None, "the main thread has started"
            signal.pthread_kill(ident, CANCEL_SIGNAL)

    def close(self) -> None:
        """Let `work` return: nobody is there to answer any more."""
        running = self._running
        if running is not None:
            self.cancel(running)
        self._jobs.put(None)

    def work(self) -> None:
        """Work on calls until the desk is closed."""
        before = signal.signal(CANCEL_SIGNAL, self._interrupt)
        try:
            while (job := self._jobs.get()) is not None:
                self._finish(job)
        finally:
            signal.signal(CANCEL_SIGNAL, before)

    def _finish(self, job: Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            try:
                self._running = job
                # Cancelled after it left the queue and before a signal could find it.
                if job.is_cancelled:
                    raise Cancelled
                job.future.set_result(job.work())
            finally:
                self._running = None
        except Cancelled:
            if not job.future.done():
                job.future.set_exception(CraError("the call was cancelled"))

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if self._running is not None and self._running.is_cancelled:
            # Once: a second one would hit the unwinding of the first.
            self._running.is_cancelled = False
            raise Cancelled
