from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pytest

from clean_room_agent.records.attempt import PatchCandidate, TrialOutcome
from clean_room_agent.validation.warm import WarmRunner, WarmSettings
from tests.support.small_projects import LIMITS, candidate, pytest_command, write_project

PLAUSIBLE, FAILED, BROKE = TrialOutcome.PLAUSIBLE, TrialOutcome.FAILED, TrialOutcome.BROKE
TIMEOUT, CRASHED, INVALID = TrialOutcome.TIMEOUT, TrialOutcome.CRASHED, TrialOutcome.INVALID


@pytest.fixture(params=["fork", "auto"])
def mode(request) -> str:
    return request.param


def open_runner(tree, isolation, failing, passing=(), mode="auto", **named) -> WarmRunner:
    settings = WarmSettings(
        tuple(f"test_a.py::{t}" for t in failing),
        tuple(f"test_a.py::{t}" for t in passing),
        mode=mode,
        **named,
    )
    return WarmRunner(pytest_command(), tree, isolation, settings, LIMITS)


def outcomes(runner: WarmRunner, candidates: list[PatchCandidate]) -> list[TrialOutcome]:
    """The last outcome of each candidate; its trials may end in any order."""
    counted = itertools.count()
    named = [replace(c, normal_form=f"{next(counted)} {c.normal_form}") for c in candidates]
    last = {c.candidate_id: trial.outcome for c, trial in runner.try_candidates(named)}
    return [last[c.candidate_id] for c in named]


CLIP = "def clip(x):\n    return x + 1\n"
CLIP_TESTS = """
    from lib import clip
    def test_high(): assert clip(5) == 3
    def test_low(): assert clip(1) == 2
"""


def clip_project(tmp_path, tests=CLIP_TESTS, lib=CLIP):
    return write_project(tmp_path / "tree", {"lib.py": lib, "test_a.py": tests})


def test_each_outcome_on_a_plain_function(tmp_path, isolation, mode) -> None:
    tree = clip_project(tmp_path)
    bodies = {
        "return min(x + 1, 3)": PLAUSIBLE,
        "return 3": BROKE,
        "return x": FAILED,
        "return (": INVALID,
        "while True: pass": TIMEOUT,
        "for _ in iter(int, 1): pass": TIMEOUT,
        "return clip(x)": FAILED,
        "import sys; sys.exit(0)": FAILED,
        "import os; os._exit(0)": CRASHED,
        "import os; os.kill(os.getpid(), 11)": CRASHED,
        "raise KeyboardInterrupt": FAILED,
        "import pytest; pytest.exit('x')": FAILED,
        "import pytest; pytest.skip('x')": FAILED,
        "print('x' * 10**6); return min(x + 1, 3)": PLAUSIBLE,
        "open('/dev/tty')": FAILED,
    }
    tried = [candidate(tree, "lib.py", "return x + 1", body) for body in bodies]
    with open_runner(tree, isolation, ["test_high"], ["test_low"], mode) as runner:
        found = list(runner.try_candidates(tried))
        assert runner.cold_trials == 0
        assert runner.state.batch is (mode == "auto")
    assert len(found) == len(tried)
    trials = {c.candidate_id: trial for c, trial in found}
    assert all(candidate_id == trial.candidate_id for candidate_id, trial in trials.items())
    ordered = [trials[c.candidate_id] for c in tried]
    assert dict(zip(bodies, (trial.outcome for trial in ordered), strict=True)) == bodies
    assert ordered[1].test_id == "test_a.py::test_low"


def test_loops_that_swallow_everything_are_ended(tmp_path, isolation, mode) -> None:
    tree = clip_project(tmp_path)
    body = "\n    while True:\n        try: x += 1\n        except BaseException: pass\n"
    swallow = "\n    while True:\n        try:\n            while True: x += 1\n"
    swallow += "        except BaseException: pass\n"
    tried = [candidate(tree, "lib.py", "return x + 1", text) for text in (body, swallow)]
    with open_runner(tree, isolation, ["test_high"], ["test_low"], mode) as runner:
        assert outcomes(runner, tried) == [TIMEOUT, TIMEOUT]


