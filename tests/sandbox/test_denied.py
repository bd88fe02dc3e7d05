"""What a sandboxed program tries is denied by the kernel, and would be allowed without one."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.sandbox.conftest import ORDINARY, Box


def _assert_denied_only_inside(box: Box, *actions: tuple[str, str]) -> None:
    bare, inside = box.act_bare(*actions), box.act(*actions)
    assert {name: r["result"] for name, r in bare.items()} == dict.fromkeys(bare, "allowed"), bare
    assert {n: r["result"] for n, r in inside.items()} == dict.fromkeys(bare, "denied"), inside


def _give(box: Box, path: object) -> None:
    if box.prefix:
        os.chown(str(path), ORDINARY, ORDINARY)


@pytest.mark.reliability(case=32)
def test_writes_outside_the_workspace_are_denied(box: Box) -> None:
    planted = box.outside / "planted"
    planted.write_text("before")
    _give(box, planted)
    before = planted.stat()
    _assert_denied_only_inside(
        box,
        ("write", str(box.outside / "new")),
        ("write", str(planted)),
        ("write_through_link", str(planted)),
        ("rename_out", str(box.outside)),
        ("change_mode", str(planted)),
    )
    planted.chmod(before.st_mode)


@pytest.mark.reliability(case=32)
@pytest.mark.parametrize("place", ["/etc/x", "/usr/x", "/usr/bin/x", "/x", "/run/x", "/dev/x"])
def test_system_folders_are_read_only(box: Box, place: str) -> None:
    assert box.act(("write", place))[f"write {place}"]["result"] == "denied"


@pytest.mark.reliability(case=32)
def test_writes_in_the_workspace_work_and_vanish(box: Box) -> None:
    kept = box.workspace / "folder" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("host")
    for path in (kept, kept.parent):
        _give(box, path)
    source = (
        "import pathlib\n"
        "p = pathlib.Path('folder/kept.txt'); p.write_text('changed'); print(p.read_text())\n"
        "pathlib.Path('new').mkdir(); p.rename('new/moved'); pathlib.Path('folder').rmdir()\n"
    )
    outcome = box.script(source)
    assert (outcome["head"], outcome["exit_code"]) == ("changed\n", 0)
    assert kept.read_text() == "host"
    assert sorted(p.name for p in box.workspace.iterdir()) == ["folder"]


@contextmanager
def _services(box: Box, stack: ExitStack) -> Iterator[list[tuple[str, str]]]:
    """Listen on every kind of socket; the actions that reach them."""
    name = f"cra-{secrets.token_hex(8)}"
    tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    udp.bind(("127.0.0.1", 0))
    actions = [("tcp", str(tcp.getsockname()[1])), ("udp", str(udp.getsockname()[1]))]
    paths = [str(box.outside / "service"), str(box.workspace / "service")]
    for address in ("\0" + name, *paths):
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(address)
        listener.listen(8)
    for path in paths:
        Path(path).chmod(0o777)
        actions.append(("unix", path))
    actions.append(("abstract", name))
    answering = threading.Thread(target=_answer, args=(udp,))
    answering.start()
    try:
        yield actions
    finally:
        udp.sendto(b"stop", udp.getsockname())
        answering.join()


def _answer(udp: socket.socket) -> None:
    while True:
        data, address = udp.recvfrom(16)
        if data == b"stop":
            return
        udp.sendto(b"!", address)


@pytest.mark.reliability(case=33)
def test_no_socket_of_the_host_is_reached(box: Box) -> None:
    with ExitStack() as stack, _services(box, stack) as actions:
        _assert_denied_only_inside(box, *actions)


@pytest.mark.reliability(case=33)
def test_there_is_no_route_and_no_name_service(box: Box) -> None:
    answer = box.act(("route", "192.0.2.1"), ("read", "/etc/resolv.conf"))
    assert {result["result"] for result in answer.values()} == {"denied"}


@pytest.mark.reliability(case=33)
def test_the_private_loopback_works(box: Box) -> None:
    source = (
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 8080))\n"
        "c = socket.create_connection(('localhost', 8080)); print('connected')\n"
    )
    assert box.script(source)["head"] == "connected\n"


@pytest.mark.reliability(case=34)
def test_secrets_of_the_user_are_absent(box: Box) -> None:
    token = f"secret-{secrets.token_hex(8)}"
    places = [box.outside / name for name in (".ssh", ".aws", "other-repo/.git")]
    actions = []
    for place in places:
        place.mkdir(parents=True)
        (place / "key").write_text(token)
        actions.append(("read", str(place / "key")))
    _assert_denied_only_inside(box, *actions)


@pytest.mark.reliability(case=34)
def test_a_planted_token_is_nowhere_in_the_visible_files(box: Box) -> None:
    token = f"secret-{secrets.token_hex(8)}"
    (box.outside / "key").write_text(token)
    # The workspace shows that the search finds what is there.
    (box.workspace / "seen").write_text("seen-" + "x")
    answers = box.act(("visible_paths", token), ("visible_paths", "seen-x"))
    assert answers[f"visible_paths {token}"]["result"] == "denied"
    assert answers["visible_paths seen-x"]["detail"] == str(box.workspace / "seen")


@pytest.mark.reliability(case=34)
def test_the_environment_is_an_allow_list_and_no_other_is_readable(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = secrets.token_hex(8)
    monkeypatch.setenv("CRA_PLANTED_SECRET", token)
    with box.start_bare("import time; time.sleep(60)", PLANTED=token) as p:
        try:
            _assert_denied_only_inside(box, ("find_environ", token), ("send_signal", str(p.pid)))
        finally:
            p.kill()
    inside = box.act(("environ", ""), environment={"PATH": "/usr/bin", "KEPT": "1"})
    seen = json.loads(inside["environ"]["detail"])
    assert set(seen) - {"LC_CTYPE"} == {"PATH", "KEPT", "HOME", "CRA_CHANNEL_FD"}


@pytest.mark.reliability(case=34)
def test_only_four_descriptors_are_inherited(box: Box) -> None:
    answers = box.act(("descriptors", ""), ("environ", ""))
    channel = int(json.loads(answers["environ"]["detail"])["CRA_CHANNEL_FD"])
    assert json.loads(answers["descriptors"]["detail"]) == sorted([0, 1, 2, channel])


@pytest.mark.reliability(case=41)
def test_identity_host_name_and_processes_are_its_own(box: Box) -> None:
    seen = json.loads(box.act(("identity", ""))["identity"]["detail"])
    assert seen["uid"] != 0 and seen["pid"] < 100 and seen["host"] == "sandbox"
    assert seen["cwd"] == str(box.workspace)


@pytest.mark.reliability(case=41)
def test_calls_that_widen_rights_are_denied(box: Box) -> None:
    """Bare, the same calls pass wherever this user may make them at all."""
    packet, vsock, alg = "17", "40", "38"
    actions = [("new_user_namespace", ""), ("trace", ""), ("limit_other", "")]
    _assert_denied_only_inside(box, *actions)
    more = [("mount", "/tmp"), ("make_device", "device"), ("write", "/proc/sys/kernel/hostname"),
            ("open_socket", packet), ("open_socket", vsock), ("open_socket", alg)]  # fmt: skip
    inside = box.act(*more)
    assert {result["result"] for result in inside.values()} == {"denied"}, inside


@pytest.mark.reliability(case=42)
def test_set_user_id_files_give_nothing(box: Box) -> None:
    source = (
        "import os, shutil\n"
        "shutil.copy('/usr/bin/id', 'id'); os.chmod('id', 0o6755)\n"
        "os.mkfifo('pipe'); os.execv('id', ['id', '-u'])\n"
    )
    outcome = box.run("PYTHON", "-I", "-c", source)
    assert outcome["exit_code"] == 0, outcome
    assert outcome["head"].strip() != "0"
    assert list(box.workspace.iterdir()) == []


@pytest.mark.reliability(case=44)
def test_hidden_names_are_absent(box: Box) -> None:
    (box.workspace / "deep" / ".git").mkdir(parents=True)
    (box.workspace / "deep" / ".git" / "config").write_text("x")
    (box.workspace / "deep" / "kept").write_text("x")
    (box.workspace / "plain").write_text("x")
    source = "import os; print(sorted(os.listdir('.')), os.listdir('deep'))"
    outcome = box.script(source, hide=["deep/.git", "plain", "no-such"])
    assert outcome["head"] == "['deep'] ['kept']\n"


def test_extra_files_are_read_only_wherever_they_lie(box: Box) -> None:
    inner = str(box.workspace / "plugin.py")
    files = {inner: "inner", "/run/cra/plugin.py": "outer", "/tmp/given": "scratch"}
    source = f"""
for path in {list(files)!r}:
    print(open(path).read())
    for attempt in (lambda: open(path, 'w'), lambda: __import__('os').unlink(path)):
        try:
            attempt()
        except OSError:
            continue
        print('changed', path)
"""
    assert box.script(source, files=files)["head"] == "inner\nouter\nscratch\n"


def test_read_only_paths_inside_the_workspace_come_on_top(box: Box) -> None:
    tools = box.outside / "target" / "tools"
    tools.mkdir(parents=True)
    (tools / "tool").write_text("real")
    (box.workspace / "code").write_text("copy")
    source = """
import os
print(open('code').read(), open('tools/tool').read())
try:
    open('tools/tool', 'w')
except OSError as error:
    print(error.errno)
"""
    target = box.outside / "target"
    outcome = box.script(source, target=str(target), read_only=[str(tools)])
    assert outcome["head"].split() == ["copy", "real", "30"], (outcome, sys.platform)
