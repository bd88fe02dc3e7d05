"""A failed subtest is a failed test, whichever way the test is run."""

from __future__ import annotations

import importlib.util

import pytest

from clean_room_agent.records.attempt import TestOutcome, TrialOutcome
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.trace import TraceTargets, trace_tests
from clean_room_agent.validation.warm import WarmRunner, WarmSettings
from tests.support.small_projects import LIMITS, candidate, pytest_command, write_project

LIB = "STEP = 1\n\ndef grow(x):\n    return x + STEP + (x > 1)\n"
IMPORT = "import pytest, unittest\nfrom lib import grow\n"
UNITTEST = (
    IMPORT
    + """
class TestGrow(unittest.TestCase):
    def test_some(self):
        for x in (0, 1, 2, 3):
            with self.subTest(x=x):
                self.assertEqual(grow(x), x + 1)
    def test_low(self):
        for x in (0, 1):
            with self.subTest(x=x):
                self.assertEqual(grow(x), x + 1)
"""
)
# A fixture keeps the test from being called without pytest.
BY_PYTEST = UNITTEST.replace("class Test", '@pytest.mark.usefixtures("monkeypatch")\nclass Test')
FIXTURE = (
    IMPORT
    + """
class TestGrow:
    def test_some(self, subtests):
        for x in (0, 1, 2, 3):
            with subtests.test(x=x):
                assert grow(x) == x + 1
    def test_low(self, subtests):
        for x in (0, 1):
            with subtests.test(x=x):
                assert grow(x) == x + 1
"""
)
HAS_FIXTURE = any(importlib.util.find_spec(n) for n in ("_pytest.subtests", "pytest_subtests"))
no_fixture = pytest.mark.skipif(not HAS_FIXTURE, reason="this pytest has no subtests fixture")
KINDS = [
    pytest.param(UNITTEST, id="unittest"),
    pytest.param(BY_PYTEST, id="unittest-by-pytest"),
    pytest.param(FIXTURE, id="fixture", marks=no_fixture),
]
SOME, LOW = "test_a.py::TestGrow::test_some", "test_a.py::TestGrow::test_low"
PLAUSIBLE, FAILED, BROKE = TrialOutcome.PLAUSIBLE, TrialOutcome.FAILED, TrialOutcome.BROKE


@pytest.fixture(params=KINDS)
def tree(tmp_path, request):
    return write_project(tmp_path / "tree", {"lib.py": LIB, "test_a.py": request.param})


def test_a_run_and_a_trace_report_the_test_failed(tree, isolation) -> None:
    run = run_tests(pytest_command(), tree, isolation, LIMITS)
    outcomes = {result.test_id: result.outcome for result in run.results}
    assert outcomes == {SOME: TestOutcome.FAILED, LOW: TestOutcome.PASSED}
    spectrum = trace_tests(pytest_command(), tree, isolation, TraceTargets((SOME,), (LOW,)), LIMITS)
    assert (spectrum.failing, spectrum.passing) == ((SOME,), (LOW,))


def test_warm_and_cold_trials_agree(tree, isolation) -> None:
    edits = {
        ("x + STEP + (x > 1)", "x + STEP"): PLAUSIBLE,
        ("x + STEP + (x > 1)", "x + STEP + (x > 2)"): FAILED,
        ("x + STEP + (x > 1)", "x + STEP - (x == 3)"): FAILED,
        ("def grow(x):", "def grow(x, STEP=0, low=False):"): FAILED,  # a new signature: cold
        ("def grow(x):\n    return x + STEP + (x > 1)", "def grow(x, y=1):\n    return x + y"): (
            PLAUSIBLE
        ),
    }
    tried = [candidate(tree, "lib.py", old, new) for old, new in edits]
    for mode in ("fork", "auto"):
        settings = WarmSettings((SOME,), (LOW,), mode=mode)
        with WarmRunner(pytest_command(), tree, isolation, settings, LIMITS) as runner:
            assert runner.state.excluded == ()
            last = {c.candidate_id: t.outcome for c, t in runner.try_candidates(tried)}
            assert runner.cold_trials == 2
        assert [last[one.candidate_id] for one in tried] == list(edits.values())


def test_a_candidate_that_breaks_one_subtest_broke_the_test(tmp_path, isolation) -> None:
    tests = UNITTEST.replace("(0, 1, 2, 3)", "(2, 3)")
    tree = write_project(tmp_path / "tree", {"lib.py": LIB, "test_a.py": tests})
    texts = ["x + STEP - (x == 1)", "x + STEP"]
    tried = [candidate(tree, "lib.py", "x + STEP + (x > 1)", text) for text in texts]
    with WarmRunner(
        pytest_command(), tree, isolation, WarmSettings((SOME,), (LOW,)), LIMITS
    ) as runner:
        found = [trial.outcome for _, trial in runner.try_candidates(tried)]
    assert found == [BROKE, PLAUSIBLE]
