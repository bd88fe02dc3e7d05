"""Bad input gives one clear message, the documented exit code, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.journey import BUGGY, FIXED, TASK, TESTS, Journey, new_journey


def ready(folder: Path, files: dict[str, str | bytes] | None = None) -> Journey:
    journey = new_journey(folder, files)
    journey.ok("init", "--offline")
    return journey


def refused(
    journey: Journey, code: int, message: str, *words: str, cwd: Path | None = None
) -> None:
    """Run the verb both ways and require the code, one message with a next step, no traceback."""
    before = journey.state()
    for extra in ((), ("--json",)):
        done = journey.cra(*words, *extra, cwd=cwd)
        assert done.code == code, (done.code, done.stdout, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        if extra:
            assert message in done.document["error"]["message"] + done.document["error"]["where"]
    assert journey.state() == before


def test_no_repository(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    for verb in (["init", "--offline"], ["index"], ["solve", TASK], ["runs"], ["verify"]):
        refused(journey, 2, "not a git repository", *verb, cwd=empty)


def test_unborn_branch(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    shutil.rmtree(journey.root)
    journey.root.mkdir()
    journey.git("init", "-q")
    journey.ok("init", "--offline")
    assert journey.ok("index")["files"] == 0
    refused(journey, 2, "no commit yet", "solve", TASK, "--test", "pytest -q")


def test_a_verb_before_init(tmp_path: Path) -> None:
    refused(new_journey(tmp_path), 3, "models.backend", "index")


def test_no_test_command_and_no_tests(tmp_path: Path) -> None:
    journey = ready(tmp_path, {"a.txt": "x\n"})
    refused(journey, 2, "no test command", "solve", TASK)


COMMANDS = {
    "make": ("make test", "make"),
    "missing": ("/nonexistent/python -m pytest", "no such program"),
    "shell": ("pytest -q && true", "shell operators"),
    "variable": ("X=1 pytest", "variable"),
    "empty": ("  ", "empty"),
    "no such file": ("pytest -q nowhere.py", "ran no test"),
    "bad option": ("pytest --no-such-option", "unrecognized arguments"),
}


@pytest.mark.parametrize(("command", "message"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_test_command_that_cannot_start(tmp_path: Path, command: str, message: str) -> None:
    refused(ready(tmp_path), 2, message, "solve", TASK, "--test", command)


def test_tests_that_already_pass(tmp_path: Path) -> None:
    journey = ready(tmp_path, {"money.py": FIXED, "test_money.py": TESTS})
    refused(journey, 1, "pass already", "solve", TASK, "--test", "pytest -q")


def test_tests_that_never_pass(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "money.py": BUGGY,
        "test_money.py": "import money\nimport nowhere_to_be_found\n\ndef test_x():\n    pass\n",
    }
    journey = ready(tmp_path, files)
    done = journey.cra("solve", TASK, "--test", "pytest -q", "--seconds", "3", "--json")
    assert done.code in (1, 5), (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert "No module named 'nowhere_to_be_found'" in done.stderr


def test_an_unknown_test_named_by_fix(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    words = ("solve", TASK, "--test", "pytest -q", "--fix")
    refused(journey, 2, "unknown test", *words, "test_money.py::test_nowhere")
    refused(journey, 1, "passes already", *words, "test_money.py::test_total")


@pytest.mark.parametrize("name", ["raw.sqlite", "curated.sqlite"])
def test_a_corrupt_database_is_named_and_not_replaced(tmp_path: Path, name: str) -> None:
    journey = ready(tmp_path)
    journey.ok("index")
    path = journey.root / ".clean_room" / name
    garbage = b"not a database at all" * 500
    path.write_bytes(garbage)
    for side in ("-wal", "-shm"):
        path.with_name(name + side).unlink(missing_ok=True)
    refused(journey, 6, "", "index")
    assert path.read_bytes() == garbage
    assert journey.cra("doctor").code == 1
    assert journey.cra("verify").code == 6


def test_the_doctor_names_a_broken_configuration_once_with_its_path(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    path = journey.root / ".clean_room" / "config.toml"
    path.write_text("[models\n", "utf-8")
    findings = journey.cra("doctor", "--json").document["findings"]
    failed = [finding for finding in findings if finding["level"] == "fail"]
    assert [finding["subject"] for finding in failed] == ["configuration"]
    assert str(path) in failed[0]["message"]
    assert "cra init" in failed[0]["hint"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_task_on_stdin_that_is_no_utf_8_is_refused_in_every_locale(
    tmp_path: Path, locale: str
) -> None:
    journey = ready(tmp_path)
    for text, code in ((b"\xff share", 2), ("share \u00e4".encode(), 0)):
        done = subprocess.run(
            [sys.executable, "-m", "clean_room_agent", "context", "-", "--format", "json"],
            cwd=journey.root,
            env=journey.environment(LC_ALL=locale),
            input=text,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        if code:
            assert b"it is not UTF-8" in done.stderr
        else:
            assert json.loads(done.stdout)["task"] == "share \u00e4"


@pytest.mark.parametrize("name", ["raw.sqlite", "curated.sqlite"])
def test_a_newer_database_is_refused(tmp_path: Path, name: str) -> None:
    journey = ready(tmp_path)
    journey.ok("index")
    connection = sqlite3.connect(journey.root / ".clean_room" / name)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    refused(journey, 6, "newer", "index")


def test_a_full_disk_says_so_and_the_store_stays_intact(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    journey.ok("index")
    (journey.root / "more.py").write_text("x = 1\n")
    done = journey.cra("index", env={"CRA_FAULT": "transaction.before_commit:1:enospc"})
    assert done.code == 6, done.stderr
    assert "space" in done.stderr
    assert "Traceback" not in done.stderr
    assert journey.ok("verify")["clean"]
    assert journey.ok("index")["files"] == 4


def test_a_read_only_directory(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    before = journey.state()
    argv = [sys.executable, "-m", "clean_room_agent", "init", "--offline"]
    if os.geteuid() == 0:
        # Modes do not bind root; a read-only mount in a namespace of its own does.
        mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && exec "$@"'
        argv = ["unshare", "--mount", "sh", "-c", mount, str(journey.root), *argv]
    else:
        for place in (journey.root, journey.root / ".git", journey.root / ".git" / "info"):
            place.chmod(0o555)
    done = subprocess.run(
        argv,
        cwd=journey.root,
        env=journey.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    for place in (journey.root, journey.root / ".git", journey.root / ".git" / "info"):
        place.chmod(0o755)
    assert done.returncode == 6, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert journey.state() == before


def test_the_task_must_be_given_once_and_not_be_empty(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    refused(journey, 2, "one argument", "context")
    refused(journey, 2, "empty", "context", "   ")
    refused(journey, 2, "cannot be read", "context", "--file", "nowhere.md")


def test_a_room_shipped_by_the_repository_is_never_trusted(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    room = journey.root / ".clean_room"
    room.mkdir()
    (room / "config.toml").write_text('[models]\nbackend = "none"\n[sandbox]\nread_only = ["/"]\n')
    journey.git("add", "-f", ".clean_room/config.toml")
    journey.git("commit", "-q", "-m", "ship a room")
    refused(journey, 3, "never trusted", "init", "--offline")
    refused(journey, 3, "never trusted", "index")


def test_a_test_that_never_ends_is_named(tmp_path: Path) -> None:
    slow = "import time\n\n\ndef test_sleeps():\n    time.sleep(600)\n"
    for name in ("test_aaa.py", "test_zzz.py"):
        journey = ready(tmp_path / name, {"money.py": BUGGY, "test_money.py": TESTS, name: slow})
        words = ("solve", TASK, "--test", "pytest -q", "-c", "sandbox.test_seconds=4")
        refused(journey, 2, f"{name}::test_sleeps", *words)


def test_what_still_fails_and_was_not_asked_for_is_said(tmp_path: Path) -> None:
    tests = TESTS + "\n\ndef test_of_something_else():\n    assert total([1]) == 2\n"
    journey = ready(tmp_path, {"money.py": BUGGY, "test_money.py": tests})
    fix = (
        "--fix",
        "test_money.py::test_first_ones_get_more",
        "--fix",
        "test_money.py::test_nothing_is_lost",
    )
    done = journey.cra("solve", TASK, "--test", "pytest -q", *fix)
    assert done.code == 0, (done.stdout, done.stderr)
    assert "1 failed that were not asked for" in done.stdout


def test_settings_that_are_no_numbers_and_options_before_the_verb(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    refused(journey, 3, "must be a number", "index", "-c", "solve.seconds=nan")
    done = journey.cra("--json", "-C", str(journey.root), "runs", cwd=tmp_path)
    assert done.code == 2
    assert done.document["error"]["message"] == "nothing was logged here yet"


def test_output_that_cannot_be_written_is_no_bug(tmp_path: Path) -> None:
    journey = ready(tmp_path)
    for words in (["index"], ["context", TASK, "--format", "xml"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "clean_room_agent", *words],
                cwd=journey.root, env=journey.environment(), stdout=full, stderr=subprocess.PIPE,
                text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 1
        assert "cannot be written" in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
