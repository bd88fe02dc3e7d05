"""Write the index: every statement that changes `curated.sqlite`.

Takes: a repository's curated database, and plain rows. Gives: replaced and deleted rows, inside
the caller's `transaction`. Does not know: how a row was derived, or what is read from it.

The caller holds the write lock. One transaction spans a whole index, so a reader and a killed
process both see the state before it or the state after it. For a build from nothing the
secondary indexes are made after the rows, inside the same transaction.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from clean_room_agent.records.answers import Enrichment
from clean_room_agent.records.code import SkippedFile
from clean_room_agent.store.connect import Role, get_connection, transaction
from clean_room_agent.store.values import json_text, path_bytes, text

_CACHE_KIB = 48 * 1024
# A log that is never checkpointed half-way: the one transaction of a build would only be slowed.
_CHECKPOINT_PAGES = 4_000

_INSERT_SYMBOL = (
    "INSERT INTO symbols (blob_pk, ordinal, parent_ordinal, kind, name, qualified_name, signature,"
    " start_byte, end_byte, start_line, end_line, doc_start_byte, doc_end_byte, doc_start_line,"
    " doc_end_line) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_INSERT_REFERENCE = "INSERT INTO symbol_references VALUES (?,?,?,?,?,?,?,?)"
_INSERT_IMPORT = "INSERT INTO imports VALUES (?,?,?,?,?,?)"
_INSERT_TEXT = "INSERT INTO blob_text VALUES (?,?,?,?)"
_INSERT_SEARCH = "INSERT INTO blob_search (rowid, names, prose, identifiers) VALUES (?,?,?,?)"
_INSERT_EDGE = "INSERT INTO edges VALUES (?,?,?,?,?,?,?)"

EDGE_INDEXES = ("edges_source", "edges_target")
_BLOB_INDEXES = (
    "symbols_blob", "symbols_name", "symbol_references_blob", "symbol_references_name",
    "imports_blob", *EDGE_INDEXES,
)  # fmt: skip
_HISTORY_INDEXES = ("commit_files_commit", "commit_files_path", "cochange_b")

FileValues = tuple[int, str, int, int, int, int, int, str | None, bool, bool, str]
EdgeValues = tuple[str, int, int | None, int, int | None, float, int]
CommitValues = tuple[int, str, int, str, str, bool]
BlobRows = tuple[
    str,
    str,
    int,
    Sequence[tuple[object, ...]],
    Sequence[tuple[object, ...]],
    Sequence[tuple[object, ...]],
    str,
    str,
    str,
]


class CuratedWriter:
    """The write side of one curated database. Holds its own connection."""

    def __init__(self, *, repo_path: Path) -> None:
        self.connection = get_connection(Role.CURATED, repo_path=repo_path)
        # Every row this class deletes or adds is consistent by construction, and the check of a
        # bulk load costs a lookup per row; deletions name the dependent tables themselves.
        for pragma in (
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = MEMORY",
            "foreign_keys = OFF",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        ):
            self.connection.execute(f"PRAGMA {pragma}")

        self._aside: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything the body writes, or nothing of it."""
        with transaction(self.connection):
            yield

    # building from nothing ------------------------------------------------------------------

    def delete_index(self) -> None:
        """Remove every row of the index but the history."""
        self.connection.execute("INSERT INTO blob_search (blob_search) VALUES ('delete-all')")
        for table in (
            "edges", "files", "path_search", "skipped_files", "symbols", "symbol_references",
            "imports", "blob_text", "generated_blobs", "file_attributes", "kept_blobs",
            "parsed_blobs", "meta",
        ):  # fmt: skip
            self.connection.execute(f"DELETE FROM {table}")

    def delete_history(self) -> None:
        """Remove every row that was derived from commits."""
        self.connection.execute("INSERT INTO commit_search (commit_search) VALUES ('delete-all')")
        for table in ("cochange", "churn", "commit_files", "history_paths", "commits"):
            self.connection.execute(f"DELETE FROM {table}")

    @contextmanager
    def bulk_load(self, *, blobs: bool, history: bool) -> Iterator[None]:
        """Set the secondary indexes aside for the body and make them again after it."""
        names = (*(_BLOB_INDEXES if blobs else ()), *(_HISTORY_INDEXES if history else ()))
        for name in names:
            query = "SELECT sql FROM sqlite_master WHERE name = ?"
            self._aside[name] = self.connection.execute(query, (name,)).fetchone()[0]
            self.connection.execute(f"DROP INDEX {name}")
        yield
        self.make_indexes()

    def make_indexes(self, *, but: Collection[str] = ()) -> None:
        """Make again what `bulk_load` set aside, once no row is added to its table any more."""
        for name in [name for name in self._aside if name not in but]:
            self.connection.execute(self._aside.pop(name))

    # blobs ----------------------------------------------------------------------------------

    def replace_blob(
        self, blob_pk: int, blob_id: str, language: str | None, rows: BlobRows
    ) -> None:
        """Add one parsed blob, searchable at once; a blob's rows never change afterwards."""
        status, reason, lines, symbols, references, imports, names, prose, identifiers = rows
        execute, many = self.connection.execute, self.connection.executemany
        execute(
            "INSERT INTO parsed_blobs VALUES (?,?,?,?,?,?)",
            (blob_pk, blob_id, language, status, reason, lines),
        )
        many(_INSERT_SYMBOL, [(blob_pk, *row) for row in symbols])
        many(_INSERT_REFERENCE, [(blob_pk, *row) for row in references])
        many(_INSERT_IMPORT, [(blob_pk, *row) for row in imports])
        words = (blob_pk, names, prose, identifiers)
        execute(_INSERT_TEXT, words)
        execute(_INSERT_SEARCH, words)

    def keep_orphans(self, *, at_most: int) -> None:
        """Take blobs that no file points at out of search; keep `at_most` of them, the latest.

        What goes beyond that is deleted, the longest unused first.
        """
        unused = self._keys(
            "SELECT blob_pk FROM parsed_blobs WHERE blob_pk NOT IN (SELECT blob_pk FROM files)"
            " AND blob_pk NOT IN (SELECT blob_pk FROM kept_blobs)"
        )
        # The words that a row was added with have to be given to take it out.
        self._each(
            "INSERT INTO blob_search (blob_search, rowid, names, prose, identifiers)"
            " SELECT 'delete', blob_pk, names, prose, identifiers FROM blob_text"
            " WHERE blob_pk = ?",
            unused,
        )
        turn = self._keys("SELECT coalesce(max(turn), 0) + 1 FROM kept_blobs")[0]
        self.connection.executemany(
            "INSERT INTO kept_blobs VALUES (?,?)", [(key, turn) for key in unused]
        )
        surplus = self._keys(
            "SELECT blob_pk FROM kept_blobs ORDER BY turn DESC, blob_pk DESC LIMIT -1 OFFSET ?",
            at_most,
        )
        for table in (
            "symbols", "symbol_references", "imports", "blob_text", "generated_blobs",
            "kept_blobs", "parsed_blobs",
        ):  # fmt: skip
            self._each(f"DELETE FROM {table} WHERE blob_pk = ?", surplus)

    def revive_blobs(self) -> None:
        """Make kept blobs that a file points at again searchable."""
        used = self._keys(
            "SELECT blob_pk FROM kept_blobs WHERE blob_pk IN (SELECT blob_pk FROM files)"
        )
        self._each(
            "INSERT INTO blob_search (rowid, names, prose, identifiers)"
            " SELECT blob_pk, names, prose, identifiers FROM blob_text WHERE blob_pk = ?",
            used,
        )
        self._each("DELETE FROM kept_blobs WHERE blob_pk = ?", used)

    def _each(self, statement: str, blob_pks: Iterable[int]) -> None:
        self.connection.executemany(statement, [(key,) for key in blob_pks])

    def _keys(self, statement: str, *values: object) -> list[int]:
        return [row[0] for row in self.connection.execute(statement, values)]

    def add_generated(self, rules: Mapping[int, str]) -> None:
        """Mark new blobs that a tool wrote: the rule that says so, by blob."""
        self.connection.executemany("INSERT INTO generated_blobs VALUES (?,?)", rules.items())

    # files ----------------------------------------------------------------------------------

    def replace_attributes(self, words: Mapping[str, str]) -> None:
        """Record what the repository's attributes say of paths; the earlier rows are gone."""
        self.connection.execute("DELETE FROM file_attributes")
        self.connection.executemany(
            "INSERT INTO file_attributes VALUES (?,?)",
            [(path_bytes(path), said) for path, said in words.items()],
        )

    def replace_files(self, rows: Sequence[FileValues]) -> None:
        """Add or replace files: `(file_pk, path, blob_pk, size, mtime, inode, ctime, language,
        is_test, executable, path tokens)`."""
        self.connection.executemany(
            "INSERT INTO files VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (file_pk) DO UPDATE SET"
            " blob_pk = excluded.blob_pk, size_bytes = excluded.size_bytes,"
            " mtime_ns = excluded.mtime_ns, inode = excluded.inode, ctime_ns = excluded.ctime_ns,"
            " language = excluded.language, is_test = excluded.is_test,"
            " executable = excluded.executable",
            [(row[0], path_bytes(row[1]), text(row[1]), *row[2:10]) for row in rows],
        )
        self.connection.executemany(
            "INSERT OR REPLACE INTO path_search (rowid, path_tokens) VALUES (?,?)",
            [(row[0], row[10]) for row in rows],
        )

    def delete_files(self, file_pks: Iterable[int]) -> None:
        """Remove files with their edges; their blobs stay until `keep_orphans`."""
        keys = [(key,) for key in file_pks]
        for statement in (
            "DELETE FROM edges WHERE source_file = ?",
            "DELETE FROM edges WHERE target_file = ?",
            "DELETE FROM path_search WHERE rowid = ?",
            "DELETE FROM files WHERE file_pk = ?",
        ):
            self.connection.executemany(statement, keys)

    def replace_skipped(self, skipped: Iterable[SkippedFile]) -> None:
        """Record which listed paths were not read, and why; the earlier list is gone."""
        self.connection.execute("DELETE FROM skipped_files")
        self.connection.executemany(
            "INSERT OR REPLACE INTO skipped_files VALUES (?,?,?)",
            [(os.fsencode(item.path), text(item.path), text(item.reason)) for item in skipped],
        )

    # edges ----------------------------------------------------------------------------------

    def replace_edges(self, source_files: Iterable[int] | None, rows: Sequence[EdgeValues]) -> None:
        """Give the named files these edges and no others; `None`: the whole table is replaced."""
        if source_files is None:
            self.connection.execute("DELETE FROM edges")
        else:
            keys = [(key,) for key in source_files]
            self.connection.executemany("DELETE FROM edges WHERE source_file = ?", keys)
        self.connection.executemany(_INSERT_EDGE, rows)

    def replace_ordinals(self, target_file: int, moved: Mapping[int, int]) -> None:
        """Renumber the symbols of one file in the edges that point at it."""
        # Through negative numbers, so that no renumbered row is renumbered twice.
        self.connection.executemany(
            "UPDATE edges SET target_ordinal = ? WHERE target_file = ? AND target_ordinal = ?",
            [(-new - 1, target_file, old) for old, new in moved.items() if old != new],
        )
        self.connection.execute(
            "UPDATE edges SET target_ordinal = -target_ordinal - 1"
            " WHERE target_file = ? AND target_ordinal < 0",
            (target_file,),
        )

    # history --------------------------------------------------------------------------------

    def replace_paths(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Add paths that commits touched: `(path_pk, path)`."""
        self.connection.executemany("INSERT INTO history_paths VALUES (?,?)", rows)

    def replace_commits(
        self, commits: Sequence[CommitValues], files: Sequence[tuple[int, int, str]]
    ) -> None:
        """Add commits, searchable at once, and which paths they touched."""
        self.connection.executemany("INSERT INTO commits VALUES (?,?,?,?,?,?)", commits)
        self.connection.executemany(
            "INSERT INTO commit_search (rowid, subject, body) VALUES (?,?,?)",
            [(row[0], row[3], row[4]) for row in commits],
        )
        self.connection.executemany("INSERT INTO commit_files VALUES (?,?,?)", files)

    def delete_commits(self, commit_ids: Iterable[str]) -> set[int]:
        """Remove commits, from search too; gives the keys of the paths that they touched."""
        keys = [
            row[0]
            for commit_id in commit_ids
            for row in self.connection.execute(
                "SELECT commit_pk FROM commits WHERE commit_id = ?", (commit_id,)
            )
        ]
        paths = {
            path
            for key in keys
            for path in self._keys("SELECT path_pk FROM commit_files WHERE commit_pk = ?", key)
        }
        self._each(
            "INSERT INTO commit_search (commit_search, rowid, subject, body)"
            " SELECT 'delete', commit_pk, subject, body FROM commits WHERE commit_pk = ?",
            keys,
        )
        for table in ("commit_files", "commits"):
            self._each(f"DELETE FROM {table} WHERE commit_pk = ?", keys)
        return paths

    def delete_unused_paths(self, path_pks: Iterable[int], *, voting_files: int) -> None:
        """After commits went: drop counts that are nought and paths that nothing touches, and
        take the last time from the commits that are left and touch at most `voting_files`."""
        keys = [(key,) for key in path_pks]
        many = self.connection.executemany
        many("DELETE FROM churn WHERE path_pk = ? AND commits = 0", keys)
        many(
            "UPDATE churn SET last_time = (SELECT max(author_time) FROM commit_files f"
            " JOIN commits c USING (commit_pk) WHERE f.path_pk = churn.path_pk AND NOT is_merge"
            " AND (SELECT count(*) FROM commit_files o WHERE o.commit_pk = c.commit_pk)"
            f" <= {int(voting_files)}) WHERE path_pk = ?",
            keys,
        )
        self.connection.execute("DELETE FROM cochange WHERE commits = 0")
        many(
            "DELETE FROM history_paths WHERE path_pk = ?1"
            " AND NOT EXISTS (SELECT 1 FROM commit_files f WHERE f.path_pk = ?1)",
            keys,
        )

    def replace_churn(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Add to the churn of paths: `(path_pk, commits, fixes, last time)`."""
        self.connection.executemany(
            "INSERT INTO churn VALUES (?,?,?,?) ON CONFLICT (path_pk) DO UPDATE SET"
            " commits = commits + excluded.commits, fixes = fixes + excluded.fixes,"
            " last_time = max(last_time, excluded.last_time)",
            rows,
        )

    def replace_cochange(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Add to how often two paths changed together: `(path_a, path_b, commits)`."""
        self.connection.executemany(
            "INSERT INTO cochange VALUES (?,?,?) ON CONFLICT (path_a, path_b) DO UPDATE SET"
            " commits = commits + excluded.commits",
            rows,
        )

    # descriptions ---------------------------------------------------------------------------

    def read_description_ids(self) -> dict[str, str]:
        """The enrichment behind the description of each content, to see whether it is current."""
        return dict(self.connection.execute("SELECT blob_id, enrichment_id FROM descriptions"))

    def replace_descriptions(self, promoted: Iterable[Enrichment]) -> None:
        """Hold these descriptions and no others, one for each content."""
        self.connection.execute("DELETE FROM descriptions")
        self.connection.executemany(
            "INSERT INTO descriptions VALUES (?,?,?,?,?)",
            [
                (
                    one.blob_id,
                    one.enrichment_id,
                    text(one.description.purpose),
                    json_text(one.description.concepts),
                    json_text(one.description.relations),
                )
                for one in promoted
            ],
        )

    # state ----------------------------------------------------------------------------------

    def replace_meta(self, values: Mapping[str, str]) -> None:
        """Set what the index says of itself."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?,?)", sorted(values.items())
        )
