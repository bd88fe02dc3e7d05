"""`cra trace ID`: walk an output back to every decision behind it, from the log alone.

Takes: any logged id. Gives: the chain task, room, calls, localisation, trials
and turns, patches, grades, applications; for a request, each byte of its prompt with its origin.
Does not know: how any of it was computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import (
    REQUEST_PREFIX,
    RUN_PREFIX,
    find_task,
    open_log,
)
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.reasons import reasons
from clean_room_agent.commands.runs import status_of
from clean_room_agent.commands.trace_calls import (
    call_document,
    mixed_digests,
    print_calls,
    read_calls,
    show_call,
)
from clean_room_agent.commands.trace_documents import (
    Trace,
    TracedAttempt,
    TracedPackage,
    TracedPatch,
    paths_of,
    run_document,
    trace_document,
)
from clean_room_agent.errors import UsageError
from clean_room_agent.records.context import FragmentKind, Verdict
from clean_room_agent.records.log import LoggedRun, LoggedTask
from clean_room_agent.records.spelling import one_line
from clean_room_agent.store.raw_reader import RawReader

SUSPICIOUS_SHOWN = 5
FRAGMENTS_SHOWN = 12
OBSERVATION_SHOWN = 200
TASK_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ExactBytes:
    """Which logged bytes of a call are printed instead of its trace."""

    prompt: bool = False
    answer: bool = False


def trace(invocation: Invocation, identifier: str, exact: ExactBytes = ExactBytes()) -> None:
    """Print the trace of a task or a call; for a run without one task, the run with its calls.

    Raises:
        UsageError: nothing or several things match, or exact bytes are asked of no single call.
    """
    with open_log(invocation) as reader:
        if identifier.startswith(REQUEST_PREFIX):
            _trace_request(invocation.output, reader, identifier, exact)
            return
        if exact.prompt or exact.answer:
            raise UsageError(
                "--prompt and --answer print one call",
                hint="cra trace q-...; the ids of a task's calls stand in its trace",
            )
        if identifier.startswith(RUN_PREFIX):
            run = reader.read_run(identifier)
            tasks = reader.read_tasks(run_id=run.run.run_id)
            if len(tasks) != 1:
                _trace_run(invocation.output, reader, run, tasks)
                return
        found = _read(reader, identifier)
    _print(invocation.output, found)
    invocation.output.document(trace_document(found))


def _trace_request(output: Output, reader: RawReader, identifier: str, exact: ExactBytes) -> None:
    request = reader.read_request(identifier)
    (call,) = read_calls(reader, [request])
    if exact.answer and call.answer is None:
        raise UsageError(f"{request.request_id} was never answered")
    shown: list[tuple[str, bytes]] = []
    if exact.prompt:
        shown.append(("prompt", reader.read_blob(request.prompt_sha256)))
    if exact.answer and call.answer is not None:
        shown.append(("answer", call.answer.reply.text.encode("utf-8", "surrogateescape")))
    for name, data in shown:
        # One alone is exact to the byte; two need to be told apart.
        if len(shown) > 1:
            output.line(f"--- {name} of {request.request_id}: {len(data):,} bytes")
        output.raw(data)
        if len(shown) > 1 and not data.endswith(b"\n"):
            output.line()
    if not exact.prompt and not exact.answer:
        show_call(output, call, reader.read_run(request.run_id))
    prompt = reader.read_blob(request.prompt_sha256).decode("utf-8", "backslashreplace")
    output.document({"call": {**call_document(call), "prompt": prompt}})


def _trace_run(
    output: Output, reader: RawReader, run: LoggedRun, tasks: Sequence[LoggedTask]
) -> None:
    """Print a run that has no task, or several: each of them has a trace of its own."""
    calls = read_calls(reader, reader.read_requests(run_id=run.run.run_id))
    _print_run(output, run)
    for logged in reversed(tasks):
        task = logged.task
        output.line(f"  task {task.task_id} ({task.mode}): {one_line(task.text)[:TASK_SHOWN]}")
    print_calls(output, calls)
    output.document(
        {
            "run": run_document(run),
            "task": None,
            "tasks": [logged.task.task_id for logged in reversed(tasks)],
            "calls": [call_document(call) for call in calls],
            "mixed_digests": mixed_digests(calls),
        }
    )


def _read(reader: RawReader, identifier: str) -> Trace:
    task = find_task(reader, identifier)
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
        trials = reader.read_trials(attempt.attempt_id)
        turns = reader.read_turns(attempt.attempt_id)
        attempts.append(TracedAttempt(attempt, trials, patches, turns))
    packages = tuple(
        TracedPackage(
            head, reader.read_stages(head.package_id), reader.read_fragments(head.package_id)
        )
        for head in reader.read_packages(task_id)
    )
    return Trace(
        run=reader.read_run(task.task.run_id),
        task=task,
        packages=packages,
        test_runs=reader.read_test_runs(task_id),
        attempts=tuple(attempts),
        uncommitted=reader.read_events(task_id=task_id, kind="task.uncommitted"),
        calls=read_calls(reader, reader.read_requests(task_id=task_id)),
        plans=reader.read_plans(task_id),
        selections=reader.read_selections(task_id),
        answers=reader.read_answers(task_id),
    )


def _print(output: Output, found: Trace) -> None:
    _print_run(output, found.run)
    task = found.task.task
    output.heading(f"task {task.task_id} ({task.mode}) at {task.base_commit[:12]}")
    for event in found.uncommitted:
        paths = paths_of(event)
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
    print_calls(output, found.calls)
    _print_plans(output, found)
    for attempt in found.attempts:
        _print_attempt(output, attempt)
    for selection in found.selections:
        output.line(
            f"selected by {selection.selector}: {selection.patch_id or 'none'}: "
            f"{one_line(selection.reason)}"
        )
    _print_answers(output, found)


def _print_plans(output: Output, found: Trace) -> None:
    for logged in found.plans:
        output.heading(
            f"plan {logged.plan_id} ({logged.request_id}): {one_line(logged.plan.summary)}"
        )
        for step in logged.plan.steps:
            name = f"::{step.symbol}" if step.symbol else ""
            output.line(f"  {step.action} {one_line(step.path)}{name}: {one_line(step.intent)}")


def _print_answers(output: Output, found: Trace) -> None:
    for answer in found.answers:
        output.heading(
            f"answer {answer.answer_id} ({answer.request_id}) at {answer.commit_id[:12]}"
        )
        for claim in answer.claims:
            refused = f"  (refused: {claim.refused})" if claim.refused else ""
            output.line(f"  {one_line(claim.text)}{refused}")
            for cited in claim.citations:
                output.line(f"    {one_line(cited.path)}:{cited.start_line}-{cited.end_line}")


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
            f"    {one_line(fragment.path)}:{fragment.start_line}-{fragment.end_line} "
            f"{fragment.symbol} [{fragment.detail}] {fragment.tokens} tokens"
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
    if traced.trials or not traced.turns:
        output.line(f"  {len(traced.trials):,} candidates tried: {told or 'none'}")
    for turn in traced.turns:
        output.line(f"  turn {turn.position} ({turn.request_id}): {one_line(turn.action)}")
        output.line(f"    {turn.outcome}: {one_line(turn.observation)[:OBSERVATION_SHOWN]}")
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
