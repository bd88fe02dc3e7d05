"""Killed at any write point: the next start works, and nothing acknowledged is lost."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.records.log import (
    Application,
    ApplicationAction,
    ApplicationPhase,
    ChangedFile,
    RunEnd,
)
from clean_room_agent.store.audit import audit_raw
from clean_room_agent.store.connect import Role, database_path, get_connection, transaction
from clean_room_agent.store.locks import holder
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.session import Session, archive_session, recover_sessions
from tests.store import samples
from tests.store.samples import RUN, TASK, read_source
from tests.support.processes import Voice, child, run_child

# Every passage is tried; the parts only let several workers share them.
PARTS = 4
SEED = int(os.environ.get("CRA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
INTENT = Application(
    "u-1",
    RUN,
    "p-1",
    ApplicationAction.APPLY,
    ApplicationPhase.INTENT,
    (ChangedFile("calc.py", None, None),),
)


def whole_life(repo: Path):
    """Everything that store writes, each step acknowledged once its method returned."""

    def work(voice: Voice) -> None:
        with RawLog(repo) as raw:
            recover_sessions(repo, raw)
            with Session("t-1", repo_path=repo) as session:
                session.put("goal", {"text": "fix"})
                voice.say("session")
                session.put("goal", {"text": "fix it"})
            samples.append_everything(raw)
            voice.say("task")
            with closing(get_connection(Role.CURATED, repo_path=repo)) as connection:
                with transaction(connection):
                    connection.execute("INSERT INTO meta VALUES ('head', 'abc')")
                voice.say("curated")
            raw.append_application(INTENT)
            voice.say("intent")
            raw.append_application(replace(INTENT, phase=ApplicationPhase.DONE))
            voice.say("done")
            archive_session(repo, "t-1", raw)
            voice.say("archived")
            raw.append_run_end(RunEnd(RUN, "ok", 0))
            voice.say("end")

    return work


def check_after(repo: Path, acknowledged: tuple[str, ...]) -> None:
    """Start again, as the next `cra` would, and compare with what was acknowledged."""
    with RawLog(repo) as raw:
        recovered = recover_sessions(repo, raw)
        assert all(found.archived for found in recovered), recovered
        raw.append_run(samples.a_run("r-next"))
    report = audit_raw(repo, read_source)
    assert report.breaks == []
    assert all(holder(role, repo) is None for role in (Role.RAW, Role.CURATED))
    with RawReader(repo) as reader:
        archives = reader.read_session_archives()
        if "session" in acknowledged:
            assert len(archives) == 1
            assert b'"goal"' in reader.read_blob(archives[0].sha256)
        assert len(archives) <= 1
        if "task" in acknowledged:
            assert reader.read_package(TASK)
            assert len(reader.read_trials("a-1")) == 3
            assert reader.read_validations("p-1")
        for package in reader.read_packages(TASK):
            assert len(reader.read_fragments(package.package_id)) == 3
            assert len(reader.read_decisions(TASK, package_id=package.package_id)) == 2
        phases = [found.phase for found in reader.read_applications()]
        assert phases[: len(phases)] == ["intent", "done"][: len(phases)]
        assert len(phases) >= ("intent" in acknowledged) + ("done" in acknowledged)
        assert len(reader.read_open_applications()) == (len(phases) == 1)
        assert ("end" in acknowledged) <= (RUN not in unfinished(reader))
    if "curated" in acknowledged:
        opened = get_connection(Role.CURATED, repo_path=repo, read_only=True)
        with closing(opened) as connection:
            assert connection.execute("SELECT value FROM meta").fetchall() == [("abc",)]
    assert not list((repo / ".clean_room" / "sessions").glob("*")), "a session file was left"


def unfinished(reader: RawReader) -> list[str]:
    return [found.run.run_id for found in reader.read_unfinished_runs()]


@pytest.mark.reliability(case=60)
@pytest.mark.reliability(case=61)
@pytest.mark.reliability(case=62)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_every_passage_of_every_fault_point_heals(tmp_path: Path, part: int) -> None:
    for passage in itertools.count(part + 1, PARTS):
        repo = tmp_path / str(passage)
        repo.mkdir()
        outcome = run_child(whole_life(repo), fault=f"*:{passage}:kill")
        check_after(repo, outcome.lines)
        if not outcome.killed:
            break
    assert outcome.exit_code == 0
    assert passage > 100


@pytest.mark.reliability(case=60)
def test_kills_at_random_moments_lose_nothing_acknowledged(tmp_path: Path) -> None:
    print(f"CRA_TEST_SEED={SEED}")
    chosen = random.Random(SEED)
    for number in range(50):
        repo = tmp_path / str(number)
        repo.mkdir()
        with child(whole_life(repo)) as running:
            time.sleep(chosen.uniform(0.0, 0.12))
            running.kill()
            outcome = running.wait()
        assert outcome.exit_code in (0, -signal.SIGKILL)
        check_after(repo, outcome.lines)


@pytest.mark.reliability(case=60)
def test_one_log_survives_kill_after_kill(tmp_path: Path) -> None:
    print(f"CRA_TEST_SEED={SEED}")
    chosen, acknowledged = random.Random(SEED), set()

    def work(voice: Voice) -> None:
        with RawLog(tmp_path) as raw:
            for number in range(200):
                run_id = f"r-{os.getpid()}-{number}"
                raw.append_run(samples.a_run(run_id))
                voice.say(run_id)

    for _ in range(40):
        outcome = run_child(work, fault=f"*:{chosen.randrange(1, 300)}:kill")
        assert outcome.killed
        acknowledged.update(outcome.lines)
    with RawReader(tmp_path) as reader:
        found = {run.run.run_id for run in reader.read_runs(limit=100_000)}
    assert acknowledged <= found
    assert len(found) <= len(acknowledged) + 40
    assert audit_raw(tmp_path, read_source).breaks == []


@pytest.mark.parametrize("effect", ["eio", "enospc"])
@pytest.mark.reliability(case=66)
def test_a_failing_disk_at_every_passage_is_one_error_and_heals(
    tmp_path: Path, effect: str
) -> None:
    passage, ended = 0, 6
    while ended == 6:
        passage += 7
        repo = tmp_path / str(passage)
        repo.mkdir()
        outcome = run_child(whole_life(repo), fault=f"*:{passage}:{effect}")
        ended = outcome.exit_code
        acknowledged = outcome.lines[:-1] if ended else outcome.lines
        if ended:
            assert "disk" in outcome.lines[-1] or "lock file" in outcome.lines[-1]
        check_after(repo, acknowledged)
    assert ended == 0
    assert passage > 100


@pytest.mark.reliability(case=60)
def test_a_log_without_its_synced_rows_is_noticed(tmp_path: Path) -> None:
    """Negative control: were acknowledged rows lost, these tests would see it."""
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
    before = database_path(Role.RAW, tmp_path).read_bytes()
    with RawLog(tmp_path) as raw:
        raw.append_task(samples.a_task())
    database_path(Role.RAW, tmp_path).write_bytes(before)
    assert not audit_raw(tmp_path, read_source).clean
