"""Candidates tried per second: plain pytest, a fork each, and batches, side by side in one run.

    python benchmarks/candidates.py [--count N] [--local]

Every way gets the same candidates for the same small pure-Python project, one in forty of which
loops for ever. `--local` leaves the sandbox out. The target is 150 a second on one core; all ways
are pinned to one CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clean_room_agent.records.attempt import PatchCandidate, TrialOutcome
from clean_room_agent.records.task import Limits
from clean_room_agent.validation.isolation import Isolation
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.warm import WarmRunner, WarmSettings
from tests.support.isolation import LocalIsolation, SandboxIsolation
from tests.support.small_projects import apply, candidate, pytest_command, write_project

LIB = """
    def clamp(x, low, high):
        if x < low:
            return low
        if x > high:
            return low
        return x

    def gcd(a, b):
        while b:
            a, b = b, a % b
        return a

    def flatten(items):
        out = []
        for item in items:
            if isinstance(item, list):
                out.extend(flatten(item))
            else:
                out.append(item)
        return out
"""
TESTS = """
    import pytest
    from lib import clamp, flatten, gcd

    @pytest.mark.parametrize("x, out", [(5, 3), (9, 3)])
    def test_high(x, out): assert clamp(x, 0, 3) == out
    @pytest.mark.parametrize("x, out", [(-1, 0), (2, 2), (0, 0)])
    def test_low(x, out): assert clamp(x, 0, 3) == out
    @pytest.mark.parametrize("a, b, out", [(12, 8, 4), (7, 3, 1), (5, 0, 5)])
    def test_gcd(a, b, out): assert gcd(a, b) == out
    def test_flatten(): assert flatten([1, [2, [3]]]) == [1, 2, 3]
"""
FAILING = ("test_lib.py::test_high[5-3]", "test_lib.py::test_high[9-3]")
PASSING = (
    *(f"test_lib.py::test_low[{x}]" for x in ("-1-0", "2-2", "0-0")),
    *(f"test_lib.py::test_gcd[{x}]" for x in ("12-8-4", "7-3-1", "5-0-5")),
    "test_lib.py::test_flatten",
)
LIMITS = Limits(wall_seconds=600.0)


def candidates(tree: Path, count: int) -> Iterator[PatchCandidate]:
    """Wrong constants, wrong names, right answers, broken neighbours and endless loops in turn."""
    for number in range(count):
        kind = number % 40
        if kind == 0:
            yield candidate(
                tree, "lib.py", "if x > high:", f"while x > {number % 5}: pass\n    if x:"
            )
        elif kind == 20:
            yield candidate(
                tree, "lib.py", "x > high:\n        return low", f"x > {3}:\n        return high"
            )
        elif kind == 30:
            yield candidate(tree, "lib.py", "return x\n", f"return x + {number}\n")
        else:
            yield candidate(tree, "lib.py", "if x > high", f"if x > high - {number}")


def measure_warm(
    tree: Path, isolation: Isolation, mode: str, tried: list[PatchCandidate]
) -> dict[str, object]:
    settings = WarmSettings(FAILING, PASSING, mode=mode)
    with WarmRunner(pytest_command(), tree, isolation, settings, LIMITS) as runner:
        begin = time.perf_counter()
        outcomes = [trial.outcome for _, trial in runner.try_candidates(tried)]
        seconds = time.perf_counter() - begin
        state = runner.state
    assert state is not None
    tally = {kind.value: outcomes.count(kind) for kind in TrialOutcome if kind in outcomes}
    return {
        "way": "batch" if state.batch else "fork each",
        "candidates": len(tried),
        "seconds": round(seconds, 3),
        "per_second": round(len(tried) / seconds, 1),
        "start_seconds": round(state.start_seconds, 3),
        "outcomes": tally,
    }


def measure_plain(
    tree: Path, isolation: Isolation, tried: list[PatchCandidate]
) -> dict[str, object]:
    """One process and one fresh tree per candidate, as grading does."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        for number, one in enumerate(tried):
            work = Path(scratch) / str(number)
            shutil.copytree(tree, work)
            apply(work, one)
            run_tests(pytest_command(), work, isolation, LIMITS, select=(*FAILING, *PASSING))
    seconds = time.perf_counter() - begin
    rate = round(len(tried) / seconds, 2)
    return {
        "way": "plain pytest",
        "candidates": len(tried),
        "seconds": round(seconds, 3),
        "per_second": rate,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--local", action="store_true", help="no sandbox, plain processes")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as scratch:
        tree = write_project(Path(scratch) / "tree", {"lib.py": LIB, "test_lib.py": TESTS})
        isolation = LocalIsolation() if given.local else SandboxIsolation(Path(scratch) / "shown")
        tried = list(candidates(tree, given.count))
        quick = [one for one in tried if b"while" not in one.replacements[0].new_bytes]
        rows = [
            measure_plain(tree, isolation, quick[:10]),
            measure_warm(tree, isolation, "fork", tried),
            measure_warm(tree, isolation, "auto", tried),
        ]
    found = {"sandbox": not given.local, "load": os.getloadavg()[0], "rows": rows}
    print(json.dumps({"schema_version": 1, **found}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
