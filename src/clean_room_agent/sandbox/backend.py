"""Choose a backend by trying it: a name in a config file isolates nothing.

Takes: `auto`, `namespaces` or `bubblewrap`. Gives: a `Backend` whose probe has passed, or a
`SandboxError` that names each missing feature. Does not know: what will be run. There is no
way from here to an unsandboxed run.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from clean_room_agent.errors import SandboxError
from clean_room_agent.records.attempt import RunStatus
from clean_room_agent.records.task import Limits
from clean_room_agent.sandbox.interpreter import bare_interpreter_paths
from clean_room_agent.sandbox.planning import Backend
from clean_room_agent.sandbox.process import run
from clean_room_agent.sandbox.spec import SandboxSpec

NAMES = ("namespaces", "bubblewrap")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TARGET = Path("/checkout/probe")
_PROBE_LIMITS = Limits(
    wall_seconds=20.0,
    cpu_seconds=10.0,
    memory_bytes=512 * 1024**2,
    processes=8,
    workspace_bytes=8 * 1024**2,
    workspace_inodes=64,
    output_bytes=64 * 1024,
)
# Each line it prints is a feature and `yes` or what it saw instead.
_PROBE = """
import errno, os, socket, sys
outside, token = sys.argv[1:]
def say(name, good, seen=""):
    print(f"{name}\\t{'yes' if good else seen or 'no'}", flush=True)
def fails(action, *arguments):
    try:
        action(*arguments)
    except OSError:
        return True
    return False
def write(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
write("written")
say("workspace is writable", os.path.exists("written") and open("given").read() == token)
say("folders can be renamed", not fails(os.rename, "folder", "moved"), "only by copying")
say("nothing else is writable", all(fails(write, p) for p in ("/x", "/usr/x", "/etc/x", "/run/x")))
say("other files are absent", not os.path.exists(outside))
interfaces = sorted(name for _, name in socket.if_nameindex())
say("no network", interfaces == ["lo"], " ".join(interfaces))
visible = [int(name) for name in os.listdir("/proc") if name.isdigit()]
say("own process space", max(visible) < 100 and os.getpid() in visible, f"{len(visible)} seen")
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
say("no capabilities", not any(int(status[k], 16) for k in ("CapEff", "CapPrm", "CapBnd")))
say("no new privileges", status.get("NoNewPrivs", "").strip() == "1")
say("call filter", status.get("Seccomp", "").strip() == "2")
say("not root", os.getuid() != 0 and os.geteuid() != 0)
r, w = os.pipe()
made = 0
try:
    for made in range(40):
        if os.fork() == 0:
            os.close(w)
            os.read(r, 1)
            os._exit(0)
except OSError as error:
    say("process limit", error.errno == errno.EAGAIN, str(error))
else:
    say("process limit", False, "40 processes were made")
os.close(w)
"""
_REQUIRED = (
    "workspace is writable",
    "nothing else is writable",
    "other files are absent",
    "no network",
    "own process space",
    "no capabilities",
    "no new privileges",
    "process limit",
)
_FEATURES = {
    "unshare": "user, mount, PID and network namespaces",
    "/proc/self/uid_map": "an id map for a new user namespace",
    "mount proc": "a fresh /proc in a PID namespace; a container that masks /proc prevents it",
    "open_tree": "detached mounts, Linux 5.2",
    "mount_setattr": "mount_setattr, Linux 5.12",
    "bwrap": "what bubblewrap needs",
}
_lock = threading.Lock()


def select_backend(name: str) -> Backend:
    """Return a backend that enforces, tried once per process.

    Raises:
        SandboxError: the name is unknown, or nothing here enforces what a sandbox must.
    """
    if name not in ("auto", *NAMES):
        raise SandboxError(
            f"unknown sandbox backend {name!r}", hint=f"use auto, {' or '.join(NAMES)}"
        )
    problems = []
    for candidate in NAMES if name == "auto" else (name,):
        with _lock:
            backend, problem = _try(candidate)
        if backend is not None:
            return backend
        problems.append(f"{candidate}: {problem}")
    raise SandboxError(f"no sandbox can be enforced here: {'; '.join(problems)}", hint=_advice())


@cache
def _try(name: str) -> tuple[Backend | None, str]:
    """Return the backend with what its probe saw, or None and what is missing."""
    program = ""
    if name == "bubblewrap":
        program = shutil.which("bwrap", path=_PATH) or ""
        if not program:
            return None, "bwrap is not installed"
    python_paths = tuple(map(os.fspath, bare_interpreter_paths(Path(sys.executable))))
    backend = Backend(name, program, python_paths)
    seen = _probe(backend)
    missing = [
        f"{feature} ({seen.get(feature, 'not seen')})"
        for feature in _REQUIRED
        if seen.get(feature) != "yes"
    ]
    if missing:
        return None, _explain(seen.get("failure", "")) or ", ".join(missing)
    return Backend(name, program, python_paths, seen), ""


def _probe(backend: Backend) -> Mapping[str, str]:
    """Run a small program that tries what a sandbox must deny."""
    with tempfile.TemporaryDirectory(prefix="cra-probe-") as folder:
        outside = Path(folder) / "outside"
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        outside.write_text("x")
        (workspace / "given").write_text(outside.name)
        (workspace / "folder").mkdir()
        spec = SandboxSpec(
            argv=(sys.executable, "-I", "-S", "-c", _PROBE, str(outside), outside.name),
            workspace=workspace,
            workspace_target=_TARGET,
            environment={"PATH": _PATH},
            read_only=bare_interpreter_paths(Path(sys.executable)),
            limits=_PROBE_LIMITS,
        )
        outcome = run(spec, backend)
    text = outcome.output_head.decode("utf-8", "replace")
    seen = dict(line.split("\t", 1) for line in text.splitlines() if line.count("\t") == 1)
    seen |= outcome.facts
    grouped = seen.get("cgroup", "absent") != "absent"
    seen["memory limit"] = "control group and watcher" if grouped else "watcher, every 50 ms"
    if outcome.status is not RunStatus.COMPLETED:
        seen["failure"] = outcome.reason or outcome.status.value
    return seen


def _explain(failure: str) -> str:
    """Return the kernel feature that is missing, for a call that the kernel has refused."""
    for call, feature in _FEATURES.items():
        if failure.startswith(call):
            return f"{feature} ({failure})"
    return failure


def _advice() -> str:
    """Return what to do, from what the kernel says about user namespaces."""
    advice = []
    if _kernel_says("user/max_user_namespaces") == "0":
        advice.append("sysctl user.max_user_namespaces=10000")
    if _kernel_says("kernel/unprivileged_userns_clone") == "0":
        advice.append("sysctl kernel.unprivileged_userns_clone=1")
    if _kernel_says("kernel/apparmor_restrict_unprivileged_userns") == "1":
        advice.append(
            "AppArmor restricts user namespaces: install bubblewrap with its profile, "
            "or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if shutil.which("bwrap", path=_PATH) is None:
        advice.append("install the package bubblewrap")
    return (
        "; or ".join(advice) or "run where user namespaces are allowed (in a container: not masked)"
    )


def _kernel_says(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""
