"""The last word on a patch: graded in a fresh tree that holds nothing but its accepted diff.

Takes: a `Ground`, logged patches. Gives: `Validation`s, each logged, each made once.
Does not know: which patch is asked about first.
"""

from __future__ import annotations

from collections.abc import Sequence

from clean_room_agent.pipeline.changes import change_of
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.trees import fresh_tree
from clean_room_agent.records.attempt import Validation, ValidationVerdict
from clean_room_agent.records.log import Patch
from clean_room_agent.validation.grade import Expectations, grade
from clean_room_agent.validation.screen import scan_diff, screen_replacements

# A plausible patch that grading refuses makes way for the next; more than this is no search.
MAX_GRADED = 5


class Grading:
    """Grades the patches of one task and remembers each verdict."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._known: dict[str, Validation] = {}
        self.last: Validation | None = None

    def first_confirmed(self, patches: Sequence[Patch]) -> Patch | None:
        """Return the first patch, in the order given, that a fresh tree confirms."""
        for place, patch in enumerate(patches[:MAX_GRADED], start=1):
            self._ground.room.progress("grading in a fresh tree", place, len(patches), "")
            if self.validate(patch).verdict is ValidationVerdict.SOLVED:
                return patch
        return None

    def validate(self, patch: Patch) -> Validation:
        """Grade a patch, or return what grading it said before."""
        if patch.patch_id not in self._known:
            self._known[patch.patch_id] = self._grade(patch)
        self.last = self._known[patch.patch_id]
        return self.last

    def verdict_of(self, patch_id: str) -> Validation | None:
        """Return what grading said of a patch; None for one that was not graded."""
        return self._known.get(patch_id)

    def _grade(self, patch: Patch) -> Validation:
        ground = self._ground
        accepted, flags = screen_replacements(list(patch.replacements))
        change = change_of(patch.replacements, ground.read)
        before = {path: change.before.get(path) for path in change.after}
        raised = _proposed_flags(patch)
        raised += tuple(f for f in flags + scan_diff(before, change.after) if f not in raised)
        destination = ground.room.state / "fresh" / f"{ground.task.task_id}-{patch.rank}"
        wanted = Expectations(ground.targets.fail_to_pass, ground.targets.pass_to_pass, raised)
        kit = ground.tests
        with fresh_tree(ground.base, destination, tuple(accepted)) as tree:
            validation = grade(kit.command, tree, kit.isolation, wanted, ground.room.limits())
        run_id = kit.log("grade", validation.run).test_run_id
        ground.room.raw.append_validation(patch.patch_id, run_id, validation)
        return validation


def _proposed_flags(patch: Patch) -> tuple[str, ...]:
    """Return the flags that stood on the patch before it was graded."""
    flags = patch.score.get("flags", ())
    return tuple(str(flag) for flag in flags) if isinstance(flags, list | tuple) else ()
