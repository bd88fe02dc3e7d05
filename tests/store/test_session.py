"""A session is one task's memory; it ends in the log exactly once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreBusyError, StoreError
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.locks import lock_path
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.session import (
    RecoveredSession,
    Session,
    archive_session,
    recover_sessions,
)
from tests.support.processes import Voice, child, run_child


def session_files(repo: Path) -> list[str]:
    return sorted(path.name for path in (repo / ".clean_room" / "sessions").glob("*"))


def fill(repo: Path, task_id: str = "t-1") -> None:
    with Session(task_id, repo_path=repo) as session:
        session.put("b", [1, "zwei", None])
        session.put("a", {"k": 0.5})


def test_values_come_back_and_the_last_one_counts(tmp_path: Path) -> None:
    with Session("t-1", repo_path=tmp_path) as session:
        session.put("k", 1)
        session.put("k", {"now": ["two"]})
        assert session.get("k") == {"now": ["two"]}
        assert session.get("other") is None
    with Session("t-1", repo_path=tmp_path) as session:
        assert session.keys() == ("k",)


def test_an_archive_holds_the_whole_content_and_the_files_are_gone(tmp_path: Path) -> None:
    fill(tmp_path)
    with RawLog(tmp_path) as raw:
        archive_session(tmp_path, "t-1", raw)
    with RawReader(tmp_path) as reader:
        (found,) = reader.read_session_archives(task_id="t-1")
        content = json.loads(reader.read_blob(found.sha256))
    assert found.entries == 2
    assert content["task_id"] == "t-1"
    assert {e["key"]: e["value"] for e in content["entries"]} == {
        "a": {"k": 0.5},
        "b": [1, "zwei", None],
    }
    assert session_files(tmp_path) == []
    assert not lock_path("session-t-1", tmp_path).exists()


def test_archiving_again_does_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    with RawLog(tmp_path) as raw:
        archive_session(tmp_path, "t-1", raw)
        archive_session(tmp_path, "t-1", raw)
    with RawReader(tmp_path) as reader:
        assert len(reader.read_session_archives()) == 1


def test_a_session_that_goes_on_after_its_archive_is_archived_again(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        for value in ("first", "second"):
            with Session("t-1", repo_path=tmp_path) as session:
                session.put("k", value)
            archive_session(tmp_path, "t-1", raw)
    with RawReader(tmp_path) as reader:
        assert len(reader.read_session_archives(task_id="t-1")) == 2


@pytest.mark.parametrize(
    "point",
    ["session.before_archive", "transaction.before_commit", "session.after_archive",
     "session.deleted"],
)  # fmt: skip
@pytest.mark.parametrize("passage", [1, 2, 3])
@pytest.mark.reliability(case=61)
def test_killed_while_archiving_it_is_archived_exactly_once(
    tmp_path: Path, point: str, passage: int
) -> None:
    fill(tmp_path)

    def work(voice: Voice) -> None:
        with RawLog(tmp_path) as raw:
            archive_session(tmp_path, "t-1", raw)

    run_child(work, fault=f"{point}:{passage}:kill")
    with RawLog(tmp_path) as raw:
        recover_sessions(tmp_path, raw)
        recover_sessions(tmp_path, raw)
    with RawReader(tmp_path) as reader:
        (found,) = reader.read_session_archives()
    assert found.entries == 2
    assert session_files(tmp_path) == []


@pytest.mark.reliability(case=61)
def test_a_session_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    def work(voice: Voice) -> None:
        with Session("t-1", repo_path=tmp_path) as session:
            session.put("k", 1)
            voice.say("owned")
            voice.wait()

    with RawLog(tmp_path) as raw, child(work) as owner:
        assert owner.read_line() == "owned"
        assert recover_sessions(tmp_path, raw) == ()
        with pytest.raises(StoreBusyError, match=f"held by pid {owner.pid}"):
            archive_session(tmp_path, "t-1", raw)
        owner.kill()
        owner.wait()
        assert recover_sessions(tmp_path, raw) == (RecoveredSession("t-1", archived=True),)
    with RawReader(tmp_path) as reader:
        assert reader.read_session_archives()[0].entries == 1


def test_a_damaged_session_is_named_and_kept(tmp_path: Path) -> None:
    fill(tmp_path, "t-1")
    fill(tmp_path, "t-2")
    database_path(Role.SESSION, tmp_path, "t-1").write_bytes(b"x" * 5000)
    with RawLog(tmp_path) as raw:
        broken, whole = recover_sessions(tmp_path, raw)
    assert (broken.task_id, broken.archived) == ("t-1", False)
    assert "no database header" in broken.reason
    assert whole == RecoveredSession("t-2", archived=True)
    assert session_files(tmp_path) == ["session_t-1.sqlite"]


def test_a_session_whose_archive_was_refused_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    with RawLog(tmp_path) as raw:
        archive_session(tmp_path, "t-0", raw)
        raw.append_session_archive("t-0", b"{}", 0)
    database_path(Role.RAW, tmp_path).write_bytes(b"")
    with RawLog(tmp_path) as raw, pytest.raises(StoreError, match="empty file"):
        archive_session(tmp_path, "t-1", raw)
    assert session_files(tmp_path) == ["session_t-1.sqlite"]
