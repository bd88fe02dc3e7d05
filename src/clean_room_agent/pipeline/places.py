"""The localisers: what the tests ran, and what retrieval decided to show.

Takes: a spectrum, or a built package. Gives: `CodePointer`s. Does not know: patches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from clean_room_agent.pipeline.doors import CodePointer
from clean_room_agent.records.attempt import Replacement, Spectrum
from clean_room_agent.records.context import ContextPackage, FragmentKind
from clean_room_agent.records.task import Task
from clean_room_agent.repair import suspiciousness
from clean_room_agent.validation.screen import screen_replacements


@dataclass(frozen=True, slots=True)
class SpectrumLocaliser:
    """Lines that failing tests ran and passing ones did not; traced files without one stand whole.

    `test_files` hold the tests to be mended: they are never a place to edit.
    """

    spectrum: Spectrum
    test_files: Collection[str]

    @property
    def name(self) -> str:
        return "spectrum"

    def locate(self, task: Task) -> tuple[CodePointer, ...]:
        del task
        sources, tests = split_paths(self.spectrum, self.test_files)
        scores = suspiciousness(self.spectrum, exclude=tests)
        found: list[CodePointer] = []
        for path in sources:
            lines = scores.get(path)
            if lines:
                found += _runs(path, lines)
            else:
                found.append(CodePointer(path, "", None, 0.0, "traced, no failing test ran it"))
        return tuple(sorted(found, key=lambda p: (-p.score, p.file, p.lines or (0, 0))))


@dataclass(frozen=True, slots=True)
class PackageLocaliser:
    """What the context package shows: each code fragment with the score that let it in."""

    package: ContextPackage

    @property
    def name(self) -> str:
        return "package"

    def locate(self, task: Task) -> tuple[CodePointer, ...]:
        del task
        decisions = self.package.decisions
        found = []
        for fragment in self.package.fragments:
            if fragment.kind is not FragmentKind.CODE or fragment.span is None:
                continue
            decision = None if fragment.decision is None else decisions[fragment.decision]
            lines = (fragment.span.start_line, fragment.span.end_line)
            score = decision.candidate.score if decision else 0.0
            reason = decision.reason if decision else "shown with its file"
            found.append(CodePointer(fragment.path, fragment.symbol, lines, score, reason))
        return tuple(sorted(found, key=lambda p: (-p.score, p.file, p.lines or (0, 0))))


def split_paths(spectrum: Spectrum, test_files: Collection[str]) -> tuple[list[str], list[str]]:
    """Split the traced Python files into those that may be mended and those of the tests."""
    sources: list[str] = []
    tests: list[str] = []
    for path in sorted({*spectrum.lines, *test_files}):
        if path.endswith(".py"):
            _, flags = screen_replacements([Replacement(path, 0, 0, b"", "")])
            (tests if path in test_files or flags else sources).append(path)
    return sources, tests


def _runs(path: str, lines: Mapping[int, float]) -> list[CodePointer]:
    """Join neighbouring lines of equal suspicion."""
    found: list[CodePointer] = []
    for line, score in sorted(lines.items()):
        last = found[-1] if found else None
        if last is not None and last.lines is not None and last.score == score:
            first, end = last.lines
            if end == line - 1:
                found[-1] = CodePointer(path, "", (first, line), score, last.reason)
                continue
        found.append(CodePointer(path, "", (line, line), score, f"suspiciousness {score:.2f}"))
    return found
