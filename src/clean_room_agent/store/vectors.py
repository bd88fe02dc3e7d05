"""Vectors of chunks of code, kept by content and searched by cosine.

Takes: a repository, the digest and dimension of one way to make vectors. Gives: `VectorStore`.
Does not know: models, tokens, how code is cut, or what a score is for.

Every call opens a connection of its own and keeps nothing, so that any number of threads and
processes may use one store: readers see whole blobs, writers wait for each other. numpy is
imported at the first vector.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clean_room_agent.errors import VectorError
from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.store.connect import (
    Connection,
    Role,
    database_path,
    get_connection,
    snapshot,
    transaction,
)
from clean_room_agent.store.curated_reader import FileRow
from clean_room_agent.store.locks import WAIT_SECONDS, write_lock

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_VARIABLES = 900  # bound variables of one statement; longer lists are asked in parts
_STORED = "<f4"
BlobKey = tuple[BlobId, str]  # content and the language that it was cut as


@dataclass(frozen=True, slots=True)
class BlobVectors:
    """Every chunk of one content: the ranges, and one row of `vectors` for each."""

    key: BlobKey
    spans: tuple[Span, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class VectorFilter:
    """Which files are compared; an empty field lets all through."""

    path_prefix: str = ""
    language: str = ""
    is_test: bool | None = None

    def admits(self, file: FileRow) -> bool:
        return (
            file.path.startswith(self.path_prefix)
            and self.language in ("", file.language)
            and self.is_test in (None, file.is_test)
        )


EVERY_FILE = VectorFilter()


@dataclass(frozen=True, slots=True)
class VectorHit:
    """A file, the mean cosine of its best chunks, and where the best one stands."""

    file: FileRow
    score: float
    span: Span


def blob_key(file: FileRow) -> BlobKey:
    """What the vectors of a file are kept under."""
    return file.blob_id, file.language or ""


class VectorStore:
    """The vectors that one embedder made for one repository; `digest` names the embedder.

    Their dimension is that of the first ones written.
    """

    def __init__(self, repo_path: Path, digest: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self.repo_path = repo_path
        self.digest = digest
        self._wait_seconds = wait_seconds

    def missing(self, files: Iterable[FileRow]) -> list[FileRow]:
        """One file for each content that has no vectors yet, in the order given."""
        done = self._read_done()
        wanted: dict[BlobKey, FileRow] = {}
        for file in files:
            key = blob_key(file)
            if key not in done:
                wanted.setdefault(key, file)
        return list(wanted.values())

    def count(self) -> tuple[int, int]:
        """Contents and chunks that have vectors."""
        with closing(self._open()) as connection:
            row = connection.execute(
                "SELECT count(DISTINCT e.embedded_pk), count(v.start_byte) FROM embedded_blobs e"
                " JOIN embedders m USING (embedder_pk) LEFT JOIN vectors v USING (embedded_pk)"
                " WHERE m.digest = ?",
                (self.digest,),
            ).fetchone()
        return int(row[0]), int(row[1])

    def add(self, blobs: Sequence[BlobVectors]) -> None:
        """Write whole contents in one transaction; one that is there already is left alone.

        Raises: VectorError where a vector has another dimension, is not finite, or is zero.
        """
        if not blobs:
            return
        dimension = _dimension(blobs[0].vectors)
        checked = [(blob, _checked(blob, dimension)) for blob in blobs]
        lock = write_lock(Role.VECTORS, repo_path=self.repo_path, wait_seconds=self._wait_seconds)
        with lock, closing(self._open()) as connection, transaction(connection):
            embedder_pk = self._embedder(connection, dimension)
            for blob, rows in checked:
                _write(connection, embedder_pk, blob, rows)

    def count_others(self, keys: Iterable[BlobKey]) -> int:
        """How many contents `retain` would drop."""
        with closing(self._open()) as connection:
            return len(self._others(connection, set(keys)))

    def retain(self, keys: Iterable[BlobKey]) -> int:
        """Drop every content that is not named and all of other embedders; say how many."""
        lock = write_lock(Role.VECTORS, repo_path=self.repo_path, wait_seconds=self._wait_seconds)
        with lock, closing(self._open()) as connection, transaction(connection):
            gone = self._others(connection, set(keys))
            connection.executemany("DELETE FROM embedded_blobs WHERE embedded_pk = ?", gone)
            connection.execute("DELETE FROM embedders WHERE digest <> ?", (self.digest,))
        return len(gone)

    def _others(self, connection: Connection, kept: set[BlobKey]) -> list[tuple[int]]:
        rows = connection.execute(
            "SELECT e.embedded_pk, e.blob_id, e.language, m.digest FROM embedded_blobs e"
            " JOIN embedders m USING (embedder_pk)"
        )
        return [
            (int(row[0]),)
            for row in rows
            if row[3] != self.digest or (BlobId(row[1]), str(row[2])) not in kept
        ]

    def search(
        self,
        query: Vectors,
        files: Iterable[FileRow],
        *,
        filters: VectorFilter = EVERY_FILE,
        best: int = 1,
    ) -> list[VectorHit]:
        """Compare one vector with every chunk of the files that pass; best file first.

        A file's score is the mean of its `best` largest cosines, or of all where it has fewer.

        Raises: VectorError where the query is none of this store, or a stored vector is damaged.
        """
        import numpy as np

        row = np.asarray(query, np.float32).reshape(-1)
        if not _usable(row.reshape(1, -1)):
            raise VectorError("the query is zero or not finite", where=str(self._path))
        row = row / np.linalg.norm(row)
        hits = []
        for file, spans, vectors in self._read(files, filters, len(row)):
            norms = np.linalg.norm(vectors, axis=1)
            cosines = vectors @ row / norms
            order = np.argsort(-cosines, kind="stable")[:best]
            score = float(cosines[order].mean())
            hits.append(VectorHit(file, score, spans[int(order[0])]))
        return sorted(hits, key=lambda hit: (-hit.score, os.fsencode(hit.file.path)))

    def _read(
        self, files: Iterable[FileRow], filters: VectorFilter, dimension: int
    ) -> Iterator[tuple[FileRow, Sequence[Span], Vectors]]:
        """Each file that passes and has chunks, with its ranges and their vectors."""
        admitted = [file for file in files if filters.admits(file)]
        with closing(self._open()) as connection, snapshot(connection):
            self._check_dimension(connection, dimension)
            done = self._done(connection)
            wanted = {done[key]: key for key in map(blob_key, admitted) if key in done}
            found = dict(self._read_chunks(connection, wanted, dimension))
        for file in admitted:
            chunks = found.get(blob_key(file))
            if chunks is not None:
                yield file, *chunks

    def _read_chunks(
        self, connection: Connection, wanted: Mapping[int, BlobKey], dimension: int
    ) -> Iterator[tuple[BlobKey, tuple[Sequence[Span], Vectors]]]:
        import numpy as np

        spans: dict[int, list[Span]] = {}
        texts: dict[int, list[bytes]] = {}
        for part in _parts(sorted(wanted)):
            for row in connection.execute(
                "SELECT embedded_pk, start_byte, end_byte, start_line, end_line, vector"
                f" FROM vectors WHERE embedded_pk IN ({', '.join('?' * len(part))})"
                " ORDER BY embedded_pk, start_byte, end_byte",
                part,
            ):
                spans.setdefault(row[0], []).append(Span(*row[1:5]))
                texts.setdefault(row[0], []).append(row[5])
        size = dimension * np.dtype(_STORED).itemsize
        for key, stored in texts.items():
            if any(len(vector) != size for vector in stored):
                raise self._damaged(f"a vector of {wanted[key][0]} has not {size} bytes")
            matrix = np.frombuffer(b"".join(stored), _STORED).reshape(-1, dimension)
            if not _usable(matrix):
                raise self._damaged(f"a vector of {wanted[key][0]} is zero or not finite")
            yield wanted[key], (spans[key], matrix)

    def _embedder(self, connection: Connection, dimension: int) -> int:
        connection.execute(
            "INSERT INTO embedders (digest, dimension) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (self.digest, dimension),
        )
        return self._check_dimension(connection, dimension)

    def _check_dimension(self, connection: Connection, dimension: int) -> int:
        """The key of the embedder, 0 where it wrote nothing yet."""
        row = connection.execute(
            "SELECT embedder_pk, dimension FROM embedders WHERE digest = ?", (self.digest,)
        ).fetchone()
        if row is not None and row[1] != dimension:
            raise VectorError(
                f"vectors of this embedder have {row[1]} numbers, not {dimension}",
                where=str(self._path),
            )
        return int(row[0]) if row is not None else 0

    def _read_done(self) -> dict[BlobKey, int]:
        with closing(self._open()) as connection:
            return self._done(connection)

    def _done(self, connection: Connection) -> dict[BlobKey, int]:
        rows = connection.execute(
            "SELECT e.blob_id, e.language, e.embedded_pk FROM embedded_blobs e"
            " JOIN embedders m USING (embedder_pk) WHERE m.digest = ?",
            (self.digest,),
        )
        return {(BlobId(row[0]), str(row[1])): int(row[2]) for row in rows}

    def _open(self) -> Connection:
        return get_connection(Role.VECTORS, repo_path=self.repo_path)

    @property
    def _path(self) -> Path:
        return database_path(Role.VECTORS, self.repo_path)

    def _damaged(self, message: str) -> VectorError:
        hint = "vectors are derivable: delete the file and run `cra index`"
        return VectorError(message, where=str(self._path), hint=hint)


def _write(
    connection: Connection, embedder_pk: int, blob: BlobVectors, rows: Sequence[bytes]
) -> None:
    blob_id, language = blob.key
    made = connection.execute(
        "INSERT INTO embedded_blobs (embedder_pk, blob_id, language) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING embedded_pk",
        (embedder_pk, blob_id, language),
    ).fetchone()
    if made is None:
        return  # another process made the same vectors meanwhile
    connection.executemany(
        "INSERT INTO vectors (embedded_pk, start_byte, end_byte, start_line, end_line, vector)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (made[0], span.start_byte, span.end_byte, span.start_line, span.end_line, row)
            for span, row in zip(blob.spans, rows, strict=True)
        ],
    )


def _dimension(vectors: Vectors) -> int:
    if vectors.ndim != 2 or vectors.shape[1] < 1:
        raise VectorError(f"vectors of shape {vectors.shape} are no rows of numbers")
    return int(vectors.shape[1])


def _checked(blob: BlobVectors, dimension: int) -> list[bytes]:
    """The rows as they are stored."""
    name = f"blob {blob.key[0]}"
    if _dimension(blob.vectors) != dimension:
        found = blob.vectors.shape[1]
        raise VectorError(f"vectors of {found} and of {dimension} numbers together", where=name)
    if len(blob.vectors) != len(blob.spans):
        message = f"{len(blob.spans)} chunks have {len(blob.vectors)} vectors"
        raise VectorError(message, where=name)
    rows = blob.vectors.astype(_STORED)
    if not _usable(rows):
        raise VectorError("a vector is zero or not finite", where=name)
    return [row.tobytes() for row in rows]


def _usable(matrix: Vectors) -> bool:
    import numpy as np

    return bool(np.isfinite(matrix).all() and matrix.any(axis=1).all())


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), _VARIABLES):
        yield keys[start : start + _VARIABLES]
