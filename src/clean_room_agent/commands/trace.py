"""`cra trace ID`: walk an output back to every decision behind it, from the log alone.

Takes: a run, task or patch id. Gives: the chain task, room, localisation, trials, patches, grades,
applications. Does not know: how any of it was computed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from clean_room_agent.commands.context import decision_document, reasons
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import PATCH_PREFIX, RUN_PREFIX, find_task, open_log
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.runs import status_of
from clean_room_agent.records.context import FragmentKind, StageRecord, Verdict
from clean_room_agent.records.log import (
    Application,
    Attempt,
    Event,
    LoggedFragment,
    LoggedPackage,
    LoggedRun,
    LoggedTask,
    LoggedTestRun,
    LoggedTrial,
    LoggedValidation,
    Patch,
)
from clean_room_agent.store.raw_reader import RawReader

SUSPICIOUS_SHOWN = 5
FRAGMENTS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class TracedPackage:
    """A package with its stages and fragments."""

    head: LoggedPackage
    stages: tuple[StageRecord, ...]
    fragments: tuple[LoggedFragment, ...]


@dataclass(frozen=True, slots=True)
class TracedPatch:
    """A patch with its grades and what was done with it."""

    patch: Patch
    validations: tuple[LoggedValidation, ...]
    applications: tuple[Application, ...]


@dataclass(frozen=True, slots=True)
class TracedAttempt:
    """An attempt with every trial and patch."""

    attempt: Attempt
    trials: tuple[LoggedTrial, ...]
    patches: tuple[TracedPatch, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything the log holds of one task."""

    run: LoggedRun
    task: LoggedTask
    packages: tuple[TracedPackage, ...]
    test_runs: tuple[LoggedTestRun, ...]
    attempts: tuple[TracedAttempt, ...]
    uncommitted: tuple[Event, ...]


def trace(invocation: Invocation, identifier: str) -> None:
    """Print the trace of a task; for a run without a task, the run alone."""
    with open_log(invocation) as reader:
        if identifier.startswith(RUN_PREFIX):
            run = reader.read_run(identifier)
            if not reader.read_tasks(run_id=run.run.run_id):
                _print_run(invocation.output, run)
                invocation.output.document({"run": _run_document(run), "task": None})
                return
        found = _read(reader, identifier)
    _print(invocation.output, found)
    invocation.output.document(_document(found))


def _read(reader: RawReader, identifier: str) -> Trace:
    task = _task_of(reader, identifier)
    task_id = task.task.task_id
    attempts = []
    for attempt in reader.read_attempts(task_id):
        patches = tuple(
            TracedPatch(
                patch,
                reader.read_validations(patch.patch_id),
                reader.read_applications(patch_id=patch.patch_id),
            )
            for patch in reader.read_patches(attempt_id=attempt.attempt_id)
        )
        attempts.append(TracedAttempt(attempt, reader.read_trials(attempt.attempt_id), patches))
    packages = tuple(
        TracedPackage(
            head, reader.read_stages(head.package_id), reader.read_fragments(head.package_id)
        )
        for head in reader.read_packages(task_id)
    )
    run = reader.read_run(task.task.run_id)
    uncommitted = reader.read_events(task_id=task_id, kind="task.uncommitted")
    tests = reader.read_test_runs(task_id)
    return Trace(run, task, packages, tests, tuple(attempts), uncommitted)


def _task_of(reader: RawReader, identifier: str) -> LoggedTask:
    if not identifier.startswith(PATCH_PREFIX):
        return find_task(reader, identifier)
    patch = reader.read_patch(identifier)
    return reader.read_task(reader.read_attempt(patch.attempt_id).task_id)


def _print(output: Output, found: Trace) -> None:
    _print_run(output, found.run)
    task = found.task.task
    output.heading(f"task {task.task_id} ({task.mode}) at {task.base_commit[:12]}")
    for event in found.uncommitted:
        paths = _paths_of(event)
        output.line(f"  with {len(paths)} uncommitted files, first {paths[0]}")
    for line in task.text.strip().splitlines():
        output.line(f"  | {line}")
    for test_run in found.test_runs:
        run = test_run.run
        output.line(
            f"tests ({test_run.purpose}, sandbox {test_run.sandbox}): {run.status}, "
            f"{len(run.passed)} passed, {len(run.failed)} failed, {run.seconds:.2f} s"
        )
    for package in found.packages:
        _print_package(output, package)
    for attempt in found.attempts:
        _print_attempt(output, attempt)


def _print_run(output: Output, run: LoggedRun) -> None:
    output.heading(f"run {run.run.run_id}: cra {run.run.verb}, {status_of(run)}")
    output.line(f"  started {run.run.started_at}, version {run.run.version}, pid {run.run.pid}")
    if run.end is not None and "error" in run.end.summary:
        output.line(f"  ended with: {run.end.summary['error']}")


def _print_package(output: Output, package: TracedPackage) -> None:
    head = package.head
    output.heading(
        f"room {head.package_id}: {head.tokens:,} of {head.budget_tokens:,} tokens "
        f"({head.counter}), prompt sha256 {head.prompt_sha256[:16]}"
    )
    decisions = [d for stage in package.stages for d in stage.decisions]
    for stage in package.stages:
        kept = sum(d.verdict is Verdict.INCLUDED for d in stage.decisions)
        output.line(
            f"  stage {stage.name} ({stage.judge}): {kept} of {len(stage.decisions)} candidates "
            f"included, {stage.seconds * 1000:.0f} ms"
        )
    code = [f for f in package.fragments if f.kind is FragmentKind.CODE and f.blob_id]
    # Best first: where the room is large, what decided must not be hidden behind file order.
    scores = {f.position: decisions[f.decision].candidate.score for f in code if f.decision}
    code.sort(key=lambda f: (-scores.get(f.position, 0.0), f.position))
    for fragment in code[:FRAGMENTS_SHOWN]:
        output.line(
            f"    {fragment.path}:{fragment.start_line}-{fragment.end_line} {fragment.symbol} "
            f"[{fragment.detail}] {fragment.tokens} tokens"
        )
        if fragment.decision is not None:
            output.line(f"      {reasons(decisions[fragment.decision])}")
    if len(code) > FRAGMENTS_SHOWN:
        output.line(f"    and {len(code) - FRAGMENTS_SHOWN} more with lower scores; see --json")


