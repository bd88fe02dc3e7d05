"""A schema grows by numbered steps: each whole or not at all, with a copy made before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from clean_room_agent.store import migrations
from clean_room_agent.store.connect import Role, database_path, get_connection
from clean_room_agent.store.migrations import (
    APPLICATION_IDS,
    MIGRATIONS,
    SCHEMA_DIR,
    back_up,
    expected_fingerprint,
    fingerprint,
    migrate,
    newest_version,
    read_version,
    steps_of,
)
from clean_room_agent.store.session import Session
from tests.support.processes import run_child

STEPS = (
    "CREATE TABLE one (a TEXT NOT NULL) STRICT; INSERT INTO one VALUES ('kept')",
    "CREATE TABLE two (b TEXT) STRICT; CREATE TABLE three (c TEXT) STRICT",
    "CREATE INDEX two_b ON two (b)",
)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


@pytest.mark.parametrize("role", list(Role))
def test_every_schema_file_is_in_a_list_in_order(role: Role) -> None:
    on_disk = sorted(path.name for path in SCHEMA_DIR.glob(f"{role}_*.sql"))
    assert list(MIGRATIONS[role]) == on_disk
    assert on_disk == [f"{role}_{number:03d}.sql" for number in range(1, len(on_disk) + 1)]


@pytest.mark.parametrize("role", list(Role))
def test_a_new_database_has_the_expected_fingerprint(tmp_path: Path, role: Role) -> None:
    with closing(get_connection(role, repo_path=tmp_path, task_id="t-1")) as connection:
        assert fingerprint(connection) == expected_fingerprint(role, newest_version(role))


@pytest.mark.parametrize("role", list(Role))
def test_every_table_is_strict(role: Role) -> None:
    with opened(Path(":memory:")) as connection:
        migrate(connection, 1, steps_of(role))
        loose = connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND NOT strict AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        ).fetchall()
    assert loose == []


def test_steps_are_applied_once_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path / "db") as connection:
        migrate(connection, 7, STEPS[:1])
        assert read_version(connection) == 1
        migrate(connection, 7, STEPS)
        assert read_version(connection) == 3
        assert connection.execute("SELECT a FROM one").fetchall() == [("kept",)]


def test_a_step_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    broken = (*STEPS[:1], "CREATE TABLE two (b TEXT) STRICT; CREATE TABLE one (a TEXT) STRICT")
    with opened(tmp_path / "db") as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, 7, broken)
        assert read_version(connection) == 1
        assert tables(connection) == {"one"}


@pytest.mark.parametrize("point", ["migrations.step", "migrations.before_commit"])
@pytest.mark.parametrize("passage", [1, 2, 3])
@pytest.mark.reliability(case=69)
def test_killed_half_way_it_resumes(tmp_path: Path, point: str, passage: int) -> None:
    def work(voice: object) -> None:
        with opened(tmp_path / "db") as connection:
            migrate(connection, 7, STEPS)

    assert run_child(work, fault=f"{point}:{passage}:kill").killed
    with opened(tmp_path / "db") as connection:
        assert read_version(connection) == passage - 1
        migrate(connection, 7, STEPS)
        assert read_version(connection) == 3
        assert tables(connection) == {"one", "two", "three", "two_b"}


@pytest.mark.reliability(case=69)
def test_an_older_file_is_copied_then_migrated(
    tmp_path: Path, later_session: tuple[str, ...]
) -> None:
    with Session("t-1", repo_path=tmp_path) as session:
        assert session.get("kept") == "yes"
    path = database_path(Role.SESSION, tmp_path, "t-1")
    copy = path.with_name(f"{path.name}.v1.backup")
    with opened(path) as connection:
        assert read_version(connection) == 2
    with opened(copy) as connection:
        assert read_version(connection) == 1
        assert connection.execute("SELECT key FROM entries").fetchall() == [("kept",)]
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("point", ["migrations.backup", "migrations.before_commit"])
@pytest.mark.reliability(case=69)
def test_an_older_file_killed_while_migrating_is_whole_at_the_next_start(
    tmp_path: Path, later_session: tuple[str, ...], point: str
) -> None:
    def work(voice: object) -> None:
        Session("t-1", repo_path=tmp_path).close()

    expected_fingerprint(Role.SESSION, 1)
    assert run_child(work, fault=f"{point}:1:kill").killed
    with Session("t-1", repo_path=tmp_path) as session:
        assert session.get("kept") == "yes"


@pytest.mark.reliability(case=69)
def test_an_older_file_is_not_read_by_a_reader(
    tmp_path: Path, later_session: tuple[str, ...]
) -> None:
    with pytest.raises(migrations.StoreError, match="older schema"):
        get_connection(Role.SESSION, repo_path=tmp_path, task_id="t-1", read_only=True)


def test_a_backup_is_a_whole_database(tmp_path: Path) -> None:
    with opened(tmp_path / "db") as connection:
        migrate(connection, APPLICATION_IDS[Role.RAW], STEPS)
        copy = back_up(connection, tmp_path / "db")
    with opened(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert read_version(connection) == 3


@pytest.fixture
def later_session(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """A session of version 1, and a program that knows a version 2."""
    with Session("t-1", repo_path=tmp_path) as session:
        session.put("kept", "yes")
    directory = tmp_path / "schema"
    directory.mkdir()
    for role in Role:
        for name in MIGRATIONS[role]:
            (directory / name).write_text((SCHEMA_DIR / name).read_text())
    (directory / "session_002.sql").write_text("CREATE TABLE notes (note TEXT NOT NULL) STRICT;")
    with program_of(
        directory, {**MIGRATIONS, Role.SESSION: ("session_001.sql", "session_002.sql")}
    ):
        yield MIGRATIONS[Role.SESSION]


@contextmanager
def program_of(directory: Path, lists: dict[Role, tuple[str, ...]]) -> Iterator[None]:
    """Stand in for a later release: the lists are data, nothing is patched but them."""
    kept = migrations.MIGRATIONS, migrations.SCHEMA_DIR
    migrations.MIGRATIONS, migrations.SCHEMA_DIR = lists, directory
    expected_fingerprint.cache_clear()
    try:
        yield
    finally:
        migrations.MIGRATIONS, migrations.SCHEMA_DIR = kept
        expected_fingerprint.cache_clear()
