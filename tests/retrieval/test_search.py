"""Free queries against the index."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.retrieval.search import SearchFilter, SearchHit, search
from clean_room_agent.store.curated_reader import CuratedReader
from tests.retrieval.sample import FILES, build_sample


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def find(reader: CuratedReader, query: str, **filters: object) -> list[SearchHit]:
    return search(
        query,
        reader=reader,
        read_source=lambda path, _: FILES[path].encode(),
        top_k=5,
        filters=SearchFilter(**filters),  # type: ignore[arg-type]
    )


def test_hits_come_best_first_with_their_text_and_lines(reader: CuratedReader) -> None:
    hits = find(reader, "unary minus operand")
    assert hits[0].symbol == "ExpressionParser.parse_unary"
    assert b"def parse_unary" in hits[0].text
    lines = FILES[hits[0].path].splitlines()
    assert "def parse_unary" in lines[hits[0].start_line - 1]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_no_more_than_asked_are_given(reader: CuratedReader) -> None:
    assert len(find(reader, "value return filler parser")) <= 5


@pytest.mark.parametrize(
    ("filters", "admitted"),
    [
        ({"path_prefix": "docs/"}, {"docs/parser.md"}),
        ({"language": "python", "tests": False, "path_prefix": "tests/"}, set()),
        ({"language": "cobol"}, set()),
    ],
)
def test_filters_choose_files(
    reader: CuratedReader, filters: dict[str, object], admitted: set[str]
) -> None:
    assert {hit.path for hit in find(reader, "parser unary minus", **filters)} == admitted


def test_a_chunk_id_names_content_and_range(reader: CuratedReader) -> None:
    hit = find(reader, "unary minus operand")[0]
    blob, _, span = hit.chunk_id.partition(":")
    start, _, end = span.partition("-")
    assert len(blob) == 40
    assert FILES[hit.path].encode()[int(start) : int(end)] == hit.text
