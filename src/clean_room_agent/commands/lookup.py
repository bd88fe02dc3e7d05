"""From what a person types (run, task or patch id, a prefix, `last`) to logged records.

Takes: a `RawReader` and a word. Gives: tasks and patches. Does not know: what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.errors import UsageError
from clean_room_agent.records.attempt import ValidationVerdict
from clean_room_agent.records.log import LoggedTask, LoggedValidation, Patch
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.raw_reader import RawReader

RUN_PREFIX, PATCH_PREFIX, REQUEST_PREFIX = "r-", "p-", "q-"
RECENT_TASKS = 200


@dataclass(frozen=True, slots=True)
class VerifiedPatch:
    """A patch with the validation that verified it."""

    task: LoggedTask
    patch: Patch
    validation: LoggedValidation


@contextmanager
def open_log(invocation: Invocation) -> Iterator[RawReader]:
    """Open the log for reading.

    Raises:
        UsageError: nothing was logged here yet.
    """
    if not database_path(Role.RAW, invocation.root).exists():
        raise UsageError(
            "nothing was logged here yet",
            where=str(invocation.root),
            hint='cra init --offline, then cra context "what is wrong"',
        )
    with RawReader(invocation.root) as reader:
        yield reader


def find_task(reader: RawReader, word: str) -> LoggedTask:
    """Return the task that a word names or that the named thing belongs to; a run's first task.

    Raises:
        UsageError: nothing or several things match.
    """
    if not word.startswith(RUN_PREFIX):
        return reader.read_task(reader.owning_task(word))
    run = reader.read_run(word).run
    tasks = reader.read_tasks(run_id=run.run_id)
    if not tasks:
        raise UsageError(f"run {run.run_id} ({run.verb}) has no task", hint="cra runs")
    return tasks[0]


def find_verified(reader: RawReader, word: str) -> VerifiedPatch:
    """Return the verified patch of a task, run or patch id, or the newest one for `last`.

    Raises:
        UsageError: it has none.
    """
    if word == "last":
        # A replay shows that a patch comes out again; it is not what a person means by the last.
        tasks = tuple(
            task
            for task in reader.read_tasks(limit=RECENT_TASKS)
            if reader.read_run(task.task.run_id).run.verb != "replay"
        )
    elif word.startswith(PATCH_PREFIX):
        wanted = reader.read_patch(word)
        tasks = tuple(
            t
            for t in reader.read_tasks(limit=RECENT_TASKS)
            if any(
                p.patch_id == wanted.patch_id for p in reader.read_patches(task_id=t.task.task_id)
            )
        )
    else:
        tasks = (find_task(reader, word),)
    for task in tasks:
        for patch in reader.read_patches(task_id=task.task.task_id):
            for validation in reader.read_validations(patch.patch_id):
                if validation.verdict == ValidationVerdict.SOLVED:
                    return VerifiedPatch(task, patch, validation)
    raise UsageError(
        "there is no verified patch to apply" + ("" if word == "last" else f" in {word}"),
        hint="cra runs --verb solve",
    )
