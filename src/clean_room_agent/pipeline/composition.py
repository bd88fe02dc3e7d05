"""Which implementations stand behind the doors, as the configuration says.

Takes: a `Ground`, a built package, the [attempts] section. Gives: generators with their localisers,
and a selector. Does not know: how any of them works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.router import Router, missing_model
from clean_room_agent.pipeline import templates
from clean_room_agent.pipeline.attempts import ModelGenerator
from clean_room_agent.pipeline.doors import Localiser, PatchGenerator, Selector
from clean_room_agent.pipeline.grading import Grading
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.majority import MajoritySelector
from clean_room_agent.pipeline.package import BuiltPackage
from clean_room_agent.pipeline.places import PackageLocaliser, SpectrumLocaliser
from clean_room_agent.pipeline.plans import plain_material, plan_for
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.selectors import ModelSelector, TestSelector
from clean_room_agent.pipeline.stages import MODEL_GENERATOR
from clean_room_agent.records.answers import LoggedPlan
from clean_room_agent.records.calls import CallStage, Role

KNOWN = (MODEL_GENERATOR, templates.NAME)
GeneratorSet = Sequence[tuple[Localiser, PatchGenerator]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What [attempts] asks for; without a model only templates are left of the generators."""

    generators: tuple[str, ...]
    selector: str
    plan: bool


def check_composition(room: TaskRoom, *, has_plan: bool) -> None:
    """Refuse a configuration that cannot work, before anything is done.

    Raises:
        ConfigError: a generator is unknown or none is left, or a model is wanted and missing.
    """
    wanted = _wanted(room)
    if room.models is not None:
        return
    if wanted.plan or has_plan:
        raise _missing(room, CallStage.PLAN)
    if not wanted.generators:
        raise _missing(room, CallStage.IMPLEMENT)
    if wanted.selector == "model":
        raise _missing(room, CallStage.SELECT)


def choose_generators(
    ground: Ground, package: BuiltPackage, plan: LoggedPlan | None
) -> GeneratorSet:
    """Return the generators in the configured order, each with the places it is pointed at."""
    wanted = _wanted(ground.room)
    found: list[tuple[Localiser, PatchGenerator]] = []
    for name in wanted.generators:
        if name == templates.NAME:
            spectrum = SpectrumLocaliser(ground.spectrum, ground.test_files)
            found.append((spectrum, templates.TemplatesGenerator(ground)))
        else:
            model = _model_generator(ground, package, plan, wanted)
            found.append((PackageLocaliser(package.package), model))
    return tuple(found)


def choose_selector(ground: Ground, package: BuiltPackage, grading: Grading) -> Selector:
    """Return the configured selector."""
    room = ground.room
    selector = room.config.attempts.selector
    if selector == "tests":
        return TestSelector(ground, grading)
    material = plain_material(ground, package) if room.models is not None else None
    if selector == "majority":
        return MajoritySelector(ground, grading, room.models, material)
    if room.models is None or material is None:
        raise _missing(room, CallStage.SELECT)
    return ModelSelector(ground, grading, room.models, material)


def _model_generator(
    ground: Ground, package: BuiltPackage, plan: LoggedPlan | None, wanted: _Wanted
) -> ModelGenerator:
    client = ground.room.models
    assert client is not None
    if plan is None and wanted.plan:
        plan = plan_for(ground, package)
    weighs = wanted.selector != "tests"
    return ModelGenerator(ground, client, package, plan, all_attempts=weighs)


def _wanted(room: TaskRoom) -> _Wanted:
    attempts = room.config.attempts
    unknown = [name for name in attempts.generators if name not in KNOWN]
    if unknown or not attempts.generators:
        raise ConfigError(
            f"attempts.generators names {unknown or 'nothing'}",
            where="[attempts]",
            hint=f'one or both of {", ".join(KNOWN)}, for example: generators = ["llm"]',
        )
    names = dict.fromkeys(attempts.generators)
    if room.models is None:
        names.pop(MODEL_GENERATOR, None)
    return _Wanted(tuple(names), attempts.selector, attempts.plan)


def _missing(room: TaskRoom, stage: CallStage) -> ConfigError:
    role = Role(getattr(room.config.stages, stage.value))
    return missing_model(stage, role, model_free=Router(room.config).is_model_free)
