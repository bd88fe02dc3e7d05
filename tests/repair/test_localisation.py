from __future__ import annotations

import math

import pytest

from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.repair.localisation import ochiai, score_statements, suspiciousness
from clean_room_agent.repair.source import ParsedSource


def _tests(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_ochiai_is_one_where_exactly_the_failing_tests_went() -> None:
    assert ochiai(2, 0, 2) == 1.0
    assert ochiai(1, 3, 2) == pytest.approx(1 / math.sqrt(8))
    assert ochiai(0, 3, 2) == 0.0


def test_lines_without_a_failing_test_and_test_files_are_no_candidates() -> None:
    spectrum = Spectrum(
        ("f",),
        ("p",),
        {"a.py": {1: _tests("p"), 2: _tests("f", "p")}, "test_a.py": {1: _tests("f")}},
    )
    assert suspiciousness(spectrum, exclude={"test_a.py"}) == {"a.py": {2: 1 / math.sqrt(2)}}


def test_a_statement_over_several_lines_has_the_score_of_its_worst_line() -> None:
    source = ParsedSource("a.py", b"def f(x):\n    return (x +\n            1)\n")
    scores = score_statements(source, {3: 0.5})
    (function,) = source.tree.body
    (returned,) = function.body  # type: ignore[attr-defined]
    assert scores[returned] == 0.5
    assert 0 < scores[function] < 0.5


def test_a_compound_statement_is_scored_by_its_head_only() -> None:
    source = ParsedSource("a.py", b"def f(x):\n    if x:\n        return 1\n    return 2\n")
    branch, last = source.tree.body[0].body  # type: ignore[attr-defined]
    scores = score_statements(source, {2: 0.4, 3: 1.0})
    assert scores[branch] == 0.4
    assert scores[branch.body[0]] == 1.0
    assert last not in scores


def test_module_statements_of_a_reached_file_get_a_share() -> None:
    source = ParsedSource("a.py", b"LIMIT = 3\ndef f(x):\n    return x < LIMIT\n")
    scores = score_statements(source, {3: 1.0})
    assert 0 < scores[source.tree.body[0]] < 1


def test_without_any_trace_every_statement_is_a_candidate_import_time_first() -> None:
    source = ParsedSource("a.py", b"LIMIT = 3\ndef f(x):\n    return x < LIMIT\n")
    scores = score_statements(source, {})
    assert scores[source.tree.body[0]] > scores[source.tree.body[1].body[0]]  # type: ignore[attr-defined]
