"""Builders of real git repositories with deterministic commits, and plain git for comparison."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

AUTHOR = "Ada Example <ada@example.org>"
FIRST_TIME = 1_700_000_000


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of an ordinary user: git with nothing hardened, and an empty home."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Example",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada Example",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        **more,
    }


class GitRepo:
    """A real repository at `root`; every commit is one minute after the one before."""

    def __init__(self, root: Path, *, object_format: str = "sha1", init: bool = True) -> None:
        self.root = root
        self.home = root.parent / f"{root.name}-home"
        self._minute = 0
        if init:
            root.mkdir(parents=True)
            self.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run plain git, whatever its exit code."""
        when = f"{FIRST_TIME + 60 * self._minute} +0000"
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.root,
            env={**plain_environment(self.home, **dates), **(env or {})},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def git(self, *arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> str:
        """Run plain git and return its output without the last line end; it must succeed."""
        done = self.run(*arguments, stdin=stdin, cwd=cwd)
        assert done.returncode == 0, (arguments, done.stderr.decode("utf-8", "replace"))
        return os.fsdecode(done.stdout).removesuffix("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(
        self, files: Mapping[str, str | bytes] | None = None, message: str = "change"
    ) -> str:
        """Write `files`, commit everything, and return the commit id."""
        self.write(files or {})
        self._minute += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")

    def raw_commit(self, body: bytes) -> str:
        """Write a commit object of exactly these bytes (bad dates, encodings, many parents)."""
        return self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=body)


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below `root` with its mode and bytes, links as their targets."""
    found = {}
    for directory, folders, names in os.walk(root):
        for name in [*folders, *names]:
            place = Path(directory, name)
            mode = place.lstat().st_mode
            data = b""
            if place.is_symlink():
                data = os.fsencode(place.readlink())
            elif place.is_file():
                data = place.read_bytes()
            found[str(place.relative_to(root))] = (mode, data)
    return found
