"""The running sandbox: its channel, its end, its neighbours."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import SandboxError
from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.records.task import Limits
from clean_room_agent.sandbox import SandboxSpec, run, select_backend, start
from clean_room_agent.sandbox.interpreter import bare_interpreter_paths

CHANNEL = """
import os, socket, struct
channel = socket.socket(fileno=int(os.environ["CRA_CHANNEL_FD"]))
def exactly(size):
    data = b""
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            raise SystemExit
        data += more
    return data
def receive():
    return exactly(*struct.unpack(">I", exactly(4)))
def send(data):
    channel.sendall(struct.pack(">I", len(data)) + data)
"""


def _spec(folder: Path, source: str, **limits: float) -> SandboxSpec:
    return SandboxSpec(
        argv=(sys.executable, "-I", "-S", "-c", CHANNEL + source),
        workspace=folder,
        workspace_target=Path("/checkout/tree"),
        environment={"PATH": "/usr/bin:/bin"},
        read_only=bare_interpreter_paths(Path(sys.executable)),
        limits=Limits(**{"wall_seconds": 30.0, **limits}),  # type: ignore[arg-type]
    )


def test_frames_go_both_ways_and_may_be_large(tmp_path: Path) -> None:
    source = "while True: send(receive()[::-1])"
    with start(_spec(tmp_path, source), select_backend("auto")) as process:
        for frame in (b"abc", b"", bytes(range(256)) * 12_000):
            assert process.send(frame)
            assert process.receive(10.0) == frame[::-1]
        assert process.receive(0.05) is None
        assert process.alive
        process.kill()
        outcome = process.wait()
    assert (outcome.status, outcome.reason) == (RunStatus.CRASHED, "stopped by cra")
    assert not process.alive
    assert not process.send(b"late")


def test_frames_nobody_received_are_in_the_outcome(tmp_path: Path) -> None:
    outcome = run(_spec(tmp_path, "send(b'one'); send(b'two')"), select_backend("auto"))
    assert outcome.status is RunStatus.COMPLETED
    assert outcome.channel == (b"one", b"two")


def test_a_program_that_floods_the_channel_is_ended(tmp_path: Path) -> None:
    spec = _spec(tmp_path, "while True: send(b'x' * 60_000)", output_bytes=2048)
    outcome = run(spec, select_backend("auto"))
    assert outcome.status is RunStatus.RESOURCE
    assert "sent more than 131072 bytes" in outcome.reason


def test_a_frame_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    source = "channel.sendall(b'\\xff' * 4)\nimport time; time.sleep(20)"
    outcome = run(_spec(tmp_path, source), select_backend("auto"))
    assert outcome.status is RunStatus.RESOURCE


def test_sending_to_a_program_that_does_not_read_is_bounded(tmp_path: Path) -> None:
    with start(_spec(tmp_path, "import time; time.sleep(20)"), select_backend("auto")) as process:
        assert not process.send(b"x" * 4_000_000, timeout_seconds=0.5)


@pytest.mark.reliability(case=43)
def test_parallel_sandboxes_use_the_same_port_name_and_file(tmp_path: Path) -> None:
    source = """
import time
server = socket.create_server(("127.0.0.1", 8000))
abstract = socket.socket(socket.AF_UNIX); abstract.bind("\\0same")
with open("/tmp/same", "x") as mine, open("same", "x") as other:
    send(b"bound")
    assert receive() == b"go"
print("passed")
"""
    backend = select_backend("auto")
    with (
        start(_spec(tmp_path, source), backend) as one,
        start(_spec(tmp_path, source), backend) as two,
    ):
        assert one.receive(10.0) == two.receive(10.0) == b"bound"
        for process in (one, two):
            assert process.send(b"go")
            assert process.wait().output_head == b"passed\n"
    assert list(tmp_path.iterdir()) == []


def test_sandboxes_are_started_from_many_threads(tmp_path: Path) -> None:
    backend = select_backend("auto")
    codes: list[int | None] = []

    def work() -> None:
        codes.append(run(_spec(tmp_path, "raise SystemExit(7)"), backend).exit_code)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [7] * 6


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started = []
    spec = _spec(tmp_path, "receive(); print('alive')")
    backend = select_backend("auto")
    thread = threading.Thread(target=lambda: started.append(start(spec, backend)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    with started[0] as process:
        assert process.send(b"go")
        assert process.wait().output_head == b"alive\n"


def test_the_init_process_cannot_be_hurt_from_inside(tmp_path: Path) -> None:
    source = """
import signal
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP):
    os.kill(1, number)
for name in ("environ", "mem", "maps", "fd/0"):
    try:
        open("/proc/1/" + name, "rb").read(1)
        print("read", name)
    except OSError:
        continue
print("still here")
"""
    for name in ("namespaces", "auto"):
        outcome = run(_spec(tmp_path, source), select_backend(name))
        assert (outcome.output_head, outcome.exit_code) == (b"still here\n", 0), outcome


def test_a_missing_workspace_or_read_only_path_is_an_error(tmp_path: Path) -> None:
    backend = select_backend("auto")
    with pytest.raises(SandboxError, match="workspace is not a directory"):
        run(_spec(tmp_path / "absent", ""), backend)
    spec = SandboxSpec(
        argv=("true",), workspace=tmp_path, workspace_target=tmp_path, environment={},
        read_only=(tmp_path / "absent",),
    )  # fmt: skip
    with pytest.raises(SandboxError, match="read-only path does not exist"):
        run(spec, backend)
