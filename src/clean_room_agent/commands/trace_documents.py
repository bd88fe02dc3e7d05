"""What `cra trace` knows of a task, and its JSON form.

Takes: records of the log. Gives: `Trace` and its parts, JSON content.
Does not know: how it was read, or the printed form.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from clean_room_agent.commands.context import decision_document
from clean_room_agent.commands.runs import status_of
from clean_room_agent.commands.trace_calls import (
    TracedCall,
    call_document,
    fragment_document,
    mixed_digests,
)
from clean_room_agent.records.answers import Answer, LoggedPlan, Selection, Turn
from clean_room_agent.records.context import StageRecord
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
    """An attempt with every trial, turn and patch."""

    attempt: Attempt
    trials: tuple[LoggedTrial, ...]
    patches: tuple[TracedPatch, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything the log holds of one task."""

    run: LoggedRun
    task: LoggedTask
    packages: tuple[TracedPackage, ...]
    test_runs: tuple[LoggedTestRun, ...]
    attempts: tuple[TracedAttempt, ...]
    uncommitted: tuple[Event, ...]
    calls: tuple[TracedCall, ...]
    plans: tuple[LoggedPlan, ...]
    selections: tuple[Selection, ...]
    answers: tuple[Answer, ...]


def trace_document(found: Trace) -> dict[str, object]:
    """Return everything of a task as JSON content."""
    task = found.task.task
    return {
        "run": run_document(found.run),
        "task": {
            "task_id": task.task_id,
            "mode": task.mode,
            "text": task.text,
            "base_commit": task.base_commit,
            "test_command": list(task.test_command.words) if task.test_command else [],
            "at": found.task.at,
            "uncommitted": [p for e in found.uncommitted for p in paths_of(e)],
        },
        "test_runs": [_test_run_document(t) for t in found.test_runs],
        "packages": [_package_document(p) for p in found.packages],
        "calls": [call_document(call) for call in found.calls],
        "mixed_digests": mixed_digests(found.calls),
        "plans": [_plan_document(plan) for plan in found.plans],
        "attempts": [_attempt_document(a) for a in found.attempts],
        "selections": [asdict(selection) for selection in found.selections],
        "answers": [asdict(answer) for answer in found.answers],
    }


def _plan_document(logged: LoggedPlan) -> dict[str, object]:
    return {
        "plan_id": logged.plan_id,
        "request_id": logged.request_id,
        "summary": logged.plan.summary,
        "steps": [asdict(step) for step in logged.plan.steps],
    }


def paths_of(event: Event) -> list[str]:
    """Return the uncommitted paths that an event names."""
    paths = event.data.get("paths", [])
    return [str(path) for path in paths] if isinstance(paths, list) else []


def run_document(run: LoggedRun) -> dict[str, object]:
    """Return a run as JSON content."""
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
        "fragments": [fragment_document(f) for f in package.fragments],
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
        "turns": [_turn_document(turn) for turn in traced.turns],
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


def _turn_document(turn: Turn) -> dict[str, object]:
    return {
        "turn_id": turn.turn_id,
        "position": turn.position,
        "request_id": turn.request_id,
        "action": turn.action,
        "outcome": turn.outcome,
        "observation": turn.observation,
        "paths": sorted({replacement.path for replacement in turn.replacements}),
        "test_run_id": turn.test_run_id,
    }
