"""Plans against the repository as it is: asked of a model, or taken up again.

Takes: a `TaskRoom`, a package with its base bytes, perhaps a logged plan. Gives: `Planned`, or a
plan that was checked again. Does not know: who carries a plan out, or how it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping

from clean_room_agent.errors import UsageError
from clean_room_agent.execute.material import Material
from clean_room_agent.execute.plan import Planned, propose_plan, validate_plan
from clean_room_agent.llm.router import Router, missing_model
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.nothing_shown import why_nothing
from clean_room_agent.pipeline.package import BuiltPackage, is_empty
from clean_room_agent.pipeline.places import PackageLocaliser
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.templates import read_files
from clean_room_agent.records.answers import LoggedPlan
from clean_room_agent.records.calls import CallStage, Role
from clean_room_agent.records.log import EventLevel
from clean_room_agent.records.task import Task
from clean_room_agent.store.curated_reader import CuratedReader


def write_plan(room: TaskRoom, material: Material, task: Task) -> tuple[Planned, str]:
    """Ask for a plan and log it; return what came of it and the plan's id, "" without a plan.

    Raises:
        ConfigError: there is no model.
        ModelCallError: the model failed.
    """
    if room.models is None:
        role = Role(room.config.stages.plan)
        free = Router(room.config).is_model_free
        raise missing_model(CallStage.PLAN, role, model_free=free)
    if is_empty(material.package):
        # Asked all the same, a model makes targets up: it is shown nothing to plan for.
        said = f"the room is empty: {why_nothing(material.package, task.task_id)}"
        room.event("plan.refused", {"problem": said}, task.task_id, EventLevel.WARNING)
        return Planned(None, "", said, (), said), ""
    room.progress("planning", 0, 0, "")
    with CuratedReader(room.root) as reader:
        found = propose_plan(
            room.models,
            material,
            known_paths=known_paths(reader),
            symbols_of=lambda path: symbols_in(reader, path),
        )
    for warning in found.warnings:
        room.event("plan.warning", {"warning": warning}, task.task_id, EventLevel.WARNING)
    if found.plan is None:
        data = {"problem": found.problem, "request_id": found.request_id}
        room.event("plan.refused", data, task.task_id, EventLevel.WARNING)
        return found, ""
    return found, room.raw.append_plan(task.task_id, found.request_id, found.plan)


def check_again(room: TaskRoom, logged: LoggedPlan) -> None:
    """Check that every target of a logged plan still exists.

    Raises:
        UsageError: one does not.
    """
    with CuratedReader(room.root) as reader:
        fault = validate_plan(
            logged.plan, known_paths(reader), lambda path: symbols_in(reader, path)
        )
    if fault:
        raise UsageError(
            f"the plan does not fit the repository any more: {fault}",
            where=logged.plan_id,
            hint="make a new one: cra plan",
        )


def plan_for(ground: Ground, package: BuiltPackage) -> LoggedPlan | None:
    """Write a plan before the attempts, as [attempts] plan asks; None where the model gave none."""
    material = plain_material(ground, package)
    found, plan_id = write_plan(ground.room, material, ground.task)
    if found.plan is None:
        ground.room.note(f"no plan: {found.told}")
        return None
    return LoggedPlan(0, plan_id, ground.task.task_id, found.request_id, found.plan)


def plain_material(ground: Ground, package: BuiltPackage) -> Material:
    """Return the package with its base bytes and the failing tests, and nothing of any try."""
    pointers = PackageLocaliser(package.package).locate(ground.task)
    return Material(
        task_id=ground.task.task_id,
        package=package.package,
        package_id=package.package_id,
        files=read_files(ground, sorted({pointer.file for pointer in pointers})),
        failing=ground.failing,
        failing_source=ground.baseline.source,
    )


def untested_material(room: TaskRoom, package: BuiltPackage, task: Task) -> Material:
    """Return the package with the bytes of the user's tree, where no test has run."""
    pointers = PackageLocaliser(package.package).locate(task)
    limit = room.config.index.max_file_bytes
    files: Mapping[str, bytes] = {
        path: room.repository.read_file(path, limit_bytes=limit)
        for path in sorted({pointer.file for pointer in pointers})
    }
    return Material(task.task_id, package.package, package.package_id, files)


def known_paths(reader: CuratedReader) -> frozenset[str]:
    """Return every path of the index."""
    return frozenset(file.path for file in reader.read_all_files())


def symbols_in(reader: CuratedReader, path: str) -> frozenset[str]:
    """Return the qualified names that a file defines; none for a path that is not indexed."""
    file = reader.read_file(path)
    if file is None:
        return frozenset()
    return frozenset(row.symbol.qualified_name for row in reader.read_symbols(file.file_pk))