def test_loops_in_c_and_sleeps_are_ended_by_timers(tmp_path, isolation, mode) -> None:
    tree = clip_project(tmp_path)
    bodies = ["return sum(iter(int, 1))", "return 7**7**9", "import time; time.sleep(99)"]
    tried = [candidate(tree, "lib.py", "return x + 1", body) for body in bodies]
    begin = time.monotonic()
    with open_runner(
        tree, isolation, ["test_high"], ["test_low"], mode, patient_seconds=0.0
    ) as runner:
        assert outcomes(runner, tried) == [TIMEOUT] * 3
    assert time.monotonic() - begin < 25


def test_runaway_memory_is_bounded(tmp_path, isolation, mode) -> None:
    tree = clip_project(tmp_path)
    bodies = ["return [0] * 10**10", "return bytearray(1 << 34)", "return min(x + 1, 3)"]
    tried = [candidate(tree, "lib.py", "return x + 1", body) for body in bodies]
    with open_runner(tree, isolation, ["test_high"], ["test_low"], mode) as runner:
        assert outcomes(runner, tried) == [FAILED, FAILED, PLAUSIBLE]


def test_a_test_that_never_ends_in_the_base_can_be_repaired(tmp_path, isolation, mode) -> None:
    lib = "def down(n):\n    while n != 0:\n        n -= 2\n    return n\n"
    tests = "from lib import down\ndef test_a(): assert down(3) == 0\n"
    tests += "def test_b(): assert down(4) == 0\n"
    tree = clip_project(tmp_path, tests, lib)
    tried = [candidate(tree, "lib.py", "n -= 2", text) for text in ("n -= 1", "n -= 3", "n -= 4")]
    with open_runner(tree, isolation, ["test_a"], ["test_b"], mode) as runner:
        assert outcomes(runner, tried) == [PLAUSIBLE, TIMEOUT, TIMEOUT]


