"""The raw log: everything that happened, appended and never changed.

Takes: records. Gives: appended rows, chained; the ids of what it named itself.
Does not know: how to read (`raw_reader`), or why something is logged (the corridor does).

A method returns only when its rows are durable: one immediate transaction under the raw lock,
synced to disk, with its links of the chain. It appends all of its rows or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType

from clean_room_agent.errors import StoreError
from clean_room_agent.records.answers import (
    Answer,
    Enrichment,
    LoggedPlan,
    Plan,
    Promotion,
    Selection,
    Turn,
)
from clean_room_agent.records.attempt import PatchCandidate, TestRun, Trial, Validation
from clean_room_agent.records.calls import ModelReply, ModelRequest
from clean_room_agent.records.code import IndexReport
from clean_room_agent.records.context import ContextPackage
from clean_room_agent.records.log import (
    Application,
    Attempt,
    Event,
    Patch,
    Run,
    RunEnd,
    WorktreeEvent,
)
from clean_room_agent.records.task import RunId, Task, TaskId
from clean_room_agent.redaction import Redactor
from clean_room_agent.store import answer_rows, call_rows, package_rows
from clean_room_agent.store.anchor import check_anchor, read_anchor, write_anchor
from clean_room_agent.store.append import Appender, Value
from clean_room_agent.store.connect import (
    Connection,
    Role,
    database_path,
    get_connection,
    store_errors,
    transaction,
)
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.locks import WAIT_SECONDS, write_lock
from clean_room_agent.store.salt import open_redactor
from clean_room_agent.store.values import json_text, new_id, now_text, path_bytes, text

__all__ = ["RawLog", "new_id"]


class RawLog:
    """Appends to the log of one repository. Opens on first use; belongs to one thread."""

    def __init__(self, repo_path: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self.repo_path = repo_path
        self._wait_seconds = wait_seconds
        self._connection: Connection | None = None
        self._batch: Appender | None = None

    def __enter__(self) -> RawLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def redactor(self) -> Redactor:
        """What takes secrets out of this log, and out of text on its way into a prompt."""
        return open_redactor(self.repo_path)

    def close(self) -> None:
        """Close the connection; a later append opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make every append of the body one transaction, acknowledged when the body ends."""
        with self._appender():
            yield

    def append_run(self, run: Run) -> None:
        """Log that a verb started."""
        with self._appender() as appender:
            appender.insert(
                "runs",
                {
                    "run_id": run.run_id,
                    "verb": text(run.verb),
                    "arguments": json_text(run.arguments),
                    "config": json_text(run.config),
                    "version": text(run.version),
                    "pid": run.pid,
                    "started_at": run.started_at or now_text(),
                },
            )

    def append_run_end(self, end: RunEnd) -> None:
        """Log how a run ended; once per run."""
        with self._appender() as appender:
            appender.insert(
                "run_ends",
                {
                    "run_id": end.run_id,
                    "status": text(end.status),
                    "exit_code": end.exit_code,
                    "summary": json_text(end.summary),
                    "ended_at": end.ended_at or now_text(),
                },
            )

    def append_event(self, event: Event) -> None:
        """Log an event of a run."""
        with self._appender() as appender:
            appender.insert(
                "events",
                {
                    "run_id": event.run_id,
                    "task_id": event.task_id,
                    "level": event.level,
                    "kind": text(event.kind),
                    "data": json_text(event.data),
                    "at": event.at or now_text(),
                },
            )

    def append_index_run(self, run_id: RunId, report: IndexReport) -> None:
        """Log what an index run did."""
        with self._appender() as appender:
            appender.insert(
                "index_runs",
                {"run_id": run_id, "head": text(report.head), "report": json_text(report)},
            )

    def append_task(self, task: Task) -> None:
        """Log a task before any work on it."""
        with self._appender() as appender:
            appender.insert(
                "tasks",
                {
                    "task_id": task.task_id,
                    "run_id": task.run_id,
                    "mode": task.mode,
                    "text": text(task.text),
                    "base_commit": text(task.base_commit),
                    "test_command": json_text(task.test_command),
                    "at": now_text(),
                },
            )

    def append_package(
        self,
        task_id: TaskId,
        package: ContextPackage,
        prompt_bytes: bytes,
        *,
        package_id: str = "",
    ) -> str:
        """Log a package, every decision behind it and the exact prompt; return the package id.

        A package whose judges asked a model has its id before they ask: their requests name it.
        """
        chosen = package_id or new_id("k")
        with self._appender() as appender:
            package_rows.append_package(appender, task_id, package, prompt_bytes, chosen)
        return chosen

    def append_requests(self, requests: Sequence[ModelRequest]) -> None:
        """Log calls before they are sent, in one transaction."""
        with self._appender() as appender:
            for request in requests:
                call_rows.append_request(appender, request)

    def append_reply(self, reply: ModelReply) -> None:
        """Log one try of a call before its answer is parsed."""
        with self._appender() as appender:
            call_rows.append_reply(appender, reply)

    def append_plan(self, task_id: TaskId, request_id: str, plan: Plan) -> str:
        """Log a validated plan; return its id."""
        plan_id = new_id("l")
        with self._appender() as appender:
            answer_rows.append_plan(appender, LoggedPlan(0, plan_id, task_id, request_id, plan))
        return plan_id

    def append_turn(self, turn: Turn) -> None:
        """Log one turn of an attempt."""
        with self._appender() as appender:
            answer_rows.append_turn(appender, turn)

    def append_selection(self, selection: Selection) -> None:
        """Log how one patch was chosen among several."""
        with self._appender() as appender:
            answer_rows.append_selection(appender, selection)

    def append_answer(self, answer: Answer) -> None:
        """Log a checked answer, the refused claims too."""
        with self._appender() as appender:
            answer_rows.append_answer(appender, answer)

    def append_enrichment(self, enrichment: Enrichment) -> None:
        """Log what a model says of a file."""
        with self._appender() as appender:
            answer_rows.append_enrichment(appender, enrichment)

    def append_promotion(self, promotion: Promotion) -> None:
        """Log the explicit act that lets a description into curated."""
        with self._appender() as appender:
            answer_rows.append_promotion(appender, promotion)

    def append_test_run(self, task_id: TaskId, purpose: str, sandbox: str, run: TestRun) -> str:
        """Log one run of the tests; return its id."""
        test_run_id = new_id("x")
        with self._appender() as appender:
            appender.insert(
                "test_runs",
                {
                    "test_run_id": test_run_id,
                    "task_id": task_id,
                    "purpose": text(purpose),
                    "sandbox": text(sandbox),
                    "status": run.status,
                    "exit_code": run.exit_code,
                    "seconds": run.seconds,
                    "reason": text(run.reason),
                    "output_bytes": run.output_bytes,
                    "output_head_sha256": appender.put_blob(run.output_head),
                    "output_tail_sha256": appender.put_blob(run.output_tail),
                    "results_sha256": appender.put_blob(json_text(run.results).encode()),
                },
            )
        return test_run_id

    def append_attempt(self, attempt: Attempt) -> None:
        """Log that a generator starts on a task."""
        with self._appender() as appender:
            appender.insert(
                "attempts",
                {
                    "attempt_id": attempt.attempt_id,
                    "task_id": attempt.task_id,
                    "generator": text(attempt.generator),
                    "limits": json_text(attempt.limits),
                    "spectrum": json_text(attempt.spectrum),
                    "at": attempt.at or now_text(),
                },
            )

    def append_trials(
        self, attempt_id: str, trials: Sequence[tuple[PatchCandidate, Trial]]
    ) -> None:
        """Log a batch of tried candidates in the order they were tried."""
        if not trials:
            return
        with self._appender() as appender:
            counted = appender.query(
                "SELECT count(*) FROM trials WHERE attempt_id = ?", (attempt_id,)
            )
            start = int(str(counted[0])) if counted else 0
            for position, (candidate, trial) in enumerate(trials, start=start):
                if candidate.candidate_id != trial.candidate_id:
                    raise StoreError(f"trial {trial.candidate_id} is not of its candidate")
                _insert_trial(appender, attempt_id, position, candidate, trial)

    def append_patch(self, patch: Patch) -> None:
        """Log a plausible patch with its diff and new bytes."""
        with self._appender() as appender:
            appender.insert(
                "patches",
                {
                    "patch_id": patch.patch_id,
                    "attempt_id": patch.attempt_id,
                    "candidate_id": text(patch.candidate_id),
                    "rank": patch.rank,
                    "diff_sha256": appender.put_own(patch.diff),
                    "edits": answer_rows.edits_json(appender, patch.replacements),
                    "score": json_text(patch.score),
                },
            )

    def append_validation(self, patch_id: str, test_run_id: str, validation: Validation) -> str:
        """Log a graded patch, whose test run is logged already; return the validation's id."""
        validation_id = new_id("v")
        with self._appender() as appender:
            appender.insert(
                "validations",
                {
                    "validation_id": validation_id,
                    "patch_id": patch_id,
                    "test_run_id": test_run_id,
                    "verdict": validation.verdict,
                    "reason": text(validation.reason),
                    "flags": json_text(validation.flags),
                    "fail_to_pass": json_text(validation.fail_to_pass),
                    "pass_to_pass": json_text(validation.pass_to_pass),
                },
            )
        return validation_id

    def append_application(self, application: Application, contents: Sequence[bytes] = ()) -> None:
        """Log one phase of changing the user's tree, keeping `contents` by their SHA-256."""
        with self._appender() as appender:
            for content in contents:
                appender.put_own(content)
            appender.insert(
                "applications",
                {
                    "application_id": application.application_id,
                    "run_id": application.run_id,
                    "patch_id": application.patch_id,
                    "action": application.action,
                    "phase": application.phase,
                    "files": json_text(application.files),
                    "at": application.at or now_text(),
                },
            )

    def append_worktree(self, event: WorktreeEvent) -> None:
        """Log that a worktree was made, removed or salvaged."""
        with self._appender() as appender:
            appender.insert(
                "worktrees",
                {
                    "task_id": event.task_id,
                    "path": path_bytes(event.path),
                    "action": event.action,
                    "detail": text(event.detail),
                    "at": event.at or now_text(),
                },
            )

    def append_session_archive(self, task_id: str, content: bytes, entries: int) -> str:
        """Archive the content of a session, once; return its SHA-256."""
        with self._appender() as appender:
            sha256 = appender.put_blob(content)
            known = appender.query(
                "SELECT 1 FROM session_archives WHERE task_id = ? AND sha256 = ?",
                (task_id, sha256),
            )
            if known is None:
                row: dict[str, Value] = {
                    "task_id": task_id,
                    "sha256": sha256,
                    "entries": entries,
                    "at": now_text(),
                }
                appender.insert("session_archives", row)
        return sha256

    @contextmanager
    def _appender(self) -> Iterator[Appender]:
        if self._batch is not None:
            yield self._batch
            return
        path = database_path(Role.RAW, self.repo_path)
        lock = write_lock(Role.RAW, repo_path=self.repo_path, wait_seconds=self._wait_seconds)
        with lock, store_errors(path):
            connection = self._open()
            with transaction(connection):
                appender = self._batch = Appender(connection, self.redactor)
                try:
                    yield appender
                    head = appender.seal()
                finally:
                    self._batch = None
            write_anchor(self.repo_path, *head)
            fault_point("raw.append.acknowledged")

    def _open(self) -> Connection:
        """Open the log; refuse one that lost what was acknowledged."""
        if self._connection is None:
            connection = get_connection(Role.RAW, repo_path=self.repo_path)
            anchor = read_anchor(self.repo_path)
            lost = check_anchor(connection, anchor) if anchor else None
            if lost is not None:
                connection.close()
                raise StoreError(
                    f"the log lost rows that were acknowledged: {lost.message}",
                    where=str(database_path(Role.RAW, self.repo_path)),
                    hint="restore the database with its -wal file; `cra verify` says what is left",
                )
            self._connection = connection
        return self._connection


def _insert_trial(
    appender: Appender, attempt_id: str, position: int, candidate: PatchCandidate, trial: Trial
) -> None:
    path = candidate.replacements[0].path if candidate.replacements else ""
    appender.insert(
        "trials",
        {
            "attempt_id": attempt_id,
            "position": position,
            "candidate_id": trial.candidate_id,
            "template": text(candidate.template),
            "summary": text(candidate.summary),
            "path": path_bytes(path),
            "line": candidate.line,
            "suspiciousness": candidate.suspiciousness,
            "prior": candidate.prior,
            "outcome": trial.outcome,
            "test_id": text(trial.test_id),
            "detail": text(trial.detail),
            "seconds": trial.seconds,
        },
    )
