"""What the reader of the index answers, and that it can only read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.errors import CraError, StoreError
from clean_room_agent.records.code import EdgeKind, SymbolKind
from clean_room_agent.store.connect import Role, get_connection
from clean_room_agent.store.curated_reader import CuratedReader, FileRow, TextTable
from tests.retrieval.sample import FILES, build_sample
from tests.support.curated import build_curated


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def the_file(reader: CuratedReader, path: str = "src/pkg/parser.py") -> FileRow:
    found = reader.read_file(path)
    assert found is not None
    return found


def test_without_an_index_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(CraError, match="cra index"):
        CuratedReader(tmp_path)


@pytest.mark.parametrize("state", ["complete", ""], ids=["empty", "unfinished"])
def test_an_index_without_files_or_not_finished_is_refused(tmp_path: Path, state: str) -> None:
    connection = get_connection(Role.CURATED, repo_path=tmp_path)
    if state:
        connection.execute("INSERT INTO meta VALUES ('state', ?)", (state,))
    connection.close()
    with pytest.raises(CraError, match="cra index"):
        CuratedReader(tmp_path)


def test_the_connection_cannot_write(reader: CuratedReader) -> None:
    public = [name for name in dir(reader) if not name.startswith("_")]
    assert all(name.startswith(("read_", "search_", "count_", "close")) for name in public)
    with pytest.raises(StoreError):
        reader._connection.execute("DELETE FROM files")


def test_files_are_found_by_path_key_and_content(reader: CuratedReader) -> None:
    file = the_file(reader)
    assert (file.language, file.is_test) == ("python", False)
    assert reader.read_files([file.file_pk, 10_000]) == [file]
    assert reader.read_files_of_blobs([file.blob_pk]) == [file]
    assert reader.read_file("no.py") is None
    assert [row.path for row in reader.read_all_files()] == sorted(FILES)


def test_more_keys_than_one_statement_takes_are_read_in_parts(reader: CuratedReader) -> None:
    assert len(reader.read_files(range(5_000))) == len(FILES)


def test_symbols_come_with_their_ranges_and_parents(reader: CuratedReader) -> None:
    rows = {r.symbol.qualified_name: r for r in reader.read_symbols(the_file(reader).file_pk)}
    method = rows["ExpressionParser.parse_unary"].symbol
    assert method.kind is SymbolKind.METHOD
    assert method.parent == rows["ExpressionParser"].ordinal
    assert method.docstring is not None
    text = FILES["src/pkg/parser.py"].encode()
    assert text[method.docstring.start_byte : method.docstring.end_byte].startswith(b'"""Parse a')


def test_symbols_are_found_by_name_in_path_order(reader: CuratedReader) -> None:
    assert reader.count_symbols_named(["parse_unary", "nothing"]) == {"parse_unary": 2}
    rows = reader.read_symbols_named("parse_unary", limit=9)
    paths = [reader.read_files([row.file_pk])[0].path for row in rows]
    assert paths == ["src/pkg/parser.py", "src/vendor/parser.py"]
    assert reader.read_symbols_named("Parse_Unary", limit=9) == []


def test_edges_are_read_from_both_ends(reader: CuratedReader) -> None:
    test, parser = the_file(reader, "tests/test_parser.py"), the_file(reader)
    (edge,) = reader.read_edges_from([test.file_pk], limit=9)
    assert (edge.kind, edge.target_file) == (EdgeKind.TEST, parser.file_pk)
    assert edge in reader.read_edges_to([parser.file_pk], limit=9)


def test_full_text_scores_are_positive_and_add_up_by_column(reader: CuratedReader) -> None:
    hits = reader.search_term(TextTable.BLOBS, "unary", [(1, 1, 1), (1, 0, 0)])
    by_key = {hit.key: hit.scores for hit in hits}
    both = by_key[the_file(reader).blob_pk]
    assert both[0] >= both[1] > 0.0
    assert reader.count_hits(TextTable.BLOBS, "unary", at_most=99) == len(hits)
    assert reader.count_hits(TextTable.BLOBS, "unary", at_most=1) == 1


@pytest.mark.parametrize("term", ['"', "a OR b", "*", "NEAR(", "names:", "", "'"], ids=repr)
def test_no_term_is_read_as_an_operator(reader: CuratedReader, term: str) -> None:
    assert reader.count_hits(TextTable.BLOBS, term, at_most=9) == 0
    assert reader.search_term(TextTable.BLOBS, term, [(1, 1, 1)]) == []


def test_paths_are_found_by_all_their_words(reader: CuratedReader) -> None:
    found = reader.search_paths(["parser", "py"], limit=9)
    assert {file.path for file in found} == {
        "src/pkg/parser.py",
        "src/vendor/parser.py",
        "tests/test_parser.py",
    }
    assert reader.search_paths([], limit=9) == []


def test_commits_and_their_files_are_read(reader: CuratedReader) -> None:
    (hit,) = reader.search_term(TextTable.COMMITS, "lexer", [(1, 1)])
    (commit,) = reader.read_commits([hit.key])
    assert commit.subject == "Add lexer"
    (touched,) = reader.read_commit_files([hit.key])
    assert touched.file_pk == the_file(reader, "src/pkg/lexer.py").file_pk
    gone = reader.read_commit_files([4])
    assert len(gone) == 60
    assert {row.file_pk for row in gone} == {None}
    assert reader.read_recent_commits(limit=1)[0].author_time == 1_700_000_000


def test_churn_and_cochange_name_live_files(reader: CuratedReader) -> None:
    parser, test = the_file(reader), the_file(reader, "tests/test_parser.py")
    (churn,) = reader.read_churn([parser.file_pk])
    assert (churn.commits, churn.fixes) == (3, 1)
    together = reader.read_cochange([parser.file_pk], limit=9)
    assert (together[0].other_pk, together[0].commits) == (test.file_pk, 2)
    assert len(reader.read_cochange([parser.file_pk], limit=1)) == 1


def test_undecodable_paths_come_back_as_they_were(tmp_path: Path) -> None:
    build_curated(tmp_path, {"caf\udce9.py": "x = 1\n"})
    with CuratedReader(tmp_path) as reader:
        assert the_file(reader, "caf\udce9.py").path == "caf\udce9.py"
