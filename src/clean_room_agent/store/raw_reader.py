"""The raw log read back as records. Opens read-only and has no way to write.

Takes: ids (whole, a unique beginning, or `last`). Gives: frozen records in the order of `seq`.
Does not know: how a row was appended, or how it is shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from clean_room_agent.errors import StoreError, UsageError
from clean_room_agent.records.answers import (
    Answer,
    Enrichment,
    LoggedPlan,
    Promotion,
    Selection,
    Turn,
)
from clean_room_agent.records.calls import LoggedReply, LoggedRequest
from clean_room_agent.records.context import StageRecord, TaskAnalysis
from clean_room_agent.records.log import (
    Application,
    Attempt,
    Event,
    LoggedDecision,
    LoggedFragment,
    LoggedIndexRun,
    LoggedPackage,
    LoggedRun,
    LoggedTask,
    LoggedTestRun,
    LoggedTrial,
    LoggedValidation,
    Patch,
    SessionArchive,
    WorktreeEvent,
)
from clean_room_agent.records.task import TaskId
from clean_room_agent.store import answer_rows, blobs, call_rows, log_rows, package_rows
from clean_room_agent.store.connect import (
    Role,
    database_path,
    get_connection,
    store_errors,
)
from clean_room_agent.store.values import path_bytes

LAST = "last"
_MOST_CHOICES = 5
_IDS_COMPARED = 500
_NO_LIMIT = -1  # in SQLite
# By the letter of an id: the tables it may stand in, with the step towards its task.
_OWNERS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "a": (("attempts", "attempt_id", "task_id"), ("answers", "answer_id", "task_id")),
    "c": (("applications", "application_id", "patch_id"),),
    "k": (("context_packages", "package_id", "task_id"),),
    "l": (("plans", "plan_id", "task_id"),),
    "m": (("promotions", "promotion_id", "enrichment_id"),),
    "n": (("turns", "turn_id", "attempt_id"), ("enrichments", "enrichment_id", "request_id")),
    "p": (("patches", "patch_id", "attempt_id"),),
    "q": (("model_requests", "request_id", "task_id"),),
    "s": (("selections", "selection_id", "task_id"), ("stages", "stage_id", "task_id")),
    "v": (("validations", "validation_id", "patch_id"),),
    "x": (("test_runs", "test_run_id", "task_id"),),
}
Record = TypeVar("Record")


class RawReader:
    """Reads the log of one repository.

    Raises: StoreError if there is no log, or it is damaged.
    """

    def __init__(self, repo_path: Path) -> None:
        self._path = database_path(Role.RAW, repo_path)
        self._connection = get_connection(Role.RAW, repo_path=repo_path, read_only=True)

    def __enter__(self) -> RawReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def read_runs(self, *, limit: int = 20, verb: str | None = None) -> tuple[LoggedRun, ...]:
        """Return the newest runs, newest first."""
        where, parameters = ("WHERE r.verb = ?", (verb,)) if verb else ("", ())
        sql = f"{log_rows.RUNS} {where} ORDER BY r.seq DESC LIMIT ?"
        return self._records(log_rows.run_of, sql, (*parameters, limit))

    def read_unfinished_runs(self) -> tuple[LoggedRun, ...]:
        """Return runs without an end, oldest first: killed, or still running (see their pid)."""
        sql = f"{log_rows.RUNS} WHERE e.run_id IS NULL ORDER BY r.seq"
        return self._records(log_rows.run_of, sql)

    def read_run(self, run_id: str) -> LoggedRun:
        """Return one run. Raises: UsageError if the id is unknown or ambiguous."""
        found = self._find("runs", "run_id", run_id)
        return self._records(log_rows.run_of, f"{log_rows.RUNS} WHERE r.run_id = ?", (found,))[0]

    def read_events(
        self, *, run_id: str | None = None, task_id: str | None = None, kind: str | None = None
    ) -> tuple[Event, ...]:
        """Return events in order, narrowed by what is given."""
        wanted = {"run_id": run_id, "task_id": task_id, "kind": kind}
        where, parameters = _conditions(wanted)
        sql = f"{log_rows.EVENTS} {where} ORDER BY seq"
        return self._records(log_rows.event_of, sql, parameters)

    def read_index_runs(self, *, limit: int = 20) -> tuple[LoggedIndexRun, ...]:
        """Return the newest index runs, newest first."""
        sql = f"{log_rows.INDEX_RUNS} ORDER BY seq DESC LIMIT ?"
        return self._records(log_rows.index_run_of, sql, (limit,))

    def read_tasks(
        self, *, limit: int | None = None, run_id: str | None = None
    ) -> tuple[LoggedTask, ...]:
        """Return tasks, newest first: the newest `limit` of them, or all."""
        where, parameters = _conditions({"run_id": run_id})
        sql = f"{log_rows.TASKS} {where} ORDER BY seq DESC LIMIT ?"
        most = _NO_LIMIT if limit is None else limit
        return self._records(log_rows.task_of, sql, (*parameters, most))

    def read_task(self, task_id: str) -> LoggedTask:
        """Return one task by id, beginning of an id, or `last`.

        Raises: UsageError if it is unknown or ambiguous, naming close matches.
        """
        found = self._find("tasks", "task_id", task_id)
        return self._records(log_rows.task_of, f"{log_rows.TASKS} WHERE task_id = ?", (found,))[0]

    def read_packages(self, task_id: str) -> tuple[LoggedPackage, ...]:
        """Return the packages of a task, oldest first."""
        sql = f"{log_rows.PACKAGES} WHERE task_id = ? ORDER BY seq"
        return self._records(log_rows.package_of, sql, (task_id,))

    def read_package(self, task_id: str) -> LoggedPackage:
        """Return the newest package of a task. Raises: UsageError if it has none."""
        packages = self.read_packages(task_id)
        if not packages:
            raise UsageError(f"task {task_id} has no context package in the log")
        return packages[-1]

    def read_package_by_id(self, package_id: str) -> LoggedPackage:
        """Return one package. Raises: UsageError if the id is unknown or ambiguous."""
        found = self._find("context_packages", "package_id", package_id)
        sql = f"{log_rows.PACKAGES} WHERE package_id = ?"
        return self._records(log_rows.package_of, sql, (found,))[0]

    def read_analysis(self, package_id: str) -> TaskAnalysis:
        """Return what the task text itself named."""
        sql = "SELECT analysis FROM analyses WHERE package_id = ?"
        found = self._records(package_rows.analysis_of, sql, (package_id,))
        if not found:
            raise UsageError(f"package {package_id} is not in the log")
        return found[0]

    def read_stages(self, package_id: str) -> tuple[StageRecord, ...]:
        """Return the stages of a package, each with its decisions."""
        sql = f"{package_rows.STAGES} WHERE package_id = ? ORDER BY position"
        stages = self._records(package_rows.stage_of, sql, (package_id,))
        sql = f"{package_rows.DECISIONS} WHERE d.package_id = ? ORDER BY d.position"
        decided = self._records(package_rows.decision_of, sql, (package_id,))
        return tuple(
            replace(stage, decisions=tuple(d.decision for d in decided if d.stage_id == stage_id))
            for stage_id, stage in stages
        )

    def read_decisions(
        self, task_id: str, path: str | None = None, *, package_id: str | None = None
    ) -> tuple[LoggedDecision, ...]:
        """Return the decisions of a task in order, all or those on one path or package."""
        wanted = {
            "d.task_id": task_id,
            "d.path": path_bytes(path) if path is not None else None,
            "d.package_id": package_id,
        }
        where, parameters = _conditions(wanted)
        sql = f"{package_rows.DECISIONS} {where} ORDER BY d.seq"
        return self._records(package_rows.decision_of, sql, parameters)

    def read_fragments(self, package_id: str) -> tuple[LoggedFragment, ...]:
        """Return the fragments of a package in the order in which they were rendered."""
        sql = f"{package_rows.FRAGMENTS} WHERE package_id = ? ORDER BY position"
        return self._records(package_rows.fragment_of, sql, (package_id,))

    def read_requests(
        self, *, task_id: str | None = None, run_id: str | None = None
    ) -> tuple[LoggedRequest, ...]:
        """Return the calls of a task or a run, in the order in which they were logged."""
        where, parameters = _conditions({"task_id": task_id, "run_id": run_id})
        sql = f"{call_rows.REQUESTS} {where} ORDER BY seq"
        return self._records(call_rows.request_of, sql, parameters)

    def read_request(self, request_id: str) -> LoggedRequest:
        """Return one call. Raises: UsageError if the id is unknown or ambiguous."""
        found = self._find("model_requests", "request_id", request_id)
        sql = f"{call_rows.REQUESTS} WHERE request_id = ?"
        return self._records(call_rows.request_of, sql, (found,))[0]

    def read_prompt_fragments(self, request_id: str) -> tuple[tuple[LoggedFragment, str], ...]:
        """Return the fragments of a prompt in order, each with its source."""
        sql = f"{call_rows.PROMPT_FRAGMENTS} WHERE request_id = ? ORDER BY position"
        return self._records(call_rows.prompt_fragment_of, sql, (request_id,))

    def read_replies(self, request_id: str) -> tuple[LoggedReply, ...]:
        """Return every try of a call, in order."""
        sql = f"{call_rows.REPLIES} WHERE request_id = ? ORDER BY try_number"
        return self._records(partial(call_rows.reply_of, self.read_blob), sql, (request_id,))

    def read_token_counts(self, model: str) -> tuple[tuple[int, str, int], ...]:
        """Return (our count, counter, the server's count) of a model's calls, oldest first."""
        sql = (
            "SELECT q.tokens, q.counter, r.prompt_tokens FROM model_requests q JOIN model_replies r"
            " ON r.request_id = q.request_id WHERE r.status = 'ok' AND r.prompt_tokens > 0"
            " AND json_extract(q.choice, '$.model') = ? ORDER BY r.seq"
        )
        return tuple((int(a), str(b), int(c)) for a, b, c in self._rows(sql, (model,)))

    def read_plans(self, task_id: str) -> tuple[LoggedPlan, ...]:
        """Return the plans of a task, oldest first."""
        sql = f"{answer_rows.PLANS} WHERE task_id = ? ORDER BY seq"
        return self._records(answer_rows.plan_of, sql, (task_id,))

    def read_turns(self, attempt_id: str) -> tuple[Turn, ...]:
        """Return the turns of an attempt, in order."""
        sql = f"{answer_rows.TURNS} WHERE attempt_id = ? ORDER BY position"
        return self._records(partial(answer_rows.turn_of, self.read_blob), sql, (attempt_id,))

    def read_selections(self, task_id: str) -> tuple[Selection, ...]:
        """Return how patches of a task were chosen, oldest first."""
        sql = f"{answer_rows.SELECTIONS} WHERE task_id = ? ORDER BY seq"
        return self._records(answer_rows.selection_of, sql, (task_id,))

    def read_answers(self, task_id: str) -> tuple[Answer, ...]:
        """Return the answers of a task, oldest first."""
        sql = f"{answer_rows.ANSWERS} WHERE task_id = ? ORDER BY seq"
        return self._records(answer_rows.answer_of, sql, (task_id,))

    def read_enrichments(self, *, promoted: bool | None = None) -> tuple[Enrichment, ...]:
        """Return descriptions, oldest first: all, or those (not) promoted."""
        exists = "EXISTS (SELECT 1 FROM promotions p WHERE p.enrichment_id = e.enrichment_id)"
        where = "" if promoted is None else f"WHERE {'' if promoted else 'NOT '}{exists}"
        sql = f"{answer_rows.ENRICHMENTS} {where} ORDER BY e.seq"
        return self._records(answer_rows.enrichment_of, sql)

    def read_promotions(self) -> tuple[Promotion, ...]:
        """Return every act of promotion, oldest first."""
        return self._records(answer_rows.promotion_of, f"{answer_rows.PROMOTIONS} ORDER BY seq")

    def read_test_runs(self, task_id: str) -> tuple[LoggedTestRun, ...]:
        """Return the test runs of a task with their outputs, in order."""
        sql = f"{log_rows.TEST_RUNS} WHERE task_id = ? ORDER BY seq"
        return self._records(partial(log_rows.test_run_of, self.read_blob), sql, (task_id,))

    def read_attempts(self, task_id: str) -> tuple[Attempt, ...]:
        """Return the attempts at a task, in order."""
        sql = f"{log_rows.ATTEMPTS} WHERE task_id = ? ORDER BY seq"
        return self._records(log_rows.attempt_of, sql, (task_id,))

    def read_attempt(self, attempt_id: str) -> Attempt:
        """Return one attempt. Raises: UsageError if the id is unknown or ambiguous."""
        found = self._find("attempts", "attempt_id", attempt_id)
        return self._records(
            log_rows.attempt_of, f"{log_rows.ATTEMPTS} WHERE attempt_id = ?", (found,)
        )[0]

    def read_trials(self, attempt_id: str) -> tuple[LoggedTrial, ...]:
        """Return the tried candidates of an attempt, in the order they were tried."""
        sql = f"{log_rows.TRIALS} WHERE attempt_id = ? ORDER BY position"
        return self._records(log_rows.trial_of, sql, (attempt_id,))

    def read_patches(
        self, *, task_id: str | None = None, attempt_id: str | None = None
    ) -> tuple[Patch, ...]:
        """Return the patches of a task or an attempt, by attempt, then rank."""
        where, parameters = _conditions({"a.task_id": task_id, "p.attempt_id": attempt_id})
        sql = f"{log_rows.PATCHES} {where} ORDER BY a.seq, p.rank, p.seq"
        return self._records(partial(log_rows.patch_of, self.read_blob), sql, parameters)

    def read_patch(self, patch_id: str) -> Patch:
        """Return one patch. Raises: UsageError if the id is unknown or ambiguous."""
        found = self._find("patches", "patch_id", patch_id)
        sql = f"{log_rows.PATCHES} WHERE p.patch_id = ?"
        return self._records(partial(log_rows.patch_of, self.read_blob), sql, (found,))[0]

    def read_validations(self, patch_id: str) -> tuple[LoggedValidation, ...]:
        """Return the gradings of a patch, in order."""
        sql = f"{log_rows.VALIDATIONS} WHERE patch_id = ? ORDER BY seq"
        return self._records(log_rows.validation_of, sql, (patch_id,))

    def read_applications(self, *, patch_id: str | None = None) -> tuple[Application, ...]:
        """Return every phase of changing the user's tree, in order."""
        where, parameters = _conditions({"patch_id": patch_id})
        sql = f"{log_rows.APPLICATIONS} {where} ORDER BY seq"
        return self._records(log_rows.application_of, sql, parameters)

    def read_open_applications(self) -> tuple[Application, ...]:
        """Return intents that have no outcome: a process was killed, or is at work, there."""
        sql = (
            f"{log_rows.APPLICATIONS} AS i WHERE phase = 'intent' AND NOT EXISTS (SELECT 1"
            " FROM applications o WHERE o.application_id = i.application_id"
            " AND o.action = i.action AND o.phase <> 'intent') ORDER BY seq"
        )
        return self._records(log_rows.application_of, sql)

    def read_worktrees(self, *, task_id: str | None = None) -> tuple[WorktreeEvent, ...]:
        """Return what became of worktrees, in order."""
        where, parameters = _conditions({"task_id": task_id})
        sql = f"{log_rows.WORKTREES} {where} ORDER BY seq"
        return self._records(log_rows.worktree_of, sql, parameters)

    def read_session_archives(self, *, task_id: str | None = None) -> tuple[SessionArchive, ...]:
        """Return the archived sessions, in order."""
        where, parameters = _conditions({"task_id": task_id})
        sql = f"{log_rows.SESSION_ARCHIVES} {where} ORDER BY seq"
        return self._records(log_rows.session_archive_of, sql, parameters)

    def read_blob(self, sha256: str) -> bytes:
        """Return bytes by their SHA-256. Raises: StoreError if they are missing or damaged."""
        with store_errors(self._path):
            return blobs.get(self._connection, sha256)

    def resolve_task(self, task_id: str) -> TaskId:
        """Return the whole id for a whole id, a unique beginning, or `last`."""
        return TaskId(self._find("tasks", "task_id", task_id))

    def owning_task(self, word: str) -> TaskId:
        """Return the task that anything with an id belongs to; a task's own id as it is.

        Raises: UsageError if the id is unknown, ambiguous, or of something outside any task.
        """
        places = _OWNERS.get(word[:1], ()) if word[1:2] == "-" else ()
        if not places:
            return self.resolve_task(word)
        known = [place for place in places if self._begins(place, word)]
        if len(known) > 1:
            raise UsageError(f"{word!r} is ambiguous", hint="type more of the id")
        table, column, step = (known or list(places))[0]
        found = self._find(table, column, word)
        ((owner,),) = self._rows(
            f"SELECT {step} FROM {table} WHERE {column} = ? ORDER BY seq LIMIT 1", (found,)
        )
        if not owner:
            raise UsageError(f"{found} belongs to no task", hint="cra runs")
        return self.owning_task(str(owner))

    def _begins(self, place: tuple[str, str, str], word: str) -> bool:
        table, column, _ = place
        sql = f"SELECT 1 FROM {table} WHERE substr({column}, 1, ?) = ? LIMIT 1"
        return bool(self._rows(sql, (len(word), word)))

    def _find(self, table: str, column: str, wanted: str) -> str:
        what = column.removesuffix("_id")
        if wanted == LAST:
            rows = self._rows(f"SELECT {column} FROM {table} ORDER BY seq DESC LIMIT 1")
            if not rows:
                raise UsageError(f"there is no {what} in the log yet")
            return str(rows[0][0])
        if self._rows(f"SELECT 1 FROM {table} WHERE {column} = ?", (wanted,)):
            return wanted
        # Distinct: a change of the tree has one id and a row for each phase.
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE substr({column}, 1, ?) = ? LIMIT ?"
        begin = [str(i) for (i,) in self._rows(sql, (len(wanted), wanted, _MOST_CHOICES))]
        if len(begin) == 1 and wanted:
            return begin[0]
        if begin and wanted:
            raise UsageError(
                f"{what} {wanted!r} is ambiguous", hint=f"one of: {', '.join(sorted(begin))}"
            )
        sql = f"SELECT {column} FROM {table} ORDER BY seq DESC LIMIT ?"
        known = [str(i) for (i,) in self._rows(sql, (_IDS_COMPARED,))]
        close = difflib.get_close_matches(wanted, known, n=3)
        hint = f"did you mean {', '.join(close)}?" if close else "see `cra runs`"
        raise UsageError(f"there is no {what} {wanted!r} in the log", hint=hint)

    def _records(
        self, make: Callable[[Any], Record], sql: str, parameters: Sequence[Any] = ()
    ) -> tuple[Record, ...]:
        """Return rows as records. Raises: StoreError if a row cannot be what was appended."""
        rows = self._rows(sql, parameters)
        try:
            return tuple(map(make, rows))
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"a row of the log is damaged: {error}", where=str(self._path), hint="cra verify"
            ) from error

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        with store_errors(self._path):
            return self._connection.execute(sql, tuple(parameters)).fetchall()


def _conditions(wanted: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    given = {column: value for column, value in wanted.items() if value is not None}
    if not given:
        return "", ()
    return "WHERE " + " AND ".join(f"{column} = ?" for column in given), tuple(given.values())
