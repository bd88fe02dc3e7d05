"""Limits hold, the host and its files stay well, and the status says which limit it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sandbox.conftest import Box

MIB = 1024**2

STUBBORN = """
import os, signal, sys, time
print("partial output", flush=True)
def daemon():
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c",
        "import os,time; os.closerange(0, 1024) if MODE else None; time.sleep(SECONDS)"])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
daemon()
time.sleep(SECONDS)
"""


def _running(marker: str) -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - no path object is needed
        if name.isdigit():
            try:
                words = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words:
                found.append(int(name))
    return found


def _beyond(session: int, marker: str) -> bool:
    """Whether a process with `marker` has left the session."""
    return any(os.getsid(pid) != session for pid in _running(marker))


@pytest.mark.reliability(case=35)
@pytest.mark.parametrize("closes_all", [0, 1], ids=["keeps-pipes", "closes-all"])
def test_a_timeout_leaves_no_process_and_keeps_the_output(box: Box, closes_all: int) -> None:
    marker = f"6{os.getpid()}.{time.time_ns()}"
    source = STUBBORN.replace("SECONDS", marker).replace("MODE", str(closes_all))
    started = time.monotonic()
    outcome = box.script(source, limits={"wall_seconds": 1.0, "grace_seconds": 2.0})
    assert (outcome["status"], outcome["exit_code"]) == ("timeout", None)
    assert outcome["head"] == "partial output\n"
    assert time.monotonic() - started < 10
    assert _running(marker) == []


@pytest.mark.reliability(case=35)
def test_without_a_sandbox_a_new_session_outlives_the_group_kill(box: Box) -> None:
    marker = f"6{os.getpid()}.{time.time_ns()}"
    source = STUBBORN.replace("SECONDS", marker).replace("MODE", "0")
    with box.start_bare(source) as process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 5
        while not _beyond(process.pid, marker) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.1)
        left = _running(marker)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert left, "the negative control must show a survivor"


@pytest.mark.reliability(case=35)
def test_the_sandbox_dies_with_a_killed_parent(box: Box) -> None:
    if box.prefix:
        return  # who the parent is makes no difference to its death
    marker = f"6{os.getpid()}.{time.time_ns()}"
    driver = (
        "import json, sys; from tests.support import probe\n"
        f"probe.drive({{'argv': ['PYTHON', '-c', 'import time; time.sleep({marker})'],"
        f" 'backend': {box.backend!r}, 'workspace': {str(box.workspace)!r}}})\n"
    )
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": f"{root / 'src'}:{root}", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen([sys.executable, "-c", driver], env=environment) as parent:
        deadline = time.monotonic() + 20
        while not _running(marker) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        assert _running(marker)
        parent.kill()
    deadline = time.monotonic() + 5
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _running(marker) == []


@pytest.mark.reliability(case=36)
def test_a_fork_bomb_meets_the_task_limit(box: Box) -> None:
    source = """
import os, time
os.write(1, b"x")
while True:
    try:
        if os.fork() == 0:
            os.write(1, b"x")
    except OSError:
        time.sleep(0.05)
"""
    outcome = box.script(source, limits={"processes": 24, "wall_seconds": 20.0})
    assert outcome["status"] == "resource", outcome
    assert "24" in outcome["reason"]
    assert outcome["output_bytes"] <= 24


@pytest.mark.reliability(case=36)
def test_without_a_sandbox_the_same_limit_does_not_bind_root(box: Box) -> None:
    if box.prefix or os.geteuid() != 0:
        return  # it binds an ordinary user; that root is the danger is what this shows
    source = """
import os, resource
resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        import time; time.sleep(1); os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""
    assert subprocess.run([sys.executable, "-c", source]).returncode == 0


@pytest.mark.reliability(case=36)
def test_threads_count_as_tasks(box: Box) -> None:
    source = """
import _thread, time
made = 0
try:
    for made in range(64):
        _thread.start_new_thread(time.sleep, (5,))
except RuntimeError:
    print(made); time.sleep(5)
"""
    outcome = box.script(source, limits={"processes": 16, "wall_seconds": 20.0})
    assert outcome["status"] == "resource", outcome


HOGS = {
    "one process": """
held = []
while True:
    held.append(b"x" * 4_000_000)
""",
    "untouched memory": """
held = []
while True:
    held.append(bytearray(8_000_000))
""",
    "many processes": """
import os, time
for _ in range(8):
    if os.fork() == 0:
        held = [b"x" * 1_000_000 for _ in range(40)]
        time.sleep(20)
time.sleep(20)
""",
    "shared memory": """
import mmap, time
held = mmap.mmap(-1, 400_000_000)
for at in range(0, len(held), 4096):
    held[at] = 1
time.sleep(20)
""",
    "temporary files": """
import time
with open("/tmp/big", "wb") as big:
    for _ in range(100):
        big.write(b"x" * 4_000_000)
        big.flush()
time.sleep(20)
""",
}


