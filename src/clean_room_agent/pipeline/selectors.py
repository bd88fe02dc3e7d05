"""The selectors without a vote: by tests, and by a judging model.

Takes: logged patches in rank order, a `Grading`. Gives: a logged `Selection`.
Does not know: how a patch was found. Whatever a selector prefers, the answer is a patch that a
fresh tree confirmed wherever one of the patches it tries is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.execute.judge_patches import choose_patch
from clean_room_agent.execute.material import Material
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.grading import MAX_GRADED, Grading
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.records.answers import Selection
from clean_room_agent.records.log import EventLevel, Patch
from clean_room_agent.records.task import Task
from clean_room_agent.store.raw import new_id


@dataclass(frozen=True, slots=True)
class Preference:
    """The order in which a selector believes patches, why, and every term behind it."""

    order: tuple[Patch, ...]
    reason: str
    scores: tuple[Mapping[str, object], ...]
    request_id: str = ""


def conclude(
    ground: Ground, grading: Grading, task: Task, selector: str, preference: Preference
) -> Selection:
    """Grade in the preferred order, take the first patch that is confirmed, and log the choice."""
    confirmed = grading.first_confirmed(preference.order)
    chosen = confirmed or preference.order[0]
    reason = preference.reason
    if confirmed is None:
        reason += "; grading confirmed none"
    elif confirmed is not preference.order[0]:
        place = preference.order.index(confirmed) + 1
        reason += f"; grading refused what came before, this one is number {place}"
    selection = Selection(
        selection_id=new_id("s"),
        task_id=task.task_id,
        selector=selector,
        patch_id=chosen.patch_id,
        reason=reason,
        scores=preference.scores,
        request_id=preference.request_id,
    )
    ground.room.raw.append_selection(selection)
    return selection


def by_rank(patches: Sequence[Patch]) -> Preference:
    """Return the declared test order: the rank in which the patches were logged."""
    order = tuple(sorted(patches, key=lambda patch: patch.rank))
    scores = tuple({"patch_id": p.patch_id, "rank": p.rank} for p in order)
    return Preference(order, "the best rank among patches that pass the tests", scores)


@dataclass(frozen=True, slots=True)
class TestSelector:
    """The best-ranked patch that passes everything in a fresh tree."""

    __test__ = False

    ground: Ground
    grading: Grading

    @property
    def name(self) -> str:
        return "tests"

    def select(self, patches: Sequence[Patch], task: Task) -> Selection:
        return conclude(self.ground, self.grading, task, self.name, by_rank(patches))


@dataclass(frozen=True, slots=True)
class ModelSelector:
    """The patch that a model chooses; without a usable answer, the test order, with a warning.

    Only patches that a fresh tree confirms are shown to the model.
    """

    ground: Ground
    grading: Grading
    client: ModelClient
    material: Material

    @property
    def name(self) -> str:
        return "model"

    def select(self, patches: Sequence[Patch], task: Task) -> Selection:
        preference = self._prefer(by_rank(patches), task)
        return conclude(self.ground, self.grading, task, self.name, preference)

    def _prefer(self, ranked: Preference, task: Task) -> Preference:
        confirmed = confirmed_of(self.grading, ranked.order)
        if len(confirmed) < 2:
            reason = f"{len(confirmed)} patches left to choose from, so no model was asked"
            return Preference(ranked.order, reason, ranked.scores)
        diffs = [patch.diff for patch in confirmed]
        judged = choose_patch(self.client, self.material, diffs)
        if judged.index is None:
            data = {"reason": judged.reason, "request_id": judged.request_id, "instead": "tests"}
            self.ground.room.event("selection.warning", data, task.task_id, EventLevel.WARNING)
            said = f"the model chose none ({judged.reason}); {ranked.reason}"
            return Preference(ranked.order, said, ranked.scores, judged.request_id)
        chosen = confirmed[judged.index]
        order = (chosen, *(p for p in ranked.order if p is not chosen))
        return Preference(order, judged.reason, ranked.scores, judged.request_id)


def confirmed_of(grading: Grading, patches: Sequence[Patch]) -> list[Patch]:
    """Return the patches, among the first few, that a fresh tree confirms."""
    found = []
    rest = list(patches[:MAX_GRADED])
    while rest and (patch := grading.first_confirmed(rest)) is not None:
        found.append(patch)
        rest = rest[rest.index(patch) + 1 :]
    return found
