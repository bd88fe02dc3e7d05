"""`cra index --watch` keeps the index fresh, says what it did, and ends as it is told to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clean_room_agent.store.connect import Role
from clean_room_agent.store.locks import write_lock
from tests.indexing.live import differences, fresh_rows, live_rows
from tests.support.journey import Journey, new_journey

MANY_FILES = 400


class Watching:
    """A running watch; every line of its output is waited for, never a time."""

    def __init__(self, journey: Journey, *words: str, prefix: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "clean_room_agent", "index", "--watch", "--json",
             *words],
            cwd=journey.root, env=journey.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def next(self) -> dict[str, Any]:
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, ("the watch ended", self.process.wait(), self.process.stderr.read())
        found: dict[str, Any] = json.loads(line)
        return found

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Read refreshes up to the one that is wanted; a change may be seen in two halves."""
        seen = [self.next()]
        while not wanted(seen[-1]):
            seen.append(self.next())
        return seen

    def end(self, how: signal.Signals | None) -> tuple[int, str, str]:
        if how is not None:
            self.process.send_signal(how)
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@contextmanager
def watching(journey: Journey, *words: str, prefix: tuple[str, ...] = ()) -> Iterator[Watching]:
    watch = Watching(journey, *words, prefix=prefix)
    try:
        yield watch
    finally:
        if watch.process.poll() is None:
            watch.process.kill()
        watch.process.communicate()


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def assert_equals_fresh(root: Path) -> None:
    assert differences(live_rows(root), fresh_rows(root)) == {}


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_each_change_is_one_line_and_one_logged_run(
    journey: Journey, how: signal.Signals, code: int
) -> None:
    with watching(journey) as watch:
        first = watch.next()
        assert (first["schema_version"], first["files"], first["parsed_blobs"]) == (1, 3, 3)
        (journey.root / "more.py").write_text("def more(): pass\n")
        seen = [first, *watch.until(lambda report: report["files"] == 4)]
        assert seen[-1]["parsed_blobs"] == 1
        journey.commit({"money.py": "def share(): pass\n"}, "less")
        seen += watch.until(lambda report: report["commits"] == 2)
        (journey.root / "more.py").unlink()
        seen += watch.until(lambda report: report["files"] == 3)
        ended, rest, errors = watch.end(how)
    assert (ended, rest) == (code, "")
    assert "your files are as they were" in errors
    logged = {run["run_id"] for run in journey.ok("runs", "--verb", "index")["runs"]}
    assert logged == {report["run_id"] for report in seen}
    assert journey.ok("index")["parsed_blobs"] == 0
    assert_equals_fresh(journey.root)
    assert journey.cra("verify").code == 0


def test_a_start_with_nothing_to_do_says_so_and_logs_no_run(journey: Journey) -> None:
    journey.ok("index")
    with watching(journey) as watch:
        first = watch.next()
        assert (first["run_id"], first["files"], first["parsed_blobs"]) == (None, 3, 0)
        # Ignored, `.clean_room` and git's own files change too; only the last change is told.
        (journey.root / ".git" / "info" / "exclude").write_text("/.clean_room/\nnode_modules/\n")
        (journey.root / "node_modules").mkdir()
        (journey.root / "node_modules" / "a.js").write_text("1\n")
        journey.git("tag", "one")
        journey.git("gc", "--quiet")
        (journey.root / "new.py").write_text("x = 1\n")
        report = watch.next()
        assert (report["files"], report["parsed_blobs"]) == (4, 1)
        watch.end(signal.SIGINT)
    assert len(journey.ok("runs", "--verb", "index")["runs"]) == 2


def test_a_switch_between_branches_of_many_files_ends_in_the_index_of_the_last(
    journey: Journey,
) -> None:
    journey.git("switch", "-q", "-c", "many")
    journey.commit({f"pkg/m{n}/a{n}.py": f"def f{n}(): pass\n" for n in range(MANY_FILES)}, "many")
    many = journey.git("rev-parse", "HEAD").strip()
    journey.git("switch", "-q", "main")
    with watching(journey) as watch:
        assert watch.next()["files"] == 3
        journey.git("switch", "-q", "many")
        watch.until(lambda report: report["head"] == many and report["files"] == MANY_FILES + 3)
        shutil.rmtree(journey.root / "pkg" / "m0")
        watch.until(lambda report: report["files"] == MANY_FILES + 2)
        # A folder that came after the start is watched as well.
        (journey.root / "pkg" / "m1" / "a1.py").write_text("def other(): pass\n")
        watch.until(lambda report: report["parsed_blobs"] == 1)
        watch.end(signal.SIGINT)
    assert_equals_fresh(journey.root)


