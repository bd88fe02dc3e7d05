"""Signals of the file stage that compare names, neighbours, paths and how quiet a file is."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.records.context import Signal
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.scope import propose_files
from clean_room_agent.retrieval.scope.names import agree
from clean_room_agent.store.curated_reader import CuratedReader
from tests.retrieval.sample import build_sample


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def signals(reader: CuratedReader, task: str, name: str) -> dict[str, Signal]:
    proposed = propose_files(resolve_mentions(parse_task(task), reader), reader, {})
    return {
        candidate.path: signal
        for candidate in proposed.candidates
        for signal in candidate.signals
        if signal.name == name
    }


def test_a_name_that_says_what_the_title_says_agrees_most() -> None:
    parts = {name: frozenset(name.split("_")) for name in ("flush_sql", "flush_all", "read_sql")}
    found = agree({"flush": 1.0, "sql": 1.0}, parts)
    assert found["flush_sql"] == pytest.approx(1.0)
    assert 0.0 < found["flush_all"] < 1.0
    assert 0.0 < found["read_sql"] < 1.0


def test_names_without_a_word_of_the_title_are_absent() -> None:
    assert agree({"flush": 1.0}, {"read": frozenset({"read"})}) == {}
    assert agree({}, {"read": frozenset({"read"})}) == {}


def test_the_best_name_of_a_file_is_the_evidence(reader: CuratedReader) -> None:
    found = signals(reader, "parse unary", "names.title")
    assert "parse_unary" in found["src/pkg/parser.py"].evidence
    assert found["src/pkg/parser.py"].value > 0.5


def test_path_words_that_nearly_every_path_has_are_no_signal(reader: CuratedReader) -> None:
    assert "src/pkg/printer.py" in signals(reader, "the printer", "path.words")
    assert signals(reader, "src pkg py", "path.words") == {}


def test_words_of_plain_english_are_not_specific(reader: CuratedReader) -> None:
    plain = signals(reader, "its operand is lost", "text.specific")
    assert "operand" in plain["src/pkg/parser.py"].evidence
    assert "its" not in plain["src/pkg/parser.py"].evidence
    assert (
        "its" in signals(reader, "its operand is lost", "text.whole")["src/pkg/parser.py"].evidence
    )


def test_a_shared_name_is_a_weak_mention_even_where_it_is_the_only_one(
    reader: CuratedReader,
) -> None:
    found = signals(reader, "call `parse_unary`", "mention.symbol")
    assert len(found) == 2
    assert {signal.value for signal in found.values()} == {round(1 / math.sqrt(2), 6)}


def test_the_file_changed_most_is_the_least_quiet(reader: CuratedReader) -> None:
    quiet = signals(reader, "parser unary printer lexer", "history.quiet")
    assert "src/pkg/parser.py" not in quiet
    assert quiet["src/pkg/lexer.py"].value > 0.0
