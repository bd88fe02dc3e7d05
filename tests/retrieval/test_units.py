"""Cutting files into whole items, and measuring them."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.records.code import Span, Symbol, SymbolKind
from clean_room_agent.records.context import Detail, Signal
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.precision import Ask, Choices, ChosenFile, propose_units
from clean_room_agent.retrieval.precision.units import BETWEEN, HEADER, Unit, cut_units, whole_file
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.scope.text import make_queries
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.store.curated_reader import CuratedReader, SymbolRow
from tests.retrieval.sample import FILES, build_sample
from tests.support.curated import build_curated

PARSER = "src/pkg/parser.py"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def cut(reader: CuratedReader, path: str) -> list[Unit]:
    file = reader.read_file(path)
    assert file is not None
    symbols = reader.read_symbols(file.file_pk)
    return cut_units(file, symbols, reader.read_import_lines(file.blob_pk), FILES[path].encode())


def cut_source(tmp_path: Path, path: str, source: str) -> list[Unit]:
    build_curated(tmp_path, {path: source})
    with CuratedReader(tmp_path) as reader:
        file = reader.read_file(path)
        assert file is not None
        return cut_units(file, reader.read_definitions(file.file_pk), [], source.encode())


def measure(reader: CuratedReader, task: str, whole_tokens: int = 0) -> Choices:
    resolution = resolve_mentions(parse_task(task), reader)
    file = reader.read_file(PARSER)
    assert file is not None
    queries = make_queries(resolution.mentions)
    ask = Ask(
        queries.mix,
        queries.title,
        resolution.marks,
        {PARSER: {16: 0.8, 1: 0.1}} if task == "spectrum" else {},
        whole_tokens,
    )
    sources = Sources(lambda path, _: FILES[path].encode())
    return propose_units([ChosenFile(file, 1.0)], ask, reader, sources, lambda u: len(u.content))


def signal(choices: Choices, symbol: str, name: str) -> Signal | None:
    candidate = next(c for c in choices.candidates if c.symbol == symbol)
    return next((s for s in candidate.signals if s.name == name), None)


def test_units_are_disjoint_and_in_order_and_their_content_is_their_range(
    reader: CuratedReader,
) -> None:
    units = cut(reader, PARSER)
    end = 0
    for unit in units:
        assert unit.span.start_byte >= end
        end = unit.span.end_byte
        assert unit.content == FILES[PARSER].encode()[unit.span.start_byte : end]


@pytest.mark.parametrize("path", sorted(FILES))
def test_every_byte_of_a_file_is_in_one_item_of_it(reader: CuratedReader, path: str) -> None:
    units = cut(reader, path)
    assert b"".join(unit.content for unit in units) == FILES[path].encode()
    for before, after in itertools.pairwise(units):
        assert before.span.end_byte == after.span.start_byte
        assert before.span.end_line <= after.span.start_line


def test_statements_between_definitions_are_an_item_of_their_own(reader: CuratedReader) -> None:
    first = "// the table of all handlers\nfunction one() {\n  return 1;\n}\n\n"
    middle = "register(function () {\n  one();\n  return 2;\n});\n\n"
    last = "/** Adds. */\nfunction two(a, b) {\n  return a + b;\n} // two\n"
    data = (first + middle + last).encode()
    known = reader.read_file(PARSER)
    assert known is not None
    symbols = [
        _function(data, 0, b"function one", b"  return 1;\n}", doc=b"// the table of all handlers"),
        _function(data, 1, b"function two", b"  return a + b;\n}", doc=b"/** Adds. */"),
    ]
    units = cut_units(known, symbols, [], data)
    assert [(unit.name, unit.span.start_line, unit.span.end_line) for unit in units] == [
        ("one", 1, 5),
        (BETWEEN, 6, 10),
        ("two", 11, 14),
    ]
    assert [unit.content.decode() for unit in units] == [first, middle, last]


def _function(data: bytes, ordinal: int, opening: bytes, ending: bytes, doc: bytes) -> SymbolRow:
    def span(start: int, end: int) -> Span:
        return Span(start, end, data.count(b"\n", 0, start) + 1, data.count(b"\n", 0, end) + 1)

    start = data.index(opening)
    end = data.index(ending, start) + len(ending)
    above = data.index(doc)
    name = opening.split()[-1].decode()
    symbol = Symbol(
        SymbolKind.FUNCTION, name, name, "", span(start, end), span(above, above + len(doc))
    )
    return SymbolRow(0, ordinal, symbol)


def test_attributes_after_the_first_method_are_an_item(tmp_path: Path) -> None:
    body = "".join(f"    def f{n}(self):\n        return {n}\n\n" for n in range(60))
    source = (
        f"class A:\n{body}    f_alias = property(f1)\n\n    def last(self):\n        return 0\n"
    )
    units = cut_source(tmp_path, "a.py", source)
    (between,) = [unit for unit in units if unit.name == BETWEEN]
    assert between.content == b"    f_alias = property(f1)\n\n"
    assert between.owner == units[0].ordinal


def test_a_large_class_is_an_outline_and_its_methods(reader: CuratedReader) -> None:
    units = {unit.name: unit for unit in cut(reader, PARSER)}
    outline = units["ExpressionParser"]
    assert outline.detail is Detail.SIGNATURE
    assert outline.content.rstrip().endswith(b"depth_limit = 10")
    assert units["ExpressionParser.parse_atom"].content.startswith(b"    def parse_atom")


def test_the_header_runs_from_the_first_import_to_the_first_definition(
    reader: CuratedReader,
) -> None:
    header = next(unit for unit in cut(reader, PARSER) if unit.name == HEADER)
    assert header.content.startswith(b"import re\n")
    assert header.content.rstrip().endswith(b"import tokenize")


def test_a_small_class_is_one_item(tmp_path: Path) -> None:
    source = "class A:\n    def f(self):\n        return 1\n\n\ndef g():\n    return 2\n"
    units = cut_source(tmp_path, "a.py", source)
    assert [(unit.name, unit.detail) for unit in units] == [
        ("A", Detail.SYMBOL),
        ("g", Detail.SYMBOL),
    ]


def test_a_file_without_definitions_is_one_item(reader: CuratedReader) -> None:
    assert [unit.detail for unit in cut(reader, "docs/parser.md")] == [Detail.FULL]


def test_a_small_file_is_shown_whole(reader: CuratedReader) -> None:
    choices = measure(reader, "minus", whole_tokens=100_000)
    (candidate,) = choices.candidates
    assert candidate.symbol == ""
    assert [unit.detail for unit in choices.units.values()] == [Detail.FULL]


def test_the_words_of_the_task_choose_among_items(reader: CuratedReader) -> None:
    found = signal(measure(reader, "minus operand"), "ExpressionParser.parse_unary", "text.symbol")
    assert found is not None
    assert found.value == 1.0
    assert "operand" in found.evidence


def test_a_named_item_and_what_it_calls_are_marked(reader: CuratedReader) -> None:
    choices = measure(reader, "see `parse_unary`")
    assert signal(choices, "ExpressionParser.parse_unary", "mention.symbol") is not None
    used = signal(choices, "ExpressionParser.parse_atom", "graph.target")
    assert used is not None
    assert used.evidence == "used by ExpressionParser.parse_unary"


def test_a_traceback_line_marks_the_item_that_holds_it(reader: CuratedReader) -> None:
    choices = measure(reader, f'Boom\n  File "{PARSER}", line 17, in parse_unary')
    assert signal(choices, "ExpressionParser.parse_unary", "mention.traceback") is not None
    assert signal(choices, "ExpressionParser.parse_atom", "mention.traceback") is None


def test_the_most_suspicious_line_of_an_item_is_its_evidence(reader: CuratedReader) -> None:
    found = signal(measure(reader, "spectrum"), "ExpressionParser.parse_unary", "spectrum")
    assert found is not None
    assert found.evidence == "line 16: 0.80"


def test_an_outline_follows_its_best_member(reader: CuratedReader) -> None:
    found = signal(measure(reader, "minus operand"), "ExpressionParser", "member.score")
    assert found is not None
    assert found.evidence == "holds ExpressionParser.parse_unary"


def test_a_whole_file_spans_all_its_lines(reader: CuratedReader) -> None:
    file = reader.read_file(PARSER)
    assert file is not None
    assert whole_file(file, b"a\nb").span.end_line == 2
    assert whole_file(file, b"").span.end_line == 1