VARIETY = """
    import functools
    LIMIT = 3
    TABLE = {"a": 1}

    def parametrised(xs):
        xs.append(1)
        return len(xs) + 1

    def generate(n):
        for i in range(n):
            yield i + 1

    def outer(n):
        base = 1
        def inner(x):
            return x + base + 1
        return inner(n)

    def make_adder(n):
        def add(x):
            return x - n
        return add

    add_two = make_adder(2)

    def default(x, step=2):
        return x + step

    def limited(x):
        return min(x, LIMIT)

    def twice(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args) * 2
        return wrapper

    @twice
    def decorated(x):
        return x + 1

    @functools.lru_cache(maxsize=None)
    def cached(x):
        return x + 1

    class Base:
        def greet(self): return "hi"

    class Box(Base):
        size = 2
        def __init__(self, n): self.__n = n
        def method(self): return self.__n + 1
        @property
        def prop(self): return self.__n + 10
        @staticmethod
        def static(x): return x + 20
        @classmethod
        def make(cls, n): return cls(n + 30)
        def greet(self): return super().greet() + "?"
        def sized(self): return self.size

    async def later(x):
        return x + 40
"""
VARIETY_TESTS = """
    import asyncio
    import unittest
    import pytest
    import lib
    from lib import *
    from lib import parametrised as alias

    @pytest.mark.parametrize("xs, n", [([], 1), ([0], 2)])
    def test_parametrised(xs, n): assert alias(xs) == n
    def test_generate(): assert list(generate(2)) == [0, 1]
    def test_outer(): assert outer(1) == 2
    def test_closure(): assert add_two(1) == 3
    def test_default(): assert default(1) == 2
    def test_limited(): assert limited(9) == 4
    def test_decorated(): assert decorated(1) == 2
    def test_cached(): assert cached(1) == 1
    def test_later(): assert asyncio.run(later(0)) == 0

    @pytest.fixture
    def box(): return Box(0)
    def test_fixture(box): assert box.method() == 0
    def test_tmp(tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(lib, "LIMIT", 7)
        print("x")
        assert capsys.readouterr().out == "x\\n"
        assert limited(9) == 8

    class TestBox:
        def setup_method(self, method): self.box = Box(0)
        def test_prop(self): assert self.box.prop == 0
        def test_static(self): assert Box.static(0) == 0
        @pytest.mark.parametrize("n", [1])
        def test_make(self, n): assert Box.make(0).method() == n
        def test_greet(self): assert self.box.greet() == "hi!"
        def test_sized(self): assert self.box.sized() == 1

    class TestUnit(unittest.TestCase):
        def setUp(self): self.box = Box(0)
        def test_unit(self): self.assertEqual(self.box.method(), 0)

    def setup_function(function): pass
    def test_with_setup(): assert outer(1) == 2
"""
CASES = [
    (("test_parametrised[xs0-1]", "test_parametrised[xs1-2]"), "len(xs) + 1", "len(xs)", 0),
    (("test_generate",), "yield i + 1", "yield i", 0),
    (("test_outer", "test_with_setup"), "x + base + 1", "x + base", 0),
    (("test_closure",), "return x - n", "return x + n", 0),
    (("test_default",), "step=2", "step=1", 1),
    (("test_limited",), "LIMIT = 3", "LIMIT = 4", 1),
    (("test_limited",), "min(x, LIMIT)", "min(x, LIMIT + 1)", 0),
    (("test_decorated",), "    @twice\n".strip(), "@functools.cache", 1),
    (("test_decorated",), "* 2", "* 1", 0),
    (("test_cached",), "@functools.lru_cache(maxsize=None)", "@(lambda f: lambda x: x)", 1),
    (("test_later",), "return x + 40", "return x", 0),
    (("test_fixture", "TestUnit::test_unit"), "self.__n + 1\n", "self.__n\n", 0),
    (("test_tmp",), "min(x, LIMIT)", "min(x, LIMIT) + 1", 0),
    (("TestBox::test_prop",), "self.__n + 10", "self.__n", 0),
    (("TestBox::test_static",), "x + 20", "x", 0),
    (("TestBox::test_make[1]",), "cls(n + 30)", "cls(n)", 0),
    (("TestBox::test_greet",), '"?"', '"!"', 0),
    (("TestBox::test_greet",), 'super().greet() + "?"', '"hi!"', 1),
    (("TestBox::test_sized",), "size = 2", "size = 1", 1),
]


@pytest.mark.parametrize(
    ("failing", "old", "new", "cold"), CASES, ids=[f"{c[0][0]}-{i}" for i, c in enumerate(CASES)]
)
def test_kinds_of_tests_and_changes(tmp_path, isolation, failing, old, new, cold) -> None:
    tree = clip_project(tmp_path, VARIETY_TESTS, VARIETY)
    good = candidate(tree, "lib.py", old, new)
    with open_runner(tree, isolation, failing) as runner:
        assert runner.state.excluded == ()
        assert outcomes(runner, [good]) == [PLAUSIBLE]
        assert runner.cold_trials == cold


def test_only_tests_with_fixtures_need_pytest_itself(tmp_path, isolation) -> None:
    tests = VARIETY_TESTS.replace("def setup_function(function): pass", "")
    tree = clip_project(tmp_path, tests, VARIETY)
    failing = ("test_fixture", "test_outer", "TestBox::test_make[1]", "TestUnit::test_unit")
    with open_runner(tree, isolation, failing) as runner:
        assert runner.state.by_pytest == ("test_a.py::test_fixture",)


def test_shared_state_between_tests_keeps_file_order(tmp_path, isolation, mode) -> None:
    lib = "def put(xs, x):\n    xs.insert(0, x)\n    return xs\n"
    tests = """
        from lib import put
        LOG = []
        def test_first(): assert put(LOG, 1) == [1]
        def test_second(): assert put(LOG, 2) == [1, 2]
        def test_third(): assert LOG[-1] != 9
    """
    tree = clip_project(tmp_path, tests, lib)
    good = candidate(tree, "lib.py", "xs.insert(0, x)", "xs.append(x)")
    bad = candidate(tree, "lib.py", "xs.insert(0, x)", "xs.append(x + 1)")
    with open_runner(
        tree, isolation, ["test_second"], ["test_first", "test_third"], mode
    ) as runner:
        assert runner.state.excluded == ()
        assert not runner.state.batch  # the second round in one process differs
        assert outcomes(runner, [bad, good, bad, good]) == [BROKE, PLAUSIBLE, BROKE, PLAUSIBLE]


