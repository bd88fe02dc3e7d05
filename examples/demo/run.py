"""`make demo`: the whole main path on a small repository of our own, in well under a minute.

Builds the demo repository in a temporary directory, runs each verb as a user would, prints the
command before its output, and ends with how to do the same on your own repository.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run the steps; stop at the first that does not end as it should."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cra-demo-") as folder:
        repository = Path(folder) / "repository"
        say("A small repository with history and one failing test")
        run([sys.executable, str(HERE / "build.py"), str(repository)], HERE, shown="build the demo")
        task = HERE / "TASK.md"
        print(indent(task.read_text("utf-8")))
        before = git_state(repository)
        code = walk(repository, task)
        if code:
            return code
        if git_state(repository) != before:
            print("the repository's git state changed: this is a bug")
            return 1
    say(f"Done in {time.monotonic() - started:.1f} s, git's own state unchanged throughout")
    cra = Path(sys.executable).with_name("cra")
    shown = cra.relative_to(Path.cwd()) if cra.is_relative_to(Path.cwd()) else cra
    print("On your own repository (Python with pytest, a failing test that shows the problem):")
    print(f'\n    export PATH="$PWD/{shown.parent}:$PATH"; cd path/to/your/repository')
    print("    cra init --offline")
    print('    cra solve "what is wrong, in your words" --test "pytest -q"')
    print("    cra apply last    # and `cra undo` takes it back\n")
    return 0


def walk(repository: Path, task: Path) -> int:
    """Run the verbs in order; return the first unexpected exit code."""
    steps: list[tuple[str, list[str]]] = [
        ("Make a room, model-free", ["init", "--offline"]),
        ("Index it", ["index"]),
        ("What would be shown for this task, and why", ["context", "--file", str(task)]),
        ("Find, try and prove a patch", ["solve", "--file", str(task), "--test", "pytest -q"]),
        ("Apply it; until now your tree was untouched", ["apply", "last"]),
        ("Take it back, byte for byte", ["undo"]),
        ("Every decision behind the patch", ["trace", "last"]),
        ("Check the log: every prompt rebuilt, every hash, the whole chain", ["verify"]),
    ]
    for title, words in steps:
        say(title)
        argv = [sys.executable, "-m", "clean_room_agent", *words]
        shown = [("TASK.md" if word == str(task) else word) for word in words]
        code = run(argv, repository, shown="cra " + shlex.join(shown))
        if code:
            return code
    return 0


def run(argv: Sequence[str], cwd: Path, *, shown: str) -> int:
    """Print the command, run it, return its exit code."""
    print(f"$ {shown}", flush=True)
    # The demo's tests run under the same environment's python, found on PATH like a user's.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return subprocess.run(argv, cwd=cwd, env={**os.environ, "PATH": path}, check=False).returncode


def git_state(repository: Path) -> bytes:
    """Return what git says of the repository: status, refs, stash."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_GLOBAL": os.devnull}
    pieces = [
        subprocess.run(["git", *words], cwd=repository, env=environment, capture_output=True).stdout
        for words in (["status", "--porcelain"], ["for-each-ref"], ["stash", "list"])
    ]
    return b"\0".join(pieces)


def say(text: str) -> None:
    """Print a title."""
    print(f"\n== {text}", flush=True)


def indent(text: str) -> str:
    """Return the text indented by four blanks."""
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


if __name__ == "__main__":
    sys.exit(main())
