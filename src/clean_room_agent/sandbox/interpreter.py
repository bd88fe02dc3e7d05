"""Which folders a Python interpreter needs inside a sandbox.

Takes: the path of an interpreter, which is asked once per process. Gives: paths to bind
read-only. Does not know: what will be run with it. Nothing of an installed package is executed.
"""

from __future__ import annotations

import ast
import json
import os
from functools import cache
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import SandboxError
from clean_room_agent.sandbox.inside.layout import SYSTEM_PATHS
from clean_room_agent.sandbox.planning import is_below

_ASK_SECONDS = 30.0
# Asked with -I -S: `site` would run a `sitecustomize.py` or a `.pth` line from an editable install,
# that is, from the very repository whose code may only run inside the sandbox.
_QUESTION = """
import json, sys, sysconfig
found = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
found.add(sysconfig.get_path("stdlib"))
found.add(sysconfig.get_path("platstdlib"))
print(json.dumps(sorted(found)))
"""
_MAX_PTH_BYTES = 1 << 20


def interpreter_paths(python: Path, *, workspace_target: Path | None = None) -> tuple[Path, ...]:
    """Return what must be bound so that `python` runs with its installed packages.

    Import folders that lie in the workspace and outside the interpreter's own prefixes (an
    editable install) are left out: the workspace itself provides them.

    Raises:
        SandboxError: the interpreter cannot be asked.
    """
    chosen = set(map(os.fspath, bare_interpreter_paths(python)))
    for path in _import_folders(chosen):
        if workspace_target is not None and is_below(path, os.fspath(workspace_target)):
            continue
        chosen.add(path)
    return _with_real_paths(chosen)


def bare_interpreter_paths(python: Path) -> tuple[Path, ...]:
    """Return what must be bound so that `python -I -S` runs: its prefixes, no import folders."""
    return _with_real_paths({*_ask(os.fspath(python)), *_link_prefixes(python), *_venv(python)})


def _with_real_paths(chosen: set[str]) -> tuple[Path, ...]:
    chosen = chosen | {os.path.realpath(path) for path in chosen}
    return tuple(Path(path) for path in sorted(chosen) if _worth_binding(path))


@cache
def _ask(python: str) -> tuple[str, ...]:
    done = shell.run(
        [python, "-I", "-S", "-c", _QUESTION],
        cwd=Path("/"),
        env={"LC_ALL": "C.UTF-8"},
        timeout_seconds=_ASK_SECONDS,
    )
    if done.returncode != 0:
        raise SandboxError("the interpreter does not start", where=python)
    return tuple(json.loads(done.stdout))


def _venv(python: Path) -> list[str]:
    """Return the folder of the virtual environment that `python` belongs to, if it does."""
    folder = python.parent.parent
    return [os.fspath(folder)] if (folder / "pyvenv.cfg").is_file() else []


def _import_folders(prefixes: set[str]) -> list[str]:
    """Return the folders that path files of the installed packages name; nothing is executed."""
    found: set[str] = set()
    for prefix in sorted(prefixes):
        for site in sorted(Path(prefix).glob("lib*/python3*/site-packages")):
            for place in site.glob("*.pth"):
                lines = (line.strip() for line in _text(place).splitlines())
                found.update(os.path.normpath(site / line) for line in lines if _is_path(line))
            for place in site.glob("__editable__*_finder.py"):
                found.update(_mapped_folders(_text(place)))
    return sorted(found)


def _is_path(line: str) -> bool:
    return bool(line) and not line.startswith(("#", "import ", "import\t")) and "\0" not in line


def _text(place: Path) -> str:
    with place.open("rb") as stream:
        return stream.read(_MAX_PTH_BYTES).decode("utf-8", "replace")


def _mapped_folders(source: str) -> list[str]:
    """Return the folders in the `MAPPING` of an editable install's finder, read as a literal."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    for node in tree.body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        if isinstance(target, ast.Name) and target.id == "MAPPING":
            value = getattr(node, "value", None)
            values = value.values if isinstance(value, ast.Dict) else []
            return [
                v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)
            ]
    return []


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
