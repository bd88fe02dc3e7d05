"""Read back what indexing wrote, in the shapes that indexing needs to go on from it.

Takes: the connection of a `CuratedWriter`. Gives: rows by content key. Does not know: retrieval
(that reads through `curated_reader`), or how names are resolved.

For a build that touches every file `load` reads whole tables at once, or `keep` is given each blob
as it is written; without either each question is one indexed query, so a small change stays cheap.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from clean_room_agent.store.values import path_text

_VARIABLES = 900


class SymbolFact(NamedTuple):
    """A definition as name resolution sees it."""

    ordinal: int
    parent: int | None
    kind: str
    name: str
    qualified_name: str


# kind, name, receiver, enclosing ordinal, occurrences
ReferenceFact = tuple[str, str, str, int | None, int]


class ImportFact(NamedTuple):
    """An import as it was written."""

    module: str
    name: str
    alias: str
    level: int


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A live file as the last index left it."""

    file_pk: int
    path: str
    blob_pk: int
    blob_id: str
    size_bytes: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    language: str | None
    is_test: bool
    executable: bool


class CuratedFacts:
    """Reads on the writer's own connection: they see what the open transaction wrote."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._symbols: dict[int, list[SymbolFact]] = {}
        self._imports: dict[int, list[ImportFact]] = {}
        self._references: dict[int, list[ReferenceFact]] = {}
        self._inherits: dict[int, list[ReferenceFact]] = {}
        self._methods: dict[str, list[tuple[int, SymbolFact]]] = {}
        self._loaded = False

    def read_meta(self) -> dict[str, str]:
        return dict(self._connection.execute("SELECT key, value FROM meta"))

    def read_files(self) -> dict[str, StoredFile]:
        rows = self._connection.execute(
            "SELECT file_pk, path, blob_pk, blob_id, size_bytes, mtime_ns, inode, ctime_ns,"
            " f.language, is_test, executable FROM files f JOIN parsed_blobs USING (blob_pk)"
        )
        files = {}
        for key, raw, blob, blob_id, size, mtime, inode, ctime, language, test, executable in rows:
            path = path_text(raw)
            files[path] = StoredFile(
                key, path, blob, blob_id, size, mtime, inode, ctime, language, bool(test),
                bool(executable),
            )  # fmt: skip
        return files

    def read_blob_keys(self) -> dict[tuple[str, str | None], int]:
        rows = self._connection.execute("SELECT blob_id, language, blob_pk FROM parsed_blobs")
        return {(row[0], row[1]): row[2] for row in rows}

    def read_skipped(self) -> dict[str, str]:
        rows = self._connection.execute("SELECT path, reason FROM skipped_files")
        return {path_text(row[0]): row[1] for row in rows}

    def count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def count_live(self, table: str) -> int:
        """Rows of a table of parsed facts whose content is in the tree."""
        sql = f"SELECT count(*) FROM {table}"
        if self._connection.execute("SELECT 1 FROM kept_blobs LIMIT 1").fetchone():
            sql += " WHERE blob_pk NOT IN (SELECT blob_pk FROM kept_blobs)"
        return int(self._connection.execute(sql).fetchone()[0])

    def count_contents(self) -> int:
        """How many different contents the tree has."""
        row = self._connection.execute("SELECT count(DISTINCT blob_pk) FROM files").fetchone()
        return int(row[0])

    def next_key(self, table: str, column: str) -> int:
        row = self._connection.execute(f"SELECT coalesce(max({column}), 0) + 1 FROM {table}")
        return int(row.fetchone()[0])

    def count_not_parsed(self) -> dict[str, int]:
        """How many live files have each status other than `parsed`."""
        rows = self._connection.execute(
            "SELECT status, count(*) FROM files JOIN parsed_blobs USING (blob_pk)"
            " WHERE status <> 'parsed' GROUP BY status ORDER BY status"
        )
        return {str(row[0]): int(row[1]) for row in rows}

    # what names are resolved from -----------------------------------------------------------

    def keep(
        self,
        blob_pk: int,
        symbols: list[SymbolFact],
        imports: list[ImportFact],
        references: list[ReferenceFact],
    ) -> None:
        """Remember a blob that is being written; all of them have to come here, or none."""
        self._loaded = True
        self._symbols[blob_pk], self._imports[blob_pk] = symbols, imports
        self._references[blob_pk] = references
        self._inherits[blob_pk] = [fact for fact in references if fact[0] == "inherit"]
        for fact in symbols:
            if fact.kind == "method":
                self._methods.setdefault(fact.name, []).append((blob_pk, fact))

    def load(self) -> None:
        """Read every definition, import and reference at once, unless they were kept."""
        if self._loaded:
            return
        symbols: dict[int, list[SymbolFact]] = defaultdict(list)
        imports: dict[int, list[ImportFact]] = defaultdict(list)
        references: dict[int, list[ReferenceFact]] = defaultdict(list)
        inherits: dict[int, list[ReferenceFact]] = defaultdict(list)
        named: dict[str, list[tuple[int, SymbolFact]]] = defaultdict(list)
        for row in self._connection.execute(
            "SELECT blob_pk, ordinal, parent_ordinal, kind, name, qualified_name FROM symbols"
            " WHERE blob_pk NOT IN (SELECT blob_pk FROM kept_blobs)"
        ):
            fact = SymbolFact._make(row[1:])
            symbols[row[0]].append(fact)
            if row[3] == "method":
                named[row[4]].append((row[0], fact))
        for row in self._connection.execute(
            "SELECT blob_pk, module, name, alias, level FROM imports"
        ):
            imports[row[0]].append(ImportFact._make(row[1:]))
        for row in self._connection.execute(
            "SELECT blob_pk, kind, name, receiver, enclosing_ordinal, occurrences"
            " FROM symbol_references WHERE kind IN ('call', 'inherit')"
        ):
            references[row[0]].append(row[1:])
            if row[1] == "inherit":
                inherits[row[0]].append(row[1:])
        self._symbols, self._imports, self._references = symbols, imports, references
        self._inherits, self._methods = inherits, named
        self._loaded = True

    def symbols_of(self, blob_pk: int) -> list[SymbolFact]:
        """The definitions of a blob by ordinal."""
        if self._loaded or blob_pk in self._symbols:
            return self._symbols.get(blob_pk, [])
        rows = self._connection.execute(
            "SELECT ordinal, parent_ordinal, kind, name, qualified_name FROM symbols"
            " WHERE blob_pk = ? ORDER BY ordinal",
            (blob_pk,),
        )
        found = self._symbols[blob_pk] = [SymbolFact._make(row) for row in rows]
        return found

    def imports_of(self, blob_pk: int) -> list[ImportFact]:
        """The imports of a blob in the order of the source."""
        if self._loaded or blob_pk in self._imports:
            return self._imports.get(blob_pk, [])
        rows = self._connection.execute(
            "SELECT module, name, alias, level FROM imports WHERE blob_pk = ? ORDER BY rowid",
            (blob_pk,),
        )
        found = self._imports[blob_pk] = [ImportFact._make(row) for row in rows]
        return found

    def references_of(self, blob_pk: int) -> list[ReferenceFact]:
        """Calls and inheritances of a blob, aggregated within their enclosing symbols."""
        if self._loaded:
            return self._references.get(blob_pk, [])
        return self._connection.execute(
            "SELECT kind, name, receiver, enclosing_ordinal, occurrences FROM symbol_references"
            " WHERE blob_pk = ? AND kind IN ('call', 'inherit')",
            (blob_pk,),
        ).fetchall()

    def inherits_of(self, blob_pk: int) -> list[ReferenceFact]:
        """The inheritances of a blob in the order of the source."""
        if not self._loaded and blob_pk not in self._inherits:
            self._inherits[blob_pk] = self._connection.execute(
                "SELECT kind, name, receiver, enclosing_ordinal, occurrences FROM symbol_references"
                " WHERE blob_pk = ? AND kind = 'inherit' ORDER BY first_byte",
                (blob_pk,),
            ).fetchall()
        return self._inherits.get(blob_pk, [])

    def methods_named(self, name: str) -> list[tuple[int, SymbolFact]]:
        """Methods of a name with the blob that holds each."""
        found = self._methods.get(name)
        if found is not None or self._loaded:
            return found or []
        rows = self._connection.execute(
            "SELECT blob_pk, ordinal, parent_ordinal, kind, name, qualified_name FROM symbols"
            " WHERE name = ? AND kind = 'method'",
            (name,),
        )
        found = self._methods[name] = [(row[0], SymbolFact._make(row[1:])) for row in rows]
        return found

    # what a change may touch ----------------------------------------------------------------

    def blobs_naming(self, names: Collection[str], *, kind: str | None = None) -> set[int]:
        """Blobs that refer to any of the names, as what they call or what they call it on."""
        found = set()
        for part in _parts(names):
            marks = ",".join("?" * len(part))
            for column in ("name", "receiver"):
                sql = f"SELECT DISTINCT blob_pk FROM symbol_references WHERE {column} IN ({marks})"
                if kind is None:
                    found.update(self._keys(sql, part))
                else:
                    found.update(self._keys(f"{sql} AND kind = ?", [*part, kind]))
        return found

    def importers_of(self, names: Collection[str]) -> list[tuple[int, str, str]]:
        """Imports of any of the names: blob, name, alias."""
        rows: list[tuple[int, str, str]] = []
        for part in _parts(names):
            marks = ",".join("?" * len(part))
            rows.extend(
                self._connection.execute(
                    f"SELECT blob_pk, name, alias FROM imports WHERE name IN ({marks})", part
                )
            )
        return rows

    def importers_of_module(self, name: str) -> list[tuple[int, str, str]]:
        """Imports of or from any module whose dotted name may end so: blob, name, alias."""
        return self._connection.execute(
            "SELECT blob_pk, name, alias FROM imports"
            " WHERE module = ?1 OR module LIKE '%.' || ?1 OR name = ?1",
            (name,),
        ).fetchall()

    def inheritors_of(self, file_pks: Iterable[int]) -> set[int]:
        """The files that hold a class derived from one in the named files."""
        return {
            key
            for file_pk in file_pks
            for key in self._keys(
                "SELECT source_file FROM edges WHERE target_file = ? AND kind = 'inherit'",
                (file_pk,),
            )
        }

    def read_paths(self) -> dict[bytes, int]:
        """Every path that a commit touched, with its key."""
        return dict(self._connection.execute("SELECT path, path_pk FROM history_paths"))

    def _keys(self, sql: str, values: Sequence[object] = ()) -> list[int]:
        return [row[0] for row in self._connection.execute(sql, values)]


def _parts(values: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _VARIABLES):
        yield ordered[start : start + _VARIABLES]
