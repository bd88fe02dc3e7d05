"""Read the index: every question that retrieval may ask of `curated.sqlite`, and no writing.

Takes: the curated database of one repository, opened read-only. Gives: frozen rows, each made in
the function that holds its SQL. Does not know: what a score is for, or how a row was derived.

Full-text scores are returned positive (larger is better). Every method that returns a list
orders it; a `limit` is always applied to that order.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from clean_room_agent.errors import CraError, UsageError
from clean_room_agent.records.answers import Description
from clean_room_agent.records.code import (
    BlobId,
    CommitId,
    EdgeKind,
    Span,
    Symbol,
    SymbolKind,
)
from clean_room_agent.store.connect import Role, get_connection
from clean_room_agent.store.values import from_json

_VARIABLES = 900  # bound variables of one statement; longer lists are asked in parts


class TextTable(StrEnum):
    """The full-text tables; `rowid` is a blob, a file or a commit key."""

    BLOBS = "blob_search"
    PATHS = "path_search"
    COMMITS = "commit_search"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One live file with the content it points at."""

    file_pk: int
    path: str
    blob_pk: int
    blob_id: BlobId
    size_bytes: int
    language: str | None
    is_test: bool
    line_count: int
    generated: str = ""  # the rule by which a tool wrote its content
    attributes: str = ""  # what .gitattributes says of it, in words


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """One definition in one live file; `ordinal` counts within the file's blob."""

    file_pk: int
    ordinal: int
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """A resolved relation between two live files (and their symbols, where known)."""

    kind: EdgeKind
    source_file: int
    source_ordinal: int | None
    target_file: int
    target_ordinal: int | None
    confidence: float
    occurrences: int


@dataclass(frozen=True, slots=True)
class TextHit:
    """One row of a full-text table that holds a term; one score per asked weighting."""

    key: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CommitRow:
    """One commit."""

    commit_pk: int
    commit_id: CommitId
    author_time: int
    subject: str
    is_merge: bool


@dataclass(frozen=True, slots=True)
class CommitFileRow:
    """One path touched by a commit; `file_pk` is None where no live file has that path."""

    commit_pk: int
    path: str
    file_pk: int | None


@dataclass(frozen=True, slots=True)
class ChurnRow:
    """How often a live file was committed to, and when last."""

    file_pk: int
    commits: int
    fixes: int
    last_time: int


@dataclass(frozen=True, slots=True)
class CochangeRow:
    """How often a live file changed in one commit with another live file."""

    file_pk: int
    other_pk: int
    commits: int


