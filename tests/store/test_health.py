"""What doctor and gc ask of the store."""

from __future__ import annotations

from pathlib import Path

from clean_room_agent.store.audit import check_databases
from clean_room_agent.store.connect import Role, database_path, get_connection, sqlite_version
from clean_room_agent.store.migrations import schema_versions
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.session import Session, is_owned
from tests.store import samples


def test_each_database_is_reported_with_its_size_and_the_first_damage(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
    get_connection(Role.CURATED, repo_path=tmp_path).close()
    Session("t-1", repo_path=tmp_path).close()
    database_path(Role.CURATED, tmp_path).write_bytes(b"")
    found = {state.name: state for state in check_databases(tmp_path)}
    assert set(found) == {"raw", "curated", "session t-1"}
    assert found["raw"].message == found["session t-1"].message == ""
    assert found["raw"].size_bytes > 0
    assert "empty file" in found["curated"].message


def test_a_page_overwritten_in_the_middle_is_damage(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        samples.append_everything(raw)
    path = database_path(Role.RAW, tmp_path)
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data) - 4096, 8192):
        data[page : page + 8] = b"\x55" * 8
    path.write_bytes(data)
    (state,) = check_databases(tmp_path)
    assert "damaged" in state.message or "refused" in state.message


def test_a_task_is_owned_while_its_session_is_open(tmp_path: Path) -> None:
    assert not is_owned(tmp_path, "t-1")
    with Session("t-1", repo_path=tmp_path):
        assert is_owned(tmp_path, "t-1")
    assert not is_owned(tmp_path, "t-1")


def test_versions_are_told() -> None:
    assert sqlite_version() >= (3, 37)
    assert schema_versions() == {"raw": 2, "curated": 4, "session": 1, "vectors": 1}
