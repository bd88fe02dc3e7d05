"""Every task of the repair suite is what it says: broken by its bug, mended by its gold patch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from eval_suites.loader import (
    PACKAGES,
    RepairTask,
    SuiteError,
    apply_patch,
    materialise,
    read_tasks,
    run_git,
    run_held_out,
    run_tests,
    task_from_record,
    write_buggy,
)

TASKS = read_tasks()
PACKAGE_NAMES = sorted({task.package for task in TASKS})
ONE_PER_PACKAGE = [
    next(task for task in TASKS if task.package == package) for package in PACKAGE_NAMES
]
BUG_CLASSES = {
    "argument",
    "boundary",
    "call_missing",
    "comparison",
    "condition_missing",
    "condition_negated",
    "constant",
    "early_return",
    "missing_logic",
    "multi_edit",
    "off_by_one",
    "operator",
    "slice",
    "statement_order",
    "variable",
}

each_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.task_id)
each_package = pytest.mark.parametrize("package", PACKAGE_NAMES)


@each_task
def test_bug_breaks_and_gold_mends(task: RepairTask, tmp_path: Path) -> None:
    folder = write_buggy(task, tmp_path / "work")
    before = run_tests(folder)
    apply_patch(folder, task.gold_patch)
    after = run_tests(folder)

    assert sorted(name for name, passed in before.items() if not passed) == sorted(
        task.fail_to_pass
    )
    if task.pass_to_pass is not None:
        assert all(before[name] for name in task.pass_to_pass)
    assert before.keys() == after.keys()
    assert all(after.values())


@each_task
def test_task_is_well_formed(task: RepairTask) -> None:
    assert (PACKAGES / task.package / task.package / "__init__.py").is_file()
    assert task.bug_class in BUG_CLASSES
    assert task.difficulty in {"easy", "medium", "hard"}
    assert 1 <= len(task.fail_to_pass) <= 5
    assert task.goal and task.note and task.seconds > 0
    assert task.test_command == "pytest -q"
    for patch in (task.bug_patch, task.gold_patch):
        assert patch.startswith(f"--- a/{task.package}/"), "patches touch source files only"
        assert "/tests/" not in patch


def test_suite_is_large_and_varied() -> None:
    out_of_reach = [task for task in TASKS if not task.expected_by_templates]
    assert len(TASKS) >= 36
    assert len(PACKAGE_NAMES) >= 6
    assert len(out_of_reach) >= 6
    assert sum(task.edits == 2 for task in TASKS) >= 3
    assert len({task.bug_class for task in TASKS}) >= 12


def test_ids_are_unique() -> None:
    assert Counter(task.task_id for task in TASKS).most_common(1)[0][1] == 1


def test_every_package_has_tasks() -> None:
    folders = sorted(path.parent.name for path in PACKAGES.glob("*/pyproject.toml"))
    assert folders == PACKAGE_NAMES


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(SuiteError, match="fields differ"):
        task_from_record({"id": "x", "surprise": 1})


@each_package
def test_clean_package_passes(package: str) -> None:
    results = run_tests(PACKAGES / package)
    assert len(results) >= 12
    assert all(results.values())


@each_package
def test_clean_package_passes_what_is_held_out(package: str) -> None:
    results = run_held_out(package, PACKAGES / package)
    assert results
    assert all(results.values())


@pytest.mark.parametrize("task", ONE_PER_PACKAGE, ids=lambda task: task.task_id)
def test_repository_never_holds_the_clean_file(task: RepairTask, tmp_path: Path) -> None:
    folder = materialise(task, tmp_path / "repository")
    source = task.bug_patch.splitlines()[0].removeprefix("--- a/")
    clean = run_git(PACKAGES.parent, "hash-object", "--", str(PACKAGES / task.package / source))

    objects = run_git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    assert clean.strip() not in objects.split()
    assert len(run_git(folder, "rev-list", "HEAD").split()) == 2
    assert run_git(folder, "status", "--porcelain") == ""


def test_repositories_are_the_same_everywhere(tmp_path: Path) -> None:
    heads = {run_git(materialise(TASKS[0], tmp_path / name), "rev-parse", "HEAD") for name in "ab"}
    assert len(heads) == 1
