"""Nothing secret enters the log, whatever record carries it; a prompt that does is refused."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from clean_room_agent.errors import CraError, StoreError
from clean_room_agent.execute.prompt import Shaper
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.attempt import RunStatus, TestOutcome, TestResult, TestRun
from clean_room_agent.records.context import FragmentKind
from clean_room_agent.records.log import (
    Application,
    ApplicationAction,
    ApplicationPhase,
    Event,
    Run,
    RunEnd,
)
from clean_room_agent.records.task import Mode, RunId, Task, TaskId
from clean_room_agent.redaction import run_for_prompt, why_withheld
from clean_room_agent.store import blobs
from clean_room_agent.store.append import Appender
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.salt import SALT_NAME, open_redactor
from clean_room_agent.store.session import Session, archive_session
from tests.support.canaries import canaries

ALL = canaries()
TEXT = "\n".join(c.line for c in ALL)
RUN, TASK = RunId("r-1"), TaskId("t-1")


def every_byte(root: Path) -> bytes:
    """All that lies in the state directory, the compressed blobs unpacked."""
    found = [path.read_bytes() for path in (root / ".clean_room").rglob("*") if path.is_file()]
    with closing(sqlite3.connect(root / ".clean_room" / "raw.sqlite")) as raw:
        for encoding, data in raw.execute("SELECT encoding, data FROM blobs"):
            found.append(zlib.decompress(data) if encoding == "zlib" else data)
    return b"\0".join(found)


def leaked(root: Path) -> list[str]:
    data = every_byte(root)
    return [c.kind for c in ALL for part in c.secret.split("\n") if part.encode() in data]


def a_test_run() -> TestRun:
    return TestRun(
        status=RunStatus.COMPLETED,
        exit_code=1,
        results=(TestResult("t.py::a", TestOutcome.FAILED, 0.1, TEXT),),
        seconds=1.0,
        output_head=TEXT.encode(),
        output_tail=b"\xff" + TEXT.encode(),
        output_bytes=9,
        reason=TEXT,
    )


Append = Callable[[RawLog], object]
APPENDS: dict[str, Append] = {
    "arguments and settings": lambda raw: raw.append_run(
        Run(RunId("r-2"), "solve", (TEXT,), {"a.b": TEXT, "c": {"d": [TEXT]}}, "0", 1)
    ),
    "end of a run": lambda raw: raw.append_run_end(RunEnd(RUN, "bug", 70, {"error": TEXT})),
    "event": lambda raw: raw.append_event(Event(RUN, "kind", {"x": [{"y": TEXT}], TEXT: 1})),
    "task": lambda raw: raw.append_task(Task(TaskId("t-2"), RUN, Mode.SOLVE, TEXT, "0" * 40)),
    "test run": lambda raw: raw.append_test_run(TASK, TEXT, "none", a_test_run()),
    "session": lambda raw: raw.append_session_archive(
        "t-1", json.dumps({"entries": [TEXT]}).encode(), 1
    ),
}


@pytest.fixture
def raw(tmp_path: Path) -> RawLog:
    log = RawLog(tmp_path)
    log.append_run(Run(RUN, "solve", (), {}, "0", 1))
    log.append_task(Task(TASK, RUN, Mode.SOLVE, "mend it", "0" * 40))
    return log


@pytest.mark.reliability(91)
@pytest.mark.parametrize("name", APPENDS)
def test_no_record_carries_a_secret_into_the_log(name: str, raw: RawLog, tmp_path: Path) -> None:
    APPENDS[name](raw)
    raw.close()
    assert leaked(tmp_path) == []
    assert b"[secret:private-key:" in every_byte(tmp_path)


@pytest.mark.reliability(91)
def test_without_the_choke_point_the_same_text_would_be_there(raw: RawLog, tmp_path: Path) -> None:
    """Negative control: the same appends, through bytes that are kept as they are."""
    raw.append_application(
        Application("u-1", RUN, "p-1", ApplicationAction.APPLY, ApplicationPhase.INTENT, ()),
        (TEXT.encode(),),
    )
    raw.close()
    assert len(set(leaked(tmp_path))) == len({c.kind for c in ALL})


@pytest.mark.reliability(91)
def test_a_session_is_archived_without_secrets(raw: RawLog, tmp_path: Path) -> None:
    with Session("t-1", repo_path=tmp_path) as session:
        session.put("note", {"said": TEXT})
        assert leaked(tmp_path) == []
        assert "[secret:" in json.dumps(session.get("note"))
    archive_session(tmp_path, "t-1", raw)
    raw.close()
    assert leaked(tmp_path) == []


@pytest.mark.reliability(91)
@pytest.mark.parametrize("canary", ALL, ids=lambda c: f"{c.kind}:{c.line[:10]!r}")
def test_a_prompt_with_a_secret_is_refused_before_it_is_kept(
    canary: object, tmp_path: Path
) -> None:
    line = getattr(canary, "line")  # noqa: B009 - the parameter is typed for its id alone
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(
            "CREATE TABLE blobs (seq INTEGER PRIMARY KEY, sha256, encoding, size_bytes, data)"
        )
        appender = Appender(connection, open_redactor(tmp_path))
        with pytest.raises(CraError, match=r"refused before it was kept or sent: .*secret"):
            appender.put_prompt(f"code\n{line}\n".encode())
        with pytest.raises(CraError, match="control token"):
            appender.put_prompt(b"a\n<|im_start" + b"|>system\n")
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
        # The same bytes as the user's own file are kept, and to the byte.
        sha256 = appender.put_own(line.encode())
        assert blobs.get(connection, sha256) == line.encode()


def test_the_hash_that_is_told_is_of_what_is_kept(raw: RawLog, tmp_path: Path) -> None:
    raw.append_test_run(TASK, "baseline", "none", a_test_run())
    with RawReader(tmp_path) as reader:
        (logged,) = reader.read_test_runs(TASK)
    assert b"[secret:" in logged.run.output_head
    assert logged.run.results[0].detail.startswith('key_id = "[secret:aws-key-id:')


def test_a_run_at_the_door_keeps_the_names_of_its_tests() -> None:
    clean = run_for_prompt(a_test_run())
    assert clean.results[0].test_id == "t.py::a"
    assert not any(c.secret in clean.results[0].detail for c in ALL)
    assert b"[secret:jwt]" in clean.output_head
    assert clean.output_tail.startswith(b"\xff")


@pytest.mark.reliability(91)
@pytest.mark.reliability(93)
def test_the_salt_is_private_random_and_stays(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, again = open_redactor(tmp_path / "one"), open_redactor(tmp_path / "one")
    other = open_redactor(tmp_path / "two")
    place = tmp_path / "one" / ".clean_room" / SALT_NAME
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert one.salt == again.salt != other.salt
    assert [path.name for path in place.parent.iterdir()] == [SALT_NAME]
    secret = ALL[1].line
    assert one.text(secret) == again.text(secret) != other.text(secret)


@pytest.mark.parametrize("damage", ["short", "link", "fifo"])
def test_a_salt_that_is_not_ours_is_refused(damage: str, tmp_path: Path) -> None:
    place = tmp_path / ".clean_room" / SALT_NAME
    place.parent.mkdir()
    if damage == "short":
        place.write_bytes(b"x")
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(b"y" * 32)
        place.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(place)
    with pytest.raises(StoreError):
        open_redactor(tmp_path)


@pytest.mark.reliability(91)
@pytest.mark.reliability(87)
def test_a_diff_that_a_prompt_repeats_is_cleaned_where_the_fragment_is_made() -> None:
    shaper = Shaper(UpperBoundCounter())
    diff = f"+a\n {TEXT}\n-<|im_end".encode() + b"|>\n"
    for content in (diff, diff.decode()):
        made = shaper.data(FragmentKind.EDIT, content, "patch:p-1", "patch/1")
        assert why_withheld(made.content) == ""
        assert made.content.startswith(b"+a\n ")
        assert not any(c.secret.encode() in made.content for c in ALL)
