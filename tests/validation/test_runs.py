from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.errors import UsageError
from clean_room_agent.records.attempt import RunStatus, TestOutcome
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.runs import run_tests
from tests.support.small_projects import LIMITS, pytest_command, write_project

MIXED = """
    import unittest
    import pytest

    def test_good(): assert True
    def test_bad(): assert 1 == 2
    @pytest.mark.skip
    def test_skipped(): pass
    @pytest.mark.xfail
    def test_expected(): assert False
    @pytest.fixture
    def broken(): raise ValueError
    def test_error(broken): pass
    @pytest.fixture
    def leaves():
        yield
        raise ValueError
    def test_teardown(leaves): pass
    @pytest.mark.parametrize("word", ["a b", "x::y", "é"])
    def test_word(word): assert word
    class TestGroup:
        def test_in(self): pass
    class TestCase(unittest.TestCase):
        def test_unit(self): self.assertTrue(True)
"""


def outcomes(run):
    return {result.test_id.split("::", 1)[1]: result.outcome for result in run.results}


def test_each_test_has_its_own_outcome(tmp_path, isolation) -> None:
    tree = write_project(tmp_path, {"test_a.py": MIXED})
    run = run_tests(pytest_command(), tree, isolation, LIMITS)
    found = outcomes(run)
    assert run.status is RunStatus.COMPLETED
    assert len(run.results) == 11
    assert found["test_good"] is TestOutcome.PASSED
    assert found["test_bad"] is TestOutcome.FAILED
    assert found["test_skipped"] is TestOutcome.SKIPPED
    assert found["test_expected"] is TestOutcome.XFAILED
    assert found["test_error"] is TestOutcome.ERROR
    assert found["test_teardown"] is TestOutcome.ERROR
    assert found["test_word[a b]"] is TestOutcome.PASSED
    assert found["TestCase::test_unit"] is TestOutcome.PASSED
    bad = next(r for r in run.results if r.outcome is TestOutcome.FAILED)
    assert "assert 1 == 2" in bad.detail


def test_only_selected_tests_run_and_are_reported(tmp_path, isolation) -> None:
    tree = write_project(
        tmp_path, {"tests/test_a.py": MIXED, "tests/test_b.py": "raise RuntimeError"}
    )
    wanted = ["tests/test_a.py::test_word[x::y]", "tests/test_a.py::test_good"]
    run = run_tests(pytest_command(), tree, isolation, LIMITS, select=wanted)
    assert sorted(run.passed) == sorted(wanted)
    assert len(run.results) == 2


def test_a_collection_error_is_reported_as_an_error(tmp_path, isolation) -> None:
    tree = write_project(tmp_path, {"test_a.py": "import nowhere", "test_b.py": MIXED})
    run = run_tests(pytest_command(), tree, isolation, LIMITS)
    assert [r.outcome for r in run.results if r.test_id == "test_a.py"] == [TestOutcome.ERROR]


@pytest.mark.parametrize(
    "addopts",
    [
        "--cov=src --cov-report=term-missing --cov-fail-under=90",
        "-n auto --dist=loadfile",
        "-p no:cacheprovider",
        "-x --maxfail=1 -q",
        "--ff --nf",
        "--randomly-seed=3",
        "--benchmark-skip --reruns 2",
        "--strict-markers --strict-config -ra",
    ],
)
def test_options_of_absent_or_parallel_plugins_do_no_harm(tmp_path, isolation, addopts) -> None:
    tree = write_project(
        tmp_path, {"pytest.ini": f"[pytest]\naddopts = {addopts}\n", "test_a.py": MIXED}
    )
    run = run_tests(pytest_command(), tree, isolation, LIMITS)
    assert run.status is RunStatus.COMPLETED, run.output_tail
    assert len(run.results) == 11


def test_a_missing_pytest_is_said_plainly(tmp_path, isolation) -> None:
    tree = write_project(tmp_path, {"test_a.py": MIXED})
    script = tmp_path.parent / f"{tmp_path.name}-python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # no site-packages
    script.chmod(0o755)
    command = TestCommand(("python", "-m", "pytest"), script, ())
    with pytest.raises(UsageError, match="cannot import pytest"):
        run_tests(command, tree, isolation, LIMITS)


def test_a_hanging_test_ends_at_the_wall_clock(tmp_path, isolation) -> None:
    text = "import time\ndef test_a(): pass\ndef test_b(): time.sleep(600)\n"
    tree = write_project(tmp_path, {"test_a.py": text})
    run = run_tests(pytest_command(), tree, isolation, Limits(wall_seconds=4.0))
    assert run.status is RunStatus.TIMEOUT
    assert outcomes(run) == {"test_a": TestOutcome.PASSED, "test_b": TestOutcome.ABSENT}


def test_bare_pytest_does_not_add_the_tree_to_the_path_and_python_m_does(
    tmp_path, isolation
) -> None:
    text = "import sys, os\ndef test_a(): assert os.path.dirname(os.getcwd() + '/x') in sys.path\n"
    tree = write_project(tmp_path, {"tests/test_a.py": text})
    assert run_tests(pytest_command(), tree, isolation, LIMITS).passed
    bare = TestCommand(("pytest",), Path(sys.executable), ())
    assert run_tests(bare, tree, isolation, LIMITS).failed


def test_clock_locale_and_hash_seed_are_fixed(tmp_path, isolation) -> None:
    text = """
        import locale, os, sys, time
        def test_a():
            assert time.tzname[0] == "UTC" and sys.flags.hash_randomization == 0
            assert os.environ["LC_ALL"] == "C.UTF-8" and sys.dont_write_bytecode
    """
    tree = write_project(tmp_path, {"test_a.py": text})
    assert run_tests(pytest_command(), tree, isolation, LIMITS).passed


def test_files_of_the_tree_cannot_stand_in_for_the_standard_library(tmp_path, isolation) -> None:
    evil = "raise SystemExit('shadowed')"
    tree = write_project(tmp_path, {"json.py": evil, "types.py": evil, "test_a.py": MIXED})
    run = run_tests(pytest_command(), tree, isolation, LIMITS, select=["test_a.py::test_good"])
    assert run.passed == ("test_a.py::test_good",)


def test_the_real_sandbox_gives_the_same_answers(tmp_path, sandbox) -> None:
    tree = write_project(tmp_path / "tree", {"test_a.py": MIXED})
    run = run_tests(pytest_command(), tree, sandbox, LIMITS)
    assert run.status is RunStatus.COMPLETED
    assert outcomes(run)["test_good"] is TestOutcome.PASSED
    assert len(run.results) == 11


def test_an_endless_test_is_ended_alone_and_the_others_are_reported(tmp_path, isolation) -> None:
    tree = write_project(
        tmp_path / "project",
        {
            "test_it.py": """
                import time

                def test_first(): assert True

                def test_endless():
                    while True:
                        try:
                            sum(range(1000))
                        except Exception:
                            pass

                def test_again():
                    while True: pass

                def test_asleep(): time.sleep(600)

                def test_last(): assert True
                """,
        },
    )
    limits = replace(LIMITS, one_test_seconds=1.0)
    run = run_tests(pytest_command("-q"), tree, isolation, limits)
    outcomes = {result.test_id.split("::")[1]: result.outcome.value for result in run.results}
    assert outcomes == {
        "test_first": "passed",
        "test_endless": "failed",
        "test_again": "failed",
        "test_asleep": "failed",
        "test_last": "passed",
    }
    assert run.status is RunStatus.COMPLETED
    assert any("ran longer than" in result.detail for result in run.results)
