"""Bytes are kept once by content, and only come back when they are what was put."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.errors import StoreError
from clean_room_agent.store import blobs
from clean_room_agent.store.connect import Role, get_connection


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(get_connection(Role.RAW, repo_path=tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xff\x00" * 3, b"same " * 500, os.urandom(5000)],
    ids=["empty", "one", "binary", "repeating", "random"],
)  # fmt: skip
def test_what_is_put_comes_back(connection: sqlite3.Connection, data: bytes) -> None:
    sha256, seq = blobs.put(connection, data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert seq == 1
    assert blobs.get(connection, sha256) == data


def test_the_same_bytes_are_kept_once(connection: sqlite3.Connection) -> None:
    assert blobs.put(connection, b"twice")[1] == 1
    assert blobs.put(connection, b"twice")[1] is None


def test_only_what_gets_smaller_is_compressed(connection: sqlite3.Connection) -> None:
    blobs.put(connection, b"same " * 500)
    blobs.put(connection, os.urandom(5000))
    rows = connection.execute("SELECT encoding, size_bytes, length(data) FROM blobs").fetchall()
    assert [(encoding, size) for encoding, size, _ in rows] == [("zlib", 2500), ("raw", 5000)]
    assert rows[0][2] < 100


def test_a_blob_that_is_not_there_is_an_error(connection: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match="is not in the log"):
        blobs.get(connection, "0" * 64)


@pytest.mark.parametrize(
    ("encoding", "size_bytes", "data"),
    [
        ("raw", 3, b"other bytes"),
        ("raw", 5, b"hello"),
        ("zlib", 5, b"not zlib"),
        ("zlib", 5, zlib.compress(b"x" * 10_000_000)),
        ("zlib", 50, zlib.compress(b"hello")),
    ],
    ids=["wrong-size", "wrong-hash", "not-zlib", "bomb", "too-short"],
)
def test_a_damaged_blob_is_an_error(
    connection: sqlite3.Connection, encoding: str, size_bytes: int, data: bytes
) -> None:
    connection.execute(
        "INSERT INTO blobs (sha256, encoding, size_bytes, data) VALUES ('ab', ?, ?, ?)",
        (encoding, size_bytes, data),
    )
    with pytest.raises(StoreError, match="is damaged"):
        blobs.get(connection, "ab")


@given(st.binary(max_size=2000))
def test_an_encoding_is_undone_for_any_bytes(data: bytes) -> None:
    encoding, stored = blobs._encode(data)
    assert blobs.decode(encoding, len(data), stored) == data
    assert len(stored) <= len(data)
