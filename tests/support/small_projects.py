"""Small pytest projects, candidates for them, and what a naive oracle would say."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from clean_room_agent.records.attempt import PatchCandidate, Replacement
from clean_room_agent.records.task import Limits, TestCommand

LIMITS = Limits(wall_seconds=60.0)


def write_project(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
    return root


def pytest_command(*arguments: str) -> TestCommand:
    words = ("python", "-m", "pytest", *arguments)
    return TestCommand(words, Path(sys.executable), arguments)


def replacement(root: Path, path: str, old: str, new: str) -> Replacement:
    data = (root / path).read_bytes()
    start = data.index(old.encode())
    digest = hashlib.sha256(data).hexdigest()
    return Replacement(path, start, start + len(old.encode()), new.encode(), digest)


def candidate(root: Path, path: str, old: str, new: str) -> PatchCandidate:
    one = replacement(root, path, old, new)
    return PatchCandidate((one,), "test", f"{old} -> {new}", 1, 1.0, 1.0, f"{path}:{old}:{new}")


def apply(root: Path, candidate: PatchCandidate) -> None:
    for one in sorted(candidate.replacements, key=lambda r: -r.start_byte):
        data = (root / one.path).read_bytes()
        (root / one.path).write_bytes(data[: one.start_byte] + one.new_bytes + data[one.end_byte :])


@dataclass(frozen=True)
class NaiveAnswer:
    """What an oracle would say that trusts the exit code, the JUnit file, or stdout."""

    exit_code: int
    junit_passed: frozenset[str] | None
    stdout: str


def ask_naively(root: Path, *arguments: str) -> NaiveAnswer:
    junit = root.parent / "junit.xml"
    junit.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}", *arguments],
        cwd=root,
        env={"PATH": os.defpath, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    passed = None
    if junit.exists():
        cases = ElementTree.parse(junit).getroot().iter("testcase")
        passed = frozenset(case.get("name", "") for case in cases if len(case) == 0)
    return NaiveAnswer(done.returncode, passed, done.stdout)