@pytest.mark.reliability(case=37)
@pytest.mark.parametrize("kind", HOGS)
def test_a_memory_hog_is_killed_and_named(box: Box, kind: str) -> None:
    limits = {"memory_bytes": 200 * MIB, "wall_seconds": 15.0, "processes": 32}
    outcome = box.script(HOGS[kind], limits=limits)
    assert outcome["status"] == "memory", outcome
    assert outcome["seconds"] < 15


@pytest.mark.reliability(case=37)
def test_memory_shared_by_forks_is_counted_once(box: Box) -> None:
    source = """
import os, time
held = b"x" * 60_000_000
children = []
for _ in range(10):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.5); os._exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
"""
    outcome = box.script(source, limits={"memory_bytes": 200 * MIB, "processes": 32})
    assert (outcome["status"], outcome["exit_code"]) == ("completed", 0), outcome


@pytest.mark.reliability(case=38)
@pytest.mark.parametrize("place", [".", "/tmp", "/dev/shm"])
def test_a_full_disk_is_the_programs_own(box: Box, place: str) -> None:
    source = f"""
import errno
try:
    with open({place!r} + "/big", "wb", buffering=0) as big:
        while True:
            big.write(b"x" * 1_000_000)
except OSError as error:
    print(error.errno == errno.ENOSPC)
    raise SystemExit(1)
"""
    limits = {"workspace_bytes": 8 * MIB, "memory_bytes": 512 * MIB}
    outcome = box.script(source, limits=limits)
    assert outcome["head"] == "True\n", outcome
    assert outcome["status"] == "resource" and "exhausted" in outcome["reason"], outcome
    (box.outside / "still").write_text("written")


@pytest.mark.reliability(case=38)
def test_a_sparse_terabyte_is_refused(box: Box) -> None:
    source = """
import os
handle = os.open("sparse", os.O_CREAT | os.O_WRONLY)
try:
    os.ftruncate(handle, 1 << 40)
except OSError as error:
    print(error.errno)
"""
    assert box.script(source)["head"] == "27\n"


@pytest.mark.reliability(case=38)
def test_inodes_are_capped(box: Box) -> None:
    source = """
import errno, os
try:
    for number in range(5000):
        os.close(os.open(f"{number}", os.O_CREAT))
except OSError as error:
    print(number < 600, error.errno == errno.ENOSPC)
    import time; time.sleep(1)
"""
    outcome = box.script(source, limits={"workspace_inodes": 500})
    if box.backend == "namespaces":
        assert outcome["head"] == "True True\n", outcome
    else:  # bubblewrap cannot cap them; the watcher ends the program
        assert outcome["status"] == "resource" and "inodes" in outcome["reason"], outcome


@pytest.mark.reliability(case=39)
def test_endless_output_is_kept_as_head_and_tail(box: Box) -> None:
    source = """
import os
os.write(1, b"first")
block = b"x" * 65536
for _ in range(3200):
    os.write(1, block)
os.write(2, b"\\x00\\x1b]0;title\\x07last")
"""
    outcome = box.script(source, limits={"output_bytes": 64 * 1024})
    assert outcome["status"] == "completed", outcome
    assert outcome["output_bytes"] == 5 + 3200 * 65536 + len(b"\x00\x1b]0;title\x07last")
    assert outcome["head"].startswith("first") and outcome["tail"].endswith("last")
    assert len(outcome["head"]) + len(outcome["tail"]) <= 64 * 1024


@pytest.mark.reliability(case=40)
def test_a_daemon_with_an_open_pipe_does_not_hang_us(box: Box) -> None:
    source = """
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
print("done")
"""
    outcome = box.script(source)
    assert (outcome["status"], outcome["head"]) == ("completed", "done\n")
    assert outcome["seconds"] < 10


@pytest.mark.reliability(case=40)
def test_standard_input_is_empty(box: Box) -> None:
    assert box.script("import sys; print(repr(sys.stdin.read()))")["head"] == "''\n"


def test_processor_time_is_limited(box: Box) -> None:
    outcome = box.script("while True: pass", limits={"cpu_seconds": 1.0, "wall_seconds": 20.0})
    assert outcome["status"] == "resource" and "processor" in outcome["reason"], outcome


def test_a_crash_is_told_from_a_failure(box: Box) -> None:
    crashed = box.script("import os; os.kill(os.getpid(), 11)")
    assert (crashed["status"], crashed["exit_code"], crashed["signal"]) == ("crashed", None, 11)
    failed = box.script("raise SystemExit(3)")
    assert (failed["status"], failed["exit_code"], failed["signal"]) == ("completed", 3, None)


def test_a_missing_program_is_not_started(box: Box) -> None:
    outcome = box.run("no-such-program")
    assert outcome["status"] == "not_started"
    assert "no-such-program" in outcome["reason"]
