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
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType

from clean_room_agent.errors import CraError
from clean_room_agent.serve.answering import Answer

MAX_WAITING = 64
CANCEL_SIGNAL = signal.SIGUSR1
INSIST_SECONDS = 0.02
LOOK_UP_SECONDS = 1.0


class Cancelled(KeyboardInterrupt):
    """The client cancelled the call that is worked on."""


class Job:
    """One call: what to do, and where its answer goes."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self.work = work
        self.future: Future[Answer] = Future()
        self.is_cancelled = False
        self.is_interrupted = False


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
        if job.is_cancelled:
            return
        job.is_cancelled = True
        job.future.cancel()
        if self._running is job:
            threading.Thread(target=self._insist, args=(job,), name="cancel", daemon=True).start()

    def _insist(self, job: Job) -> None:
        """Signal until it is seen: one that comes just before a blocking call is not."""
        ident = threading.main_thread().ident
        assert ident is not None, "the main thread has started"
        while self._running is job and not job.is_interrupted:
            signal.pthread_kill(ident, CANCEL_SIGNAL)
            time.sleep(INSIST_SECONDS)

    def close(self) -> None:
        """Let `work` return: nobody is there to answer any more."""
        running = self._running
        if running is not None:
            self.cancel(running)
        self._jobs.put(None)

    def work(self) -> None:
        """Work on calls until the desk is closed."""
        signal.signal(CANCEL_SIGNAL, self._interrupt)
        try:
            while (job := self._next()) is not None:
                self._finish(job)
        finally:
            # Not as before: one that is on its way would end the process.
            signal.signal(CANCEL_SIGNAL, signal.SIG_IGN)

    def _next(self) -> Job | None:
        """Wait for a call, and look up now and then: a signal may come just before the wait."""
        while True:
            try:
                return self._jobs.get(timeout=LOOK_UP_SECONDS)
            except queue.Empty:
                continue

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
        job = self._running
        if job is not None and job.is_cancelled and not job.is_interrupted:
            # Once: a second one would hit the unwinding of the first.
            job.is_interrupted = True
            raise Cancelled
