"""Which folders a Python interpreter needs inside a sandbox.

Takes: the path of an interpreter, which is asked once per process. Gives: paths to bind
read-only. Does not know: what will be run with it.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import SandboxError
from clean_room_agent.sandbox.inside.layout import SYSTEM_PATHS
from clean_room_agent.sandbox.planning import is_below

_ASK_SECONDS = 30.0
_QUESTION = """
import json, os, sys, sysconfig
found = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
found.add(sysconfig.get_path("stdlib"))
found.add(sysconfig.get_path("platstdlib"))
loose = {place for place in sys.path if place}
for finder in sys.meta_path:
    module = sys.modules.get(getattr(finder, "__module__", ""))
    mapping = getattr(module, "MAPPING", None)
    if isinstance(mapping, dict):
        loose.update(value for value in mapping.values() if isinstance(value, str))
print(json.dumps([sorted(found), sorted(loose)]))
"""


def interpreter_paths(python: Path, *, workspace_target: Path | None = None) -> tuple[Path, ...]:
    """Return what must be bound so that `python` runs with its installed packages.

    Import folders that lie in the workspace and outside the interpreter's own prefixes (an
    editable install) are left out: the workspace itself provides them.

    Raises:
        SandboxError: the interpreter cannot be asked.
    """
    chosen = set(map(os.fspath, bare_interpreter_paths(python)))
    for path in _ask(os.fspath(python))[1]:
        if workspace_target is not None and is_below(path, os.fspath(workspace_target)):
            continue
        chosen.add(path)
    return _with_real_paths(chosen)


def bare_interpreter_paths(python: Path) -> tuple[Path, ...]:
    """Return what must be bound so that `python -I -S` runs: its prefixes, no import folders."""
    return _with_real_paths({*_ask(os.fspath(python))[0], *_link_prefixes(python)})


def _with_real_paths(chosen: set[str]) -> tuple[Path, ...]:
    chosen = chosen | {os.path.realpath(path) for path in chosen}
    return tuple(Path(path) for path in sorted(chosen) if _worth_binding(path))


@cache
def _ask(python: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    done = shell.run(
        [python, "-I", "-c", _QUESTION],
        cwd=Path("/"),
        env={"LC_ALL": "C.UTF-8"},
        timeout_seconds=_ASK_SECONDS,
    )
    if done.returncode != 0:
        raise SandboxError("the interpreter does not start", where=python)
    prefixes, loose = json.loads(done.stdout)
    return tuple(prefixes), tuple(loose)


def _link_prefixes(python: Path) -> list[str]:
    """Return the prefix (two folders up) of every link on the way to the real interpreter."""
    found = []
    place = os.fspath(python)
    while os.path.islink(place):  # noqa: PTH114 - link targets are joined by name, step by step
        place = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))  # noqa: PTH115, PTH118, PTH120
        found.append(os.path.dirname(os.path.dirname(place)))  # noqa: PTH120
    return found


def _worth_binding(path: str) -> bool:
    """Whether `path` exists, is no system folder, and is no whole home or root."""
    if path in ("/", os.path.expanduser("~")) or not Path(path).exists():  # noqa: PTH111
        return False
    return not any(is_below(path, system) for system in SYSTEM_PATHS)
