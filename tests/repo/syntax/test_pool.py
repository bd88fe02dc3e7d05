"""One bad file never ends a run: workers are killed, the file is marked, the rest is parsed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from clean_room_agent.repo.pool import Job, ParserPool, workers_for

GOOD = b"def alpha(): pass\n"


def _statuses(pool: ParserPool, jobs: list[Job]) -> dict[int, str]:
    return {key: rows[0] for batch in pool.parse(jobs) for key, rows in batch}


@pytest.mark.reliability(case=77)
@pytest.mark.parametrize(
    "data",
    [b"(" * 100_000, b"[" * 45_000 + b"\n" + b"]" * 45_000, b"x = " + b"-" * 49_000 + b"1",
     b"if a:\n" * 20_000, b"{" * 30_000 + b"'" * 3, b"f(" * 24_000],
    ids=["open", "nested", "unary", "ifs", "quotes", "calls"],
)  # fmt: skip
def test_pathological_input_does_not_end_the_run(data: bytes) -> None:
    with ParserPool(1, file_seconds=5.0) as pool:
        statuses = _statuses(pool, [(1, "python", GOOD), (2, "python", data), (3, "python", GOOD)])
    assert (statuses[1], statuses[3]) == ("parsed", "parsed")
    assert statuses[2] in {"parsed", "partial", "too_large", "timeout", "crashed"}


HOSTILE = {
    "cpp": b"template<" * 4_000 + b"\n" + b"((((" * 5_000,
    "csharp": b"class A {" * 3_000 + b"\n" + b"a?.b<" * 5_000,
    "swift": b"if a { [" * 3_000 + b"\n" + b'"\\(' * 8_000,
    "markdown": b"> " * 24_000 + b"\n" + b"- " * 24_000,
    "yaml": b"[" * 12_000 + b"\n" + b"- " * 5_000,
}


@pytest.mark.reliability(case=77)
def test_hostile_input_of_any_language_does_not_end_the_run() -> None:
    jobs = [(key, language, data) for key, (language, data) in enumerate(HOSTILE.items(), start=1)]
    with ParserPool(1, file_seconds=5.0) as pool:
        statuses = _statuses(pool, [*jobs, (0, "python", GOOD)])
    assert statuses.keys() == set(range(len(HOSTILE) + 1))
    assert statuses[0] == "parsed"
    assert set(statuses.values()) <= {"parsed", "partial", "timeout", "crashed"}


@pytest.mark.reliability(case=77)
def test_a_file_that_takes_too_long_is_marked_and_the_others_are_parsed() -> None:
    # Under a limit that no parse of a megabyte can keep, but a small one can.
    slow = b"x = [" + b"(1,\n" * 200_000
    with ParserPool(2, file_seconds=0.15) as pool:
        list(pool.parse([(0, "python", GOOD)] * 400))  # workers are warm
        statuses = _statuses(pool, [(1, "python", GOOD), (2, "python", slow), (3, "python", GOOD)])
    assert statuses[2] == "timeout"
    assert {1, 2, 3} == set(statuses)


@pytest.mark.reliability(case=77)
def test_each_file_that_takes_too_long_shortens_the_time_of_the_next() -> None:
    slow = b"x = [" + b"(1,\n" * 200_000
    jobs: list[Job] = [(key, "python", slow) for key in range(4)]
    with ParserPool(1, file_seconds=0.12, least_seconds=0.03) as pool:
        reasons = [rows[1] for batch in pool.parse(jobs) for _, rows in batch]
    assert len(reasons) == 4
    assert reasons[-1] == "not parsed within 0.03 s"
    with ParserPool(1, file_seconds=0.12, least_seconds=0.12) as pool:
        reasons = [rows[1] for batch in pool.parse(jobs) for _, rows in batch]
    assert set(reasons) == {"not parsed within 0.12 s"}


@pytest.mark.reliability(case=77)
def test_a_worker_that_is_killed_is_replaced() -> None:
    def jobs() -> Iterator[Job]:
        for key in range(900):
            if key == 600:
                for child in multiprocessing.active_children():
                    os.kill(child.pid or 0, signal.SIGKILL)
            yield key, "python", GOOD

    with ParserPool(2) as pool:
        statuses = {key: rows[0] for batch in pool.parse(jobs()) for key, rows in batch}
    assert statuses == dict.fromkeys(range(900), "parsed")


@pytest.mark.reliability(case=77)
def test_a_worker_that_needs_too_much_memory_marks_the_file() -> None:
    large = b"(a,b,c,d)\n" * 90_000
    with ParserPool(1, memory_bytes=160_000_000) as pool:
        statuses = _statuses(pool, [(1, "python", GOOD), (2, "python", large)])
    assert statuses == {1: "parsed", 2: "crashed"}


def test_no_worker_outlives_the_pool() -> None:
    with ParserPool(2) as pool:
        _statuses(pool, [(1, "python", GOOD)])
    assert multiprocessing.active_children() == []


def test_little_work_gets_one_worker() -> None:
    assert workers_for(20_000) == 1
