from __future__ import annotations

import pytest

from clean_room_agent.records.attempt import TestOutcome, ValidationVerdict
from clean_room_agent.validation.grade import Expectations, grade
from tests.support.small_projects import LIMITS, pytest_command, write_project

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
