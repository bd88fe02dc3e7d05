"""Killed, interrupted or run twice at once: the user's bytes stay, the log stays true."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.journey import TASK, Journey, new_journey

SEED = random.SystemRandom().randrange(10_000)


def start(journey: Journey, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "clean_room_agent", *words],
        cwd=journey.root,
        env=journey.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def dirty(journey: Journey) -> None:
    """Leave a changed, an untracked and a staged file, as a person at work would."""
    (journey.root / "README.md").write_text("# Money, my draft\n")
    (journey.root / "notes.txt").write_text("mine\n")
    (journey.root / "staged.txt").write_text("staged\n")
    journey.git("add", "staged.txt")


def git_state(journey: Journey) -> str:
    return (
        journey.git("status", "--porcelain")
        + journey.git("for-each-ref")
        + journey.git("stash", "list")
    )


@pytest.mark.reliability(case=30)
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name
)
def test_the_users_bytes_survive_an_interrupted_solve(tmp_path: Path, how: signal.Signals) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    journey.ok("index")
    dirty(journey)
    before, git_before = journey.state(), git_state(journey)
    delay = random.Random(SEED + how).uniform(0.4, 3.0)
    print(f"seed {SEED}, {how.name} after {delay:.2f} s")
    process = start(journey, "solve", TASK, "--test", "pytest -q")
    time.sleep(delay)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=60)
    expected = {signal.SIGKILL: (-9, 0), signal.SIGINT: (130, 0), signal.SIGTERM: (143, 0)}[how]
    assert process.returncode in expected, stderr
    assert "Traceback" not in stderr
    assert journey.state() == before
    assert git_state(journey) == git_before
    assert journey.ok("verify")["clean"]
    # The next start works, and gc leaves nothing behind.
    assert journey.ok("solve", TASK, "--test", "pytest -q")["status"] == "solved"
    journey.ok("gc")
    assert not journey.ok("gc", "--dry-run")["leftovers"]
    assert len(journey.git("worktree", "list").splitlines()) == 1
    assert journey.state() == before
    assert journey.ok("verify")["clean"]


@pytest.mark.reliability(case=30)
def test_apply_refuses_a_file_that_the_user_is_editing(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    journey.ok("solve", TASK, "--test", "pytest -q")
    path = journey.root / "money.py"
    mine = path.read_text() + "\n# my own change\n"
    path.write_text(mine)
    refused = journey.cra("apply", "last")
    assert refused.code == 1
    assert "patch" in refused.stderr
    assert path.read_text() == mine
    assert "--- a/money.py" in journey.cra("apply", "last", "--dry-run").stdout
    assert path.read_text() == mine


@pytest.mark.reliability(case=22)
def test_an_apply_killed_between_journal_and_end_is_rolled_back_at_the_next_one(
    tmp_path: Path,
) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    journey.ok("solve", TASK, "--test", "pytest -q")
    before = journey.state()
    for point in ("apply.after_journal", "apply.between_files"):
        killed = journey.cra("apply", "last", env={"CRA_FAULT": f"{point}:1:kill"})
        assert killed.code == -signal.SIGKILL
        applied = journey.ok("apply", "last")
        assert applied["applied"]
        journey.ok("undo")
        assert journey.state() == before
    assert journey.ok("verify")["clean"]


@pytest.mark.reliability(case=63)
def test_two_solves_an_index_and_a_reader_at_once_lose_nothing(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    journey.ok("index")
    before = journey.state()
    words = ("solve", TASK, "--test", "pytest -q", "--json", "-q")
    running = [
        start(journey, *words),
        start(journey, *words),
        start(journey, "index", "--full", "-q"),
    ]
    for _ in range(5):
        assert journey.cra("runs").code == 0
        time.sleep(0.2)
    results = [(process.communicate(timeout=240), process.returncode) for process in running]
    for (stdout, stderr), code in results:
        assert code == 0, (code, stdout, stderr)
    assert journey.state() == before
    runs = journey.ok("runs", "--limit", "50")["runs"]
    assert sum(run["status"] == "solved" for run in runs) == 2
    assert journey.ok("verify")["clean"]


@pytest.mark.reliability(case=63)
def test_a_writer_that_cannot_get_the_lock_names_the_holder(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    journey.ok("index")
    (journey.root / "more.py").write_text("x = 1\n")
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from clean_room_agent.store.locks import write_lock\n"
        "from clean_room_agent.store.connect import Role\n"
        "with write_lock(Role.CURATED, repo_path=Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(journey.root)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        busy = journey.cra("index", "-c", "store.lock_wait_seconds=0.2", "--json")
    finally:
        holder.kill()
        holder.communicate()
    assert busy.code == 6, busy.stderr
    assert str(holder.pid) in busy.stderr
    assert busy.document["error"]["code"] == "store_busy"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    for _ in range(3):
        journey.ok("index")
    done = subprocess.run(
        f"{sys.executable} -m clean_room_agent runs | head -1",
        shell=True,
        cwd=journey.root,
        env=journey.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("run")
    for words in (
        ["runs"],
        ["runs", "--json"],
        ["context", "split", "--format", "xml"],
        ["--help"],
    ):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as gone:
            unread = subprocess.run(
                [sys.executable, "-m", "clean_room_agent", *words],
                cwd=journey.root,
                env=journey.environment(),
                stdout=gone,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert (unread.returncode, unread.stderr) == (0, b""), words
