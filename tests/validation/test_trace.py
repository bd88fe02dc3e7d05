from __future__ import annotations

import time

from clean_room_agent.validation.trace import COLLECTION, TraceTargets, trace_tests
from tests.support.small_projects import LIMITS, pytest_command, write_project

LIB = """
    LIMIT = 3

    def clip(x):
        if x > LIMIT:
            return LIMIT
        return x

    def endless(x):
        while x:
            x += 1

    def spin():
        return sum(iter(int, 1))
"""
TESTS = """
    import pytest
    from lib import clip, endless, spin
    def test_high(): assert clip(5) == 4
    def test_low(): assert clip(1) == 1
    def test_endless(): endless(1)
    def test_spin(): spin()
    @pytest.fixture
    def value(): return 2
    def test_fixture(value): assert clip(value) == 2
"""
FILES = {"lib.py": LIB, "tests/test_lib.py": TESTS, "pytest.ini": "[pytest]\npythonpath = .\n"}


def trace(tree, isolation, failing, passing=(), **caps):
    targets = TraceTargets(tuple(failing), tuple(passing), **caps)
    return trace_tests(pytest_command(), tree, isolation, targets, LIMITS)


def name(test: str) -> str:
    return f"tests/test_lib.py::{test}"


def test_each_line_knows_the_tests_that_ran_it(tmp_path, isolation) -> None:
    tree = write_project(tmp_path, FILES)
    passing = [name("test_low"), name("test_fixture")]
    spectrum = trace(tree, isolation, [name("test_high")], passing)
    lines = spectrum.lines["lib.py"]
    assert spectrum.complete
    assert spectrum.failing == (name("test_high"),)
    assert set(spectrum.passing) == set(passing)
    assert lines[4] == {name("test_high"), *passing}
    assert lines[5] == {name("test_high")}
    assert lines[6] == set(passing)
    assert 1 not in lines  # ran at import, which belongs to no test
    assert all(not path.startswith("/") for path in spectrum.lines)


def test_an_endless_failing_test_gives_a_partial_trace(tmp_path, isolation) -> None:
    tree = write_project(tmp_path, FILES)
    begin = time.monotonic()
    failing = [name("test_endless"), name("test_spin")]
    spectrum = trace(tree, isolation, failing, [name("test_low")], cpu_seconds=0.5, events=1000)
    assert time.monotonic() - begin < 20
    assert not spectrum.complete
    assert name("test_endless") in spectrum.lines["lib.py"][10]
    assert spectrum.passing == (name("test_low"),)


def test_passing_tests_stop_when_the_time_is_up(tmp_path, isolation) -> None:
    slow = "import time\n" + "".join(f"def test_{i}(): time.sleep(1)\n" for i in range(3))
    files = {f"tests/test_s{i}.py": slow for i in range(4)}
    tree = write_project(tmp_path, {**FILES, **files})
    passing = [f"tests/test_s{i}.py::test_{k}" for i in range(4) for k in range(3)]
    spectrum = trace(tree, isolation, [name("test_high")], passing, seconds=2.0)
    assert spectrum.failing == (name("test_high"),)
    assert len(spectrum.passing) < 12
    assert not spectrum.complete


def test_tests_near_the_failing_one_are_traced_first(tmp_path, isolation) -> None:
    near = "from lib import clip\ndef test_near(): assert clip(2) == 2\n"
    far = "def test_far(): pass\n"
    files = {"tests/test_a.py": far, "tests/test_z.py": near}
    tree = write_project(tmp_path, {**FILES, **files})
    passing = ["tests/test_a.py::test_far", "tests/test_z.py::test_near", name("test_low")]
    spectrum = trace(tree, isolation, [name("test_high")], passing)
    assert spectrum.passing == (passing[2], passing[1], passing[0])


def test_lines_of_collection_are_given_when_a_failing_test_is_not_collected(
    tmp_path, isolation
) -> None:
    lib = "def make():\n    return 1 / 0\nVALUE = make()\n"
    tree = write_project(tmp_path, {"lib.py": lib, "test_a.py": "import lib\ndef test_a(): pass\n"})
    spectrum = trace(tree, isolation, ["test_a.py::test_a"])
    assert spectrum.failing == (COLLECTION,)
    assert set(spectrum.lines["lib.py"]) == {1, 2, 3}


def test_tracing_works_in_the_real_sandbox(tmp_path, sandbox) -> None:
    tree = write_project(tmp_path / "tree", FILES)
    spectrum = trace(tree, sandbox, [name("test_high")], [name("test_low")])
    assert spectrum.lines["lib.py"][5] == {name("test_high")}
