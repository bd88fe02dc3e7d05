"""`cra solve`: a verified patch, or a truthful "not solved".

Takes: a task and a test command. Gives: what was found, printed; the user's tree untouched unless
`--apply`. Does not know: how a patch is found, or how a result is printed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.plan import find_plan
from clean_room_agent.commands.solve_report import (
    print_result,
    result_document,
    stopped_of,
)
from clean_room_agent.commands.task_room import open_room, told_costs
from clean_room_agent.errors import BudgetError, NotSolvedError, TamperedError, UsageError
from clean_room_agent.pipeline.solve import SolveInput, SolveResult
from clean_room_agent.pipeline.solve import solve as run_pipeline
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.pipeline.templates import NAME as TEMPLATES
from clean_room_agent.pipeline.trees import DirtyPolicy, read_base
from clean_room_agent.records.attempt import ValidationVerdict
from clean_room_agent.records.task import Mode, Task, TaskId, TestCommand
from clean_room_agent.redaction import for_prompt
from clean_room_agent.store.raw import new_id
from clean_room_agent.validation.command import resolve_test_command


@dataclass(frozen=True, slots=True)
class SolveRequest:
    """What the command line asks. `plan` is the id of a logged plan, "last", or ""."""

    text: str
    test_command: str
    fix: tuple[str, ...]
    dirty: str
    apply_patch: bool
    plan: str = ""


def solve(invocation: Invocation, request: SolveRequest) -> int:
    """Solve, print, and return the exit code."""
    invocation.require_room()
    policy = _policy(request.dirty)
    command = _test_command(invocation, request.test_command)
    if "unittest" in command.words:
        invocation.output.note(f"run under pytest: pytest {' '.join(command.arguments)}")
    with recorded_run(invocation, "solve", _arguments(request, command)) as run:
        plan = find_plan(invocation, request.plan) if request.plan else None
        text = for_prompt(request.text)
        stages = asked_stages(Mode.SOLVE, invocation.settings.config)
        with open_room(invocation, run, stages) as room, told_costs(run, room):
            refresh_index(invocation)
            base = read_base(invocation.repository, policy)
            task = Task(TaskId(new_id("t")), run.run_id, Mode.SOLVE, text, base.commit, command)
            run.summary = {"task_id": task.task_id}
            result = run_pipeline(room, SolveInput(task, base, request.fix, plan))
            _conclude(run, task, result)
    invocation.output.end_progress()
    print_result(invocation.output, task, result, run.summary)
    if result.solved and request.apply_patch:
        from clean_room_agent.commands.apply import apply

        apply(invocation, task.task_id, dry_run=False, allow_ci=False, quiet=True)
    invocation.output.document({**run.summary, **result_document(result)})
    return run.exit_code


def _arguments(request: SolveRequest, command: TestCommand) -> list[str]:
    plan = ["--plan", request.plan] if request.plan else []
    return [request.text, "--test", " ".join(command.words), *request.fix, *plan]


def _conclude(run: OpenRun, task: Task, result: SolveResult) -> None:
    """Say in the log how the run ended."""
    run.status, run.exit_code = _status(result)
    run.summary = _summary(task, result, run.status)


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
        return "tampered", TamperedError.exit_code
    if result.validation is None and any(generated.is_cut for generated in result.generated):
        return "not_solved", BudgetError.exit_code
    return "not_solved", NotSolvedError.exit_code


def _summary(task: Task, result: SolveResult, status: str) -> dict[str, object]:
    templates = [g for g in result.generated if g.generator == TEMPLATES]
    return {
        "run_id": task.run_id,
        "task_id": task.task_id,
        "status": status,
        "generator": result.patch.score.get("generator", "") if result.patch else "",
        "candidates_tried": sum(generated.tried for generated in templates),
        "plausible": sum(len(generated.plausible) for generated in result.generated),
        "stopped": stopped_of(result),
        "attempts": sum(g.attempts for g in result.generated if g not in templates),
        "turns": sum(generated.turns for generated in result.generated),
        "search_seconds": round(sum(g.seconds for g in result.generated), 3),
        "seconds": round(result.seconds, 3),
        "patch_id": result.patch.patch_id if result.patch else None,
    }
