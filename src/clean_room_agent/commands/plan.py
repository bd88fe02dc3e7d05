"""`cra plan`: the steps of a change, written by a model, every target checked to exist.

Takes: a task text. Gives: a logged plan, printed, for `cra solve --plan`.
Does not know: how a plan is asked for, or who carries it out.
"""

from __future__ import annotations

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.lookup import RECENT_TASKS, open_log
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.task_room import open_room, told_costs
from clean_room_agent.errors import UsageError
from clean_room_agent.execute.plan import Planned
from clean_room_agent.llm.router import Router, missing_model
from clean_room_agent.pipeline.package import build_package
from clean_room_agent.pipeline.plans import untested_material, write_plan
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.records.answers import LoggedPlan
from clean_room_agent.records.calls import CallStage, Role
from clean_room_agent.records.spelling import one_line
from clean_room_agent.records.task import Mode, Task, TaskId
from clean_room_agent.redaction import for_prompt
from clean_room_agent.store.raw import new_id

EXIT_NO_PLAN = 1


def plan(invocation: Invocation, text: str) -> int:
    """Curate, ask for a plan, log and print it; return the exit code.

    Raises:
        ConfigError: no model is configured; the lines to add are named.
    """
    invocation.require_room()
    _require_model(invocation)
    stages = asked_stages(Mode.PLAN, invocation.settings.config)
    with recorded_run(invocation, "plan", [text]) as run:
        base = invocation.repository.head or ""
        task = Task(TaskId(new_id("t")), run.run_id, Mode.PLAN, for_prompt(text), base)
        with open_room(invocation, run, stages) as room, told_costs(run, room):
            refresh_index(invocation)
            run.raw.append_task(task)
            run.summary = {"task_id": task.task_id}
            built = build_package(room, task)
            found, plan_id = write_plan(room, untested_material(room, built, task), task)
            _conclude(run, task, found, plan_id)
    invocation.output.end_progress()
    _print(invocation.output, task, found, plan_id)
    invocation.output.document({**run.summary, **_document(found)})
    return run.exit_code


def find_plan(invocation: Invocation, word: str) -> LoggedPlan:
    """Return the plan a word names: an id, the start of one, or "last".

    Raises:
        UsageError: nothing or several plans match.
    """
    with open_log(invocation) as reader:
        tasks = reader.read_tasks(limit=RECENT_TASKS)
        plans = [plan for task in tasks for plan in reader.read_plans(task.task.task_id)]
    plans.sort(key=lambda plan: plan.seq)
    if word == "last" and plans:
        return plans[-1]
    found = [plan for plan in plans if plan.plan_id.startswith(word)]
    exact = [plan for plan in found if plan.plan_id == word] or found
    if len(exact) != 1:
        what = f"{len(exact)} plans start with {word!r}" if exact else f"there is no plan {word!r}"
        raise UsageError(what, hint='make one: cra plan "what is wrong"')
    return exact[0]


def _require_model(invocation: Invocation) -> None:
    router = Router(invocation.settings.config)
    if router.is_model_free:
        role = Role(router.config.stages.plan)
        raise missing_model(CallStage.PLAN, role, model_free=True)


def _conclude(run: OpenRun, task: Task, found: Planned, plan_id: str) -> None:
    run.status = "planned" if plan_id else "no_plan"
    run.exit_code = 0 if plan_id else EXIT_NO_PLAN
    run.summary = {
        "run_id": task.run_id,
        "task_id": task.task_id,
        "status": run.status,
        "plan_id": plan_id or None,
        "reason": found.problem,
    }


def _print(output: Output, task: Task, found: Planned, plan_id: str) -> None:
    if found.plan is None:
        output.heading("no plan")
        asked = "the answer could not be used: " if found.request_id else ""
        output.line(f"  {asked}{found.told}")
        output.line(f"why:  cra trace {task.task_id}")
        return
    output.heading(f"plan {plan_id}: {found.plan.summary}")
    for number, step in enumerate(found.plan.steps, start=1):
        symbol = f"::{step.symbol}" if step.symbol else ""
        output.line(f"  {number}. {step.action} {one_line(step.path)}{symbol}: {step.intent}")
    output.line(f"next: cra solve ... --plan {plan_id}")
    output.line(f"why:  cra trace {task.task_id}")


def _document(found: Planned) -> dict[str, object]:
    steps = found.plan.steps if found.plan else ()
    return {
        "summary": found.plan.summary if found.plan else "",
        "steps": [
            {"action": s.action, "path": s.path, "symbol": s.symbol, "intent": s.intent}
            for s in steps
        ],
        "warnings": list(found.warnings),
    }
