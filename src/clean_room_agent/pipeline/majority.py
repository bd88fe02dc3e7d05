"""The selector by majority: generated tests that no patch has seen, then votes, then rank.

Takes: logged patches in rank order, a `Grading`, and a model where there is one. Gives: a logged
`Selection` with the whole matrix of patches x tests. Does not know: how a patch was found.

The order follows Agentless: what passes reproduction tests first, then the largest group of equal
patches. A generated test counts only where it is collected on the base and fails there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from clean_room_agent.execute.make_tests import GeneratedTest, propose_tests
from clean_room_agent.execute.material import Material
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.grading import Grading
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.selectors import Preference, by_rank, conclude, confirmed_of
from clean_room_agent.pipeline.trying import changed_tree
from clean_room_agent.records.answers import Selection
from clean_room_agent.records.attempt import Replacement, TestOutcome
from clean_room_agent.records.log import EventLevel, Patch
from clean_room_agent.records.task import Task

BLIND_TESTS = 3
PURPOSE = "generated"
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MajoritySelector:
    """Most generated tests passed, then most equal proposals, then the best rank."""

    ground: Ground
    grading: Grading
    client: ModelClient | None
    material: Material | None

    @property
    def name(self) -> str:
        return "majority"

    def select(self, patches: Sequence[Patch], task: Task) -> Selection:
        ranked = by_rank(patches)
        confirmed = confirmed_of(self.grading, ranked.order)
        matrix: dict[str, Row] = {}
        if len(confirmed) > 1:
            matrix = self._matrix(confirmed, task)
        order = tuple(sorted(ranked.order, key=lambda p: _key(p, confirmed, matrix)))
        scores = tuple(_score(patch, matrix.get(patch.patch_id, {})) for patch in order)
        preference = Preference(order, _reason(scores[0], matrix), scores)
        return conclude(self.ground, self.grading, task, self.name, preference)

    def _matrix(self, patches: Sequence[Patch], task: Task) -> dict[str, Row]:
        """Run the tests that count on every patch."""
        tests = self._tests_that_fail_on_the_base(task)
        if not tests:
            return {}
        return {patch.patch_id: self._run(tests, patch.replacements) for patch in patches}

    def _tests_that_fail_on_the_base(self, task: Task) -> dict[str, GeneratedTest]:
        if self.client is None or self.material is None:
            self._warn({"reason": "no model: votes and rank decide alone"}, task)
            return {}
        proposed = propose_tests(self.client, self.material, BLIND_TESTS, seed_offset=0)
        paths = {self._path(test): test for test in proposed}
        tests = {path: test for path, test in paths.items() if self.ground.read(path) is None}
        on_base = self._run(tests, ())
        kept = {p: t for p, t in tests.items() if on_base[p] == TestOutcome.FAILED}
        if len(kept) < len(tests) or not tests:
            dropped = {p: on_base[p] for p in tests if p not in kept}
            self._warn({"reason": "generated tests that do not fail on the base", **dropped}, task)
        return kept

    def _path(self, test: GeneratedTest) -> str:
        """A new file beside the failing tests, where the same imports work."""
        beside = PurePosixPath(sorted(self.ground.test_files)[0]).parent
        return str(beside / f"test_cra_{test.name.removeprefix('test_')}.py")

    def _run(
        self, tests: Mapping[str, GeneratedTest], replacements: Sequence[Replacement]
    ) -> dict[str, str]:
        """Return the outcome of each test file on the base with `replacements`."""
        if not tests:
            return {}
        files = [Replacement(path, 0, 0, test.source, "") for path, test in tests.items()]
        wanted = {path: f"{path}::{test.name}" for path, test in tests.items()}
        with changed_tree(self.ground, (*replacements, *files)):
            kit = self.ground.tests
            logged = kit.run(self.ground.tree, PURPOSE, tuple(wanted.values()))
        seen = {r.test_id: r.outcome for r in logged.run.results}
        return {p: str(seen.get(test, TestOutcome.ABSENT)) for p, test in wanted.items()}

    def _warn(self, data: Mapping[str, object], task: Task) -> None:
        room = self.ground.room
        room.event("selection.warning", dict(data), task.task_id, EventLevel.WARNING)


def _passed(row: Row) -> int:
    return sum(outcome == TestOutcome.PASSED for outcome in row.values())


def _votes(patch: Patch) -> int:
    votes = patch.score.get("votes", 1)
    return votes if isinstance(votes, int) else 1


def _key(
    patch: Patch, confirmed: Sequence[Patch], matrix: Mapping[str, Row]
) -> tuple[bool, int, int, int]:
    passed = _passed(matrix.get(patch.patch_id, {}))
    return (patch not in confirmed, -passed, -_votes(patch), patch.rank)


def _score(patch: Patch, row: Row) -> Mapping[str, object]:
    return {
        "patch_id": patch.patch_id,
        "generated_tests_passed": _passed(row),
        "votes": _votes(patch),
        "rank": patch.rank,
        "tests": dict(row),
    }


def _reason(best: Mapping[str, object], matrix: Mapping[str, Row]) -> str:
    tests = len(next(iter(matrix.values()))) if matrix else 0
    return (
        f"passes {best['generated_tests_passed']} of {tests} generated tests, "
        f"proposed {best['votes']} times, rank {best['rank']}"
    )
