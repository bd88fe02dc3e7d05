"""Build the demo repository: a small project with a history and one bug.

    python examples/demo/build.py DEST

Every date, author and byte comes from ``commits.toml`` and ``steps/``, and git runs without
anyone's configuration or hooks, so the commit ids are the same on every machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache")


@dataclass(frozen=True)
class Step:
    """One commit to be made: the folder it lays over the tree, and who, when and why."""

    folder: Path
    name: str
    email: str
    date: str
    message: str

    def identity(self) -> dict[str, str]:
        """The environment that makes git use this author and date for everything."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_AUTHOR_DATE": self.date,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
            "GIT_COMMITTER_DATE": self.date,
        }


def read_step(record: Mapping[str, Any], authors: Mapping[str, str]) -> Step:
    """One entry of ``commits.toml``."""
    name, _, email = authors[record["author"]].removesuffix(">").partition(" <")
    folder = HERE / "steps" / record["step"]
    return Step(folder, name, email, record["date"], record["message"].strip())


def read_steps() -> list[Step]:
    """All commits, oldest first."""
    document = tomllib.loads((HERE / "commits.toml").read_text(encoding="utf-8"))
    return [read_step(record, document["authors"]) for record in document["commits"]]


def run_git(folder: Path, *arguments: str, identity: Mapping[str, str] | None = None) -> str:
    """What one git command prints, run without configuration and hooks of the user."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.autocrlf=false", *arguments],
        cwd=folder,
        env=inherited | isolated | dict(identity or {}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def build(destination: Path) -> str:
    """Make the repository in a new or empty folder; the id of its last commit."""
    if destination.exists() and any(destination.iterdir()):
        raise FileExistsError(f"not empty: {destination}")
    destination.mkdir(parents=True, exist_ok=True)
    run_git(destination, "init", "-q", "--template=", "--object-format=sha1", "-b", "main")
    for step in read_steps():
        shutil.copytree(step.folder, destination, dirs_exist_ok=True, ignore=LEFT_OUT)
        run_git(destination, "add", "--all")
        run_git(destination, "commit", "-q", "-m", step.message, identity=step.identity())
    return run_git(destination, "rev-parse", "HEAD")


def main() -> int:
    """Build where the command line says."""
    parser = argparse.ArgumentParser(description="Build the demo repository.")
    parser.add_argument("destination", type=Path, metavar="DEST", help="a new or empty folder")
    destination = parser.parse_args().destination
    try:
        head = build(destination)
    except (FileExistsError, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{destination}: {len(read_steps())} commits, HEAD {head}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
