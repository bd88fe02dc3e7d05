# These are the very calls that a hostile program would make.
# ruff: noqa: PTH101, PTH104, PTH108, PTH109, PTH110, PTH118, PTH208, PTH211
"""Try what a sandbox must deny, and say for each action whether it was allowed or denied.

Standard library only and self-contained, so that one file runs bare (the negative control) and
inside. `python probe.py act '[["write", "/x"], ...]'` prints one JSON list. `python probe.py
drive` reads a request from standard input, runs it through `clean_room_agent.sandbox` and prints
the outcome: the way to sandbox something as another user.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SECONDS = 2.0
_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))


def write_through_link(path: str) -> None:
    """Write to `path` by a link that lies in the working directory."""
    with contextlib.suppress(FileExistsError):
        os.symlink(path, "probe-link")
    try:
        write("probe-link")
    finally:
        os.unlink("probe-link")


def rename_out(folder: str) -> None:
    Path("probe-moved").write_text("x")
    try:
        os.rename("probe-moved", folder + "/probe-moved")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink("probe-moved")


def change_mode(path: str) -> None:
    os.chmod(path, 0o666)


def read(path: str) -> str:
    return Path(path).read_text()


def tcp(port: str) -> None:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=_SECONDS):
        pass


def udp(port: str) -> None:
    """Send to a service that answers; without the answer it went nowhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_SECONDS / 4)
        sock.connect(("127.0.0.1", int(port)))
        sock.send(b"?")
        sock.recv(1)


def unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(_SECONDS)
        sock.connect(path)


def abstract(name: str) -> None:
    unix("\0" + name)


def route(address: str) -> None:
    """Ask for a route to an address; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 53))


def find_environ(token: str) -> str:
    """Find a process whose environment holds `token`; needs a readable /proc/PID/environ."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if token.encode() in Path("/proc", name, "environ").read_bytes():
                return name
    raise FileNotFoundError("no such environment")


def send_signal(pid: str) -> None:
    os.kill(int(pid), 0)


def new_user_namespace(_: str) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.unshare(0x10000000) == 0 else 1)
    if os.waitpid(child, 0)[1]:
        raise PermissionError("unshare")


def mount(path: str) -> None:
    _call(_libc.mount(b"none", path.encode(), b"tmpfs", 0, None))


def trace(_: str) -> None:
    """Let a child be traced; harmless."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.ptrace(0, 0, 0, 0) == 0 else 1)
    if os.waitpid(child, 0)[1]:
        raise PermissionError("ptrace")


def open_socket(family: str) -> None:
    socket.socket(int(family), socket.SOCK_STREAM if family == "40" else socket.SOCK_RAW).close()


def limit_other(pid: str) -> None:
    """Set a limit of another process to what it is; without a number, of our own parent."""
    if pid:
        resource.prlimit(int(pid), resource.RLIMIT_CORE, (0, 0))
        return
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0))
            os._exit(0)
        os._exit(1)
    if os.waitpid(child, 0)[1]:
        raise PermissionError("prlimit")


def make_device(name: str) -> None:
    os.mknod(name, 0o020600, os.makedev(1, 3))
    try:
        Path(name).read_bytes()
    finally:
        os.unlink(name)


def visible_paths(token: str) -> str:
    """Find `token` in any file or file name we can see, apart from our own arguments."""
    skip = {"/proc", "/sys", "/usr", "/dev", sys.prefix, sys.base_prefix}
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in skip]
        for name in files:
            place = Path(folder, name)
            with contextlib.suppress(OSError):
                size = place.stat().st_size
                if token in name or (size < 100_000 and token.encode() in place.read_bytes()):
                    return str(place)
    raise FileNotFoundError("not visible")


def environ(_: str) -> str:
    return json.dumps(dict(os.environ))


def descriptors(_: str) -> str:
    found = [int(name) for name in os.listdir("/proc/self/fd")]
    still = [number for number in found if os.path.exists(f"/proc/self/fd/{number}")]
    return json.dumps(sorted(still))


def identity(_: str) -> str:
    host = os.uname().nodename
    return json.dumps({"uid": os.getuid(), "pid": os.getpid(), "host": host, "cwd": os.getcwd()})


ACTIONS: dict[str, Callable[[str], str | None]] = {
    function.__name__: function
    for function in (
        write, write_through_link, rename_out, change_mode, read, tcp, udp, unix, abstract, route,
        find_environ, send_signal, new_user_namespace, mount, trace, open_socket, limit_other,
        make_device, visible_paths, environ, descriptors, identity,
    )
}  # fmt: skip


def act(wanted: list[list[str]]) -> list[dict[str, str]]:
    """Try each action; a refusal by the kernel in any form is a denial."""
    results = []
    for name, argument in wanted:
        try:
            detail, result = ACTIONS[name](argument) or "", "allowed"
        except (OSError, ValueError) as error:
            detail, result = repr(error), "denied"
        results.append({"action": name, "argument": argument, "result": result, "detail": detail})
    return results


def drive(request: dict[str, Any]) -> dict[str, Any]:
    """Run one request in the sandbox and return the outcome as plain data."""
    from clean_room_agent import sandbox
    from clean_room_agent.records.task import Limits
    from clean_room_agent.sandbox.interpreter import bare_interpreter_paths

    paths = bare_interpreter_paths(Path(sys.executable))
    argv = [sys.executable if word == "PYTHON" else word for word in request["argv"]]
    spec = sandbox.SandboxSpec(
        argv=tuple(argv),
        workspace=Path(request["workspace"]),
        workspace_target=Path(request.get("target", request["workspace"])),
        environment=request.get("environment", {"PATH": "/usr/bin:/bin"}),
        read_only=(*paths, *map(Path, request.get("read_only", ()))),
        limits=Limits(**{"wall_seconds": 30.0, **request.get("limits", {})}),
        files={name: text.encode() for name, text in request.get("files", {}).items()},
        hide=tuple(request.get("hide", ())),
    )
    outcome = sandbox.run(spec, sandbox.select_backend(request["backend"]))
    return {
        "status": outcome.status.value,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "seconds": outcome.seconds,
        "head": outcome.output_head.decode("utf-8", "backslashreplace"),
        "tail": outcome.output_tail.decode("utf-8", "backslashreplace"),
        "output_bytes": outcome.output_bytes,
        "channel": [frame.decode("utf-8", "backslashreplace") for frame in outcome.channel],
        "reason": outcome.reason,
        "facts": dict(outcome.facts),
    }


def main() -> None:
    if sys.argv[1] == "act":
        print(json.dumps(act(json.loads(sys.argv[2]))))
    else:
        print(json.dumps(drive(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
