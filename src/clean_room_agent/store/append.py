"""One append: rows and blobs of one transaction, sealed by links of the chain.

Takes: a connection to raw inside a transaction. Gives: `Appender`.
Does not know: which tables there are, or who holds the lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from clean_room_agent.errors import StoreError
from clean_room_agent.store import blobs, chain
from clean_room_agent.store.faults import fault_point

Value = str | int | float | bytes | None


class Appender:
    """Collects what one transaction adds; `seal` must be its last call before the commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ranges: dict[str, tuple[int, int]] = {}

    def insert(self, table: str, row: Mapping[str, Value]) -> int:
        """Insert a row and return its seq."""
        fault_point("raw.append.row")
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values())
        )
        seq = cursor.lastrowid
        if seq is None:
            raise StoreError(f"the log gave no number to a row of {table}")
        self._note(table, seq)
        return seq

    def put_blob(self, data: bytes) -> str:
        """Keep bytes by content and return their SHA-256."""
        sha256, seq = blobs.put(self._connection, data)
        if seq is not None:
            self._note("blobs", seq)
        return sha256

    def query(self, sql: str, parameters: tuple[Value, ...]) -> tuple[Value, ...] | None:
        """Return one row of what this transaction sees."""
        row: tuple[Value, ...] | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def seal(self) -> tuple[int, str]:
        """Add the links for everything inserted; return the new head of the chain."""
        fault_point("raw.append.before_chain")
        chain.append_links(self._connection, self._ranges)
        self._ranges.clear()
        return chain.read_head(self._connection)

    def _note(self, table: str, seq: int) -> None:
        first, last = self._ranges.get(table, (seq, seq - 1))
        if seq != last + 1:
            raise StoreError(f"the log left a gap in {table} before {seq}")
        self._ranges[table] = (first, seq)
