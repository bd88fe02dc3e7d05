"""Large bytes, kept once by content and compressed where that helps.

Takes: a connection to raw, bytes. Gives: their SHA-256, and the bytes back, verified.
Does not know: what the bytes mean.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib

from clean_room_agent.errors import StoreError
from clean_room_agent.store.faults import fault_point

_LEVEL = 6
_LEAST_COMPRESSED_BYTES = 128


def put(connection: sqlite3.Connection, data: bytes) -> tuple[str, int | None]:
    """Store `data` unless it is there; return its SHA-256 and the seq of a new row."""
    sha256 = hashlib.sha256(data).hexdigest()
    if connection.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone():
        return sha256, None
    encoding, stored = _encode(data)
    fault_point("blobs.put")
    cursor = connection.execute(
        "INSERT INTO blobs (sha256, encoding, size_bytes, data) VALUES (?, ?, ?, ?)",
        (sha256, encoding, len(data), stored),
    )
    return sha256, cursor.lastrowid


def get(connection: sqlite3.Connection, sha256: str) -> bytes:
    """Return the bytes whose SHA-256 is `sha256`.

    Raises: StoreError if they are not there, or no longer are what they were.
    """
    row = connection.execute(
        "SELECT encoding, size_bytes, data FROM blobs WHERE sha256 = ?", (sha256,)
    ).fetchone()
    if row is None:
        raise StoreError(f"blob {sha256[:16]} is not in the log", hint="run `cra verify`")
    content = decode(*row)
    if content is None or hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(f"blob {sha256[:16]} is damaged", hint="run `cra verify`")
    return content


def decode(encoding: str, size_bytes: int, data: bytes) -> bytes | None:
    """Return the content of a stored blob, or `None` where it cannot be what was put.

    Never expands to more than one byte beyond the recorded size.
    """
    if encoding == "raw":
        return data if len(data) == size_bytes else None
    try:
        content = zlib.decompressobj().decompress(data, size_bytes + 1)
    except zlib.error:
        return None
    return content if len(content) == size_bytes else None


def _encode(data: bytes) -> tuple[str, bytes]:
    if len(data) >= _LEAST_COMPRESSED_BYTES:
        packed = zlib.compress(data, _LEVEL)
        if len(packed) < len(data):
            return "zlib", packed
    return "raw", data
