"""The measuring of packages: what counts as held."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from clean_room_agent.records.code import Span
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.store.curated_reader import CuratedReader
from tests.retrieval.sample import FILES, build_sample

PARSER = "src/pkg/parser.py"


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("localization_levels")


def measured(levels: ModuleType, root: Path, gold: str) -> list[tuple[float, bool, bool]]:
    build_sample(root)
    task = {"query": "`parse_unary` loses the minus operand", "gold_functions": [gold]}
    with CuratedReader(root) as reader:
        found = levels.measure_levels(task, reader, lambda path, _: FILES[path].encode())
    return [(level.whole, level.in_gold > 0, level.near_gold > 0) for level in found]


def test_a_gold_function_that_is_shown_is_held_whole(levels: ModuleType, tmp_path: Path) -> None:
    found = measured(levels, tmp_path, f"{PARSER}::ExpressionParser.parse_unary")
    assert {(whole, in_gold) for whole, in_gold, _ in found} == {(1.0, True)}


def test_a_gold_function_that_is_nowhere_is_not_held(levels: ModuleType, tmp_path: Path) -> None:
    assert set(measured(levels, tmp_path, f"{PARSER}::Nothing.here")) == {(0.0, False, False)}


def test_a_part_of_a_definition_does_not_hold_it(levels: ModuleType) -> None:
    whole = Span(10, 90, 2, 9)
    above, upper, lower = Span(0, 10, 1, 1), Span(10, 50, 2, 5), Span(50, 95, 6, 9)
    assert levels.is_held("a", whole, [shown("a", lower), shown("a", upper)])
    assert not levels.is_held("a", whole, [shown("a", above), shown("a", upper)])
    assert not levels.is_held("a", whole, [shown("a", upper), shown("b", lower)])


def shown(path: str, span: Span) -> Fragment:
    return Fragment(kind=FragmentKind.CODE, content=b"", tokens=0, path=path, span=span)
