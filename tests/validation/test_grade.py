from __future__ import annotations

import pytest

from clean_room_agent.records.attempt import TestOutcome, ValidationVerdict
from clean_room_agent.validation.grade import Expectations, grade
from clean_room_agent.validation.screen import screen_replacements
from tests.support.small_projects import LIMITS, apply, candidate, pytest_command, write_project

TESTS = """
    from lib import total
    def test_sum(): assert total([1, 2]) == 3
    def test_empty(): assert total([]) == 0
"""
EXPECTED = Expectations(("test_sum.py::test_sum",), ("test_sum.py::test_empty",), ("given",))


@pytest.mark.parametrize(
    ("lib", "verdict", "reason"),
    [
        ("def total(xs): return sum(xs)", ValidationVerdict.SOLVED, ""),
        (
            "def total(xs): return 0",
            ValidationVerdict.NOT_SOLVED,
            "test_sum.py::test_sum is failed",
        ),
        ("def total(xs): return 3", ValidationVerdict.NOT_SOLVED, "test_empty is failed"),
        ("raise ValueError", ValidationVerdict.NOT_SOLVED, "absent and 1 more"),
    ],
    ids=["solved", "not-fixed", "broke", "import-error"],
)
def test_verdicts(tmp_path, isolation, lib, verdict, reason) -> None:
    tree = write_project(tmp_path, {"test_sum.py": TESTS, "lib.py": lib})
    graded = grade(pytest_command(), tree, isolation, EXPECTED, LIMITS)
    assert graded.verdict is verdict
    assert reason in graded.reason
    assert graded.flags == ("given",)
    assert set(graded.pass_to_pass) == {"test_sum.py::test_empty"}


def test_runs_that_disagree_are_flaky(tmp_path, isolation) -> None:
    mark = tmp_path.parent / f"{tmp_path.name}-mark"
    text = f"""
        import os
        def total(xs):
            if not xs: return 0
            if os.path.exists({str(mark)!r}): return 1
            open({str(mark)!r}, "w").close()
            return 3
    """
    tree = write_project(tmp_path, {"test_sum.py": TESTS, "lib.py": text})
    graded = grade(pytest_command(), tree, isolation, EXPECTED, LIMITS)
    assert graded.verdict is ValidationVerdict.FLAKY
    mark.unlink()


def test_nothing_expected_cannot_be_graded(tmp_path, isolation) -> None:
    with pytest.raises(ValueError, match="nothing"):
        grade(pytest_command(), tmp_path, isolation, Expectations(()), LIMITS)


def test_an_unknown_id_is_absent(tmp_path, isolation) -> None:
    tree = write_project(
        tmp_path, {"test_sum.py": TESTS, "lib.py": "def total(xs): return sum(xs)"}
    )
    graded = grade(pytest_command(), tree, isolation, Expectations(("test_sum.py::nope",)), LIMITS)
    assert graded.fail_to_pass == {"test_sum.py::nope": TestOutcome.ABSENT}


@pytest.mark.reliability(case=45)
def test_an_edited_test_wins_only_where_the_edited_tree_itself_is_graded(
    tmp_path, isolation
) -> None:
    files = {
        "calc.py": "def add(a, b): return a - b\n",
        "test_calc.py": "from calc import add\n\ndef test_add(): assert add(1, 1) == 2\n",
    }
    base = write_project(tmp_path / "base", files)
    cheat = candidate(base, "test_calc.py", "assert add(1, 1) == 2", "assert True")
    expected = Expectations(("test_calc.py::test_add",))
    # The attack works where the tree of the attempt is graded as it is.
    attempt = write_project(tmp_path / "attempt", files)
    apply(attempt, cheat)
    won = grade(pytest_command("-q"), attempt, isolation, expected, LIMITS)
    assert won.verdict is ValidationVerdict.SOLVED
    # A fresh tree gets only what the screen accepts: nothing of it.
    accepted, flags = screen_replacements(cheat.replacements)
    assert accepted == ()
    assert any("test_calc.py" in flag for flag in flags)
    fresh = grade(pytest_command("-q"), base, isolation, expected, LIMITS)
    assert fresh.verdict is ValidationVerdict.NOT_SOLVED
