"""The generator without a model: fix templates tried in a warm process.

Takes: a `Ground`, pointers to the files that may be mended. Gives: `Generated`; the attempt and
every trial are logged. Does not know: who else proposes patches, or which one is believed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from clean_room_agent.config.schema import SolveConfig
from clean_room_agent.pipeline.doors import CodePointer, Generated, Plausible
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.limits import comparing_seconds
from clean_room_agent.pipeline.places import split_paths
from clean_room_agent.pipeline.search import EXHAUSTED, Search, search
from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.records.log import Attempt
from clean_room_agent.records.task import Task
from clean_room_agent.repair import suspiciousness
from clean_room_agent.store.raw import new_id
from clean_room_agent.validation.warm import WarmRunner, WarmSettings

NAME = "templates"


@dataclass(frozen=True, slots=True)
class TemplatesGenerator:
    """Edits of the catalogue at suspicious lines, each tried against the tests."""

    ground: Ground

    @property
    def name(self) -> str:
        return NAME

    def generate(self, pointers: Sequence[CodePointer], task: Task, already: int = 0) -> Generated:
        """Search the pointed files, most suspicious lines first, within the limits of [solve]."""
        started = time.monotonic()
        budget = self.ground.room.config.solve
        if already:
            seconds = comparing_seconds(budget.seconds, budget)
            budget = replace(budget, seconds=seconds)
        attempt_id = self._log_attempt(task, budget)
        files = {pointer.file for pointer in pointers}
        found = self._search(files, task, attempt_id, budget, already)
        return Generated(
            generator=NAME,
            plausible=tuple(Plausible(c, NAME, attempt_id) for c in found.plausible),
            stopped=found.stopped,
            is_cut=found.stopped != EXHAUSTED,
            seconds=time.monotonic() - started,
            tried=found.tried,
        )

    def _search(
        self, files: set[str], task: Task, attempt_id: str, budget: SolveConfig, already: int
    ) -> Search:
        ground, room = self.ground, self.ground.room
        _, tests = split_paths(ground.spectrum, ground.test_files)
        limits = replace(
            room.limits(), wall_seconds=budget.seconds + room.config.sandbox.test_seconds
        )
        settings = WarmSettings(
            failing=ground.targets.fail_to_pass,
            passing=ground.spectrum.passing,
            coverage=_passing_tests_by_file(ground.spectrum),
        )
        kit = ground.tests
        with WarmRunner(kit.command, ground.tree, kit.isolation, settings, limits) as warm:
            if warm.state is not None:
                room.event("warm.started", asdict(warm.state), task.task_id)
            return search(
                warm,
                read_files(ground, sorted(files)),
                read_files(ground, tests),
                ground.spectrum,
                budget,
                log=lambda batch: room.raw.append_trials(attempt_id, batch),
                progress=room.progress,
                already=already,
            )

    def _log_attempt(self, task: Task, budget: SolveConfig) -> str:
        attempt_id = new_id("a")
        ground = self.ground
        ground.room.raw.append_attempt(
            Attempt(
                attempt_id,
                task.task_id,
                NAME,
                limits={"seconds": budget.seconds},
                spectrum=spectrum_document(ground),
            )
        )
        return attempt_id


def read_files(ground: Ground, paths: Sequence[str]) -> dict[str, bytes]:
    """Read base bytes; paths without a plain file are left out."""
    found = {path: ground.read(path) for path in paths}
    return {path: data for path, data in found.items() if data is not None}


def spectrum_document(ground: Ground) -> dict[str, object]:
    """Return what localisation saw, for the log of an attempt."""
    spectrum, targets = ground.spectrum, ground.targets
    _, tests = split_paths(spectrum, ground.test_files)
    return {
        "failing": list(spectrum.failing),
        "passing": len(spectrum.passing),
        "complete": spectrum.complete,
        "files": {path: len(lines) for path, lines in spectrum.lines.items()},
        "suspicious": _most_suspicious(suspiciousness(spectrum, exclude=tests)),
        "fail_to_pass": list(targets.fail_to_pass),
        "other_failures": list(targets.other_failures),
    }


def _most_suspicious(
    scores: Mapping[str, Mapping[int, float]], most: int = 20
) -> list[list[object]]:
    """Return the most suspicious lines, best first, for the log."""
    flat = [(-score, path, line) for path, lines in scores.items() for line, score in lines.items()]
    return [[path, line, round(-score, 4)] for score, path, line in sorted(flat)[:most]]


def _passing_tests_by_file(spectrum: Spectrum) -> dict[str, frozenset[str]]:
    """Return for each traced file the passing tests that ran any of its lines."""
    passing = frozenset(spectrum.passing)
    return {
        path: frozenset().union(*lines.values()) & passing for path, lines in spectrum.lines.items()
    }
