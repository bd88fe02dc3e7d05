"""A database is born complete, opened only when it is ours and whole, never silently remade."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreError, UsageError
from clean_room_agent.store import faults, migrations
from clean_room_agent.store.connect import (
    Role,
    database_path,
    get_connection,
    snapshot,
    state_dir,
    transaction,
)
from clean_room_agent.store.migrations import newest_version
from clean_room_agent.store.paths import DIRECTORY_MODE, FILE_MODE
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.session import Session
from tests.store import samples
from tests.support.processes import Voice, child, run_child

ROLES = [(Role.RAW, None), (Role.CURATED, None), (Role.SESSION, "t-1")]
each_role = pytest.mark.parametrize(("role", "task_id"), ROLES, ids=[str(r) for r, _ in ROLES])


def open_and_close(role: Role, repo: Path, task_id: str | None = None) -> None:
    get_connection(role, repo_path=repo, task_id=task_id).close()


@each_role
def test_a_connection_has_the_promised_settings(
    tmp_path: Path, role: Role, task_id: str | None
) -> None:
    with closing(get_connection(role, repo_path=tmp_path, task_id=task_id)) as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode", "synchronous", "foreign_keys", "recursive_triggers",
                "trusted_schema", "cell_size_check", "application_id", "user_version",
            )
        }  # fmt: skip
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2 if role is Role.RAW else 1,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "application_id": migrations.APPLICATION_IDS[role],
        "user_version": newest_version(role),
    }


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277], ids=oct)
@pytest.mark.reliability(case=93)
def test_files_are_0600_in_0700_directories_under_any_umask(tmp_path: Path, umask: int) -> None:
    def work(voice: Voice) -> None:
        os.umask(umask)
        with RawLog(tmp_path) as raw, Session("t-1", repo_path=tmp_path) as session:
            raw.append_run(samples.a_run())
            session.put("a", 1)
            open_and_close(Role.CURATED, tmp_path)
            for path in [state_dir(tmp_path), *state_dir(tmp_path).rglob("*")]:
                voice.say(f"{stat.S_IMODE(path.stat().st_mode):o} {int(path.is_dir())} {path.name}")

    outcome = run_child(work)
    assert outcome.exit_code == 0
    assert {"raw.sqlite", "raw.sqlite-wal", "raw.sqlite-shm", "raw.head", "raw.lock"} <= {
        line.split()[2] for line in outcome.lines
    }
    for line in outcome.lines:
        mode, is_dir, name = line.split()
        assert int(mode, 8) == (DIRECTORY_MODE if is_dir == "1" else FILE_MODE), name


def test_reading_does_not_make_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no curated database yet.*cra index"):
        get_connection(Role.CURATED, repo_path=tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_connection_cannot_write(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
    opened = get_connection(Role.RAW, repo_path=tmp_path, read_only=True)
    with closing(opened) as connection, pytest.raises(StoreError, match="cannot be written"):
        connection.execute("INSERT INTO blobs (sha256) VALUES ('')")


def test_a_missing_repository_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist") as caught:
        get_connection(Role.RAW, repo_path=tmp_path / "gone")
    assert caught.value.where == str(tmp_path / "gone")


@pytest.mark.parametrize("task_id", ["../x", "a/b", "", ".", "a\0", "x" * 200, None])
def test_a_session_of_an_impossible_task_is_refused(tmp_path: Path, task_id: str | None) -> None:
    with pytest.raises(UsageError):
        database_path(Role.SESSION, tmp_path, task_id)


def damage_nothing(path: Path) -> None:
    path.write_bytes(b"")


def damage_header(path: Path) -> None:
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def damage_length(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def damage_to_stub(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def put_text_there(path: Path) -> None:
    path.write_text("these are the notes of the user, not a database\n" * 10)


def put_foreign_database_there(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cookies (name)")


def put_link_there(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def put_directory_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def execute_there(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def make_newer(path: Path) -> None:
    execute_there(path, "PRAGMA user_version = 99")


def add_view(path: Path) -> None:
    execute_there(path, "CREATE VIEW shipped AS SELECT 1")


def drop_index(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        names = connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql > ''"
        ).fetchall()
        kind, name = names[0] if names else ("table", "entries")
        connection.execute(f"DROP {kind} {name}")


@each_role
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_nothing, "empty file"),
        (damage_header, "no database header"),
        (damage_to_stub, "no database header"),
        (damage_length, r"cut short|damaged"),
        (put_text_there, "or no database"),
        (put_foreign_database_there, r"not a .* database of cra"),
        (put_link_there, "not a regular file"),
        (put_directory_there, "not a regular file"),
        (make_newer, "schema version 99"),
        (add_view, "does not have the schema"),
        (drop_index, "does not have the schema"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True], ids=["write", "read"])
@pytest.mark.reliability(case=67)
def test_a_file_that_is_not_ours_and_whole_is_refused_and_left_alone(
    tmp_path: Path, role: Role, task_id: str | None, damage, message: str, read_only: bool
) -> None:
    open_and_close(role, tmp_path, task_id)
    path = database_path(role, tmp_path, task_id)
    damage(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=message) as caught:
        get_connection(role, repo_path=tmp_path, task_id=task_id, read_only=read_only)
    assert caught.value.where
    assert caught.value.exit_code == 6
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.reliability(case=12)
def test_a_shipped_database_with_a_trigger_of_its_own_runs_nothing(tmp_path: Path) -> None:
    open_and_close(Role.RAW, tmp_path)
    execute_there(
        database_path(Role.RAW, tmp_path),
        "CREATE TRIGGER shipped AFTER INSERT ON runs BEGIN INSERT INTO blobs (sha256, encoding,"
        " size_bytes, data) VALUES ('evil', 'raw', 0, x''); END",
    )
    with RawLog(tmp_path) as raw, pytest.raises(StoreError, match="does not have the schema"):
        raw.append_run(samples.a_run())
    with closing(sqlite3.connect(database_path(Role.RAW, tmp_path))) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)


@pytest.mark.reliability(case=12)
def test_a_state_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    outside, repo = tmp_path / "outside", tmp_path / "repo"
    outside.mkdir()
    repo.mkdir()
    state_dir(repo).symlink_to(outside)
    with pytest.raises(StoreError, match="links are not followed"):
        get_connection(Role.RAW, repo_path=repo)
    assert list(outside.iterdir()) == []


def test_a_linked_sidecar_is_refused(tmp_path: Path) -> None:
    open_and_close(Role.RAW, tmp_path)
    Path(f"{database_path(Role.RAW, tmp_path)}-wal").symlink_to(tmp_path / "target")
    with pytest.raises(StoreError, match="sidecar"):
        get_connection(Role.RAW, repo_path=tmp_path)


@pytest.mark.reliability(case=63)
def test_two_processes_that_create_at_once_share_one_database(tmp_path: Path) -> None:
    def work(voice: Voice) -> None:
        voice.wait()
        with RawLog(tmp_path) as raw:
            raw.append_run(samples.a_run(f"r-{os.getpid()}"))

    with child(work) as one, child(work) as two:
        one.release()
        two.release()
        assert (one.wait().exit_code, two.wait().exit_code) == (0, 0)
    with RawReader(tmp_path) as reader:
        assert len(reader.read_runs()) == 2
    assert not list(state_dir(tmp_path).glob("*birth*"))


@pytest.mark.reliability(case=60)
def test_a_birth_that_was_killed_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    for point in ("birth.before_schema", "migrations.before_commit", "birth.before_rename"):
        killed = run_child(
            lambda voice: open_and_close(Role.CURATED, tmp_path), fault=f"{point}:1:kill"
        )
        assert killed.killed
        assert not database_path(Role.CURATED, tmp_path).exists()
    open_and_close(Role.CURATED, tmp_path)
    assert not list(state_dir(tmp_path).glob("*birth*"))


@pytest.mark.reliability(case=70)
def test_a_connection_is_refused_after_a_fork(tmp_path: Path) -> None:
    with closing(get_connection(Role.RAW, repo_path=tmp_path)) as connection:
        outcome = run_child(lambda voice: connection.execute("SELECT 1"))
        assert outcome.exit_code == 6
        assert "carried over a fork" in outcome.lines[0]
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_transaction_commits_all_or_nothing(tmp_path: Path) -> None:
    with closing(get_connection(Role.SESSION, repo_path=tmp_path, task_id="t-1")) as connection:
        insert = "INSERT INTO entries VALUES (?, '1', '')"
        with pytest.raises(KeyError), transaction(connection):
            connection.execute(insert, ("lost",))
            raise KeyError
        with transaction(connection):
            connection.execute(insert, ("kept",))
            with pytest.raises(KeyError), transaction(connection):
                connection.execute(insert, ("inner lost",))
                raise KeyError
            with transaction(connection):
                connection.execute(insert, ("inner kept",))
        found = connection.execute("SELECT key FROM entries ORDER BY key").fetchall()
    assert found == [("inner kept",), ("kept",)]


def test_an_error_of_the_body_of_a_transaction_stays_what_it_is(tmp_path: Path) -> None:
    with closing(get_connection(Role.CURATED, repo_path=tmp_path)) as connection:
        with pytest.raises(FileNotFoundError), transaction(connection):
            (tmp_path / "gone").read_bytes()
        assert not connection.in_transaction


@pytest.mark.reliability(case=64)
def test_a_snapshot_refuses_to_write(tmp_path: Path) -> None:
    with closing(get_connection(Role.SESSION, repo_path=tmp_path, task_id="t-1")) as connection:
        with snapshot(connection), pytest.raises(StoreError):
            connection.execute("INSERT INTO entries VALUES ('a', '1', '')")
        connection.execute("INSERT INTO entries VALUES ('a', '1', '')")


@pytest.mark.parametrize("effect", ["enospc", "eio"])
@pytest.mark.reliability(case=66)
def test_a_failing_write_is_one_error_and_leaves_no_partial_rows(
    tmp_path: Path, effect: str
) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        package = samples.a_package()
        try:
            faults.arm(f"blobs.put:3:{effect}")
            with pytest.raises(StoreError, match="the disk") as caught:
                raw.append_package(samples.TASK, package, samples.prompt_of(package))
        finally:
            faults.arm(None)
        assert "\n" not in str(caught.value)
        with RawReader(tmp_path) as reader:
            assert reader.read_packages(samples.TASK) == ()
        raw.append_package(samples.TASK, package, samples.prompt_of(package))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "tiny"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=768k", "tmpfs", str(mounted)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("cannot mount a small file system here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.mark.reliability(case=66)
def test_a_full_disk_is_one_error_and_the_store_stays_intact(tiny_disk: Path) -> None:
    acknowledged = 0
    with RawLog(tiny_disk) as raw, pytest.raises(StoreError, match="the disk is full"):
        for number in range(1000):
            with raw.batch():
                raw.append_run(samples.a_run(f"r-{number}"))
                raw.append_session_archive(f"t-{number}", os.urandom(20_000), 1)
            acknowledged += 1
    assert acknowledged
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    with RawReader(tiny_disk) as reader:
        assert len(reader.read_runs(limit=1000)) == acknowledged
        assert len(reader.read_session_archives()) == acknowledged
    with RawLog(tiny_disk) as raw:
        raw.append_run(samples.a_run("r-after"))


@pytest.mark.reliability(case=66)
def test_a_read_only_directory_is_one_error(tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(StoreError, match="cannot make or enter the state directory"):
        get_connection(Role.RAW, repo_path=tiny_disk)
    subprocess.run(["mount", "-o", "remount,rw", str(tiny_disk)], check=True)
    with RawLog(tiny_disk) as raw:
        raw.append_run(samples.a_run())
        raw.close()
        subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
        with pytest.raises(StoreError, match="writable"):
            raw.append_run(samples.a_run("r-2"))
