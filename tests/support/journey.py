"""Whole verbs as a user runs them: a real repository, a real process, a private home.

Takes: a temporary directory. Gives: `Journey`. Does not know: any room; only the command line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUGGY = '''\
"""Money, in cents."""


def share(total: int, people: int) -> list[int]:
    """Split a total so that no cent is lost; the first ones get one more."""
    base, rest = divmod(total, people)
    return [base + (1 if index <= rest else 0) for index in range(people)]


def total(amounts: list[int]) -> int:
    result = 0
    for amount in amounts:
        result += amount
    return result
'''
FIXED = BUGGY.replace("index <= rest", "index < rest")
TESTS = """\
from money import share, total


def test_nothing_is_lost():
    assert total(share(100, 3)) == 100


def test_even():
    assert share(100, 4) == [26, 25, 25, 25] or total([1, 2]) == 3


def test_first_ones_get_more():
    assert share(5, 3) == [2, 2, 1]


def test_total():
    assert total([1, 2, 3]) == 6
"""
TASK = "Splitting 100 cents among 3 people loses a cent: share(100, 3) does not add up to 100."


@dataclass(frozen=True)
class Finished:
    """How one run of `cra` ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        lines = self.stdout.splitlines()
        assert len(lines) == 1, f"stdout is not one document: {self.stdout!r} {self.stderr!r}"
        found: dict[str, Any] = json.loads(lines[0])
        return found


@dataclass(frozen=True)
class Journey:
    """A repository and a private home, and `cra` run in them."""

    root: Path
    home: Path

    def environment(self, **extra: str) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"PATH": path, "HOME": str(self.home), "LC_ALL": "C.UTF-8", **extra}

    def cra(self, *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None,
            stdin: str = "") -> Finished:  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "clean_room_agent", *words],
            cwd=cwd or self.root,
            env=self.environment(**dict(env or {})),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str) -> dict[str, Any]:
        """Run with --json and require success."""
        done = self.cra(*words, "--json")
        assert done.code == 0, (words, done.code, done.stdout[-2000:], done.stderr[-3000:])
        return done.document

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=self.git_environment(), check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    def git_environment(self) -> dict[str, str]:
        who = {f"GIT_{role}_{part}": value
               for role in ("AUTHOR", "COMMITTER")
               for part, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"),
                                   ("DATE", "2026-01-02T03:04:05Z"))}  # fmt: skip
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **who}

    def commit(self, files: Mapping[str, str | bytes], message: str = "change") -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def state(self) -> dict[str, bytes]:
        """Every byte of the user's tree and of git's own state, apart from our directory."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            inside = path.relative_to(self.root)
            if (
                path.is_file()
                and inside.parts[0] not in (".clean_room",)
                and "worktrees" not in inside.parts
            ):
                found[str(inside)] = path.read_bytes()
        return found


def new_journey(folder: Path, files: Mapping[str, str | bytes] | None = None) -> Journey:
    """Make a repository with `files` (the money example by default) committed."""
    root, home = folder / "repo", folder / "home"
    root.mkdir(parents=True)
    home.mkdir()
    journey = Journey(root, home)
    journey.git("init", "-q", "-b", "main")
    journey.commit(
        files
        if files is not None
        else {"money.py": BUGGY, "test_money.py": TESTS, "README.md": "# Money\n"},
        "Split money",
    )
    return journey
