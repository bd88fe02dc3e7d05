"""No deferred write transaction exists: a writer waits before it reads, never fails after."""

from __future__ import annotations

import ast
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import clean_room_agent
from clean_room_agent.errors import StoreBusyError
from clean_room_agent.store.connect import Role, get_connection, transaction
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.session import Session
from tests.store import samples

SOURCES = Path(clean_room_agent.__file__).parent
INSERT = "INSERT INTO meta VALUES (?, '1')"


def strings_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.strip()


def beginnings() -> dict[str, set[str]]:
    """Every string of the program that starts a transaction, by module."""
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for text in strings_of(path):
            words = text.upper().replace(";", " ;").split()
            if (words[:1] == ["BEGIN"] and len(words) < 4) or words[:2] == ["BEGIN", "IMMEDIATE"]:
                found.setdefault(str(path.relative_to(SOURCES)), set()).add(" ".join(words[:2]))
    return found


@pytest.mark.reliability(case=64)
def test_the_program_begins_no_deferred_transaction_but_the_snapshot_that_cannot_write() -> None:
    assert beginnings() == {
        "store/connect.py": {"BEGIN IMMEDIATE", "BEGIN DEFERRED"},
        "store/migrations.py": {"BEGIN IMMEDIATE"},
    }


@pytest.mark.reliability(case=64)
def test_only_the_door_opens_databases_and_it_never_begins_by_itself() -> None:
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "sqlite3.connect":
                keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
                found[str(path.relative_to(SOURCES))] = keywords.get("isolation_level")
    assert found == {"store/connect.py": "None", "store/migrations.py": "None"}


@pytest.mark.reliability(case=64)
def test_every_write_of_the_log_and_of_a_session_is_inside_an_immediate_transaction(
    tmp_path: Path, traced: list[str]
) -> None:
    with RawLog(tmp_path) as raw, Session("t-1", repo_path=tmp_path) as session:
        samples.append_everything(raw)
        session.put("a", 1)
    inside, writes = False, 0
    for statement in traced:
        words = statement.split()
        if words[0] in ("BEGIN", "COMMIT", "ROLLBACK"):
            inside = words[:2] == ["BEGIN", "IMMEDIATE"] or words[:2] == ["BEGIN", "IMMEDIATE;"]
        elif words[0] in ("INSERT", "UPDATE", "DELETE", "REPLACE"):
            writes += 1
            assert inside, statement
    assert writes > 20


@pytest.mark.reliability(case=64)
def test_negative_control_a_deferred_writer_fails_at_once_in_spite_of_its_timeout(
    tmp_path: Path,
) -> None:
    with (
        closing(get_connection(Role.CURATED, repo_path=tmp_path)) as first,
        closing(get_connection(Role.CURATED, repo_path=tmp_path)) as second,
    ):
        first.execute("BEGIN DEFERRED")
        first.execute("SELECT * FROM meta").fetchall()
        with transaction(second):
            second.execute(INSERT, ("second",))
        started = time.monotonic()
        with pytest.raises(StoreBusyError):
            first.execute(INSERT, ("first",))
        assert time.monotonic() - started < 5
        first.execute("ROLLBACK")


@pytest.mark.reliability(case=64)
def test_a_transaction_keeps_other_writers_out_before_it_reads(tmp_path: Path) -> None:
    with (
        closing(get_connection(Role.CURATED, repo_path=tmp_path)) as first,
        closing(get_connection(Role.CURATED, repo_path=tmp_path)) as second,
    ):
        second.execute("PRAGMA busy_timeout = 20")
        with transaction(first):
            first.execute("SELECT * FROM meta").fetchall()
            with pytest.raises(StoreBusyError), transaction(second):
                pass
            first.execute(INSERT, ("first",))
        with transaction(second):
            second.execute(INSERT, ("second",))


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement of every connection opened in the test, in order."""
    statements: list[str] = []
    connect = sqlite3.connect

    def connect_traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_traced)
    return statements
