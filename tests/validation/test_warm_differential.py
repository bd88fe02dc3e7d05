"""Warm verdicts against real pytest: many candidates, one truth."""

from __future__ import annotations

import shutil

import pytest

from clean_room_agent.records.attempt import TrialOutcome
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.warm import WarmRunner, WarmSettings
from tests.support.small_projects import LIMITS, apply, candidate, pytest_command, write_project

LIB = """
    SCALE = 1

    class Stack:
        def __init__(self, items=()):
            self.items = list(items)

        def push(self, x):
            self.items.append(x)
            return self

        def peek(self):
            return self.items[0]

        def __len__(self):
            return len(self.items) * SCALE

    def merge(a, b):
        out = []
        while a and b:
            out.append(a.pop(0) if a[0] < b[0] else b.pop(0))
        return out + a

    def count(n, seen=None):
        seen = seen or []
        for i in range(n):
            seen.append(i)
        return len(seen)
"""
TESTS = """
    import pytest
    from lib import Stack, count, merge

    SHARED = Stack([1])

    @pytest.mark.parametrize("a, b, out", [([1], [2], [1, 2]), ([], [1], [1]), ([3], [], [3])])
    def test_merge(a, b, out): assert merge(a, b) == out
    def test_peek(): assert Stack([1, 2]).peek() == 2
    def test_len(): assert len(Stack([1])) == 1
    def test_push(): assert Stack().push(1).items == [1]
    @pytest.fixture
    def stack(): return Stack([5])
    def test_fixture(stack): assert stack.peek() == 5
    class TestCount:
        def test_none(self): assert count(0) == 0
        @pytest.mark.parametrize("n", [1, 3])
        def test_some(self, n): assert count(n) == n
    def test_shared(): assert len(SHARED.push(2)) == 2
"""
EDITS = [
    ("out + a", "out + a + b"),
    ("out + a", "out + b + a"),
    ("out + a", "out + b"),
    ("out + a", "a + b"),
    ("out + a", "(out + a)[:] + b"),
    ("while a and b", "while a or b"),
    ("while a and b", "while a"),
    ("a[0] < b[0]", "a[0] > b[0]"),
    ("items[0]", "items[-1]"),
    ("items[0]", "items[1]"),
    ("items[0]", "items.pop()"),
    ("SCALE = 1", "SCALE = 2"),
    ("SCALE = 1", "SCALE = 1.0"),
    ("items=()", "items=(0,)"),
    ("seen=None", "seen=[]"),
    ("seen or []", "seen"),
    ("range(n)", "range(n + 1)"),
    ("return self\n", "return None\n"),
    ("return len(seen)", "return n"),
    ("return len(seen)", "return len(seen"),
    ("def peek(self)", "def peek(self, at=0)"),
    ("self.items.append(x)", "self.items.append(x); self.items.sort()"),
]
MERGE = tuple(f"test_lib.py::test_merge[a{i}-b{i}-out{i}]" for i in range(3))
OTHERS = (
    "test_len",
    "test_push",
    "test_fixture",
    "TestCount::test_none",
    "TestCount::test_some[1]",
)
PASSING = (*(f"test_lib.py::{name}" for name in OTHERS), "test_lib.py::test_shared", MERGE[2])
GOALS = {
    "merge": ((MERGE[0], MERGE[1]), EDITS[:8] + EDITS[11:12]),
    "peek": (("test_lib.py::test_peek",), EDITS[8:]),
}


def truth(tree, work, one, failing, isolation) -> set[TrialOutcome]:
    shutil.copytree(tree, work)
    apply(work, one)
    wanted = (*failing, *PASSING)
    run = run_tests(pytest_command(), work, isolation, LIMITS, select=wanted)
    shutil.rmtree(work)
    passed = set(run.passed)
    if passed.issuperset(wanted):
        return {TrialOutcome.PLAUSIBLE}
    if not passed.issuperset(failing):
        return {TrialOutcome.FAILED, TrialOutcome.INVALID, TrialOutcome.TIMEOUT}
    return {TrialOutcome.BROKE, TrialOutcome.TIMEOUT}


@pytest.mark.parametrize("goal", list(GOALS))
def test_warm_verdicts_equal_those_of_real_pytest(tmp_path, isolation, goal) -> None:
    tree = write_project(tmp_path / "tree", {"lib.py": LIB, "test_lib.py": TESTS})
    failing, edits = GOALS[goal]
    tried = [candidate(tree, "lib.py", old, new) for old, new in edits]
    real = [truth(tree, tmp_path / "work", one, failing, isolation) for one in tried]
    for mode in ("fork", "auto"):
        settings = WarmSettings(failing, PASSING, mode=mode)
        with WarmRunner(pytest_command(), tree, isolation, settings, LIMITS) as runner:
            assert runner.state.excluded == ()
            last = {c.candidate_id: t.outcome for c, t in runner.try_candidates(tried)}
            found = [last[one.candidate_id] for one in tried]
        for edit, outcome, allowed in zip(edits, found, real, strict=True):
            assert outcome in allowed, (mode, edit)
    assert {TrialOutcome.PLAUSIBLE} in real
