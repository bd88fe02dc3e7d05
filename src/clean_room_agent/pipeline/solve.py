"""The corridor of `cra solve`: baseline, room, spectrum, generators, selection, in this order.

Takes: a `TaskRoom` and a `SolveInput`. Gives: `SolveResult`; every record that passes from one room
to the next is appended to raw on the way. Does not know: how a room does its work, or printing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.pipeline.composition import (
    GeneratorSet,
    check_composition,
    choose_generators,
    choose_selector,
)
from clean_room_agent.pipeline.doors import Generated, Plausible
from clean_room_agent.pipeline.grading import Grading
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.package import BuiltPackage, build_package
from clean_room_agent.pipeline.plans import check_again
from clean_room_agent.pipeline.ranking import log_ranked
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.targets import Targets, choose_targets
from clean_room_agent.pipeline.task_tests import TaskTests, isolate
from clean_room_agent.pipeline.trees import Base
from clean_room_agent.pipeline.workplace import Workplace, open_workplace
from clean_room_agent.records.answers import LoggedPlan, Selection
from clean_room_agent.records.attempt import TestRun, Validation, ValidationVerdict
from clean_room_agent.records.log import Patch
from clean_room_agent.records.task import Task
from clean_room_agent.repair import suspiciousness
from clean_room_agent.store.session import Session, archive_session


@dataclass(frozen=True, slots=True)
class SolveInput:
    """What is to be solved: the task, its base, tests named with --fix, a plan from `cra plan`."""

    task: Task
    base: Base
    fix: tuple[str, ...]
    plan: LoggedPlan | None = None


@dataclass(frozen=True, slots=True)
class SolveResult:
    """How it ended. `patch` is None when nothing was verified; `ranked` are all logged patches."""

    patch: Patch | None
    validation: Validation | None
    targets: Targets
    before: TestRun
    generated: tuple[Generated, ...]
    ranked: tuple[Patch, ...]
    selection: Selection | None
    worktree: Path | None
    seconds: float
    package_id: str

    @property
    def solved(self) -> bool:
        return self.validation is not None and (self.validation.verdict is ValidationVerdict.SOLVED)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What selection came to."""

    patch: Patch | None = None
    validation: Validation | None = None
    selection: Selection | None = None
    ranked: tuple[Patch, ...] = field(default=())


def solve(room: TaskRoom, work: SolveInput) -> SolveResult:
    """Walk one task through the pipeline.

    Raises:
        CraError: the tests cannot be run, none fails, the sandbox cannot be enforced, a model
            failed. Everything until then is logged.
    """
    started = time.monotonic()
    task = work.task
    check_composition(room, has_plan=work.plan is not None)
    with ExitStack() as stack:
        # Runs last, also when the task fails: what the session knew is never lost.
        stack.callback(archive_session, room.root, task.task_id, room.raw)
        session = stack.enter_context(Session(task.task_id, repo_path=room.root))
        room.raw.append_task(task)
        for path in work.base.left_out:
            room.event("task.path_left_out", {"path": path}, task.task_id)
        if work.base.uncommitted:
            paths = sorted(work.base.uncommitted)
            room.event("task.uncommitted", {"paths": paths}, task.task_id)
        if work.plan is not None:
            check_again(room, work.plan)
            room.event("task.plan", {"plan_id": work.plan.plan_id}, task.task_id)
        place = stack.enter_context(open_workplace(room, work.base, task.task_id))
        return _walk(room, work, place, session, started)


def _walk(
    room: TaskRoom, work: SolveInput, place: Workplace, session: Session, started: float
) -> SolveResult:
    ground = _stand(room, work, place, session)
    session.put("phase", "context")
    failing = suspiciousness(ground.spectrum)
    package = build_package(room, work.task, failing=failing)
    session.put("phase", "search")
    generators = choose_generators(ground, package, work.plan)
    generated = _generate(generators, work.task)
    session.put("phase", "grade")
    judged = _select(ground, package, [p for g in generated for p in g.plausible])
    if judged.patch is not None:
        place.keep(judged.patch.replacements)
    return SolveResult(
        patch=judged.patch,
        validation=judged.validation,
        targets=ground.targets,
        before=ground.baseline.run,
        generated=generated,
        ranked=judged.ranked,
        selection=judged.selection,
        worktree=place.tree if judged.patch is not None else None,
        seconds=time.monotonic() - started,
        package_id=package.package_id,
    )


def _stand(room: TaskRoom, work: SolveInput, place: Workplace, session: Session) -> Ground:
    """Run and trace the tests of the unchanged tree."""
    tests = TaskTests(room, work.task, isolate(room, work.task))
    session.put("phase", "baseline")
    baseline = tests.baseline(place.tree)
    targets = choose_targets(baseline.run, work.fix, work.task.text)
    _note_collection_errors(room, baseline.run, targets)
    session.put("phase", "trace")
    spectrum = tests.trace(place.tree, targets, baseline.run)
    return Ground(
        room=room,
        task=work.task,
        base=work.base,
        tree=place.tree,
        tests=tests,
        baseline=baseline,
        targets=targets,
        spectrum=spectrum,
    )


def _generate(generators: GeneratorSet, task: Task) -> tuple[Generated, ...]:
    """Run every generator in the configured order: the patches of all are compared.

    Once one has a plausible patch the later ones only compare, for a bounded time. A model that
    fails ends the run; it is no reason to go on without it.
    """
    found: list[Generated] = []
    for localiser, generator in generators:
        already = sum(len(generated.plausible) for generated in found)
        found.append(generator.generate(localiser.locate(task), task, already))
    return tuple(found)


def _select(ground: Ground, package: BuiltPackage, found: Sequence[Plausible]) -> _Judged:
    if not found:
        return _Judged()
    ranked = log_ranked(ground, found)
    grading = Grading(ground)
    selector = choose_selector(ground, package, grading)
    selection = selector.select(ranked, ground.task)
    validation = grading.verdict_of(selection.patch_id)
    if validation is None or validation.verdict is not ValidationVerdict.SOLVED:
        return _Judged(None, grading.last, selection, ranked)
    chosen = next(patch for patch in ranked if patch.patch_id == selection.patch_id)
    return _Judged(chosen, validation, selection, ranked)


def _note_collection_errors(room: TaskRoom, before: TestRun, targets: Targets) -> None:
    """Say at once what cannot even be collected: that is rarely mended by an edit of a template."""
    for result in before.results:
        if result.test_id in targets.fail_to_pass and "::" not in result.test_id:
            lines = [line for line in result.detail.splitlines() if line.startswith("E ")]
            said = lines[0][1:].strip() if lines else "see cra trace"
            room.note(f"{result.test_id} cannot be collected: {said}")
