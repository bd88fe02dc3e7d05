"""One writer at a time: others wait, or are told by whom and since when; the dead never block."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreBusyError, StoreError
from clean_room_agent.store import locks
from clean_room_agent.store.locks import Holder, holder, probe, write_lock
from clean_room_agent.store.paths import Role, lock_path
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from tests.store import samples
from tests.support.processes import Voice, child, run_child


def hold(repo: Path, verb: str = "index"):
    def work(voice: Voice) -> None:
        locks.name_process(verb)
        with write_lock(Role.RAW, repo_path=repo):
            voice.say("held")
            voice.wait()

    return work


@pytest.mark.reliability(case=63)
def test_a_second_writer_waits_and_then_succeeds(tmp_path: Path) -> None:
    waited: list[Holder] = []
    with child(hold(tmp_path)) as other:
        assert other.read_line() == "held"

        def release(found: Holder) -> None:
            waited.append(found)
            other.release()

        with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=20, on_wait=release):
            pass
    assert [(found.pid, found.verb) for found in waited] == [(other.pid, "index")]


@pytest.mark.reliability(case=63)
def test_a_second_writer_is_told_who_holds_the_lock_and_exits_with_6(tmp_path: Path) -> None:
    def append(voice: Voice) -> None:
        with RawLog(tmp_path, wait_seconds=0.1) as raw:
            raw.append_run(samples.a_run())

    with child(hold(tmp_path, "solve")) as other:
        assert other.read_line() == "held"
        outcome = run_child(append)
    assert outcome.exit_code == StoreBusyError.exit_code == 6
    assert f"held by pid {other.pid} since 20" in outcome.lines[0]
    assert "(solve)" in outcome.lines[0]


@pytest.mark.reliability(case=63)
def test_many_writers_and_a_reader_all_get_through(tmp_path: Path) -> None:
    def append(voice: Voice) -> None:
        with RawLog(tmp_path) as raw:
            for number in range(15):
                raw.append_run(samples.a_run(f"r-{os.getpid()}-{number}"))

    RawLog(tmp_path).close()
    with child(append) as one, child(append) as two, child(append) as three:
        seen = 0
        while seen < 45:
            if (tmp_path / ".clean_room" / "raw.sqlite").exists():
                with RawReader(tmp_path) as reader:
                    found = len(reader.read_runs(limit=100))
                assert found >= seen
                seen = found
            time.sleep(0.005)
        assert [c.wait().exit_code for c in (one, two, three)] == [0, 0, 0]


@pytest.mark.reliability(case=73)
def test_a_killed_holder_never_blocks(tmp_path: Path) -> None:
    with child(hold(tmp_path)) as other:
        assert other.read_line() == "held"
        other.kill()
        other.wait()
        assert lock_path("raw", tmp_path).read_text()
        with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0):
            pass


@pytest.mark.reliability(case=73)
def test_a_lock_file_naming_a_living_pid_that_does_not_hold_it_never_blocks(tmp_path: Path) -> None:
    with write_lock(Role.RAW, repo_path=tmp_path):
        pass
    lock_path("raw", tmp_path).write_text('{"pid": 1, "since": "1999", "verb": "init"}')
    assert holder(Role.RAW, tmp_path) is None
    with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0):
        pass


def test_the_lock_is_reentrant_in_its_thread(tmp_path: Path) -> None:
    with (
        write_lock(Role.RAW, repo_path=tmp_path),
        write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0),
    ):
        assert holder(Role.RAW, tmp_path) is not None
    assert holder(Role.RAW, tmp_path) is None


def test_another_thread_waits_like_another_process(tmp_path: Path) -> None:
    refused: list[StoreBusyError] = []

    def work() -> None:
        try:
            with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0.05):
                pass
        except StoreBusyError as error:
            refused.append(error)

    with write_lock(Role.RAW, repo_path=tmp_path):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(refused) == 1


def test_the_holder_is_named_and_gone_afterwards(tmp_path: Path) -> None:
    assert holder(Role.CURATED, tmp_path) is None
    locks.name_process("doctor")
    try:
        with write_lock(Role.CURATED, repo_path=tmp_path):
            found = holder(Role.CURATED, tmp_path)
    finally:
        locks.name_process("")
    assert found is not None
    assert (found.pid, found.verb) == (os.getpid(), "doctor")
    assert holder(Role.CURATED, tmp_path) is None


@pytest.mark.reliability(case=70)
def test_a_forked_child_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    def linger(voice: Voice) -> None:
        voice.say("alive")
        voice.wait()

    with write_lock(Role.RAW, repo_path=tmp_path):
        forked = child(linger)
        other = forked.__enter__()
        assert other.read_line() == "alive"
    try:
        assert holder(Role.RAW, tmp_path) is None
    finally:
        forked.__exit__(None, None, None)


@pytest.mark.reliability(case=70)
def test_a_forked_child_has_to_wait_for_its_parent(tmp_path: Path) -> None:
    def work(voice: Voice) -> None:
        with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0.05):
            pass

    with write_lock(Role.RAW, repo_path=tmp_path):
        assert run_child(work).exit_code == 6


def test_a_deleted_lock_file_does_not_let_two_in(tmp_path: Path) -> None:
    with child(hold(tmp_path)) as other:
        assert other.read_line() == "held"
        lock_path("raw", tmp_path).unlink()
        with write_lock(Role.RAW, repo_path=tmp_path, wait_seconds=0):
            other.release()
            other.wait()
            assert holder(Role.RAW, tmp_path) is not None


def test_a_linked_lock_file_is_refused(tmp_path: Path) -> None:
    with write_lock(Role.RAW, repo_path=tmp_path):
        pass
    path = lock_path("raw", tmp_path)
    path.unlink()
    path.symlink_to(tmp_path / "target")
    with (
        pytest.raises(StoreError, match="cannot use the lock file"),
        write_lock(Role.RAW, repo_path=tmp_path),
    ):
        pass
    assert not (tmp_path / "target").exists()


@pytest.mark.reliability(case=68)
def test_the_probe_accepts_a_file_system_with_locks(tmp_path: Path) -> None:
    probe(tmp_path)
    assert not list((tmp_path / ".clean_room" / "locks").iterdir())
