"""The hash chain over the log: what was appended cannot change unseen.

Takes: a connection to raw. Gives: chain rows for an append; every break of the chain.
Does not know: what the rows mean.

Each append adds one link per table it wrote. A link holds a digest over whole rows and a hash over
itself and the link before. `verify_chain` finds a changed, removed, inserted or reordered row, at
the tail too, as long as whoever edited did not recompute the whole chain; the anchor file beside
the database (`anchor`) tells whether the newest links are still there.
"""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clean_room_agent.store import blobs
from clean_room_agent.store.connect import snapshot

GENESIS = "0" * 64
_BATCH_ROWS = 500
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the log is not what was appended; `seq` 0 means the table as a whole."""

    table: str
    seq: int
    message: str

    def __str__(self) -> str:
        return f"{self.table} {self.seq}: {self.message}"


@dataclass(frozen=True, slots=True)
class Link:
    """One row of `chain`."""

    seq: int
    table: str
    first_seq: int
    last_seq: int
    digest: str
    hash: str


def append_links(connection: sqlite3.Connection, ranges: Mapping[str, tuple[int, int]]) -> None:
    """Add one link per table for the rows `[first, last]` that this transaction inserted."""
    seq, previous = read_head(connection)
    for table, (first, last) in ranges.items():
        seq += 1
        digest = hashlib.sha256()
        for row in _rows(connection, table, first, last):
            digest.update(canonical_row(row))
        link_digest = digest.hexdigest()
        previous = link_hash(previous, (seq, table, first, last, link_digest))
        connection.execute(
            "INSERT INTO chain (seq, table_name, first_seq, last_seq, digest, hash)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (seq, table, first, last, link_digest, previous),
        )


def read_head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return seq and hash of the newest link; `(0, GENESIS)` for an empty log."""
    row = connection.execute("SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, GENESIS)


def read_hash(connection: sqlite3.Connection, seq: int) -> str | None:
    """Return the hash of link `seq`, if it is there."""
    row = connection.execute("SELECT hash FROM chain WHERE seq = ?", (seq,)).fetchone()
    return str(row[0]) if row else None


def verify_chain(connection: sqlite3.Connection) -> Iterator[Break]:
    """Yield every break, reading row by row in bounded memory.

    Reads one snapshot, so appends of another process meanwhile are no breaks.
    """
    earlier = connection.text_factory
    connection.text_factory = _decode_text
    try:
        with snapshot(connection):
            yield from _verify(connection)
    finally:
        connection.text_factory = earlier


def canonical_row(row: Iterable[object]) -> bytes:
    """Return the bytes that a digest covers: each value tagged by type and length-prefixed."""
    parts: list[bytes] = []
    for value in row:
        tag, payload = _canonical_value(value)
        parts.append(tag + struct.pack(">Q", len(payload)) + payload)
    return struct.pack(">I", len(parts)) + b"".join(parts)


def link_hash(previous: str, values: tuple[int, str, int, int, str]) -> str:
    """Return the hash of a link: over the hash before it and its own columns."""
    return hashlib.sha256(canonical_row((previous, *values))).hexdigest()


def logged_tables(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return every table that the chain covers."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'chain' ORDER BY name"
    )
    return tuple(str(name) for (name,) in rows)


def _verify(connection: sqlite3.Connection) -> Iterator[Break]:
    tables = logged_tables(connection)
    covered = dict.fromkeys(tables, 0)
    previous, count = GENESIS, 0
    for link in _links(connection):
        count += 1
        if link.seq != count:
            yield Break("chain", link.seq, f"link {count} is missing")
            count = link.seq
        values = (link.seq, link.table, link.first_seq, link.last_seq, link.digest)
        if link_hash(previous, values) != link.hash:
            yield Break("chain", link.seq, "the link does not follow from the one before it")
        previous = link.hash
        if link.table not in covered:
            yield Break("chain", link.seq, f"names the unknown table {link.table}")
            continue
        yield from _verify_range(connection, link, covered[link.table] + 1)
        covered[link.table] = max(covered[link.table], link.last_seq)
    yield from _verify_tail(connection, "chain", count)
    for table in tables:
        yield from _verify_tail(connection, table, covered[table])


def _links(connection: sqlite3.Connection) -> Iterator[Link]:
    rows = connection.execute(
        "SELECT seq, table_name, first_seq, last_seq, digest, hash FROM chain ORDER BY seq"
    )
    for row in rows:
        yield Link(*row)


def _verify_range(connection: sqlite3.Connection, link: Link, expected: int) -> Iterator[Break]:
    """Check that the link starts where the last one ended, and that its rows are unchanged."""
    if link.first_seq != expected or link.last_seq < link.first_seq:
        yield Break(link.table, link.first_seq, f"covered out of order by link {link.seq}")
        return
    digest, seq, missing = hashlib.sha256(), link.first_seq, False
    for row in _rows(connection, link.table, link.first_seq, link.last_seq):
        found = int(str(row[0]))
        for absent in range(seq, min(found, seq + _MOST_NAMED)):
            missing = True
            yield Break(link.table, absent, "the row was removed")
        seq = found + 1
        digest.update(canonical_row(row))
        if link.table == "blobs":
            yield from _verify_blob(connection, row)
    if seq <= link.last_seq:
        yield Break(link.table, seq, f"the rows up to {link.last_seq} were removed")
    elif not missing and digest.hexdigest() != link.digest:
        place = f"rows {link.first_seq}-{link.last_seq} were"
        if link.first_seq == link.last_seq:
            place = "the row was"
        yield Break(link.table, link.first_seq, f"{place} changed after being logged")


def _verify_blob(connection: sqlite3.Connection, row: tuple[object, ...]) -> Iterator[Break]:
    seq, sha256, encoding, size_bytes = row
    data = connection.execute("SELECT data FROM blobs WHERE seq = ?", (seq,)).fetchone()[0]
    content = None
    if isinstance(data, bytes) and isinstance(size_bytes, int):
        content = blobs.decode(str(encoding), size_bytes, data)
    if content is None or hashlib.sha256(content).hexdigest() != sha256:
        yield Break("blobs", int(str(seq)), f"the content is not that of {str(sha256)[:16]}")


def _verify_tail(connection: sqlite3.Connection, table: str, covered: int) -> Iterator[Break]:
    """Compare what the links cover with the rows that are there and with the counter of SQLite."""
    lowest, highest = connection.execute(f"SELECT min(seq), max(seq) FROM {table}").fetchone()
    if highest is not None and highest > covered:
        yield Break(table, covered + 1, f"the rows up to {highest} were never logged in the chain")
    if lowest is not None and lowest < 1:
        yield Break(table, lowest, "the row was never logged in the chain")
    counted = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
    ).fetchone()
    if (counted[0] if counted else 0) != max(covered, highest or 0):
        last = counted[0] if counted else 0
        yield Break(table, last, f"the table once held {last} rows, the chain knows {covered}")


def _rows(
    connection: sqlite3.Connection, table: str, first: int, last: int
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a range in order; the content of a blob is covered by its own hash."""
    columns = "seq, sha256, encoding, size_bytes" if table == "blobs" else "*"
    sql = f"SELECT {columns} FROM {table} WHERE seq BETWEEN ? AND ? ORDER BY seq"
    cursor = connection.execute(sql, (first, last))
    while batch := cursor.fetchmany(_BATCH_ROWS):
        yield from batch


def _canonical_value(value: object) -> tuple[bytes, bytes]:
    match value:
        case None:
            return b"n", b""
        case int():
            return b"i", str(value).encode()
        case float():
            return b"f", struct.pack(">d", value)
        case str():
            return b"t", value.encode("utf-8", "surrogateescape")
        case bytes():
            return b"b", value
    raise TypeError(f"not a column value: {type(value).__name__}")


def _decode_text(data: bytes) -> str:
    """Read TEXT that was damaged into invalid UTF-8 too: it must be found, not raise."""
    return data.decode("utf-8", "surrogateescape")
