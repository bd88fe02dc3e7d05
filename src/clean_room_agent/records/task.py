"""A task and the limits under which it is worked on.

Takes: nothing. Gives: `Task`, `Limits`, `Workspace`. Does not know: where tasks come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NewType

RunId = NewType("RunId", str)
TaskId = NewType("TaskId", str)


class Mode(StrEnum):
    """Which pipeline a task runs through."""

    CONTEXT = "context"
    PLAN = "plan"
    SOLVE = "solve"
    ASK = "ask"
    ENRICH = "enrich"


@dataclass(frozen=True, slots=True)
class TestCommand:
    """A test command resolved before any edit: interpreter, pytest arguments, and the words.

    `interpreter` is an absolute path found on the PATH of the caller (reliability case 44);
    `arguments` are what follows `pytest`.
    """

    __test__ = False

    words: tuple[str, ...]
    interpreter: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sandboxed run, enforced by the kernel or by the parent.

    `one_test_seconds` of processor time end a single test inside a run, so that an endless one
    costs no more; the test process itself keeps that clock.
    """

    wall_seconds: float = 600.0
    cpu_seconds: float = 1200.0
    memory_bytes: int = 4 * 1024**3
    processes: int = 256
    file_bytes: int = 512 * 1024**2
    workspace_bytes: int = 1024**3
    workspace_inodes: int = 200_000
    output_bytes: int = 256 * 1024
    grace_seconds: float = 2.0
    one_test_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Task:
    """What the user asked for, fixed before work starts."""

    task_id: TaskId
    run_id: RunId
    mode: Mode
    text: str
    base_commit: str
    test_command: TestCommand | None = None
