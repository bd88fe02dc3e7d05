"""Reads the repair suite and turns its tasks into folders and git repositories.

Shared by the suite's own tests and by ``benchmarks/repair_suite.py``. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUITE = Path(__file__).resolve().parent / "repair"
TASKS_FILE = SUITE / "tasks.jsonl"
PACKAGES = SUITE / "packages"
HELD_OUT = SUITE / "held_out"

TASK_FIELDS = (
    "id",
    "package",
    "goal",
    "bug_patch",
    "gold_patch",
    "test_command",
    "fail_to_pass",
    "pass_to_pass",
    "bug_class",
    "expected_by_templates",
    "limits",
    "metadata",
)
AUTHOR = "Suite Author"
EMAIL = "author@example.invalid"
COMMIT_DATES = ("2024-01-08T09:00:00+00:00", "2024-01-15T09:00:00+00:00")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache")
TEST_SECONDS = 60


class SuiteError(RuntimeError):
    """A task cannot be read, applied or run as it stands."""


@dataclass(frozen=True)
class RepairTask:
    """One planted bug: a package, the patch that breaks it and one that mends it."""

    task_id: str
    package: str
    goal: str
    bug_patch: str
    gold_patch: str
    test_command: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...] | None
    """None stands for "all": every test that is not listed as failing."""
    bug_class: str
    expected_by_templates: bool
    seconds: float
    difficulty: str
    edits: int
    note: str


def task_from_record(record: Mapping[str, Any]) -> RepairTask:
    """One line of the suite as a task; unknown or missing fields are an error."""
    wrong = set(record).symmetric_difference(TASK_FIELDS)
    if wrong:
        raise SuiteError(f"{record.get('id', 'a task')}: fields differ: {sorted(wrong)}")
    kept = record["pass_to_pass"]
    return RepairTask(
        task_id=record["id"],
        package=record["package"],
        goal=record["goal"],
        bug_patch=record["bug_patch"],
        gold_patch=record["gold_patch"],
        test_command=record["test_command"],
        fail_to_pass=tuple(record["fail_to_pass"]),
        pass_to_pass=None if kept == "all" else tuple(kept),
        bug_class=record["bug_class"],
        expected_by_templates=record["expected_by_templates"],
        seconds=float(record["limits"]["seconds"]),
        difficulty=record["metadata"]["difficulty"],
        edits=int(record["metadata"]["edits"]),
        note=record["metadata"]["note"],
    )


def read_tasks(path: Path = TASKS_FILE) -> list[RepairTask]:
    """All tasks of a suite, in file order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [task_from_record(json.loads(line)) for line in lines if line.strip()]


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment without anything that would steer git or pytest from outside."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "PYTEST_")) and name != "PYTHONPATH"
    }
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def run_git(
    folder: Path,
    *arguments: str,
    stdin: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> str:
    """What one git command prints, or an error that quotes it."""
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(folder) | dict(extra or {}),
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        raise SuiteError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def apply_patch(folder: Path, patch: str) -> None:
    """Apply a unified diff to a folder, which need not be a repository."""
    run_git(folder, "apply", "--whitespace=nowarn", "-", stdin=patch)


def write_buggy(task: RepairTask, folder: Path) -> Path:
    """Copy a task's package to a new folder and plant the bug."""
    shutil.copytree(PACKAGES / task.package, folder, ignore=LEFT_OUT)
    apply_patch(folder, task.bug_patch)
    return folder


def first_commit_files(task: RepairTask, folder: Path) -> list[str]:
    """The files that the older of the two commits holds: scaffolding and half the modules."""
    modules = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.py"))
    sources = [name for name in modules if name.startswith(f"{task.package}/")]
    scaffolding = sorted(path.name for path in folder.iterdir() if path.is_file())
    return scaffolding + sources[: (len(sources) + 1) // 2]


def commit(folder: Path, message: str, date: str) -> None:
    """Commit what is staged, the same way on every machine."""
    who = {
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": date,
    }
    run_git(folder, "-c", "commit.gpgSign=false", "commit", "-q", "-m", message, extra=who)


def materialise(task: RepairTask, folder: Path) -> Path:
    """Make a git repository of two commits whose every commit is already buggy.

    The bug is planted before the repository exists, so no object in it can reveal the fix.
    """
    write_buggy(task, folder)
    run_git(folder, "init", "-q", "--template=", "-b", "main")
    settings = {"user.name": AUTHOR, "user.email": EMAIL, "core.hooksPath": os.devnull}
    for name, value in settings.items():
        run_git(folder, "config", name, value)
    run_git(folder, "add", "--", *first_commit_files(task, folder))
    commit(folder, f"Start {task.package}", COMMIT_DATES[0])
    run_git(folder, "add", "--all")
    commit(folder, f"Complete {task.package} and its tests", COMMIT_DATES[1])
    return folder


def case_id(case: ElementTree.Element) -> str:
    """The pytest id of one test case of a report."""
    file, owner, name = case.get("file", ""), case.get("classname", ""), case.get("name", "")
    module = file.removesuffix(".py").replace("/", ".")
    classes = owner.removeprefix(module).strip(".").split(".") if owner != module else []
    return "::".join([file, *(part for part in classes if part), name])


def read_report(report: Path) -> dict[str, bool]:
    """Whether each test of a junit report passed, by pytest id."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    bad = ("failure", "error", "skipped")
    return {case_id(case): all(case.find(tag) is None for tag in bad) for case in cases}


def run_tests(folder: Path, tests: Sequence[Path | str] = ()) -> dict[str, bool]:
    """Run pytest in a process of its own; whether each test passed, by id."""
    options = ["-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", "--tb=no"]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        settings = ["-c", str(folder / "pyproject.toml"), f"--junitxml={report}"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *settings, *map(str, tests)],
            cwd=folder,
            env=clean_environment(folder),
            capture_output=True,
            text=True,
            timeout=TEST_SECONDS,
            check=False,
        )
        if done.returncode not in (0, 1) or not report.exists():
            raise SuiteError(f"pytest ended with {done.returncode}: {done.stdout}{done.stderr}")
        return read_report(report)


def run_held_out(package: str, folder: Path) -> dict[str, bool]:
    """Run the tests that solvers never see against a folder holding a package."""
    with tempfile.TemporaryDirectory() as scratch:
        tests = Path(scratch) / "held_out"
        shutil.copytree(HELD_OUT / package, tests, ignore=LEFT_OUT)
        return run_tests(folder, [tests])
