"""One append: rows and blobs of one transaction, sealed by links of the chain.

Takes: a connection to raw inside a transaction, a redactor. Gives: `Appender`.
Does not know: which tables there are, or who holds the lock.

This is the one place where anything enters the log, so it is the one place where secrets are taken
out: every text of every row, and every blob but two kinds. Prompts are kept byte by byte, because
their hashes are checked, and so one that holds a secret is refused; nothing is sent that was not
kept first. A user's own file bytes (patches, what `cra undo` puts back) are kept as they are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from clean_room_agent.errors import CraError, StoreError
from clean_room_agent.redaction import Redactor, why_withheld
from clean_room_agent.store import blobs, chain
from clean_room_agent.store.faults import fault_point

Value = str | int | float | bytes | None


class Appender:
    """Collects what one transaction adds; `seal` must be its last call before the commit."""

    def __init__(self, connection: sqlite3.Connection, redactor: Redactor) -> None:
        self._connection = connection
        self._redactor = redactor
        self._ranges: dict[str, tuple[int, int]] = {}

    def insert(self, table: str, row: Mapping[str, Value]) -> int:
        """Insert a row, its texts redacted, and return its seq."""
        fault_point("raw.append.row")
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        values = tuple(
            self._redactor.column(value) if isinstance(value, str) else value
            for value in row.values()
        )
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", values
        )
        seq = cursor.lastrowid
        if seq is None:
            raise StoreError(f"the log gave no number to a row of {table}")
        self._note(table, seq)
        return seq

    def put_blob(self, data: bytes) -> str:
        """Keep bytes by content, redacted, and return the SHA-256 of what is kept."""
        return self._put(self._redactor.blob(data))

    def put_prompt(self, data: bytes) -> str:
        """Keep a prompt, or a fragment of one, exactly as it is sent.

        Raises:
            CraError: it holds a secret or a control token of models; nothing is kept or sent.
        """
        reason = why_withheld(data)
        if reason:
            raise CraError(
                f"a prompt was refused before it was kept or sent: it {reason}",
                hint="report this: what enters a prompt is checked before; `cra doctor` says more",
            )
        return self._put(data)

    def put_own(self, data: bytes) -> str:
        """Keep bytes of the user's own files exactly: `cra apply` and `cra undo` write them."""
        return self._put(data)

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

    def _put(self, data: bytes) -> str:
        sha256, seq = blobs.put(self._connection, data)
        if seq is not None:
            self._note("blobs", seq)
        return sha256

    def _note(self, table: str, seq: int) -> None:
        first, last = self._ranges.get(table, (seq, seq - 1))
        if seq != last + 1:
            raise StoreError(f"the log left a gap in {table} before {seq}")
        self._ranges[table] = (first, seq)