def test_pollution_by_a_candidate_does_not_reach_its_neighbours(tmp_path, isolation) -> None:
    lib = "SEEN = []\ndef look(x):\n    return x + 1 + len(SEEN)\n"
    tests = "from lib import look\ndef test_a(): assert look(1) == 1\n"
    tests += "def test_b(): assert look(-1) in (0, -1)\n"
    tree = clip_project(tmp_path, tests, lib)
    dirty = "SEEN.append(1); return 0"
    good = candidate(tree, "lib.py", "return x + 1 + len(SEEN)", "return x + len(SEEN)")
    evil = candidate(tree, "lib.py", "return x + 1 + len(SEEN)", dirty)
    with open_runner(tree, isolation, ["test_a"], ["test_b"]) as runner:
        assert runner.state.batch
        found = outcomes(runner, [evil, good] * 20)
    assert found == [FAILED, PLAUSIBLE] * 20


def test_results_cached_by_one_candidate_are_not_seen_by_the_next(tmp_path, isolation) -> None:
    lib = "import functools\n@functools.lru_cache\ndef f(x):\n    return x + 1\n"
    tests = "from lib import f\ndef test_a(): assert f(1) == 1\n"
    tree = clip_project(tmp_path, tests, lib)
    tried = [candidate(tree, "lib.py", "x + 1", text) for text in ("x - 1", "x", "x * 3")]
    with open_runner(tree, isolation, ["test_a"]) as runner:
        assert runner.state.batch
        assert outcomes(runner, tried) == [FAILED, PLAUSIBLE, FAILED]


MAKE = "def make():\n    return [1]\nTABLE = make()\n"


def test_a_function_that_ran_at_import_is_tried_warm_and_then_imported(tmp_path, isolation) -> None:
    tests = "from lib import TABLE\ndef test_a(): assert TABLE == [2]\n"
    tree = clip_project(tmp_path, tests, MAKE)
    with open_runner(tree, isolation, ["test_a"]) as runner:
        tried = [candidate(tree, "lib.py", "[1]", text) for text in ("[2]", "[3]", "[2", "exit()")]
        found = list(runner.try_candidates(tried))
        assert runner.cold_trials == 3
    first, again = found[:4], found[4:]
    assert sorted(c.summary for c, _ in first) == sorted(c.summary for c in tried)
    assert {c.summary: t.outcome for c, t in first} == {
        tried[0].summary: FAILED,  # what is in TABLE stays as it was
        tried[1].summary: FAILED,
        tried[2].summary: INVALID,
        tried[3].summary: FAILED,
    }
    assert {c.summary: t.outcome for c, t in again} == {
        tried[0].summary: PLAUSIBLE,
        tried[1].summary: FAILED,
        tried[3].summary: FAILED,
    }


def test_what_is_plausible_warm_is_confirmed_where_import_may_matter(tmp_path, isolation) -> None:
    lib = MAKE.replace("[1]", "[1, 2]") + "def first():\n    return make()[0]\n"
    tests = "import lib\ndef test_a(): assert lib.first() == 2\n"
    tests += "def test_b(): assert len(lib.TABLE) == 2\n"
    tree = clip_project(tmp_path, tests, lib)
    good, bad = (candidate(tree, "lib.py", "[1, 2]", text) for text in ("[2, 1]", "[2]"))
    with open_runner(tree, isolation, ["test_a"], ["test_b"]) as runner:
        found = [(c.summary, t.outcome) for c, t in runner.try_candidates([bad, good])]
        assert runner.cold_trials == 2
    assert found == [(bad.summary, BROKE), (good.summary, PLAUSIBLE)]


