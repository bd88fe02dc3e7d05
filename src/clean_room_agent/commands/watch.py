"""`cra index --watch`: the index is refreshed whenever something changes, until it is stopped.

Takes: an open repository. Gives: one line, or one JSON line, for each refresh that changed
something; each of those is logged as a run of `cra index`. Does not know: how changes are noticed.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from clean_room_agent.commands.index import Refreshed, log_refresh, print_refresh, refresh
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.errors import RepositoryError, StoreBusyError
from clean_room_agent.repo.watching import Polling, Waiting, Watch
from clean_room_agent.store.curated_state import read_index_state
from clean_room_agent.store.locks import name_process, named_lock

LOCK = "watch"
VERB = "index --watch"
# How often a quiet watch looks whether the repository is still there.
QUIET_SECONDS = 5.0
# Git may be in the middle of something; after so many failures in a row it is not.
MAX_FAILURES = 5
FAILURE_PAUSE_SECONDS = 1.0
# After a refresh of t seconds the next one waits t seconds: a tree in motion costs half a core.
LONGEST_REST_SECONDS = 10.0


def watch(invocation: Invocation, *, full: bool) -> None:
    """Refresh now and after every change; ends by a signal, or when the repository is gone.

    Raises:
        StoreBusyError: another process watches this repository; names it.
        WatchError: the system cannot tell of changes.
        RepositoryError: the repository is gone, or cannot be read time and again.
    """
    invocation.require_room()
    name_process(VERB)
    with (
        named_lock(LOCK, repo_path=invocation.root, wait_seconds=0.0),
        closing(_open(invocation)) as waiting,
    ):
        _Watcher(invocation, waiting).run(full=full)


def _open(invocation: Invocation) -> Waiting:
    period = invocation.settings.config.index.watch_poll_seconds
    return Polling(period) if period else Watch(invocation.repository)


class _Watcher:
    """One watch: what it follows, and what went wrong lately."""

    def __init__(self, invocation: Invocation, waiting: Waiting) -> None:
        self._invocation = invocation
        self._waiting = waiting
        self._root = invocation.root
        self._identity = _identity(invocation)
        self._failures = 0

    def run(self, *, full: bool) -> None:
        """Refresh for ever."""
        self._until_done(full=full, first=True)
        self._invocation.output.note(f"watching {self._root}; Ctrl-C ends it")
        while True:
            if self._waiting.wait(seconds=QUIET_SECONDS):
                report = self._until_done(full=False, first=False).report
                time.sleep(min(report.seconds, LONGEST_REST_SECONDS))
            else:
                self._require_repository()

    def _until_done(self, *, full: bool, first: bool) -> Refreshed:
        """Refresh once; what is in the way now is tried again."""
        while True:
            self._require_repository()
            try:
                refreshed = self._refresh(full=full, first=first)
            except StoreBusyError as error:
                self._invocation.output.note(f"{error.message}; trying again")
            except RepositoryError as error:
                self._require_repository()
                self._failures += 1
                if self._failures >= MAX_FAILURES:
                    raise
                self._invocation.output.note(f"{error.message}; trying again")
                time.sleep(FAILURE_PAUSE_SECONDS)
            else:
                self._failures = 0
                return refreshed

    def _refresh(self, *, full: bool, first: bool) -> Refreshed:
        # A repository says where HEAD was when it was opened, so each refresh opens it again.
        invocation = replace(self._invocation)
        invocation.require_room()
        before = read_index_state(self._root)
        refreshed = refresh(invocation, full=full)
        changed = read_index_state(self._root) != before
        run_id = self._log(invocation, refreshed, full=full) if changed else None
        if first:
            print_refresh(invocation.output, refreshed)
        elif changed:
            _print(invocation, refreshed)
        if first or changed:
            invocation.output.document(refreshed.document(run_id))
        self._waiting.ignore(invocation.repository.list_ignored())
        return refreshed

    def _log(self, invocation: Invocation, refreshed: Refreshed, *, full: bool) -> str:
        """Log a refresh that changed something, as a run of the plain verb; it is not done twice,
        so a busy log is waited for."""
        words = ["--watch", *(["--full"] if full else [])]
        while True:
            try:
                with recorded_run(invocation, "index", words) as run:
                    log_refresh(run, refreshed)
            except StoreBusyError as error:
                invocation.output.note(f"{error.message}; trying again")
            else:
                return run.run_id
            finally:
                name_process(VERB)

    def _require_repository(self) -> None:
        """Raise when the watched repository was deleted, or another one is in its place."""
        if _identity(self._invocation) != self._identity:
            raise RepositoryError(
                "the watched repository was removed, moved or replaced",
                where=str(self._root),
                hint="nothing is left to watch; run cra index --watch where it is now",
            )


def _identity(invocation: Invocation) -> tuple[int, ...] | None:
    try:
        root, git = invocation.root.stat(), invocation.repository.git_dir.stat()
    except OSError:
        return None
    return root.st_dev, root.st_ino, git.st_dev, git.st_ino


def _print(invocation: Invocation, refreshed: Refreshed) -> None:
    report, embedded = refreshed.report, refreshed.embedded
    made = "" if embedded is None else f"embedded {embedded.chunks:,} chunks, "
    invocation.output.line(
        f"{time.strftime('%H:%M:%S')}  {report.files:,} files: parsed {report.parsed_blobs:,}, "
        f"removed {report.removed_files:,}, new commits {report.new_commits:,}, "
        f"{made}{report.seconds:.2f} s"
    )
