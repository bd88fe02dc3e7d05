"""How a server begins, is left, is interrupted and shares the repository with others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from clean_room_agent.commands.runs import status_of
from clean_room_agent.serve.wire import MAX_LINE_BYTES
from clean_room_agent.store.connect import Role
from clean_room_agent.store.locks import write_lock
from clean_room_agent.store.raw_reader import RawReader
from tests.serve.talking import Bare, bare
from tests.support.journey import TASK, Journey, new_journey


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    made.ok("index")
    return made


def is_alive(server: Bare) -> bool:
    return "result" in server.call("symbol", name="share")


def test_stdout_holds_the_protocol_alone(journey: Journey) -> None:
    with bare(journey) as server:
        # `read` takes nothing but messages; each of these prints as a verb.
        (journey.root / "fresh.py").write_text("def fresh():\n    return 1\n")
        assert "result" in server.call("index_status")
        assert "result" in server.call("context", task=TASK)
        assert server.call("symbol", name="nothing_such")["result"]["isError"]
        assert server.leave() == 0
        assert server.process.stdout is not None and server.process.stderr is not None
        assert server.process.stdout.read() == b""
        assert b"Traceback" not in server.process.stderr.read()
    # Negative control: at the command line the same verb does print on stdout.
    assert "files" in journey.cra("index").stdout


NO_MESSAGES = {
    "words": b"not json",
    "cut": b'{"jsonrpc": "2.0", "id": 7',
    "no version": b'{"id": 7, "method": "tools/list"}',
    "deep": b"[" * 100_000,
    "bytes": b"\xff\xfe\x00",
    "long": b'"' + b"x" * (MAX_LINE_BYTES + 1) + b'"',
}


def test_a_line_that_is_no_message_is_answered_and_forgotten(journey: Journey) -> None:
    with bare(journey) as server:
        for line in NO_MESSAGES.values():
            server.write(line)
            refused = server.read()
            assert refused["id"] is None
            assert refused["error"]["code"] == -32700
            assert is_alive(server)


def test_progress_is_told_only_to_who_asks_and_before_the_answer(journey: Journey) -> None:
    with bare(journey) as server:
        number = server.begin("context", token="p1", task=TASK)
        answer, before = server.answer_to(number)
        assert "result" in answer
        assert all(m["params"]["progressToken"] == "p1" for m in before)
        steps = [m["params"]["progress"] for m in before]
        assert steps == sorted(set(steps))
        silent = server.send("tools/call", {"name": "symbol", "arguments": {"name": "share"}})
        assert server.answer_to(silent)[1] == []


def test_a_call_is_cancelled_and_its_run_says_so(journey: Journey) -> None:
    with bare(journey) as server:
        with write_lock(Role.CURATED, repo_path=journey.root):
            # The index cannot be refreshed meanwhile: the call is in the middle of its work.
            number = server.send("tools/call", {"name": "context", "arguments": {"task": TASK}})
            waiting = server.send("tools/call", {"name": "context", "arguments": {"task": "two"}})
            _until_a_run_is_open(journey)
            server.notify("notifications/cancelled", {"requestId": waiting})
            server.notify("notifications/cancelled", {"requestId": number})
            _until(journey, "interrupted")
        assert is_alive(server)
        runs = journey.ok("runs", "--verb", "context")["runs"]
        # The one that waited was never begun.
        assert [(run["status"], run["exit_code"]) for run in runs] == [("interrupted", 130)]


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGINT, 130, "interrupted"),
        (None, 0, "interrupted"),
    ],
    ids=["SIGTERM", "SIGINT", "stdin"],
)
def test_it_ends_at_once_when_told_idle_or_in_a_call(
    journey: Journey, ending: signal.Signals | None, code: int, status: str
) -> None:
    with bare(journey) as server:
        assert is_alive(server)
        assert (server.end(ending) if ending else server.leave()) == code
    with bare(journey) as server, write_lock(Role.CURATED, repo_path=journey.root):
        server.send("tools/call", {"name": "context", "arguments": {"task": TASK}})
        _until_a_run_is_open(journey)
        pid = server.process.pid
        assert (server.end(ending) if ending else server.leave()) == code
        assert not Path(f"/proc/{pid}").exists()
        assert _newest(journey) == status
        assert server.process.stderr is not None
        assert b"Traceback" not in server.process.stderr.read()
    assert journey.cra("verify").code == 0


def test_a_call_waits_for_an_index_that_runs_elsewhere(journey: Journey) -> None:
    with bare(journey) as server:
        with write_lock(Role.CURATED, repo_path=journey.root):
            number = server.send("tools/call", {"name": "context", "arguments": {"task": TASK}})
            _until_a_run_is_open(journey)
            # Lists and pings do not wait for it.
            assert "result" in server.ask("ping", {})
        answer, _ = server.answer_to(number)
        assert not answer["result"]["isError"]


def test_two_servers_work_on_one_repository(journey: Journey) -> None:
    with bare(journey) as one, bare(journey) as other:
        numbers = [
            (server, server.send("tools/call", {"name": "context", "arguments": {"task": task}}))
            for task in (TASK, "total of amounts is wrong")
            for server in (one, other)
        ]
        for server, number in numbers:
            result = server.answer_to(number)[0]["result"]
            assert not result["isError"], result["content"]
        assert one.leave() == other.leave() == 0
    assert len(journey.ok("runs", "--verb", "context")["runs"]) == 4
    assert journey.cra("verify").code == 0


def test_json_has_no_place_and_a_missing_extra_is_named(journey: Journey, tmp_path: Path) -> None:
    refused = journey.cra("--json", "mcp")
    assert (refused.code, refused.document["error"]["code"]) == (2, "usage")
    # Every installed package but one, for an interpreter that sees no others.
    lean = tmp_path / "packages"
    lean.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("mcp"):
            (lean / entry.name).symlink_to(entry)
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        [sys.executable, "-S", "-c", "from clean_room_agent.cli import main; main()", "mcp"],
        env={**journey.environment(), "PYTHONPATH": f"{source}{os.pathsep}{lean}"},
        cwd=journey.root,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "pip install 'clean-room-agent[mcp]'" in done.stderr
    assert done.stdout == ""


def _until_a_run_is_open(journey: Journey) -> None:
    """Wait until a call is at work: it says who asked, then goes for the index."""
    asked = False
    while not asked:
        with RawReader(journey.root) as reader:
            runs = reader.read_runs(limit=1, verb="context")
            asked = any(reader.read_events(run_id=r.run.run_id, kind="run.asked") for r in runs)
        time.sleep(0.01)


def _until(journey: Journey, status: str) -> None:
    """Wait until the newest run of `context` has a status; the test's timeout is the bound."""
    while _newest(journey) != status:
        time.sleep(0.01)


def _newest(journey: Journey) -> str:
    with RawReader(journey.root) as reader:
        runs = reader.read_runs(limit=1, verb="context")
    return status_of(runs[0]) if runs else ""
