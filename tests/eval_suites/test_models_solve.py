"""A model that knows the fix solves tasks of the suite through the whole program.

The tasks are such as templates cannot solve, one from each of four packages; every task is run by
`benchmarks/model_suite.py`. The model writes the fix only where the room shows it the file, so a
solved task shows the room, the edit format, the applier, the sandbox and the grading at work.
"""

from __future__ import annotations

import pytest

from benchmarks.model_suite import run_task
from eval_suites.loader import RepairTask, read_tasks

TASKS = {task.package: task for task in reversed(read_tasks()) if not task.expected_by_templates}
CHOSEN = [TASKS[name] for name in sorted(TASKS)[:4]]


@pytest.mark.parametrize("task", CHOSEN, ids=[task.task_id for task in CHOSEN])
@pytest.mark.parametrize("edit_format", ["blocks", "symbols"])
def test_a_model_that_knows_the_fix_solves_what_templates_cannot(
    task: RepairTask, edit_format: str
) -> None:
    found = run_task(task, ["-c", f'coding.edit_format="{edit_format}"'])
    assert (found.status, found.graded) == ("solved", True), found
    assert found.calls >= 3 and found.prompt_tokens > 0
