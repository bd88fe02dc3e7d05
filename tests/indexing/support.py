"""Shared by the indexing tests: build, and a dump that is free of row keys."""

from __future__ import annotations

import os
import time
from pathlib import Path

from clean_room_agent.indexing import index_repository
from clean_room_agent.records.code import IndexReport
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.connect import Role, get_connection

TRUSTED_AFTER_NS = 200_000_000
Rows = list[tuple[object, ...]]

_DUMPS = {
    "files": "SELECT f.path, b.blob_id, f.size_bytes, f.language, f.is_test, f.executable,"
    " b.status, b.reason, b.line_count FROM files f JOIN parsed_blobs b USING (blob_pk)",
    "blobs": "SELECT blob_id, language, status FROM parsed_blobs"
    " WHERE blob_pk NOT IN (SELECT blob_pk FROM kept_blobs)",
    "symbols": "SELECT f.path, s.ordinal, s.parent_ordinal, s.kind, s.qualified_name, s.signature,"
    " s.start_byte, s.end_byte, s.start_line, s.end_line, s.doc_start_byte, s.doc_end_byte"
    " FROM symbols s JOIN files f USING (blob_pk)",
    "references": "SELECT f.path, r.kind, r.name, r.receiver, r.enclosing_ordinal, r.first_line,"
    " r.first_byte, r.occurrences FROM symbol_references r JOIN files f USING (blob_pk)",
    "imports": "SELECT f.path, i.module, i.name, i.alias, i.level, i.line"
    " FROM imports i JOIN files f USING (blob_pk)",
    "text": "SELECT f.path, names, prose, identifiers FROM blob_text JOIN files f USING (blob_pk)",
    "edges": "SELECT e.kind, a.path, e.source_ordinal, b.path, e.target_ordinal, e.confidence,"
    " e.occurrences FROM edges e JOIN files a ON a.file_pk = e.source_file"
    " JOIN files b ON b.file_pk = e.target_file",
    "skipped": "SELECT path, reason FROM skipped_files",
    "commits": "SELECT commit_id, author_time, subject, body, is_merge FROM commits",
    "commit_files": "SELECT c.commit_id, p.path, f.status FROM commit_files f"
    " JOIN commits c USING (commit_pk) JOIN history_paths p USING (path_pk)",
    "churn": "SELECT path, commits, fixes, last_time FROM churn JOIN history_paths USING (path_pk)",
    "cochange": "SELECT min(a.path, b.path), max(a.path, b.path), commits FROM cochange"
    " JOIN history_paths a ON a.path_pk = path_a JOIN history_paths b ON b.path_pk = path_b",
    "state": "SELECT key, value FROM meta WHERE key <> 'scan_started_ns'",
    "generated": "SELECT f.path, g.rule FROM generated_blobs g JOIN files f USING (blob_pk)",
    "generated_count": "SELECT count(*) FROM generated_blobs"
    " WHERE blob_pk NOT IN (SELECT blob_pk FROM kept_blobs)",
    "attributes": "SELECT path, words FROM file_attributes",
    "found": "SELECT f.path FROM blob_search s JOIN files f ON f.blob_pk = s.rowid"
    " WHERE blob_search MATCH 'alpha'",
    "path_rows": "SELECT f.path, p.path_tokens FROM path_search p"
    " JOIN files f ON f.file_pk = p.rowid",
    "search_rows": "SELECT count(*) FROM blob_search_docsize",
    "path_count": "SELECT count(*) FROM path_search",
}


def index(root: Path, *, full: bool = False) -> IndexReport:
    return index_repository(open_repository(root), repo_path=root, full=full)


def wait_until_trusted(place: Path) -> None:
    """Wait until a file is old enough for a later index to trust it unread."""
    while time.time_ns() < place.stat().st_ctime_ns + TRUSTED_AFTER_NS:
        time.sleep(0.01)


def dump(root: Path) -> dict[str, Rows]:
    """Everything the index says of the live tree, by path instead of key, sorted."""
    connection = get_connection(Role.CURATED, repo_path=root, read_only=True)
    try:
        return {
            name: sorted(connection.execute(query).fetchall(), key=repr)
            for name, query in _DUMPS.items()
        }
    finally:
        connection.close()


def rows(root: Path, query: str, *values: object) -> Rows:
    connection = get_connection(Role.CURATED, repo_path=root, read_only=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def edges(root: Path, kind: str) -> dict[tuple[str, str], float]:
    """Edges of a kind as `path:symbol` pairs with their confidence."""

    def shown(path: bytes, name: str | None) -> str:
        return os.fsdecode(path) + (f":{name}" if name else "")

    found = rows(
        root,
        "SELECT a.path, x.qualified_name, b.path, y.qualified_name, e.confidence FROM edges e"
        " JOIN files a ON a.file_pk = e.source_file JOIN files b ON b.file_pk = e.target_file"
        " LEFT JOIN symbols x ON x.blob_pk = a.blob_pk AND x.ordinal = e.source_ordinal"
        " LEFT JOIN symbols y ON y.blob_pk = b.blob_pk AND y.ordinal = e.target_ordinal"
        " WHERE e.kind = ?",
        kind,
    )
    return {(shown(r[0], r[1]), shown(r[2], r[3])): round(float(r[4]), 3) for r in found}  # type: ignore[arg-type]
