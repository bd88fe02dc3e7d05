"""The test runs of one task, each logged with its purpose.

Takes: a `TaskRoom`, a task, an isolation. Gives: `TaskTests`: baseline, trace, runs of a changed
tree. Does not know: who changed the tree, or what is made of an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clean_room_agent.pipeline.isolation import SandboxIsolation
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.targets import Targets
from clean_room_agent.records.attempt import Spectrum, TestRun
from clean_room_agent.records.task import Task, TestCommand
from clean_room_agent.redaction import run_for_prompt
from clean_room_agent.sandbox import interpreter_paths, select_backend
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.trace import TraceTargets, trace_tests

# One traced test, in processor seconds; less where the failing tests were ended as endless.
TRACE_SECONDS = 5.0
ENDLESS_TRACE_SECONDS = 1.0
ENDLESS_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A test run and the id under which it is logged."""

    run: TestRun
    test_run_id: str

    @property
    def source(self) -> str:
        """Name the run as the source of a piece of a prompt."""
        return f"test_run:{self.test_run_id}"

    def details(self, tests: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Return the failure texts of `tests`, in that order; "" where one said nothing."""
        said: Mapping[str, str] = {r.test_id: r.detail for r in self.run.results}
        return tuple((test_id, said.get(test_id, "")) for test_id in tests)


def isolate(room: TaskRoom, task: Task) -> SandboxIsolation:
    """Choose the sandbox of a task. Raises: SandboxError where none can be enforced."""
    assert task.test_command is not None
    backend = select_backend(room.config.sandbox.backend)
    extra = tuple(Path(path) for path in room.config.sandbox.read_only)
    interpreter = task.test_command.interpreter
    paths = (*interpreter_paths(interpreter, workspace_target=room.root), *extra)
    room.event("sandbox.selected", {"backend": backend.name}, task.task_id)
    return SandboxIsolation(backend, room.root, paths)


class TaskTests:
    """Runs the task's test command in its sandbox, and logs each run."""

    def __init__(self, room: TaskRoom, task: Task, isolation: SandboxIsolation) -> None:
        assert task.test_command is not None
        self.room = room
        self.task = task
        self.command: TestCommand = task.test_command
        self.isolation = isolation

    def baseline(self, tree: Path) -> LoggedRun:
        """Run the whole command on the unchanged tree."""
        self.room.progress("running the tests", 0, 0, "")
        return self.run(tree, "baseline")

    def run(self, tree: Path, purpose: str, select: Sequence[str] | None = None) -> LoggedRun:
        """Run the command (only `select`, when given) on a tree as it lies."""
        run = run_tests(self.command, tree, self.isolation, self.room.limits(), select=select)
        return self.log(purpose, run)

    def log(self, purpose: str, run: TestRun) -> LoggedRun:
        """Append a run that was made elsewhere."""
        run = run_for_prompt(run)
        backend = self.isolation.backend.name
        return LoggedRun(
            run, self.room.raw.append_test_run(self.task.task_id, purpose, backend, run)
        )

    def trace(self, tree: Path, targets: Targets, before: TestRun) -> Spectrum:
        """Trace which lines the tests run, the failing ones first."""
        self.room.progress("tracing tests", 0, 0, "")
        wanted = TraceTargets(
            targets.fail_to_pass,
            targets.pass_to_pass,
            seconds=self.room.config.solve.trace_seconds,
            cpu_seconds=self._trace_limit(before, targets),
        )
        found = trace_tests(self.command, tree, self.isolation, wanted, self.room.limits())
        # A test that only ended otherwise under the tracer (a cap) says nothing about the bug.
        return replace(
            found,
            failing=tuple(t for t in found.failing if t in targets.fail_to_pass),
            passing=tuple(t for t in found.passing if t in targets.pass_to_pass),
        )

    def _trace_limit(self, before: TestRun, targets: Targets) -> float:
        """Processor seconds of one traced test: an endless one shows its loop in the first."""
        slowest = max(r.seconds for r in before.results if r.test_id in targets.fail_to_pass)
        endless = slowest >= ENDLESS_SHARE * self.room.config.sandbox.one_test_seconds
        return ENDLESS_TRACE_SECONDS if endless else TRACE_SECONDS
