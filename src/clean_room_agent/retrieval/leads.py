"""Follow what speaks for code beside the task's own words: a failed run's output, a model.

Takes: the task's resolution, an observation, an analyst. Gives: the resolution with more marks,
and a `StageRecord` of the analysis. Does not know: what a mark is worth, or any model.

The task's words come first and weigh most. What a test run printed is parsed by the same grammars
and marked `observed`. What a model names is looked up in the index like all else; a name that is
not there is logged as unknown and never becomes a candidate.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from clean_room_agent.records.context import StageRecord, TaskAnalysis
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.analysis import MENTIONS, Mentions, parse_task
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.resolve import Mark, MarkKind, Resolution, resolve_mentions
from clean_room_agent.retrieval.terms import weigh_terms
from clean_room_agent.store.curated_reader import CuratedReader

OBSERVED = "observed "
_FIRST = Cap(MENTIONS, "by first appearance", "bounded look-ups")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an analyst would look for, as mentions; `search` is words of the right code."""

    mentions: Mentions
    search: str
    warnings: tuple[str, ...] = ()


class Analyst(Protocol):
    """Anything that names what a task is about, beyond what the task itself says."""

    @property
    def name(self) -> str: ...

    def suggest(self) -> Suggestion:
        """Name things; nothing, with a warning, where no usable answer came."""
        ...


@dataclass(frozen=True, slots=True)
class Leads:
    """Where to look beside the task's own words."""

    observation: str = ""
    analyst: Analyst | None = None


NO_LEADS = Leads()


def analyse_task(
    task_text: str, leads: Leads, reader: CuratedReader
) -> tuple[Resolution, StageRecord]:
    """Read the task, then the leads; the task's marks come first."""
    start = time.perf_counter()
    resolution = resolve_mentions(parse_task(task_text), reader)
    warnings = _not_indexed("named but not in the index", resolution.analysis.unknown, reader)
    judge = "none"
    if leads.observation:
        resolution, said = _observe(resolution, leads.observation, reader)
        warnings += said
    if leads.analyst is not None:
        judge = leads.analyst.name
        suggestion = leads.analyst.suggest()
        warnings += suggestion.warnings
        resolution, said = _suggest(resolution, suggestion, reader)
        warnings += said
    seconds = time.perf_counter() - start
    # A second try of a model may fail like the first.
    once = tuple(dict.fromkeys(warnings))
    return resolution, StageRecord("analysis", judge, (), once, seconds)


def _observe(
    resolution: Resolution, observation: str, reader: CuratedReader
) -> tuple[Resolution, tuple[str, ...]]:
    """Mark what the output of a test run names; the output itself is never shown."""
    parsed = parse_task(observation)
    mentions = replace(
        parsed,
        paths=_first(parsed.paths),
        dotted=_first(parsed.dotted),
        frames=tuple(_FIRST.first(parsed.frames, lambda frame: (float(frame.depth),))),
        test_ids=_first(parsed.test_ids),
    )
    found = resolve_mentions(mentions, reader)
    marks = tuple(replace(mark, text=OBSERVED + mark.text) for mark in found.marks)
    merged = replace(
        resolution,
        marks=resolution.marks + marks,
        analysis=_merged(resolution.analysis, found.analysis),
    )
    return merged, _not_indexed("observed but not in the index", found.analysis.unknown, reader)


def _suggest(
    resolution: Resolution, suggestion: Suggestion, reader: CuratedReader
) -> tuple[Resolution, tuple[str, ...]]:
    """Mark what a model names, each mark as a suggestion, whatever it is."""
    known = {mark.text.removeprefix(OBSERVED) for mark in resolution.marks}
    named = suggestion.mentions
    new = replace(
        named,
        paths=tuple(path for path in named.paths if path not in known),
        dotted=tuple(name for name in named.dotted if name not in known),
        identifiers=tuple(name for name in named.identifiers if name not in known),
    )
    found = resolve_mentions(new, reader)
    marks = tuple(replace(mark, kind=MarkKind.SUGGESTED) for mark in found.marks)
    merged = replace(
        resolution,
        marks=resolution.marks + marks,
        analysis=_merged(resolution.analysis, found.analysis),
        search=weigh_terms(suggestion.search),
    )
    return merged, _not_indexed("the model named, not in the index", found.analysis.unknown, reader)


def _merged(own: TaskAnalysis, more: TaskAnalysis) -> TaskAnalysis:
    """The analysis with further names after its own; `unknown` tells them too."""
    return replace(
        own,
        paths=_joined(own.paths, more.paths),
        identifiers=_joined(own.identifiers, more.identifiers),
        traceback_frames=_joined(own.traceback_frames, more.traceback_frames),
        test_ids=_joined(own.test_ids, more.test_ids),
        error_lines=own.error_lines,
        targets=_joined(own.targets, more.targets),
        unknown=_joined(own.unknown, more.unknown),
    )


def is_grounded(marks: Sequence[Mark]) -> bool:
    """Whether the task or a test run names anything of the index; a model's guess does not."""
    return any(mark.kind is not MarkKind.SUGGESTED for mark in marks)


def _joined(own: tuple[T, ...], more: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(own + more))


def _first(names: tuple[str, ...]) -> tuple[str, ...]:
    kept = _FIRST.first(enumerate(names), lambda placed: (float(placed[0]),))
    return tuple(name for _, name in kept)


def _not_indexed(what: str, names: Sequence[str], reader: CuratedReader) -> tuple[str, ...]:
    """Tell names that are not in the index; of a path that was left out of it, why."""
    told = [
        f"{name} ({why})" if (why := reader.read_skipped(name)) is not None else name
        for name in names
    ]
    return (f"{what}: {one_line(', '.join(told))}",) if told else ()
