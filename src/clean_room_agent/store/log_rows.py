"""Rows of the log as records: one SELECT and one function per table.

Takes: rows in the order of the SELECT beside it. Gives: records. Does not know: who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clean_room_agent.records.attempt import (
    Replacement,
    RunStatus,
    TestOutcome,
    TestResult,
    TestRun,
    Trial,
    TrialOutcome,
)
from clean_room_agent.records.log import (
    Application,
    ApplicationAction,
    ApplicationPhase,
    Attempt,
    ChangedFile,
    Event,
    EventLevel,
    LoggedIndexRun,
    LoggedPackage,
    LoggedRun,
    LoggedTask,
    LoggedTestRun,
    LoggedTrial,
    LoggedValidation,
    Patch,
    Run,
    RunEnd,
    SessionArchive,
    WorktreeAction,
    WorktreeEvent,
)
from clean_room_agent.records.task import Mode, RunId, Task, TaskId, TestCommand
from clean_room_agent.store.values import from_json, mapping_from_json, path_text

Row = Sequence[Any]
ReadBlob = Callable[[str], bytes]

RUNS = (
    "SELECT r.seq, r.run_id, r.verb, r.arguments, r.config, r.version, r.pid, r.started_at,"
    " e.status, e.exit_code, e.summary, e.ended_at"
    " FROM runs r LEFT JOIN run_ends e ON e.run_id = r.run_id"
)
EVENTS = "SELECT run_id, kind, data, level, task_id, at FROM events"
INDEX_RUNS = "SELECT seq, run_id, head, report FROM index_runs"
TASKS = "SELECT seq, task_id, run_id, mode, text, base_commit, test_command, at FROM tasks"
PACKAGES = (
    "SELECT seq, package_id, task_id, prompt_sha256, tokens, budget_tokens, counter"
    " FROM context_packages"
)
TEST_RUNS = (
    "SELECT seq, test_run_id, task_id, purpose, sandbox, status, exit_code, seconds, reason,"
    " output_bytes, output_head_sha256, output_tail_sha256, results_sha256 FROM test_runs"
)
ATTEMPTS = "SELECT attempt_id, task_id, generator, limits, spectrum, at FROM attempts"
TRIALS = (
    "SELECT seq, attempt_id, position, template, summary, path, line, suspiciousness, prior,"
    " candidate_id, outcome, seconds, test_id, detail FROM trials"
)
PATCHES = (
    "SELECT p.patch_id, p.attempt_id, p.candidate_id, p.rank, p.diff_sha256, p.edits, p.score"
    " FROM patches p JOIN attempts a ON a.attempt_id = p.attempt_id"
)
VALIDATIONS = (
    "SELECT seq, validation_id, patch_id, test_run_id, verdict, reason, flags, fail_to_pass,"
    " pass_to_pass FROM validations"
)
APPLICATIONS = "SELECT application_id, run_id, patch_id, action, phase, files, at FROM applications"
SESSION_ARCHIVES = "SELECT seq, task_id, sha256, entries, at FROM session_archives"
WORKTREES = "SELECT task_id, path, action, detail, at FROM worktrees"


def run_of(row: Row) -> LoggedRun:
    """Rebuild a run, with its end if it has one."""
    seq, run_id, verb, arguments, config, version, pid, started_at, *ended = row
    run = Run(
        RunId(run_id),
        verb,
        tuple(from_json(arguments)),
        mapping_from_json(config),
        version,
        pid,
        started_at,
    )
    status, exit_code, summary, ended_at = ended
    if status is None:
        return LoggedRun(seq, run, None)
    end = RunEnd(run.run_id, status, exit_code, mapping_from_json(summary), ended_at)
    return LoggedRun(seq, run, end)


def event_of(row: Row) -> Event:
    """Rebuild an event."""
    run_id, kind, data, level, task_id, at = row
    return Event(RunId(run_id), kind, mapping_from_json(data), EventLevel(level), task_id, at)


def index_run_of(row: Row) -> LoggedIndexRun:
    """Rebuild an index run."""
    seq, run_id, head, report = row
    return LoggedIndexRun(seq, RunId(run_id), head, from_json(report))


def package_of(row: Row) -> LoggedPackage:
    """Rebuild the head of a package."""
    return LoggedPackage(*row)


def session_archive_of(row: Row) -> SessionArchive:
    """Rebuild the record of an archived session."""
    return SessionArchive(*row)


def task_of(row: Row) -> LoggedTask:
    """Rebuild a task."""
    seq, task_id, run_id, mode, task_text, base_commit, command, at = row
    task = Task(
        task_id=TaskId(task_id),
        run_id=RunId(run_id),
        mode=Mode(mode),
        text=task_text,
        base_commit=base_commit,
        test_command=_command_of(from_json(command)),
    )
    return LoggedTask(seq, task, at)


def test_run_of(read_blob: ReadBlob, row: Row) -> LoggedTestRun:
    """Rebuild a test run with its results and output."""
    seq, test_run_id, task_id, purpose, sandbox, status, exit_code, seconds, reason, *rest = row
    output_bytes, head_sha256, tail_sha256, results_sha256 = rest
    results = from_json(read_blob(results_sha256).decode())
    run = TestRun(
        status=RunStatus(status),
        exit_code=exit_code,
        results=tuple(
            TestResult(r["test_id"], TestOutcome(r["outcome"]), r["seconds"], r["detail"])
            for r in results
        ),
        seconds=seconds,
        output_head=read_blob(head_sha256),
        output_tail=read_blob(tail_sha256),
        output_bytes=output_bytes,
        reason=reason,
    )
    return LoggedTestRun(seq, test_run_id, TaskId(task_id), purpose, sandbox, run)


def attempt_of(row: Row) -> Attempt:
    """Rebuild an attempt."""
    attempt_id, task_id, generator, limits, spectrum, at = row
    return Attempt(
        attempt_id, TaskId(task_id), generator, from_json(limits), from_json(spectrum), at
    )


def trial_of(row: Row) -> LoggedTrial:
    """Rebuild a tried candidate."""
    seq, attempt_id, position, template, summary, path, line, suspiciousness, prior, *rest = row
    candidate_id, outcome, seconds, test_id, detail = rest
    return LoggedTrial(
        seq=seq,
        attempt_id=attempt_id,
        position=position,
        template=template,
        summary=summary,
        path=path_text(path),
        line=line,
        suspiciousness=suspiciousness,
        prior=prior,
        trial=Trial(candidate_id, TrialOutcome(outcome), seconds, test_id, detail),
    )


def patch_of(read_blob: ReadBlob, row: Row) -> Patch:
    """Rebuild a patch with its diff and new bytes."""
    patch_id, attempt_id, candidate_id, rank, diff_sha256, edits, score = row
    return Patch(
        patch_id=patch_id,
        attempt_id=attempt_id,
        candidate_id=candidate_id,
        rank=rank,
        diff=read_blob(diff_sha256),
        replacements=replacements_of(read_blob, edits),
        score=from_json(score),
    )


def replacements_of(read_blob: ReadBlob, edits: str) -> tuple[Replacement, ...]:
    """Rebuild replacements from the JSON of an `edits` column."""
    return tuple(
        Replacement(
            path=edit["path"],
            start_byte=edit["start_byte"],
            end_byte=edit["end_byte"],
            new_bytes=read_blob(edit["new_sha256"]),
            before_sha256=edit["before_sha256"],
        )
        for edit in from_json(edits)
    )


def validation_of(row: Row) -> LoggedValidation:
    """Rebuild a graded patch."""
    seq, validation_id, patch_id, test_run_id, verdict, reason, flags, fixed, kept = row
    return LoggedValidation(
        seq=seq,
        validation_id=validation_id,
        patch_id=patch_id,
        test_run_id=test_run_id,
        verdict=verdict,
        reason=reason,
        flags=tuple(from_json(flags)),
        fail_to_pass=_outcomes_of(from_json(fixed)),
        pass_to_pass=_outcomes_of(from_json(kept)),
    )


def application_of(row: Row) -> Application:
    """Rebuild one phase of a change of the user's tree."""
    application_id, run_id, patch_id, action, phase, files, at = row
    return Application(
        application_id=application_id,
        run_id=RunId(run_id),
        patch_id=patch_id,
        action=ApplicationAction(action),
        phase=ApplicationPhase(phase),
        files=tuple(ChangedFile(**file) for file in from_json(files)),
        at=at,
    )


def worktree_of(row: Row) -> WorktreeEvent:
    """Rebuild what became of a worktree."""
    task_id, path, action, detail, at = row
    return WorktreeEvent(TaskId(task_id), path_text(path), WorktreeAction(action), detail, at)


def _command_of(found: Mapping[str, Any] | None) -> TestCommand | None:
    if found is None:
        return None
    return TestCommand(tuple(found["words"]), Path(found["interpreter"]), tuple(found["arguments"]))


def _outcomes_of(found: Mapping[str, str]) -> dict[str, TestOutcome]:
    return {test_id: TestOutcome(outcome) for test_id, outcome in found.items()}
