"""`cra solve`: a verified patch, or a truthful "not solved".

Takes: a task and a test command. Gives: what was found, printed; the user's tree untouched unless
`--apply`. Does not know: how a patch is found.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.errors import UsageError
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.search import EXHAUSTED
from clean_room_agent.pipeline.solve import SolveInput, SolveResult
from clean_room_agent.pipeline.solve import solve as run_pipeline
from clean_room_agent.pipeline.trees import DirtyPolicy, read_base
from clean_room_agent.records.attempt import TestOutcome, ValidationVerdict
from clean_room_agent.records.task import Mode, Task, TaskId, TestCommand
from clean_room_agent.store.raw import new_id
from clean_room_agent.validation.command import resolve_test_command

EXIT_NOT_SOLVED = 1
EXIT_BUDGET = 5
EXIT_TAMPERED = 8
TARGETS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SolveRequest:
    """What the command line asks."""

    text: str
    test_command: str
    fix: tuple[str, ...]
    dirty: str
    apply_patch: bool


def solve(invocation: Invocation, request: SolveRequest) -> int:
    """Solve, print, and return the exit code."""
    invocation.require_room()
    policy = _policy(request.dirty)
    command = _test_command(invocation, request.test_command)
    if "unittest" in command.words:
        invocation.output.note(f"run under pytest: pytest {' '.join(command.arguments)}")
    arguments = [request.text, "--test", " ".join(command.words), *request.fix]
    with recorded_run(invocation, "solve", arguments) as run:
        refresh_index(invocation)
        base = read_base(invocation.repository, policy)
        room = TaskRoom(
            invocation.repository,
            run.raw,
            run.run_id,
            invocation.settings.config,
            invocation.output.progress,
            invocation.output.note,
        )
        task = Task(TaskId(new_id("t")), run.run_id, Mode.SOLVE, request.text, base.commit, command)
        result = run_pipeline(room, SolveInput(task, base, request.fix))
        run.status, run.exit_code = _status(result)
        run.summary = _summary(task, result)
    invocation.output.end_progress()
    _print(invocation.output, task, result)
    if result.solved and request.apply_patch:
        from clean_room_agent.commands.apply import apply

        apply(invocation, task.task_id, dry_run=False, allow_ci=False, quiet=True)
    invocation.output.document({**run.summary, **_document(result)})
    return run.exit_code


def _policy(word: str) -> DirtyPolicy:
    try:
        return DirtyPolicy(word)
    except ValueError as error:
        raise UsageError(f"--dirty is include, ignore or refuse, not {word!r}") from error


def _test_command(invocation: Invocation, text: str) -> TestCommand:
    """Resolve the test command now: --test, else the configuration, else what is detected."""
    root = invocation.root
    chosen = text or invocation.settings.config.tests.command or _detect(invocation)
    tracked = {p.path for p in invocation.repository.list_paths() if p.tracked}
    return resolve_test_command(
        chosen, root=root, path_env=os.environ.get("PATH", ""), tracked=tracked
    )


def _detect(invocation: Invocation) -> str:
    """Return `pytest` when the repository has Python test files.

    Raises:
        UsageError: it has none, so nothing could show that a patch works.
    """
    from clean_room_agent.repo.languages import is_test_path

    paths = [p.path for p in invocation.repository.list_paths()]
    if any(path.endswith(".py") and is_test_path(path, "python") for path in paths):
        return "pytest -q"
    raise UsageError(
        "no test command was given and no Python tests were found",
        hint='name it: --test "pytest -q path/to/tests", or set [tests] command',
    )


def _status(result: SolveResult) -> tuple[str, int]:
    if result.solved:
        return "solved", 0
    verdict = result.validation.verdict if result.validation else None
    if verdict is ValidationVerdict.TAMPERED:
        return "tampered", EXIT_TAMPERED
    if result.validation is None and result.search.stopped != EXHAUSTED:
        return "not_solved", EXIT_BUDGET
    return "not_solved", EXIT_NOT_SOLVED


def _summary(task: Task, result: SolveResult) -> dict[str, object]:
    status, _ = _status(result)
    return {
        "run_id": task.run_id,
        "task_id": task.task_id,
        "status": status,
        "candidates_tried": result.search.tried,
        "plausible": len(result.search.plausible),
        "stopped": result.search.stopped,
        "search_seconds": round(result.search.seconds, 3),
        "seconds": round(result.seconds, 3),
        "patch_id": result.patch.patch_id if result.patch else None,
    }


def _document(result: SolveResult) -> dict[str, object]:
    validation, patch = result.validation, result.patch
    after = validation.run if validation else None
    return {
        "patch": patch.diff.decode("utf-8", "surrogateescape") if patch else "",
        "summary": patch.score.get("summary", "") if patch else "",
        "worktree": str(result.worktree) if result.worktree else None,
        "before": {"passed": len(result.before.passed), "failed": list(result.before.failed)},
        "after": {"passed": len(after.passed), "failed": list(after.failed)} if after else None,
        "fail_to_pass": list(result.targets.fail_to_pass),
        "verdict": validation.verdict if validation else None,
        "reason": validation.reason if validation else _verdict_of_search(result).strip(),
        "failures": {
            r.test_id: essence(r.detail)
            for r in result.before.results
            if r.test_id in result.targets.fail_to_pass
        },
        "runner_up": _runner_up(result),
        "flags": list(validation.flags) if validation else [],
    }


def _runner_up(result: SolveResult) -> str:
    others = [p for p in result.ranked if result.patch and p.patch_id != result.patch.patch_id]
    return others[0].diff.decode("utf-8", "surrogateescape") if others else ""


def _print(output: Output, task: Task, result: SolveResult) -> None:
    rate = result.search.tried / result.search.seconds if result.search.seconds else 0.0
    tried = (
        f"{result.search.tried:,} candidates in {result.search.seconds:.1f} s ({rate:,.0f}/s), "
        f"{len(result.search.plausible)} plausible, stopped: {result.search.stopped}"
    )
    if result.solved and result.patch and result.validation:
        output.heading(f"solved: {result.patch.score.get('summary', '')}")
        patch = result.patch.diff.decode("utf-8", "surrogateescape")
        output.diff(patch)
        output.line(diffstat(patch))
        after = result.validation.run
        output.line(
            f"tests before: {len(result.before.passed)} passed, {len(result.before.failed)} failed"
        )
        failed = f"{len(after.failed)} failed"
        if after.failed:
            failed += f" that were not asked for, the first: {after.failed[0]}"
        output.line(f"tests after:  {len(after.passed)} passed, {failed}   (fresh tree)")
        _print_others(output, result)
    else:
        output.heading("not solved")
        _print_failure(output, result)
    output.line(f"tried: {tried}; {result.seconds:.1f} s in all")
    if result.validation:
        for flag in result.validation.flags:
            output.line(f"flag: {flag}")
    if result.solved:
        output.line(f"look: {result.worktree}")
        output.line(f"next: cra apply {task.task_id}    (your tree is untouched so far)")
    output.line(f"why:  cra trace {task.task_id}; cra why PATH --task {task.task_id}")


def _print_failure(output: Output, result: SolveResult) -> None:
    details = {r.test_id: r.detail for r in result.before.results}
    for test_id in result.targets.fail_to_pass[:TARGETS_SHOWN]:
        output.line(f"  still failing: {test_id}")
        if said := essence(details.get(test_id, "")):
            output.line(f"    {said}")
    validation = result.validation
    if validation is None:
        output.line(_verdict_of_search(result))
        return
    output.line(f"  the best patch was refused: {validation.verdict}: {validation.reason}")
    broken = [t for t, o in validation.pass_to_pass.items() if o is not TestOutcome.PASSED]
    for test_id in sorted(broken)[:TARGETS_SHOWN]:
        output.line(f"  it breaks: {test_id}")


def _verdict_of_search(result: SolveResult) -> str:
    if result.search.stopped == EXHAUSTED:
        return "  no edit of the catalogue makes these tests pass"
    several = len(result.targets.fail_to_pass) > 1
    advice = "raise --seconds" + (", or name one failing test with --fix" if several else "")
    return f"  {result.search.stopped} before every candidate was tried: {advice}"


def _print_others(output: Output, result: SolveResult) -> None:
    """Say that other patches pass as well: then the tests do not decide between them."""
    others = [p for p in result.ranked if result.patch and p.patch_id != result.patch.patch_id]
    if others:
        output.line(
            f"the tests leave a choice: {len(others)} further patches pass in the warm trial; "
            f"next best: {others[0].score.get('summary', '')}"
        )


def essence(detail: str) -> str:
    """Return the line of a failure text that says what went wrong."""
    lines = [line.rstrip() for line in detail.splitlines() if line.strip()]
    marked = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (marked or lines or [""])[-1 if not marked else 0][:200]


def diffstat(patch: str) -> str:
    """Return "1 file, +1 -1" for a unified diff."""
    lines = patch.splitlines()
    files = sum(line.startswith("diff --git ") for line in lines)
    plus = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    minus = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    return f"{files} file{'s' if files != 1 else ''}, +{plus} -{minus}"
