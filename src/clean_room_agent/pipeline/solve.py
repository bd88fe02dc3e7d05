"""The corridor of `cra solve`: baseline, room, spectrum, search, grading, in this order.

Takes: a `TaskRoom` and a `SolveInput`. Gives: `SolveResult`; every record that passes from one room
to the next is appended to raw on the way. Does not know: how a room does its work, or printing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from clean_room_agent.execute.edits import replace_ranges
from clean_room_agent.pipeline.isolation import SandboxIsolation
from clean_room_agent.pipeline.package import build_package
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.search import Search, search
from clean_room_agent.pipeline.targets import Targets, choose_targets
from clean_room_agent.pipeline.trees import Base, fresh_tree
from clean_room_agent.pipeline.workplace import Workplace, open_workplace
from clean_room_agent.records.attempt import (
    PatchCandidate,
    Replacement,
    Spectrum,
    TestRun,
    Validation,
    ValidationVerdict,
)
from clean_room_agent.records.log import Attempt, Patch
from clean_room_agent.records.task import Task
from clean_room_agent.repair import Evidence, RankedPatch, rank_plausible, suspiciousness
from clean_room_agent.sandbox import interpreter_paths, select_backend
from clean_room_agent.store.raw import new_id
from clean_room_agent.store.session import Session, archive_session
from clean_room_agent.validation.grade import Expectations, grade
from clean_room_agent.validation.runs import run_tests
from clean_room_agent.validation.screen import scan_diff, screen_replacements
from clean_room_agent.validation.trace import TraceTargets, trace_tests
from clean_room_agent.validation.warm import WarmRunner, WarmSettings

# A plausible patch that grading refuses makes way for the next; more than this is no search.
MAX_GRADED = 5
MAX_LOGGED_PATCHES = 20
# One traced test, in processor seconds; less where the failing tests were ended as endless.
TRACE_SECONDS = 5.0
ENDLESS_TRACE_SECONDS = 1.0
ENDLESS_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class SolveInput:
    """What is to be solved: the task, its base, and the tests the user named with --fix."""

    task: Task
    base: Base
    fix: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SolveResult:
    """How it ended. `patch` is None when nothing was verified."""

    patch: Patch | None
    validation: Validation | None
    targets: Targets
    before: TestRun
    search: Search
    ranked: tuple[Patch, ...]
    worktree: Path | None
    seconds: float
    package_id: str

    @property
    def solved(self) -> bool:
        return self.validation is not None and (self.validation.verdict is ValidationVerdict.SOLVED)


def solve(room: TaskRoom, work: SolveInput) -> SolveResult:
    """Walk one task through the pipeline.

    Raises:
        CraError: the tests cannot be run, none fails, or the sandbox cannot be enforced.
    """
    started = time.monotonic()
    task = work.task
    with ExitStack() as stack:
        # Runs last, also when the task fails: what the session knew is never lost.
        stack.callback(archive_session, room.root, task.task_id, room.raw)
        session = stack.enter_context(Session(task.task_id, repo_path=room.root))
        room.raw.append_task(task)
        for path in work.base.left_out:
            room.event("task.path_left_out", {"path": path}, task.task_id)
        if work.base.uncommitted:
            paths = sorted(work.base.uncommitted)
            room.event("task.uncommitted", {"paths": paths}, task.task_id)
        place = stack.enter_context(open_workplace(room, work.base, task.task_id))
        return _walk(room, work, place, session, started)


def _walk(
    room: TaskRoom, work: SolveInput, place: Workplace, session: Session, started: float
) -> SolveResult:
    isolation = _isolate(room, work.task)
    tests = _Tests(room, work, isolation)
    session.put("phase", "baseline")
    before = tests.baseline(place.tree)
    targets = choose_targets(before, work.fix, work.task.text)
    _note_collection_errors(room, before, targets)
    session.put("phase", "trace")
    spectrum = tests.trace(place.tree, targets, before)
    session.put("phase", "context")
    package_id = build_package(room, work.task, failing=suspiciousness(spectrum)).package_id
    session.put("phase", "search")
    attempt_id = _log_attempt(room, work.task, spectrum, targets)
    found = tests.search(place.tree, targets, spectrum, attempt_id)
    session.put("phase", "grade")
    graded = _Grading(room, work, isolation, targets, before, attempt_id)
    patch, validation = graded.best(found, place.tree)
    patches = tuple(graded.patches)
    if patch is not None:
        place.keep(patch.replacements)
    return SolveResult(
        patch=patch,
        validation=validation,
        targets=targets,
        before=before,
        search=found,
        ranked=patches,
        worktree=place.tree if patch is not None else None,
        seconds=time.monotonic() - started,
        package_id=package_id,
    )


def _note_collection_errors(room: TaskRoom, before: TestRun, targets: Targets) -> None:
    """Say at once what cannot even be collected: that is rarely mended by an edit of a template."""
    for result in before.results:
        if result.test_id in targets.fail_to_pass and "::" not in result.test_id:
            lines = [line for line in result.detail.splitlines() if line.startswith("E ")]
            said = lines[0][1:].strip() if lines else "see cra trace"
            room.note(f"{result.test_id} cannot be collected: {said}")


def _isolate(room: TaskRoom, task: Task) -> SandboxIsolation:
    assert task.test_command is not None
    backend = select_backend(room.config.sandbox.backend)
    extra = tuple(Path(path) for path in room.config.sandbox.read_only)
    interpreter = task.test_command.interpreter
    paths = (*interpreter_paths(interpreter, workspace_target=room.root), *extra)
    room.event("sandbox.selected", {"backend": backend.name}, task.task_id)
    return SandboxIsolation(backend, room.root, paths)


class _Tests:
    """The test runs of one task, each logged with its purpose."""

    def __init__(self, room: TaskRoom, work: SolveInput, isolation: SandboxIsolation) -> None:
        assert work.task.test_command is not None
        self._room = room
        self._task = work.task
        self._command = work.task.test_command
        self._isolation = isolation

    def baseline(self, tree: Path) -> TestRun:
        """Run the whole command on the unchanged tree."""
        self._room.progress("running the tests", 0, 0, "")
        run = run_tests(self._command, tree, self._isolation, self._room.limits())
        self._room.raw.append_test_run(
            self._task.task_id, "baseline", self._isolation.backend.name, run
        )
        return run

    def _trace_limit(self, before: TestRun, targets: Targets) -> float:
        """Processor seconds of one traced test: an endless one shows its loop in the first."""
        slowest = max(r.seconds for r in before.results if r.test_id in targets.fail_to_pass)
        endless = slowest >= ENDLESS_SHARE * self._room.config.sandbox.one_test_seconds
        return ENDLESS_TRACE_SECONDS if endless else TRACE_SECONDS

    def trace(self, tree: Path, targets: Targets, before: TestRun) -> Spectrum:
        """Trace which lines the tests run, the failing ones first."""
        self._room.progress("tracing tests", 0, 0, "")
        wanted = TraceTargets(
            targets.fail_to_pass,
            targets.pass_to_pass,
            seconds=self._room.config.solve.trace_seconds,
            cpu_seconds=self._trace_limit(before, targets),
        )
        found = trace_tests(self._command, tree, self._isolation, wanted, self._room.limits())
        # A test that only ended otherwise under the tracer (a cap) says nothing about the bug.
        return replace(
            found,
            failing=tuple(t for t in found.failing if t in targets.fail_to_pass),
            passing=tuple(t for t in found.passing if t in targets.pass_to_pass),
        )

    def search(self, tree: Path, targets: Targets, spectrum: Spectrum, attempt_id: str) -> Search:
        """Try candidates in a warm process; every trial is logged."""
        sources, test_sources = _read_sources(tree, spectrum, targets)
        room = self._room
        limits = replace(
            room.limits(), wall_seconds=room.config.solve.seconds + room.config.sandbox.test_seconds
        )
        settings = WarmSettings(
            failing=targets.fail_to_pass,
            passing=spectrum.passing,
            coverage=_passing_tests_by_file(spectrum),
        )
        with WarmRunner(self._command, tree, self._isolation, settings, limits) as warm:
            if warm.state is not None:
                room.event("warm.started", asdict(warm.state), self._task.task_id)
            return search(
                warm,
                sources,
                test_sources,
                spectrum,
                self._room.config.solve,
                log=lambda batch: self._room.raw.append_trials(attempt_id, batch),
                progress=self._room.progress,
            )


def _passing_tests_by_file(spectrum: Spectrum) -> dict[str, frozenset[str]]:
    """Return for each traced file the passing tests that ran any of its lines."""
    passing = frozenset(spectrum.passing)
    return {
        path: frozenset().union(*lines.values()) & passing for path, lines in spectrum.lines.items()
    }


def _split_paths(spectrum: Spectrum, targets: Targets) -> tuple[list[str], list[str]]:
    """Split the traced Python files into those that may be mended and those of the tests."""
    test_files = {test_id.split("::", 1)[0] for test_id in targets.fail_to_pass}
    sources: list[str] = []
    tests: list[str] = []
    for path in sorted({*spectrum.lines, *test_files}):
        if path.endswith(".py"):
            _, flags = screen_replacements([Replacement(path, 0, 0, b"", "")])
            (tests if path in test_files or flags else sources).append(path)
    return sources, tests


def _read_sources(
    tree: Path, spectrum: Spectrum, targets: Targets
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Read the traced files, apart from those that hold the tests themselves."""
    read = [
        {path: (tree / path).read_bytes() for path in paths if (tree / path).is_file()}
        for paths in _split_paths(spectrum, targets)
    ]
    return read[0], read[1]


