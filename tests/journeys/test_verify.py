"""`cra verify` finds every kind of tampering with the log that the issue of trust names."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.journey import TASK, Journey, new_journey


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = new_journey(tmp_path_factory.mktemp("logged"))
    journey.ok("init", "--offline")
    journey.ok("solve", TASK, "--test", "pytest -q")
    assert journey.ok("verify")["clean"]
    return journey


def flip_a_byte(database: sqlite3.Connection) -> None:
    """Change one letter of one row of the trials."""
    database.execute(
        "UPDATE trials SET summary = 'X' || substr(summary, 2)"
        " WHERE seq = (SELECT max(seq) FROM trials)"
    )


def delete_a_row(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM retrieval_decisions WHERE seq = 2")


def delete_the_last_row(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM run_ends WHERE seq = (SELECT max(seq) FROM run_ends)")


def change_a_fragment(database: sqlite3.Connection) -> None:
    """Replace the logged bytes of a code fragment by others of the same length."""
    (sha256,) = database.execute(
        "SELECT content_sha256 FROM context_fragments WHERE kind = 'code' LIMIT 1"
    ).fetchone()
    encoding, data = database.execute(
        "SELECT encoding, data FROM blobs WHERE sha256 = ?", (sha256,)
    ).fetchone()
    content = zlib.decompress(data) if encoding == "zlib" else data
    content = content.replace(b"total", b"tota1")
    database.execute(
        "UPDATE blobs SET encoding = 'raw', data = ?, size_bytes = ? WHERE sha256 = ?",
        (content, len(content), sha256),
    )


def drop_the_end_of_the_chain(database: sqlite3.Connection) -> None:
    """Take the newest link away together with its rows: only the sequence still tells."""
    table, first, last = database.execute(
        "SELECT table_name, first_seq, last_seq FROM chain ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    database.execute(f"DELETE FROM {table} WHERE seq BETWEEN ? AND ?", (first, last))
    database.execute("DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)")


@pytest.mark.reliability(case=65)
@pytest.mark.parametrize(
    "tamper",
    [flip_a_byte, delete_a_row, delete_the_last_row, change_a_fragment, drop_the_end_of_the_chain],
    ids=lambda tamper: tamper.__name__,
)
def test_tampering_is_found_and_named(logged: Journey, tmp_path: Path, tamper) -> None:  # type: ignore[no-untyped-def]
    copy = Journey(tmp_path / "repo", logged.home)
    shutil.copytree(logged.root, copy.root, symlinks=True)
    with closing(sqlite3.connect(copy.root / ".clean_room" / "raw.sqlite")) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        saved = triggers.fetchall()
        with pytest.raises(sqlite3.DatabaseError, match="append-only"):
            tamper(database)
        database.rollback()
        for name, _ in saved:
            database.execute(f"DROP TRIGGER {name}")
        tamper(database)
        for _, sql in saved:
            database.execute(sql)
        database.commit()
    done = copy.cra("verify", "--json")
    assert done.code == 6, (done.stdout, done.stderr)
    assert not done.document["clean"]
    assert done.document["breaks"][0]["message"]
