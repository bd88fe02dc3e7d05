"""What an index says of the live tree, by content, so that two indexes can be compared.

Takes: a directory that holds an index. Gives: `live_rows`, named row lists without any row key, and
`check_search`. Does not know: what lies in the database beside the live rows: blobs that no file
points at may be kept for the next branch switch, but no row here and no term statistic may show it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from clean_room_agent.indexing import index_repository
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.connect import Role, get_connection

Rows = list[tuple[object, ...]]

# Words that the random sources of the tests use: what they find, and with which score.
WORDS = ("alpha", "thing", "go", "base", "one", "return", "crlf")

_QUERIES = {
    "state": "SELECT key, value FROM meta WHERE key <> 'scan_started_ns'",
    "files": "SELECT f.path, f.display, b.blob_id, f.size_bytes, f.language, f.is_test,"
    " f.executable, b.language, b.status, b.reason, b.line_count"
    " FROM files f JOIN parsed_blobs b USING (blob_pk)",
    "symbols": "SELECT f.path, s.ordinal, s.parent_ordinal, s.kind, s.name, s.qualified_name,"
    " s.signature, s.start_byte, s.end_byte, s.start_line, s.end_line, s.doc_start_byte,"
    " s.doc_end_byte, s.doc_start_line, s.doc_end_line"
    " FROM symbols s JOIN files f USING (blob_pk)",
    "references": "SELECT f.path, r.kind, r.name, r.receiver, r.enclosing_ordinal, r.first_line,"
    " r.first_byte, r.occurrences FROM symbol_references r JOIN files f USING (blob_pk)",
    "imports": "SELECT f.path, i.module, i.name, i.alias, i.level, i.line"
    " FROM imports i JOIN files f USING (blob_pk)",
    "edges": "SELECT e.kind, a.path, e.source_ordinal, b.path, e.target_ordinal, e.confidence,"
    " e.occurrences FROM edges e LEFT JOIN files a ON a.file_pk = e.source_file"
    " LEFT JOIN files b ON b.file_pk = e.target_file",
    "skipped": "SELECT path, display, reason FROM skipped_files",
    "text": "SELECT f.path, names, prose, identifiers FROM blob_text JOIN files f USING (blob_pk)",
    "path_text": "SELECT f.path, p.path_tokens FROM path_search p"
    " LEFT JOIN files f ON f.file_pk = p.rowid",
    "generated": "SELECT f.path, g.rule FROM generated_blobs g JOIN files f USING (blob_pk)",
    "attributes": "SELECT path, words FROM file_attributes",
    "commits": "SELECT commit_id, author_time, subject, body, is_merge FROM commits",
    "commit_files": "SELECT c.commit_id, p.path, f.status FROM commit_files f"
    " LEFT JOIN commits c USING (commit_pk) LEFT JOIN history_paths p USING (path_pk)",
    "history_paths": "SELECT path FROM history_paths",
    "churn": "SELECT path, commits, fixes, last_time"
    " FROM churn LEFT JOIN history_paths USING (path_pk)",
    "cochange": "SELECT min(a.path, b.path), max(a.path, b.path), commits FROM cochange"
    " LEFT JOIN history_paths a ON a.path_pk = path_a"
    " LEFT JOIN history_paths b ON b.path_pk = path_b",
}
_FOUND = {
    "blob_search": "SELECT f.path, round(bm25(blob_search), 9) FROM blob_search"
    " JOIN files f ON f.blob_pk = blob_search.rowid WHERE blob_search MATCH ?",
    "path_search": "SELECT f.path, round(bm25(path_search), 9) FROM path_search"
    " JOIN files f ON f.file_pk = path_search.rowid WHERE path_search MATCH ?",
    "commit_search": "SELECT c.commit_id, round(bm25(commit_search), 9) FROM commit_search"
    " JOIN commits c ON c.commit_pk = commit_search.rowid WHERE commit_search MATCH ?",
}


def live_rows(root: Path) -> dict[str, Rows]:
    """Every row that describes the live tree or the history, sorted, and what a search finds."""
    connection = get_connection(Role.CURATED, repo_path=root, read_only=True)
    try:
        found: dict[str, Rows] = {
            name: connection.execute(query).fetchall() for name, query in _QUERIES.items()
        }
        for table, query in _FOUND.items():
            found[f"{table} hits"] = [
                (word, *row) for word in WORDS for row in connection.execute(query, (word,))
            ]
            # Every term with the number of documents that hold it: what scores are made from.
            connection.execute(f"CREATE VIRTUAL TABLE temp.v USING fts5vocab(main, {table}, row)")
            found[f"{table} terms"] = connection.execute("SELECT term, doc, cnt FROM v").fetchall()
            connection.execute("DROP TABLE temp.v")
        return {name: sorted(rows, key=repr) for name, rows in found.items()}
    finally:
        connection.close()


def fresh_rows(root: Path) -> dict[str, Rows]:
    """What an index of `root` made from nothing, in a place of its own, says."""
    with tempfile.TemporaryDirectory(prefix="cra-fresh-") as place:
        index_repository(open_repository(root), repo_path=Path(place))
        return live_rows(Path(place))


def differences(left: dict[str, Rows], right: dict[str, Rows]) -> dict[str, tuple[Rows, Rows]]:
    """The rows that only one side has, by name; empty when both say the same."""
    assert left.keys() == right.keys()
    return {
        name: (_without(left[name], right[name]), _without(right[name], left[name]))
        for name in left
        if left[name] != right[name]
    }


def unread_tables(root: Path) -> set[str]:
    """Tables of the index that no query here reads, without the parts of full-text tables."""
    connection = get_connection(Role.CURATED, repo_path=root, read_only=True)
    try:
        names = {
            str(row[0])
            for row in connection.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table',"
                " 'virtual') AND name NOT LIKE 'sqlite%'"
            )
        }
    finally:
        connection.close()
    asked = " ".join([*_QUERIES.values(), *_FOUND.values()])
    words = set(re.findall(r"\w+", asked))
    return names - words


def check_search(root: Path) -> None:
    """Have SQLite check that each full-text index is whole; raises when it is not."""
    connection = get_connection(Role.CURATED, repo_path=root)
    try:
        for table in _FOUND:
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    finally:
        connection.close()


def _without(rows: Rows, others: Rows) -> Rows:
    left = list(rows)
    for row in others:
        if row in left:
            left.remove(row)
    return left


def forget_index(root: Path) -> None:
    """Remove the index with everything beside it."""
    shutil.rmtree(root / ".clean_room")