def _log_attempt(room: TaskRoom, task: Task, spectrum: Spectrum, targets: Targets) -> str:
    attempt_id = new_id("a")
    _, tests = _split_paths(spectrum, targets)
    scores = suspiciousness(spectrum, exclude=tests)
    room.raw.append_attempt(
        Attempt(
            attempt_id,
            task.task_id,
            "templates",
            limits={"seconds": room.config.solve.seconds},
            spectrum={
                "failing": list(spectrum.failing),
                "passing": len(spectrum.passing),
                "complete": spectrum.complete,
                "files": {path: len(lines) for path, lines in spectrum.lines.items()},
                "suspicious": _most_suspicious(scores),
                "fail_to_pass": list(targets.fail_to_pass),
                "other_failures": list(targets.other_failures),
            },
        )
    )
    return attempt_id


def _most_suspicious(
    scores: Mapping[str, Mapping[int, float]], most: int = 20
) -> list[list[object]]:
    """Return the most suspicious lines, best first, for the log."""
    flat = [(-score, path, line) for path, lines in scores.items() for line, score in lines.items()]
    return [[path, line, round(-score, 4)] for score, path, line in sorted(flat)[:most]]


class _Grading:
    """Ranks plausible patches and grades them in fresh trees until one is verified."""

    def __init__(
        self,
        room: TaskRoom,
        work: SolveInput,
        isolation: SandboxIsolation,
        targets: Targets,
        before: TestRun,
        attempt_id: str,
    ) -> None:
        assert work.task.test_command is not None
        self._room = room
        self._work = work
        self._command = work.task.test_command
        self._isolation = isolation
        self._targets = targets
        self._before = before
        self._attempt_id = attempt_id
        self.patches: list[Patch] = []

    def best(self, found: Search, tree: Path) -> tuple[Patch | None, Validation | None]:
        """Return the first ranked patch that a fresh tree confirms; log all of them."""
        if not found.plausible:
            return None, None
        sources = _bytes_of(tree, found.plausible)
        ranked = rank_plausible(found.plausible, sources, Evidence(found.test_sources))
        self.patches = [
            self._log_patch(rank, entry, sources)
            for rank, entry in enumerate(ranked[:MAX_LOGGED_PATCHES], start=1)
        ]
        last: Validation | None = None
        for patch in self.patches[:MAX_GRADED]:
            self._room.progress("grading in a fresh tree", patch.rank, len(self.patches), "")
            last = self._grade(patch, sources)
            if last.verdict is ValidationVerdict.SOLVED:
                return patch, last
        return None, last

    def _log_patch(self, rank: int, entry: RankedPatch, sources: Mapping[str, bytes]) -> Patch:
        candidate = entry.candidate
        after = _patched(sources, candidate.replacements)
        changed = {path: sources[path] for path in after}
        patch = Patch(
            patch_id=new_id("p"),
            attempt_id=self._attempt_id,
            candidate_id=candidate.candidate_id,
            rank=rank,
            diff=self._room.repository.diff(changed, after),
            replacements=candidate.replacements,
            score={"template": candidate.template, "summary": candidate.summary, **entry.terms},
        )
        self._room.raw.append_patch(patch)
        return patch

    def _grade(self, patch: Patch, sources: Mapping[str, bytes]) -> Validation:
        accepted, flags = screen_replacements(list(patch.replacements))
        flags += scan_diff(
            {path: sources[path] for path in sources}, _patched(sources, patch.replacements)
        )
        destination = self._room.state / "fresh" / f"{self._work.task.task_id}-{patch.rank}"
        with fresh_tree(self._work.base, destination, tuple(accepted)) as tree:
            validation = grade(
                self._command,
                tree,
                self._isolation,
                Expectations(self._targets.fail_to_pass, self._targets.pass_to_pass, flags),
                self._room.limits(),
            )
        run_id = self._room.raw.append_test_run(
            self._work.task.task_id, "grade", self._isolation.backend.name, validation.run
        )
        self._room.raw.append_validation(patch.patch_id, run_id, validation)
        return validation


def _bytes_of(tree: Path, candidates: Sequence[PatchCandidate]) -> dict[str, bytes]:
    paths = {r.path for candidate in candidates for r in candidate.replacements}
    return {path: (tree / path).read_bytes() for path in sorted(paths)}


def _patched(sources: Mapping[str, bytes], replacements: Sequence[Replacement]) -> dict[str, bytes]:

    paths = sorted({r.path for r in replacements})
    return {p: replace_ranges(sources[p], [r for r in replacements if r.path == p]) for p in paths}
