"""The host's end of the channel: starts a runner, checks each signed frame.

Takes: an `Isolation`, a command, a tree, the runner's settings. Gives: `Runner`.
Does not know: what the records mean. Nothing printed by the process is read here.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Self

from clean_room_agent.errors import TamperedError
from clean_room_agent.records.task import Limits, TestCommand
from clean_room_agent.validation.isolation import IsolatedProcess, IsolatedRun, Isolation

_DIGEST_BYTES = 16
# The order is the order of loading: each script imports only what stands before it.
_SCRIPTS = ("wire", "hygiene", "reporter")
ENVIRONMENT: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "LANG": "C.UTF-8",
    "COLUMNS": "120",
}

# Reads its own scripts from the channel; `sys.path[0]` goes first so that no file of the tree can
# stand in for a module of the standard library or for pytest.
_BOOT = """
import sys
sys.path.pop(0)
import json, os, types
def boot():
    given = int(os.environ.pop("CRA_CHANNEL_FD"))
    fd = os.dup(given)
    os.close(given)
    def exactly(count):
        data = b""
        while len(data) < count:
            part = os.read(fd, count - len(data))
            if not part:
                os._exit(97)
            data += part
        return data
    first = json.loads(exactly(int.from_bytes(exactly(4), "big")))
    package = types.ModuleType("cra_runner")
    package.__path__ = []
    sys.modules["cra_runner"] = package
    def load(name, source):
        module = types.ModuleType("cra_runner." + name)
        module.__package__ = "cra_runner"
        sys.modules[module.__name__] = module
        setattr(package, name, module)
        exec(compile(source, "<cra " + name + ">", "exec", dont_inherit=True), module.__dict__)
        return module
    scripts = first.pop("scripts")
    wire = load(*scripts.pop(0)).open_wire(fd, bytes.fromhex(first.pop("key")))
    try:
        import pytest
    except ImportError as error:
        wire.send({"kind": "no_pytest", "detail": str(error)})
        return 4
    wire.send({"kind": "start", "python": list(sys.version_info[:3]), "pytest": pytest.__version__})
    loaded = [load(*script) for script in scripts]
    package.hygiene.isolate_bytecode(os.getcwd())
    entry = getattr(package, first["entry"]).main
    if first["settings"]["cwd_on_path"]:
        sys.path.insert(0, os.getcwd())
    for name in [n for n in sys.modules if n.split(".")[0] == "cra_runner"]:
        del sys.modules[name]
    return entry(wire, first["settings"])
sys.exit(boot())
"""


@functools.cache
def _scripts(names: tuple[str, ...]) -> list[tuple[str, str]]:
    home = resources.files("clean_room_agent.validation.runner")
    return [(name, (home / f"{name}.py").read_text("utf-8")) for name in names]


class Runner:
    """One runner process: send records, receive checked records. A context manager.

    A frame that is not signed with this run's key, or out of order, raises `TamperedError`: the
    code under test wrote to the channel (case 50).
    """

    def __init__(self, process: IsolatedProcess) -> None:
        self._process = process
        self._key = secrets.token_bytes(32)
        self._number = 0
        self.ended = False

    @classmethod
    def start(
        cls,
        command: TestCommand,
        tree: Path,
        isolation: Isolation,
        limits: Limits,
        job: Job,
    ) -> Runner:
        """Start the interpreter of `command` and hand it the scripts and settings of `job`."""
        argv = (os.fspath(command.interpreter), "-c", _BOOT)
        process = isolation.start(argv, tree, environment=ENVIRONMENT, limits=limits)
        runner = cls(process)
        settings = dict(job.settings)
        settings["arguments"] = list(command.arguments)
        settings["cwd_on_path"] = "-m" in command.words[:4]
        first = {"key": runner._key.hex(), "scripts": _scripts((*_SCRIPTS, *job.scripts))}
        runner.send({**first, "entry": job.entry, "settings": settings})
        return runner

    def send(self, record: object) -> None:
        """Send one record; nothing happens when the process is gone."""
        self._process.send(json.dumps(record, separators=(",", ":")).encode("ascii"))

    def receive(self, timeout_seconds: float) -> dict[str, Any] | None:
        """Return the next record; None on a timeout or, with `ended` set, at the end.

        Raises:
            TamperedError: what arrived was not written by our runner.
        """
        alive = self._process.alive
        frame = self._process.receive(timeout_seconds)
        if frame is None:
            self.ended = not alive
            return None
        return self._checked(frame)

    def _checked(self, frame: bytes) -> dict[str, Any]:
        digest, payload = frame[:_DIGEST_BYTES], frame[_DIGEST_BYTES:]
        signed = struct.pack(">Q", self._number) + payload
        expected = hashlib.blake2b(signed, key=self._key, digest_size=_DIGEST_BYTES).digest()
        if not secrets.compare_digest(digest, expected):
            raise TamperedError("the channel carried a frame that the runner did not sign")
        self._number += 1
        record: dict[str, Any] = json.loads(payload)
        return record

    def wait(self) -> IsolatedRun:
        """Wait for the end of the process."""
        return self._process.wait()

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def __enter__(self) -> Self:
        self._process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__(None, None, None)


class Job:
    """Which entry script runs, which further scripts it needs, and its settings."""

    __slots__ = ("entry", "scripts", "settings")

    def __init__(
        self, entry: str, scripts: tuple[str, ...], settings: Mapping[str, object]
    ) -> None:
        self.entry = entry
        self.scripts = scripts
        self.settings = settings
