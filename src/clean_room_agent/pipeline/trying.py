"""Try a change in the task's worktree: written whole, tested in the sandbox, taken back.

Takes: a `Ground`, replacements of base bytes. Gives: `Tried`. Does not know: who proposed the
change, or what is done with the outcome. After each try the worktree holds the base again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from clean_room_agent.execute import apply_plan, invert, plan_edits
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.task_tests import LoggedRun
from clean_room_agent.records.attempt import Replacement, ValidationVerdict
from clean_room_agent.validation.grade import Expectations, judge, missing_of

PURPOSE = "turn"
TESTS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Tried:
    """How a change did. `failing` are expected tests that did not pass; `said` is it in words."""

    logged: LoggedRun
    holds: bool
    failing: tuple[str, ...]
    said: str


@contextmanager
def changed_tree(ground: Ground, replacements: Sequence[Replacement]) -> Iterator[None]:
    """Hold a change in the worktree for the length of the block: all of it, or an error.

    Raises:
        EditError: a path is refused, or a file is not as the edit expects; nothing was written.
    """
    tree = ground.tree
    journal = tree.with_name(tree.name + ".journal")
    plan = plan_edits(tree, replacements)
    apply_plan(tree, plan, journal=journal)
    try:
        yield
    finally:
        apply_plan(tree, invert(plan), journal=journal)


def try_change(ground: Ground, replacements: Sequence[Replacement]) -> Tried:
    """Run the failing tests on the changed tree, and the whole command once they pass.

    Raises:
        EditError: the change was refused; nothing was written and nothing run.
    """
    targets = ground.targets
    goal = Expectations(targets.fail_to_pass)
    everything = Expectations(targets.fail_to_pass, targets.pass_to_pass)
    with changed_tree(ground, replacements):
        first = ground.tests.run(ground.tree, PURPOSE, targets.fail_to_pass)
        told = _told(first, goal)
        if not told.holds:
            return told
        return _told(ground.tests.run(ground.tree, PURPOSE), everything)


def _told(logged: LoggedRun, wanted: Expectations) -> Tried:
    verdict, reason = judge(logged.run, wanted)
    failing = tuple(missing_of(logged.run, wanted))
    if verdict is ValidationVerdict.SOLVED:
        return Tried(logged, True, (), "the failing tests pass and nothing else broke")
    if not failing or verdict is not ValidationVerdict.NOT_SOLVED:
        return Tried(logged, False, failing, f"{verdict}: {reason}")
    broken = [test for test in failing if test in wanted.pass_to_pass]
    what = "the change breaks" if broken else "still failing"
    return Tried(logged, False, failing, f"{what}: {_listed(failing)}")


def _listed(tests: Sequence[str]) -> str:
    named = ", ".join(tests[:TESTS_NAMED])
    more = len(tests) - TESTS_NAMED
    return f"{named} and {more} more" if more > 0 else named