def test_endless_loops_at_import_and_in_cold_trials_end_quickly(tmp_path, isolation) -> None:
    lib = "N = 2\ndef clip(x):\n    while x > N + 1:\n        x -= 1\n    return x + 1\n"
    lib += "TOP = clip(N)\n"
    tests = CLIP_TESTS + "    def test_top(): assert __import__('lib').TOP == 3\n"
    tree = clip_project(tmp_path, tests, lib)
    texts = ["N = float('-inf')", "N = -10**9", "N = 1"]
    tried = [candidate(tree, "lib.py", "N = 2", text) for text in texts]
    with open_runner(tree, isolation, ["test_high"], ["test_low"]) as runner:
        list(runner.try_candidates(tried[-1:]))  # the cold process is up
        begin = time.monotonic()
        found = {c.summary: t.outcome for c, t in runner.try_candidates(tried)}
        assert time.monotonic() - begin < 5
    assert list(found.values()) == [TIMEOUT, TIMEOUT, PLAUSIBLE]


def test_what_was_under_way_for_a_caller_who_stopped_is_not_answered(tmp_path, isolation) -> None:
    tree = clip_project(tmp_path, "from lib import A\ndef test_a(): assert A == 3\n", "A = 1\n")
    tried = [candidate(tree, "lib.py", "A = 1", f"A = {n}") for n in range(1, 60)]
    good = candidate(tree, "lib.py", "A = 1", "A = 2 + 1")
    with open_runner(tree, isolation, ["test_a"]) as runner:
        for _ in runner.try_candidates(tried):
            break
        assert outcomes(runner, [good]) == [PLAUSIBLE]
        assert runner.cold_trials < 8


def test_a_conftest_that_imports_the_project_is_started_anew_each_time(tmp_path, isolation) -> None:
    tree = write_project(
        tmp_path / "tree",
        {
            "lib.py": "A = 1\n",
            "conftest.py": "import lib, pytest\n@pytest.fixture\ndef a(): return lib.A\n",
            "test_a.py": "def test_a(a): assert a == 2\n",
        },
    )
    tried = [candidate(tree, "lib.py", "A = 1", text) for text in ("A = 2", "A = 3")]
    with open_runner(tree, isolation, ["test_a"]) as runner:
        assert outcomes(runner, tried) == [PLAUSIBLE, FAILED]


def test_only_passing_tests_that_cover_the_edited_file_are_asked(tmp_path, isolation, mode) -> None:
    files = {"lib.py": CLIP, "more.py": "def cap():\n    return 9\n"}
    tests = """
        import lib, more
        def test_high(): assert lib.clip(5) == 3
        def test_low(): assert lib.clip(1) == 2
        def test_cap(): assert more.cap() == 9 and lib.clip(0) == 1
    """
    tree = write_project(tmp_path / "tree", {**files, "test_a.py": tests})
    low, cap = "test_a.py::test_low", "test_a.py::test_cap"
    coverage = {"lib.py": [low], "more.py": [cap]}
    one = candidate(tree, "lib.py", "return x + 1", "return min(x + 1, 3) if x else 0")
    two = candidate(tree, "more.py", "9", "8")
    both = PatchCandidate(one.replacements + two.replacements, "t", "s", 1, 1.0, 1.0, "both")
    named = {"passing": ["test_low", "test_cap"], "mode": mode}
    with open_runner(tree, isolation, ["test_high"], coverage=coverage, **named) as runner:
        assert outcomes(runner, [one, both]) == [PLAUSIBLE, BROKE]
    with open_runner(tree, isolation, ["test_high"], **named) as runner:
        assert outcomes(runner, [one]) == [BROKE]


def test_a_failing_test_that_is_not_collected_can_be_repaired(tmp_path, isolation) -> None:
    lib = "def make():\n    return 1 / 0\nVALUE = make()\n"
    tests = "from lib import VALUE\ndef test_a(): assert VALUE == 1\n"
    tree = clip_project(tmp_path, tests, lib)
    with open_runner(tree, isolation, ["test_a"]) as runner:
        assert runner.state.missing == ("test_a.py::test_a",)
        tried = [candidate(tree, "lib.py", "1 / 0", text) for text in ("1 / 1", "2", "while")]
        assert outcomes(runner, tried) == [PLAUSIBLE, FAILED, INVALID]


