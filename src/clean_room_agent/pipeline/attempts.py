"""The generator with a model: attempts with different seeds, each a few turns long.

Takes: a `Ground`, a client, the package, a plan where there is one. Gives: `Generated`.
Does not know: what a turn does (`attempt`), who else proposes, or which patch is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.attempt import AttemptResult, ModelAttempt
from clean_room_agent.pipeline.curation import Curation
from clean_room_agent.pipeline.doors import CodePointer, Generated
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.limits import (
    BUDGETS,
    IN_WORDS,
    SHARED,
    Ending,
    Meter,
    comparing_seconds,
)
from clean_room_agent.pipeline.nothing_shown import why_nothing
from clean_room_agent.pipeline.package import BuiltPackage
from clean_room_agent.pipeline.stages import MODEL_GENERATOR
from clean_room_agent.pipeline.templates import spectrum_document
from clean_room_agent.records.answers import LoggedPlan
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.log import Attempt
from clean_room_agent.records.task import Task


@dataclass(frozen=True, slots=True)
class ModelGenerator:
    """Attempts one after the other; each starts from the same package with its own seed.

    `all_attempts`: a selector that weighs patches against each other wants one from every attempt;
    otherwise the first patch that passes is enough.
    """

    ground: Ground
    client: ModelClient
    package: BuiltPackage
    plan: LoggedPlan | None = None
    all_attempts: bool = False

    @property
    def name(self) -> str:
        return MODEL_GENERATOR

    def generate(self, pointers: Sequence[CodePointer], task: Task, already: int = 0) -> Generated:
        """Run the attempts. Raises: ModelCallError, after the attempt and its turns are logged."""
        config = self.ground.room.config
        limits = config.attempts
        if already:
            limits = replace(limits, seconds=comparing_seconds(limits.seconds, config.solve))
        meter = Meter(limits, self.client.usage)
        results: list[AttemptResult] = []
        while len(results) < limits.attempts:
            results.append(self._attempt(pointers, meter, len(results), task))
            done = results[-1].ending is Ending.PLAUSIBLE and not self.all_attempts
            if done or results[-1].ending in SHARED:
                break
        return self._summary(results, meter, task)

    def _attempt(
        self, pointers: Sequence[CodePointer], meter: Meter, number: int, task: Task
    ) -> AttemptResult:
        ground = self.ground
        curation = Curation(ground, self.package, pointers)
        attempt = ModelAttempt(ground, self.client, curation, meter, number, self.plan)
        limits: dict[str, object] = asdict(meter.limits)
        limits["attempt"] = number
        limits["seed"] = self.client.choice(CallStage.IMPLEMENT).sampling.seed + number
        limits["plan_id"] = self.plan.plan_id if self.plan else ""
        document = spectrum_document(ground)
        row = Attempt(attempt.attempt_id, task.task_id, MODEL_GENERATOR, limits, document)
        ground.room.raw.append_attempt(row)
        return attempt.run()

    def _summary(self, results: Sequence[AttemptResult], meter: Meter, task: Task) -> Generated:
        endings = [result.ending for result in results]
        found = tuple(r.plausible for r in results if r.plausible is not None)
        used_up = len(results) == self.ground.room.config.attempts.attempts and not found
        data = {
            "generator": MODEL_GENERATOR,
            "attempts": len(results),
            "endings": endings,
            "limit": "attempts" if used_up and endings[-1] not in SHARED else "",
        }
        self.ground.room.event("generator.ended", data, task.task_id)
        return Generated(
            generator=MODEL_GENERATOR,
            plausible=found,
            stopped=self._stopped(Ending.PLAUSIBLE if found else endings[-1], task),
            is_cut=not BUDGETS.isdisjoint(endings),
            seconds=meter.seconds,
            tried=sum(result.turns for result in results),
            attempts=len(results),
            turns=sum(result.turns for result in results),
        )

    def _stopped(self, ending: Ending, task: Task) -> str:
        if ending is Ending.EMPTY_ROOM:
            return f"{IN_WORDS[ending]}: {why_nothing(self.package.package, task.task_id)}"
        return IN_WORDS[ending]