def _print_attempt(output: Output, traced: TracedAttempt) -> None:
    attempt = traced.attempt
    output.heading(f"attempt {attempt.attempt_id}: {attempt.generator}")
    suspicious = attempt.spectrum.get("suspicious", [])
    if isinstance(suspicious, list):
        for path, line, score in suspicious[:SUSPICIOUS_SHOWN]:
            output.line(f"  suspicious {score:.2f}  {path}:{line}")
    counts = Counter(str(t.trial.outcome) for t in traced.trials)
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.most_common())
    output.line(f"  {len(traced.trials):,} candidates tried: {told or 'none'}")
    for entry in traced.patches:
        patch = entry.patch
        position = next(
            (t.position + 1 for t in traced.trials if t.trial.candidate_id == patch.candidate_id), 0
        )
        output.line(
            f"  patch {patch.patch_id}, rank {patch.rank}, candidate {position}: "
            f"{patch.score.get('summary', '')}"
        )
        for validation in entry.validations:
            reason = f": {validation.reason}" if validation.reason else ""
            output.line(f"    graded {validation.verdict}{reason}")
            for flag in validation.flags:
                output.line(f"    flag: {flag}")
        for application in entry.applications:
            output.line(f"    {application.action} {application.phase} at {application.at}")


def _document(found: Trace) -> dict[str, object]:
    task = found.task.task
    return {
        "run": _run_document(found.run),
        "task": {
            "task_id": task.task_id,
            "mode": task.mode,
            "text": task.text,
            "base_commit": task.base_commit,
            "test_command": list(task.test_command.words) if task.test_command else [],
            "at": found.task.at,
            "uncommitted": [p for e in found.uncommitted for p in _paths_of(e)],
        },
        "test_runs": [_test_run_document(t) for t in found.test_runs],
        "packages": [_package_document(p) for p in found.packages],
        "attempts": [_attempt_document(a) for a in found.attempts],
    }


def _paths_of(event: Event) -> list[str]:
    paths = event.data.get("paths", [])
    return [str(path) for path in paths] if isinstance(paths, list) else []


def _run_document(run: LoggedRun) -> dict[str, object]:
    return {
        "run_id": run.run.run_id,
        "verb": run.run.verb,
        "arguments": list(run.run.arguments),
        "config": dict(run.run.config),
        "version": run.run.version,
        "started_at": run.run.started_at,
        "status": status_of(run),
        "summary": dict(run.end.summary) if run.end else {},
    }


def _test_run_document(logged: LoggedTestRun) -> dict[str, object]:
    return {
        "test_run_id": logged.test_run_id,
        "purpose": logged.purpose,
        "sandbox": logged.sandbox,
        "status": logged.run.status,
        "reason": logged.run.reason,
        "seconds": logged.run.seconds,
        "results": {r.test_id: r.outcome for r in logged.run.results},
        "details": {r.test_id: r.detail for r in logged.run.results if r.detail},
    }


def _package_document(package: TracedPackage) -> dict[str, object]:
    return {
        "package_id": package.head.package_id,
        "prompt_sha256": package.head.prompt_sha256,
        "tokens": package.head.tokens,
        "budget_tokens": package.head.budget_tokens,
        "counter": package.head.counter,
        "stages": [
            {
                "name": stage.name,
                "judge": stage.judge,
                "seconds": stage.seconds,
                "warnings": list(stage.warnings),
                "decisions": [decision_document(d) for d in stage.decisions],
            }
            for stage in package.stages
        ],
        "fragments": [
            {
                "position": f.position,
                "kind": f.kind,
                "template": f.template,
                "path": f.path,
                "symbol": f.symbol,
                "blob_id": f.blob_id,
                "start_byte": f.start_byte,
                "end_byte": f.end_byte,
                "detail": f.detail,
                "decision": f.decision,
                "tokens": f.tokens,
                "sha256": f.content_sha256,
            }
            for f in package.fragments
        ],
    }


def _attempt_document(traced: TracedAttempt) -> dict[str, object]:
    return {
        "attempt_id": traced.attempt.attempt_id,
        "generator": traced.attempt.generator,
        "spectrum": dict(traced.attempt.spectrum),
        "trials": [
            {
                "position": t.position,
                "candidate_id": t.trial.candidate_id,
                "template": t.template,
                "summary": t.summary,
                "path": t.path,
                "line": t.line,
                "suspiciousness": t.suspiciousness,
                "prior": t.prior,
                "outcome": t.trial.outcome,
                "test_id": t.trial.test_id,
                "seconds": t.trial.seconds,
            }
            for t in traced.trials
        ],
        "patches": [
            {
                "patch_id": entry.patch.patch_id,
                "rank": entry.patch.rank,
                "candidate_id": entry.patch.candidate_id,
                "score": dict(entry.patch.score),
                "diff": entry.patch.diff.decode("utf-8", "backslashreplace"),
                "validations": [
                    {"verdict": v.verdict, "reason": v.reason, "flags": list(v.flags)}
                    for v in entry.validations
                ],
                "applications": [
                    {"action": a.action, "phase": a.phase, "at": a.at} for a in entry.applications
                ],
            }
            for entry in traced.patches
        ],
    }