def test_a_stale_candidate_is_invalid(tmp_path, isolation) -> None:
    tree = clip_project(tmp_path)
    stale = candidate(tree, "lib.py", "return x + 1", "return 3")
    (tree / "lib.py").write_text(CLIP + "# changed\n")
    with open_runner(tree, isolation, ["test_high"], ["test_low"]) as runner:
        assert outcomes(runner, [stale]) == [INVALID]


def test_tests_that_do_not_behave_as_told_are_left_out_and_named(tmp_path, isolation) -> None:
    tree = clip_project(tmp_path)
    with open_runner(tree, isolation, ["test_high"], ["test_low", "test_gone"]) as runner:
        assert runner.state.excluded == ("test_a.py::test_gone",)
    with open_runner(tree, isolation, ["test_high", "test_low"]) as runner:
        assert runner.state.excluded == ("test_a.py::test_low",)


def test_candidates_are_pulled_lazily_and_the_caller_may_stop(tmp_path, isolation) -> None:
    tree = clip_project(tmp_path)
    pulled = []

    def endless():
        while True:
            pulled.append(1)
            text = f"return {len(pulled)} - 17"
            yield candidate(tree, "lib.py", "return x + 1", text)

    with open_runner(tree, isolation, ["test_high"]) as runner:
        found = next(c for c, t in runner.try_candidates(endless()) if t.outcome is PLAUSIBLE)
        assert found.replacements[0].new_bytes == b"return 20 - 17"
        assert len(pulled) < 200
        again = candidate(tree, "lib.py", "return x + 1", "return 3")
        assert outcomes(runner, [again]) == [PLAUSIBLE]


def test_a_dead_server_is_started_again(tmp_path, isolation) -> None:
    tree = clip_project(tmp_path)
    killer = "import os; os.kill(os.getppid(), 9); return 0"
    texts = ["return 0", killer, "return 3", "return 1"]
    tried = [candidate(tree, "lib.py", "return x + 1", text) for text in texts]
    with open_runner(tree, isolation, ["test_high"]) as runner:
        assert outcomes(runner, tried) == [FAILED, CRASHED, PLAUSIBLE, FAILED]
        assert runner.restarts == 2  # once in a batch, once alone: now the culprit is known


def test_two_files_change_together(tmp_path, isolation) -> None:
    files = {"lib.py": CLIP, "more.py": "def cap():\n    return 9\n"}
    tests = """
        import lib, more
        def test_high(): assert min(lib.clip(5), more.cap()) == 4
        def test_other(): pass
    """
    tree = write_project(tmp_path / "tree", {**files, "test_a.py": tests})
    one = candidate(tree, "lib.py", "return x + 1", "return x")
    two = candidate(tree, "more.py", "9", "4")
    both = PatchCandidate(one.replacements + two.replacements, "t", "s", 1, 1.0, 1.0, "both")
    with open_runner(tree, isolation, ["test_high"]) as runner:
        assert outcomes(runner, [one, both]) == [FAILED, PLAUSIBLE]
        assert runner.cold_trials == 0


def test_the_real_sandbox_tries_candidates_of_both_kinds(tmp_path, sandbox) -> None:
    tree = clip_project(tmp_path, VARIETY_TESTS, VARIETY)
    tried = [
        candidate(tree, "lib.py", "min(x, LIMIT)", "min(x, LIMIT + 1)"),
        candidate(tree, "lib.py", "LIMIT = 3", "LIMIT = 4"),
        candidate(tree, "lib.py", "LIMIT = 3", "LIMIT = 5"),
    ]
    with open_runner(tree, sandbox, ["test_limited"]) as runner:
        assert outcomes(runner, tried) == [PLAUSIBLE, PLAUSIBLE, FAILED]
    assert (tree / "lib.py").read_text().count("LIMIT = 3") == 1