class CuratedReader:
    """An open read-only view of the index. Use as a context manager; it has no write method.

    Raises: `CraError` with the hint `cra index` where there is no complete index, `UsageError`
    where there is one and the repository has no file for it.
    """

    def __init__(self, repo_path: Path) -> None:
        self._connection = get_connection(Role.CURATED, repo_path=repo_path, read_only=True)
        if self.read_meta().get("state") != "complete":
            self._connection.close()
            raise CraError("the index is not complete", where=str(repo_path), hint="cra index")
        if self._connection.execute("SELECT 1 FROM files LIMIT 1").fetchone() is None:
            self._connection.close()
            raise UsageError(
                "the repository has no file that can be indexed",
                where=str(repo_path),
                hint="add files, then cra index; `cra why PATH` says why one is left out",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    # state ------------------------------------------------------------------------------

    def read_meta(self) -> dict[str, str]:
        return dict(self._connection.execute("SELECT key, value FROM meta ORDER BY key"))

    def count_rows(self, table: TextTable) -> int:
        """Rows of a full-text table's source: blobs in use, files, or commits."""
        source = {
            TextTable.BLOBS: "SELECT count(DISTINCT blob_pk) FROM files",
            TextTable.PATHS: "SELECT count(*) FROM files",
            TextTable.COMMITS: "SELECT count(*) FROM commits",
        }[table]
        return int(self._connection.execute(source).fetchone()[0])

    # files ------------------------------------------------------------------------------

    def read_file(self, path: str) -> FileRow | None:
        rows = self._read_files("f.path = ?", [(os.fsencode(path),)])
        return rows[0] if rows else None

    def read_skipped(self, path: str) -> str | None:
        """Return why a listed path was not read, or None when it was."""
        row = self._connection.execute(
            "SELECT reason FROM skipped_files WHERE path = ?", (os.fsencode(path),)
        ).fetchone()
        return None if row is None else str(row[0])

    def read_files(self, file_pks: Iterable[int]) -> list[FileRow]:
        """The named files in path order; unknown keys are absent."""
        return self._read_files("f.file_pk IN ({})", _parts(file_pks))

    def read_files_of_blobs(self, blob_pks: Iterable[int]) -> list[FileRow]:
        return self._read_files("f.blob_pk IN ({})", _parts(blob_pks))

    def read_all_files(self) -> list[FileRow]:
        return self._read_files("1", [()])

    def _read_files(self, where: str, parts: Iterable[Sequence[object]]) -> list[FileRow]:
        rows = [
            FileRow(
                file_pk=row[0],
                path=os.fsdecode(row[1]),
                blob_pk=row[2],
                blob_id=BlobId(row[3]),
                size_bytes=row[4],
                language=row[5],
                is_test=bool(row[6]),
                line_count=row[7],
                generated=row[8] or "",
                attributes=row[9] or "",
            )
            for part in parts
            for row in self._connection.execute(
                "SELECT f.file_pk, f.path, f.blob_pk, b.blob_id, f.size_bytes, f.language,"
                " f.is_test, b.line_count, g.rule, a.words"
                " FROM files f JOIN parsed_blobs b USING (blob_pk)"
                " LEFT JOIN generated_blobs g USING (blob_pk)"
                " LEFT JOIN file_attributes a ON a.path = f.path"
                f" WHERE {where.format(_marks(part))}",
                part,
            )
        ]
        return sorted(rows, key=lambda row: os.fsencode(row.path))

    def read_blob_keys(self) -> list[tuple[BlobId, str]]:
        """Every content of the tree, with the language it was parsed as ("" = none)."""
        rows = self._connection.execute(
            "SELECT blob_id, coalesce(language, '') FROM parsed_blobs"
            " WHERE blob_pk NOT IN (SELECT blob_pk FROM kept_blobs) ORDER BY blob_id, language"
        )
        return [(BlobId(row[0]), str(row[1])) for row in rows]

    # symbols, references, edges ---------------------------------------------------------

    def read_symbols(self, file_pk: int) -> list[SymbolRow]:
        """Every definition of one file, by ordinal."""
        return self._read_symbols("f.file_pk = ?", "s.ordinal", (file_pk,), limit=-1)

    def read_definitions(self, file_pk: int) -> list[SymbolRow]:
        """The definitions of one file by ordinal, without the variables inside others."""
        where = "f.file_pk = ? AND (s.parent_ordinal IS NULL OR s.kind NOT IN (?, ?))"
        values = (file_pk, SymbolKind.VARIABLE, SymbolKind.CONSTANT)
        return self._read_symbols(where, "s.ordinal", values, limit=-1)

    def read_symbols_in(self, file_pk: int, name: str) -> list[SymbolRow]:
        """Definitions of exactly this name in one file, by ordinal."""
        where = "f.file_pk = ? AND s.name = ?"
        return self._read_symbols(where, "s.ordinal", (file_pk, name), limit=-1)

    def read_symbols_named(self, name: str, *, limit: int) -> list[SymbolRow]:
        """Definitions of exactly this name, in path order, the first `limit`."""
        return self._read_symbols("s.name = ?", "f.path, s.ordinal", (name,), limit)

    def read_symbols_owned(self, owner: str, name: str, *, limit: int) -> list[SymbolRow]:
        """Definitions of this name inside an `owner`, in path order, the first `limit`."""
        tail = f".{owner}.{name}"
        where = "s.name = ? AND substr('.' || s.qualified_name, ?) = ?"
        return self._read_symbols(where, "f.path, s.ordinal", (name, -len(tail), tail), limit)

    def _read_symbols(
        self, where: str, order: str, values: Sequence[object], limit: int
    ) -> list[SymbolRow]:
        rows = self._connection.execute(
            "SELECT f.file_pk, s.ordinal, s.parent_ordinal, s.kind, s.name, s.qualified_name,"
            " s.signature, s.start_byte, s.end_byte, s.start_line, s.end_line,"
            " s.doc_start_byte, s.doc_end_byte, s.doc_start_line, s.doc_end_line"
            " FROM symbols s JOIN files f USING (blob_pk)"
            f" WHERE {where} ORDER BY {order} LIMIT ?",
            (*values, limit),
        )
        return [
            SymbolRow(
                file_pk=row[0],
                ordinal=row[1],
                symbol=Symbol(
                    kind=SymbolKind(row[3]),
                    name=row[4],
                    qualified_name=row[5],
                    signature=row[6],
                    span=Span(row[7], row[8], row[9], row[10]),
                    docstring=None if row[11] is None else Span(*row[11:15]),
                    parent=row[2],
                ),
            )
            for row in rows
        ]

    def count_symbols_named(self, names: Iterable[str]) -> dict[str, int]:
        """How many definitions bear each name; names without one are absent."""
        return {
            row[0]: row[1]
            for part in _parts(names)
            for row in self._connection.execute(
                f"SELECT name, count(*) FROM symbols WHERE name IN ({_marks(part)})"
                " AND blob_pk NOT IN (SELECT blob_pk FROM kept_blobs) GROUP BY name ORDER BY name",
                part,
            )
        }

    def read_names(self, blob_pks: Iterable[int]) -> list[tuple[int, str]]:
        """Names that the blobs define, without variables, once for each blob, by key and name."""
        rows = [
            (int(row[0]), str(row[1]))
            for part in _parts(blob_pks)
            for row in self._connection.execute(
                "SELECT DISTINCT blob_pk, name FROM symbols"
                f" WHERE blob_pk IN ({_marks(part)}) AND kind NOT IN (?, ?)",
                (*part, SymbolKind.VARIABLE, SymbolKind.CONSTANT),
            )
        ]
        return sorted(rows)

    def read_import_lines(self, blob_pk: int) -> list[int]:
        """The lines on which imports begin, in order."""
        query = "SELECT DISTINCT line FROM imports WHERE blob_pk = ? ORDER BY line"
        return [row[0] for row in self._connection.execute(query, (blob_pk,))]

    def read_edges_from(self, file_pks: Iterable[int], *, limit: int) -> list[EdgeRow]:
        """Edges out of the named files: the `limit` strongest of each part of the list."""
        return self._read_edges("source_file", file_pks, limit)

    def read_edges_to(self, file_pks: Iterable[int], *, limit: int) -> list[EdgeRow]:
        """Edges into the named files: the `limit` strongest of each part of the list."""
        return self._read_edges("target_file", file_pks, limit)

    def _read_edges(self, side: str, file_pks: Iterable[int], limit: int) -> list[EdgeRow]:
        return [
            EdgeRow(EdgeKind(row[0]), *row[1:])
            for part in _parts(file_pks)
            for row in self._connection.execute(
                "SELECT kind, source_file, source_ordinal, target_file, target_ordinal,"
                f" confidence, occurrences FROM edges WHERE {side} IN ({_marks(part)})"
                " ORDER BY confidence * occurrences DESC, source_file, target_file, kind,"
                " source_ordinal, target_ordinal LIMIT ?",
                (*part, limit),
            )
        ]

    def count_importers(self) -> dict[int, int]:
        """How many other files import each file; those that none imports are absent."""
        query = (
            "SELECT target_file, count(DISTINCT source_file) FROM edges WHERE kind = ?"
            " AND source_file <> target_file GROUP BY target_file"
        )
        return dict(self._connection.execute(query, (EdgeKind.IMPORT,)))

    def read_descriptions(self, blob_ids: Iterable[BlobId]) -> dict[BlobId, Description]:
        """The promoted descriptions of these contents; those without one are absent."""
        return {
            BlobId(row[0]): Description(row[1], tuple(from_json(row[2])), tuple(from_json(row[3])))
            for part in _parts(blob_ids)
            for row in self._connection.execute(
                "SELECT blob_id, purpose, concepts, relations FROM descriptions"
                f" WHERE blob_id IN ({_marks(part)})",
                part,
            )
        }

    # full text --------------------------------------------------------------------------

    def count_hits(self, table: TextTable, term: str, *, at_most: int) -> int:
        """Rows that hold the term, counted no further than `at_most`."""
        query = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT ?)"
        return int(self._connection.execute(query, (_phrase(term), at_most)).fetchone()[0])

    def search_term(
        self, table: TextTable, term: str, weightings: Sequence[Sequence[float]]
    ) -> list[TextHit]:
        """Every row that holds the term, by key, with one BM25 score per column weighting.

        BM25 is a sum over terms, so a caller may add these up with weights of its own.
        """
        columns = ", ".join(
            f"-bm25({table}, {', '.join(str(float(weight)) for weight in weights)})"
            for weights in weightings
        )
        rows = self._connection.execute(
            f"SELECT rowid, {columns} FROM {table} WHERE {table} MATCH ? ORDER BY rowid",
            (_phrase(term),),
        )
        return [TextHit(row[0], tuple(row[1:])) for row in rows]

    def search_paths(self, terms: Sequence[str], *, limit: int) -> list[FileRow]:
        """Files whose path holds every term: the `limit` shortest paths, in path order."""
        if not terms:
            return []
        keys = self._connection.execute(
            "SELECT p.rowid FROM path_search p JOIN files f ON f.file_pk = p.rowid"
            " WHERE path_search MATCH ? ORDER BY length(f.path), f.path LIMIT ?",
            (" AND ".join(_phrase(term) for term in terms), limit),
        )
        return self.read_files([row[0] for row in keys])

    # history ----------------------------------------------------------------------------

    def read_commits(self, commit_pks: Iterable[int]) -> list[CommitRow]:
        """The named commits, by key."""
        rows = [
            CommitRow(row[0], CommitId(row[1]), row[2], row[3], bool(row[4]))
            for part in _parts(commit_pks)
            for row in self._connection.execute(
                "SELECT commit_pk, commit_id, author_time, subject, is_merge FROM commits"
                f" WHERE commit_pk IN ({_marks(part)})",
                part,
            )
        ]
        return sorted(rows, key=lambda row: row.commit_pk)

    def read_recent_commits(self, *, limit: int) -> list[CommitRow]:
        """The newest commits by author time."""
        return [
            CommitRow(row[0], CommitId(row[1]), row[2], row[3], bool(row[4]))
            for row in self._connection.execute(
                "SELECT commit_pk, commit_id, author_time, subject, is_merge FROM commits"
                " ORDER BY author_time DESC, commit_pk DESC LIMIT ?",
                (limit,),
            )
        ]

    def read_commit_files(self, commit_pks: Iterable[int]) -> list[CommitFileRow]:
        """Paths touched by the named commits, by commit and path."""
        rows = [
            CommitFileRow(row[0], os.fsdecode(row[1]), row[2])
            for part in _parts(commit_pks)
            for row in self._connection.execute(
                "SELECT c.commit_pk, h.path, f.file_pk FROM commit_files c"
                " JOIN history_paths h USING (path_pk) LEFT JOIN files f ON f.path = h.path"
                f" WHERE c.commit_pk IN ({_marks(part)})",
                part,
            )
        ]
        return sorted(rows, key=lambda row: (row.commit_pk, os.fsencode(row.path)))

    def read_churn(self, file_pks: Iterable[int]) -> list[ChurnRow]:
        """Churn of the named files, by key; files without history are absent."""
        rows = [
            ChurnRow(*row)
            for part in _parts(file_pks)
            for row in self._connection.execute(
                "SELECT f.file_pk, c.commits, c.fixes, c.last_time FROM files f"
                " JOIN history_paths h ON h.path = f.path JOIN churn c USING (path_pk)"
                f" WHERE f.file_pk IN ({_marks(part)})",
                part,
            )
        ]
        return sorted(rows, key=lambda row: row.file_pk)

    def read_cochange(self, file_pks: Iterable[int], *, limit: int) -> list[CochangeRow]:
        """Live files that changed together with the named ones: per file, most often first."""
        return [row for key in file_pks for row in self._read_cochange(key, limit)]

    def _read_cochange(self, file_pk: int, limit: int) -> Iterator[CochangeRow]:
        rows = self._connection.execute(
            "WITH me AS (SELECT h.path_pk FROM files f JOIN history_paths h ON h.path = f.path"
            " WHERE f.file_pk = ?1), pairs (other, n) AS ("
            " SELECT path_b, commits FROM cochange WHERE path_a = (SELECT path_pk FROM me)"
            " UNION ALL"
            " SELECT path_a, commits FROM cochange WHERE path_b = (SELECT path_pk FROM me))"
            " SELECT f.file_pk, n FROM pairs JOIN history_paths h ON h.path_pk = other"
            " JOIN files f ON f.path = h.path ORDER BY n DESC, f.path LIMIT ?2",
            (file_pk, limit),
        )
        return (CochangeRow(file_pk, row[0], row[1]) for row in rows)


def _parts(values: Iterable[object]) -> Iterator[list[object]]:
    """The distinct values in their order, in lists short enough for one statement."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), _VARIABLES):
        yield distinct[start : start + _VARIABLES]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _phrase(term: str) -> str:
    """The term as one quoted full-text phrase: no operator of the query language survives."""
    return '"' + term.replace('"', '""') + '"'