@pytest.mark.parametrize("gone", [".git", "."])
def test_a_repository_that_is_gone_ends_the_watch_and_says_so(journey: Journey, gone: str) -> None:
    with watching(journey) as watch:
        watch.next()
        shutil.rmtree(journey.root / gone, ignore_errors=True)
        shutil.rmtree(journey.root / ".git", ignore_errors=True)
        code, out, errors = watch.end(None)
    last = json.loads(out.splitlines()[-1])
    assert code == 2
    assert last["error"]["code"] == "repository"
    assert "removed, moved or replaced" in last["error"]["message"]
    assert "nothing is left to watch" in errors


def test_a_second_watch_says_who_has_the_first(journey: Journey) -> None:
    with watching(journey) as watch:
        watch.next()
        second = journey.cra("index", "--watch", "--json")
        assert second.code == 6
        message = second.document["error"]["message"]
        assert f"held by pid {watch.process.pid}" in message
        assert "index --watch" in message
        # The plain verb is not kept from its work.
        assert journey.ok("index")["files"] == 3


def test_a_store_that_another_process_writes_is_waited_for(journey: Journey) -> None:
    with watching(journey) as watch:
        watch.next()
        with write_lock(Role.CURATED, repo_path=journey.root):
            (journey.root / "new.py").write_text("x = 1\n")
        assert watch.next()["files"] == 4


def test_a_name_that_is_no_utf8_does_not_end_the_watch(journey: Journey) -> None:
    with watching(journey) as watch:
        watch.next()
        for number, name in enumerate((b"one\xff.py", b"two\xfe.py"), start=4):
            (journey.root / os.fsdecode(name)).write_text(f"x = {number}\n")
            watch.until(lambda report, number=number: report["files"] == number)
        (journey.root / "three.py").write_text("x = 3\n")
        watch.until(lambda report: report["files"] == 6)
        assert watch.end(signal.SIGTERM)[0] == 143


def test_a_commit_in_a_linked_worktree_is_seen(journey: Journey) -> None:
    linked = Journey(journey.root.parent / "linked", journey.home)
    journey.git("worktree", "add", "-q", str(linked.root))
    linked.ok("init", "--offline")
    with watching(linked) as watch:
        watch.next()
        linked.git("commit", "-q", "--allow-empty", "-m", "nothing but a commit")
        watch.until(lambda report: report["commits"] == 2)
        watch.end(signal.SIGINT)


def test_events_that_overran_the_kernels_queue_are_made_up_for(journey: Journey) -> None:
    (journey.root / ".git" / "info" / "exclude").write_text("/.clean_room/\nbuild/\n")
    (journey.root / "build").mkdir()
    (journey.root / "build" / "out").write_text("")
    events = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with watching(journey) as watch:
        watch.next()
        watch.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, watch.process.pid, os.WSTOPPED | os.WNOWAIT)
        for number in range(events // 2):  # two events each, at least
            (journey.root / "build" / f"{number}").touch()
        (journey.root / "new.py").write_text("x = 1\n")  # its event found no place
        watch.process.send_signal(signal.SIGCONT)
        watch.until(lambda report: report["files"] == 4)


def _with_few_watches() -> tuple[str, ...]:
    """Begin a command that may watch three folders: in a namespace, so nobody else is bound."""
    script = 'echo 3 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"'
    return ("unshare", "--user", "--map-root-user", "sh", "-c", script)


def test_a_limit_of_the_system_names_the_limit_and_the_way_round_it(journey: Journey) -> None:
    with watching(journey, prefix=_with_few_watches()) as watch:
        code, out, errors = watch.end(None)
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (1, "watch")
    assert "limit" in error["message"]
    assert "max_user_watches" in errors
    assert "index.watch_poll_seconds=5" in errors
    # The way round it: nothing is asked of the kernel.
    poll = ("-c", "index.watch_poll_seconds=0.05")
    with watching(journey, *poll, prefix=_with_few_watches()) as watch:
        assert watch.next()["files"] == 3
        (journey.root / "new.py").write_text("x = 1\n")
        watch.until(lambda report: report["files"] == 4)
        assert watch.end(signal.SIGINT)[0] == 130


def test_a_person_reads_one_line_for_each_change(journey: Journey) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clean_room_agent", "index", "--watch"],
        cwd=journey.root, env=journey.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        while "watching" not in (note := process.stderr.readline()):
            assert note
        (journey.root / "new.py").write_text("x = 1\n")
        lines = [process.stdout.readline() for _ in range(3)]
        assert "4 files: parsed 1, removed 0, new commits 0" in lines[-1]
    finally:
        process.kill()
        process.communicate()
