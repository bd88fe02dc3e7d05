"""A `box` for each backend and each user this machine offers; nothing is skipped in silence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import clean_room_agent
from tests.support import probe

ORDINARY = 65534
PROBE = Path(probe.__file__)
_PATH = "/usr/local/bin:/usr/bin:/bin"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "box" in metafunc.fixturenames:
        boxes = [f"{backend}-{who}" for backend in _backends() for who in _users()]
        metafunc.parametrize("box", boxes, indirect=True)


def _backends() -> list[str]:
    """`namespaces` needs no package, so it must work; bubblewrap where it is installed."""
    return ["namespaces", *(["bubblewrap"] if shutil.which("bwrap") else [])]


def _users() -> list[str]:
    return ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]


@dataclass
class Box:
    """One backend as one user: `run` goes inside, `bare` does not."""

    backend: str
    user: str
    folder: Path
    python: str
    prefix: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    def run(self, *argv: str, **request: Any) -> dict[str, Any]:
        """Run `argv` (the word PYTHON is the interpreter) in the sandbox."""
        wanted = {"argv": argv, "backend": self.backend, "workspace": str(self.workspace)}
        wanted |= request
        if not self.prefix:
            return probe.drive(wanted)
        done = subprocess.run(
            [*self.prefix, self.python, str(self.folder / "probe.py"), "drive"],
            input=json.dumps(wanted).encode(), capture_output=True, cwd="/", timeout=90,
            env={"PYTHONPATH": str(self.folder / "src"), "PATH": _PATH,
                 "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": "/tmp"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome

    def script(self, source: str, **request: Any) -> dict[str, Any]:
        """Run Python source in the sandbox."""
        return self.run("PYTHON", "-I", "-S", "-c", source, **request)

    def act(self, *actions: tuple[str, str], **request: Any) -> dict[str, dict[str, str]]:
        """Try probe actions in the sandbox; the answers by `action argument`."""
        files = {"/run/cra/probe.py": PROBE.read_text()}
        outcome = self.run("PYTHON", "-I", "-S", "/run/cra/probe.py", "act",
                           json.dumps(actions), files=files, **request)  # fmt: skip
        assert outcome["exit_code"] == 0, outcome
        return _by_name(json.loads(outcome["head"] + outcome["tail"]))

    def act_bare(self, *actions: tuple[str, str]) -> dict[str, dict[str, str]]:
        """Try the same without a sandbox, as the same user: the negative control."""
        done = subprocess.run(
            [*self.prefix, self.python, "-I", "-S", str(self.folder / "probe.py"), "act",
             json.dumps(actions)],
            capture_output=True, cwd=self.workspace, timeout=60, env={"PATH": _PATH},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return _by_name(json.loads(done.stdout))

    def start_bare(self, source: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start Python source without a sandbox, as the same user."""
        return subprocess.Popen(
            [*self.prefix, self.python, "-I", "-S", "-c", source],
            cwd=self.workspace, env={"PATH": _PATH, **environment}, start_new_session=True,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _by_name(results: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {f"{result['action']} {result['argument']}".strip(): result for result in results}


@cache
def _ordinary_python() -> str:
    """Return an interpreter that the ordinary user may run, new enough for the package."""
    # setpriv keeps rights until it has executed: only the interpreter itself can tell.
    check = "import sys; open(sys.executable, 'rb').close(); sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, shutil.which("python3", path=_PATH)):
        if (
            python
            and not subprocess.run(
                [*_as_ordinary(), python, "-I", "-S", "-c", check], capture_output=True, cwd="/"
            ).returncode
        ):
            return python
    pytest.fail("no Python 3.11 that an ordinary user may run: the matrix is incomplete")


def _as_ordinary() -> list[str]:
    words = ["setpriv", "--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups"]
    return words if os.geteuid() == 0 else []


@pytest.fixture
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    backend, user = request.param.split("-")
    with tempfile.TemporaryDirectory(prefix="cra-box-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        made = Box(backend, user, folder, sys.executable)
        for place in (made.workspace, made.outside):
            place.mkdir()
        shutil.copy(PROBE, folder / "probe.py")
        if user == "ordinary" and os.geteuid() == 0:
            made.python, made.prefix = _ordinary_python(), _as_ordinary()
            _copy_package(folder / "src" / "clean_room_agent")
            for place in (made.workspace, made.outside):
                os.chown(place, ORDINARY, ORDINARY)
        yield made


def _copy_package(target: Path) -> None:
    """Put the package where an ordinary user can read it, wherever the checkout lies."""
    source = Path(clean_room_agent.__file__).parent
    target.mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "shell.py"):
        shutil.copy(source / name, target / name)
    for name in ("records", "sandbox"):
        shutil.copytree(source / name, target / name)
