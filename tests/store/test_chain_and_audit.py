"""The log cannot change unseen: triggers refuse, and what gets past them is found and named."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreError
from clean_room_agent.records.context import FragmentKind
from clean_room_agent.store.anchor import read_anchor
from clean_room_agent.store.audit import audit_raw
from clean_room_agent.store.chain import Break, logged_tables, verify_chain
from clean_room_agent.store.connect import Role, database_path, get_connection, state_dir
from clean_room_agent.store.raw import RawLog
from tests.store import call_samples, samples
from tests.store.samples import TASK, raw_by_hand, read_nothing, read_source, tamper


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    with RawLog(tmp_path) as raw:
        call_samples.append_everything(raw)
    return tmp_path


def breaks_of(repo: Path) -> list[Break]:
    with closing(get_connection(Role.RAW, repo_path=repo, read_only=True)) as connection:
        return list(verify_chain(connection))


def every_table(repo: Path) -> tuple[str, ...]:
    with raw_by_hand(repo) as connection:
        return ("chain", *logged_tables(connection))


def filled_tables(repo: Path) -> list[str]:
    with raw_by_hand(repo) as connection:
        return [
            table
            for table in ("chain", *logged_tables(connection))
            if connection.execute(f"SELECT 1 FROM {table}").fetchone()
        ]


def test_an_untouched_log_is_clean(repo: Path) -> None:
    report = audit_raw(repo, read_source)
    assert report.breaks == []
    assert (report.packages, report.fragments) == (1, 3)
    assert (report.checked_in_git, report.not_in_git) == (4, 0)
    assert report.links > 0


def test_a_repository_without_a_log_is_clean(tmp_path: Path) -> None:
    assert audit_raw(tmp_path, read_nothing).clean


def test_the_tests_below_cover_most_tables(repo: Path) -> None:
    empty = set(every_table(repo)) - set(filled_tables(repo))
    assert empty == {
        "applications", "events", "index_runs", "run_ends", "session_archives", "worktrees"
    }  # fmt: skip


@pytest.mark.reliability(case=65)
def test_every_table_refuses_update_delete_and_replace(repo: Path) -> None:
    with raw_by_hand(repo) as connection:
        for table in filled_tables(repo):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            names = ", ".join(columns)
            for statement in (
                f"UPDATE {table} SET {columns[-1]} = {columns[-1]}",
                f"UPDATE OR REPLACE {table} SET seq = seq + 1",
                f"DELETE FROM {table}",
                f"INSERT OR REPLACE INTO {table} ({names}) SELECT {names} FROM {table} LIMIT 1",
                f"REPLACE INTO {table} ({names}) SELECT {names} FROM {table} LIMIT 1",
            ):
                with pytest.raises(sqlite3.IntegrityError, match=table):
                    connection.execute(statement)
    assert breaks_of(repo) == []


@pytest.mark.reliability(case=65)
def test_every_table_of_the_schema_has_its_three_triggers(repo: Path) -> None:
    with raw_by_hand(repo) as connection:
        triggers = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'")
        }
    expected = {
        f"{table}_no_{what}"
        for table in every_table(repo)
        for what in ("update", "delete", "replace")
    }
    assert triggers == expected


@pytest.mark.reliability(case=65)
def test_with_triggers_dropped_an_edit_succeeds_and_the_chain_finds_it(repo: Path) -> None:
    tamper(repo, "UPDATE tasks SET text = 'harmless'")
    assert [(found.table, found.seq) for found in breaks_of(repo)] == [("tasks", 1)]


@pytest.mark.reliability(case=65)
def test_one_changed_value_in_any_column_of_any_table_is_found(repo: Path) -> None:
    pristine = (database_path(Role.RAW, repo)).read_bytes()
    for table in filled_tables(repo):
        with raw_by_hand(repo) as connection:
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        for _, column, kind, *_ in columns:
            if column == "seq" or (table, column) == ("blobs", "encoding"):
                continue
            changed = {
                "TEXT": f"coalesce({column}, '') || 'x'",
                "INTEGER": f"coalesce({column}, 0) + 1",
                "REAL": f"{column} + 0.5",
                "BLOB": f"CAST({column} || x'00' AS BLOB)",
            }[kind]
            tamper(
                repo,
                f"UPDATE {table} SET {column} = {changed}"
                f" WHERE seq = (SELECT max(seq) FROM {table})",
            )
            assert breaks_of(repo), f"{table}.{column} changed unseen"
            database_path(Role.RAW, repo).write_bytes(pristine)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM retrieval_decisions WHERE position = 0",
        "DELETE FROM trials WHERE position = 1",
        "DELETE FROM trials WHERE position = 2",
        "DELETE FROM blobs WHERE seq = (SELECT max(seq) FROM blobs)",
        "DELETE FROM chain WHERE seq = 3",
        "DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)",
        "INSERT INTO events (run_id, level, kind, data, at) VALUES ('r-1', 'info', 'x', '{}', '')",
        "INSERT INTO trials SELECT 0, attempt_id, 9, candidate_id, template, summary, path, line,"
        " suspiciousness, prior, outcome, test_id, detail, seconds FROM trials WHERE seq = 1",
    ],
    ids=[
        "first-of-a-table", "middle-row", "tail-row", "tail-blob", "middle-link", "tail-link",
        "inserted-at-the-tail", "inserted-before-the-first",
    ],
)  # fmt: skip
@pytest.mark.reliability(case=65)
def test_a_removed_or_inserted_row_is_found(repo: Path, statement: str) -> None:
    tamper(repo, statement)
    assert breaks_of(repo)


@pytest.mark.reliability(case=65)
def test_two_rows_that_changed_places_are_found(repo: Path) -> None:
    tamper(
        repo,
        "UPDATE trials SET seq = 99 WHERE seq = 1",
        "UPDATE trials SET seq = 1 WHERE seq = 2",
        "UPDATE trials SET seq = 2 WHERE seq = 99",
    )
    assert [found.table for found in breaks_of(repo)] == ["trials"]


@pytest.mark.reliability(case=65)
def test_a_tail_cut_consistently_is_found_by_the_anchor(repo: Path) -> None:
    tamper(
        repo,
        "DELETE FROM promotions",
        "DELETE FROM chain WHERE seq = (SELECT max(seq) FROM chain)",
        "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'promotions'",
        "UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'chain'",
    )
    assert breaks_of(repo) == []
    (found,) = audit_raw(repo, read_source).breaks
    assert found.table == "chain"
    assert "was acknowledged" in found.message


@pytest.mark.reliability(case=67)
def test_a_deleted_wal_file_is_noticed_by_the_next_append(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run("r-1"))
    raw_file = database_path(Role.RAW, tmp_path)
    kept = raw_file.read_bytes()
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run("r-2"))
        shutil.copytree(state_dir(tmp_path), state_dir(copy))
    database_path(Role.RAW, copy).write_bytes(kept)
    for suffix in ("-wal", "-shm"):
        Path(f"{database_path(Role.RAW, copy)}{suffix}").unlink(missing_ok=True)
    with RawLog(copy) as raw, pytest.raises(StoreError, match="lost rows that were acknowledged"):
        raw.append_run(samples.a_run("r-3"))


@pytest.mark.reliability(case=67)
def test_a_wal_file_of_another_log_is_found(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    with RawLog(ours) as raw:
        samples.append_everything(raw)
    with RawLog(theirs) as raw:
        raw.append_run(samples.a_run("r-theirs"))
        shutil.copy(
            f"{database_path(Role.RAW, theirs)}-wal", f"{database_path(Role.RAW, ours)}-wal"
        )
    assert Path(f"{database_path(Role.RAW, ours)}-wal").stat().st_size
    assert not audit_raw(ours, read_source).clean
    with RawLog(ours) as raw, pytest.raises(StoreError):
        raw.append_run(samples.a_run("r-next"))


def test_the_anchor_names_the_newest_link(repo: Path) -> None:
    with raw_by_hand(repo) as connection:
        newest = connection.execute(
            "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1"
        ).fetchone()
    assert read_anchor(repo) == tuple(newest)


def test_a_missing_anchor_is_a_break(repo: Path) -> None:
    (state_dir(repo) / "raw.head").unlink()
    assert [found.table for found in audit_raw(repo, read_source).breaks] == ["chain"]


def damage_blob_of(kind: FragmentKind) -> str:
    return (
        "UPDATE blobs SET data = CAST('x' || substr(data, 2) AS BLOB) WHERE sha256 ="
        f" (SELECT content_sha256 FROM context_fragments WHERE kind = '{kind}')"
    )


@pytest.mark.parametrize(
    ("statement", "table", "message"),
    [
        (damage_blob_of(FragmentKind.TASK), "context_fragments", "gone or changed"),
        (
            "UPDATE context_fragments SET position = 5 - position",
            "context_fragments",
            "stands at",
        ),
        (
            "UPDATE context_fragments SET tokens = 1 WHERE kind = 'code'",
            "context_packages",
            "tokens in fragments",
        ),
        (
            "UPDATE context_fragments SET decision = 1 WHERE kind = 'code'",
            "context_fragments",
            "excluded it",
        ),
        (
            "UPDATE context_fragments SET decision = NULL WHERE kind = 'code'",
            "context_fragments",
            "no decision",
        ),
        (
            "UPDATE context_fragments SET blob_id = 'ff' WHERE kind = 'code'",
            "context_fragments",
            "about another content",
        ),
        (
            "UPDATE context_fragments SET start_byte = start_byte + 1 WHERE kind = 'code'",
            "context_fragments",
            "not the bytes of git blob",
        ),
        (
            "UPDATE context_packages SET prompt_sha256 = (SELECT sha256 FROM blobs WHERE seq = 2)",
            "context_packages",
            "renders to",
        ),
        ("DELETE FROM context_fragments WHERE kind = 'framing'", "context_packages", "renders to"),
        (
            "UPDATE retrieval_decisions SET signals = '[{'",
            "context_packages",
            "cannot be read",
        ),
    ],
    ids=[
        "content", "order", "tokens", "excluded", "undecided", "blob", "range",
        "prompt", "removed", "json",
    ],
)  # fmt: skip
def test_a_changed_package_is_found_by_the_audit_and_by_the_chain(
    repo: Path, statement: str, table: str, message: str
) -> None:
    tamper(repo, statement)
    found = audit_raw(repo, read_source).breaks
    assert any(b.table == table and message in b.message for b in found), found
    assert breaks_of(repo)


def test_code_that_git_no_longer_has_is_counted_not_broken(repo: Path) -> None:
    report = audit_raw(repo, read_nothing)
    assert report.breaks == []
    assert (report.checked_in_git, report.not_in_git) == (0, 4)


def test_code_that_was_never_those_bytes_is_found(tmp_path: Path) -> None:
    package = samples.a_package()
    false = replace(package.fragments[2], content=b"def add(a, b):\n    return 0\n")
    package = replace(package, fragments=(*package.fragments[:2], false))
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        raw.append_package(TASK, package, samples.prompt_of(package))
    (found,) = audit_raw(tmp_path, read_source).breaks
    assert re.search(r"fragment 2: is not the bytes of git blob", found.message)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x20
    path.write_bytes(data)


def test_any_flipped_byte_of_logged_content_is_found(repo: Path) -> None:
    path = database_path(Role.RAW, repo)
    pristine = path.read_bytes()
    wanted = [b"add subtracts", b"swap-operator", b"named in the task", b"return a - b", b"calc.py"]
    for text in wanted:
        for match in re.finditer(re.escape(text), pristine):
            flip(path, match.start() + 3)
            assert not audit_raw(repo, read_source).clean, (text, match.start())
            path.write_bytes(pristine)


def test_any_flipped_byte_of_the_file_is_found_or_is_free_space(repo: Path) -> None:
    """A flip may hit unused space; then everything that is read must still be what was logged."""
    path = database_path(Role.RAW, repo)
    pristine = path.read_bytes()
    before = _everything(repo)
    for offset in range(100, len(pristine), 997):
        flip(path, offset)
        if audit_raw(repo, read_source).clean:
            assert _everything(repo) == before, offset
        path.write_bytes(pristine)


def _everything(repo: Path) -> list[object]:
    with raw_by_hand(repo) as connection:
        connection.text_factory = bytes
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY seq").fetchall()
            for table in every_table(repo)
        ]


def test_the_chain_is_read_in_bounded_memory(tmp_path: Path, measure_peak: PeakOf) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        raw.append_attempt(samples.an_attempt())
        candidate = samples.a_candidate()
        trial = replace(samples.a_trial(candidate), detail="x" * 2000)
        raw.append_trials("a-1", [(candidate, trial)] * 6000)
    with closing(get_connection(Role.RAW, repo_path=tmp_path, read_only=True)) as connection:
        assert measure_peak(lambda: list(verify_chain(connection))) < 4_000_000


PeakOf = Callable[[Callable[[], object]], int]


@pytest.fixture
def measure_peak() -> PeakOf:
    import tracemalloc

    def measure(work: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure
