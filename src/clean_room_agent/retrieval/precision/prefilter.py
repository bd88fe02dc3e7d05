"""Propose the items inside the chosen files: every signal measured, weighed and written down.

Takes: chosen files with their scores, the resolution, sources. Gives: `Choices`: candidates with
their units. Does not know: which will be shown; no model is asked here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clean_room_agent.records.code import EdgeKind
from clean_room_agent.records.context import Candidate, Detail, Signal, SubjectKind
from clean_room_agent.records.spelling import one_line
from clean_room_agent.repo.tokens import split_word
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.judge import candidate_order
from clean_room_agent.retrieval.precision.text import UnitBags, count_terms
from clean_room_agent.retrieval.precision.units import HEADER, Unit, cut_units, whole_file
from clean_room_agent.retrieval.resolve import Mark, MarkKind
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope.prefilter import role_loss
from clean_room_agent.retrieval.scope.signals import Suspicious
from clean_room_agent.retrieval.sources import Sources
from clean_room_agent.retrieval.weights import (
    FAR_HELPER,
    HELPERS,
    SEED_EDGES,
    SYMBOL_WEIGHTS,
    SYMBOLS_RECORDED,
)
from clean_room_agent.store.curated_reader import CuratedReader, FileRow, SymbolRow

Cost = Callable[[Unit], int]
# What is pointed at counts in full wherever it stands: a named test is shown as such.
_POINTED = frozenset({"mention.symbol", "mention.path", "mention.traceback", "spectrum"})
_NO_NAME = frozenset({MarkKind.TRACEBACK, MarkKind.SUGGESTED})
_NAMES_FILE = frozenset({MarkKind.PATH, MarkKind.MODULE, MarkKind.STEM})


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """A file that the scope stage let in, with its score as a share of the best."""

    file: FileRow
    share: float


@dataclass(frozen=True, slots=True)
class Ask:
    """What the task says, in the forms that units are measured by."""

    weights: Mapping[str, float]
    title: Mapping[str, float]
    marks: Sequence[Mark]
    suspicious: Suspicious
    whole_file_tokens: int
    search: Mapping[str, float] = field(default_factory=dict)  # words that a model would look for


@dataclass(frozen=True, slots=True)
class Choices:
    """Item candidates in order, the unit behind each, and what a cap left unrecorded."""

    candidates: tuple[Candidate, ...]
    units: Mapping[tuple[str, str, int], Unit]
    warnings: tuple[str, ...]
    is_pointed: bool = False  # the task names one of the items, or a test went through it
    is_guess: bool = False  # it does not, and no item holds enough of the task's words


def unit_key(candidate: Candidate) -> tuple[str, str, int]:
    start = -1 if candidate.span is None else candidate.span.start_byte
    return (candidate.path, candidate.symbol, start)


def propose_units(
    files: Sequence[ChosenFile], ask: Ask, reader: CuratedReader, sources: Sources, cost: Cost
) -> Choices:
    """Cut the files into items and measure each; one that nothing speaks for is no candidate."""
    units: list[Unit] = []
    for chosen in files:
        units += _cut_file(chosen.file, reader, sources, cost, ask.whole_file_tokens)
    bags = count_terms(units, ask.weights)
    signals = _measure(units, bags, files, ask, reader)
    _follow_members(units, signals)
    _add_file_scores(units, files, ask.marks, signals)
    for unit, own in zip(units, signals, strict=True):
        if not _POINTED & {signal.name for signal in own}:
            own += role_loss(unit.file, own)
    spoken_for = [(unit, own) for unit, own in zip(units, signals, strict=True) if own]
    proposed = [_candidate(unit, own, tokens=0) for unit, own in spoken_for]
    by_key = {unit_key(c): unit for c, (unit, _) in zip(proposed, spoken_for, strict=True)}
    cap = Cap(SYMBOLS_RECORDED, "by score", "bounded log")
    kept = cap.first(proposed, candidate_order)
    counted = tuple(replace(c, tokens=cost(by_key[unit_key(c)])) for c in kept)
    said = cap.describe(len(proposed), "items not recorded")
    is_pointed = any(_POINTED & {signal.name for signal in own} for own in signals)
    is_guess = not is_pointed and bags.covers_little(ask.weights)
    return Choices(counted, by_key, (said,) if said else (), is_pointed, is_guess)


def _candidate(unit: Unit, signals: Sequence[Signal], *, tokens: int) -> Candidate:
    return Candidate(
        kind=unit.kind,
        path=unit.file.path,
        symbol=unit.name,
        span=unit.span,
        blob_id=unit.file.blob_id,
        tokens=tokens,
        signals=tuple(signals),
    )


def unit_of(candidate: Candidate, choices: Choices) -> Unit:
    """The unit that a candidate stands for."""
    return choices.units[unit_key(candidate)]


def _cut_file(
    file: FileRow, reader: CuratedReader, sources: Sources, cost: Cost, whole_tokens: int
) -> list[Unit]:
    data = sources.read(file.path, file.blob_id)
    whole = whole_file(file, data)
    # Four bytes a token is the most that the counter ever packs into one: cheaper to ask first.
    if len(data) <= 8 * whole_tokens and cost(whole) <= whole_tokens:
        return [whole]
    imports = reader.read_import_lines(file.blob_pk)
    return cut_units(file, reader.read_definitions(file.file_pk), imports, data)


def _measure(
    units: Sequence[Unit],
    bags: UnitBags,
    files: Sequence[ChosenFile],
    ask: Ask,
    reader: CuratedReader,
) -> list[list[Signal]]:
    """What speaks for each item by itself, in their order."""
    weightings = {"text.symbol": ask.weights, "text.title": ask.title}
    texts = {name: bags.score(weights) for name, weights in weightings.items()}
    best = {name: max((score for score, _ in own), default=0.0) for name, own in texts.items()}
    by_file: dict[int, list[Mark]] = {chosen.file.file_pk: [] for chosen in files}
    for mark in ask.marks:
        by_file.setdefault(mark.file.file_pk, []).append(mark)
    marked = {i: _marked(unit, by_file[unit.file.file_pk]) for i, unit in enumerate(units)}
    linked = _linked(units, marked, reader)
    linked = _weaken_far(linked, lambda index: (-texts["text.symbol"][index][0], index), units)
    depths = 1 + max((mark.depth for mark in ask.marks), default=0)
    suggested = _suggested_words(units, ask.search)
    names = _agreement(units, ask.weights)
    largest = max((math.log1p(len(unit.content)) for unit in units), default=1.0)
    signals: list[list[Signal]] = []
    for index, unit in enumerate(units):
        own: list[Signal] = []
        for name, scores in texts.items():
            score, note = scores[index]
            if score > 0.0 and unit.name != HEADER:
                own.append(_signal(name, score / best[name], note))
        if marked[index]:
            value, text = max(marked[index].items(), key=lambda item: (item[1], item[0]))[::-1]
            own.append(_signal("mention.symbol", value, text))
        own += _trace_signals(unit, by_file[unit.file.file_pk], depths)
        if index in linked:
            own.append(_signal("graph.target", *linked[index]))
        own += _path_signals(unit, by_file[unit.file.file_pk])
        own += _spectrum_signals(unit, ask.suspicious)
        own += suggested.get(index, ()) if unit.name != HEADER else ()
        own += _suggested_signals(unit, by_file[unit.file.file_pk])
        own += _form_signals(unit, names.get(unit.name, 0.0), largest) if own else []
        signals.append(own)
    return signals


def _form_signals(unit: Unit, name_share: float, largest: float) -> list[Signal]:
    """How much of its own name the task says, and two losses: small items and class outlines are
    seldom what is changed."""
    found = []
    if name_share > 0.0:
        found.append(_signal("name.words", name_share, unit.name))
    small = 1.0 - math.log1p(len(unit.content)) / largest
    if small > 0.0:
        found.append(_signal("form.small", small, f"{len(unit.content)} bytes"))
    if unit.detail is Detail.SIGNATURE:
        found.append(_signal("form.outline", 1.0, "an outline"))
    return found


def _agreement(units: Sequence[Unit], weights: Mapping[str, float]) -> dict[str, float]:
    """The share of the parts of an item's own name that the task says, by their rarity."""
    parts = {
        unit.name: frozenset(split_word(unit.name.rpartition(".")[2]))
        for unit in units
        if unit.ordinal is not None
    }
    counts = Counter(part for own in parts.values() for part in own)
    rare = {part: math.log1p(len(parts) / count) for part, count in counts.items()}
    return {
        name: math.fsum(rare[part] for part in own if part in weights)
        / math.fsum(rare[part] for part in own)
        for name, own in parts.items()
        if own
    }


def _path_signals(unit: Unit, marks: Sequence[Mark]) -> list[Signal]:
    """The task names the file, and the file is one item."""
    if unit.kind is not SubjectKind.FILE:
        return []
    named = [mark for mark in marks if mark.kind in _NAMES_FILE]
    best = min(named, key=lambda mark: (mark.spread, mark.text), default=None)
    return [] if best is None else [_signal("mention.path", best.spread**-0.5, best.text)]


def _suggested_words(
    units: Sequence[Unit], search: Mapping[str, float]
) -> Mapping[int, Sequence[Signal]]:
    """The units that hold words a model would look for."""
    if not search:
        return {}
    scores = count_terms(units, search).score(search)
    best = max((score for score, _ in scores), default=0.0)
    return {
        index: [_signal("text.suggested", score / best, note)]
        for index, (score, note) in enumerate(scores)
        if score > 0.0
    }


def _suggested_signals(unit: Unit, marks: Sequence[Mark]) -> list[Signal]:
    """A model named the unit, something in it, or the file that it is."""
    named = [
        mark
        for mark in marks
        if mark.kind is MarkKind.SUGGESTED
        and (unit.kind is SubjectKind.FILE if mark.symbol is None else _holds(unit, mark.symbol))
    ]
    best = min(named, key=lambda mark: (mark.spread, mark.text), default=None)
    return [] if best is None else [_signal("mention.suggested", best.spread**-0.5, best.text)]


def _add_file_scores(
    units: Sequence[Unit],
    files: Sequence[ChosenFile],
    marks: Sequence[Mark],
    signals: Sequence[list[Signal]],
) -> None:
    """An item has its file's score where something speaks for the item, or the task names the
    file: a good file is no reason to show all of it."""
    share = {chosen.file.file_pk: chosen.share for chosen in files}
    named = {mark.file.file_pk for mark in marks if mark.kind in _NAMES_FILE}
    for unit, own in zip(units, signals, strict=True):
        key = unit.file.file_pk
        if own or key in named:
            own.append(_signal("file.score", share[key], "score of its file"))


def _signal(name: str, value: float, evidence: str) -> Signal:
    return Signal(name, round(value, 6), SYMBOL_WEIGHTS[name], one_line(evidence))


def _marked(unit: Unit, marks: Sequence[Mark]) -> dict[str, float]:
    """Names in the task that are defined by this unit or inside it; `marks` are its file's."""
    found: dict[str, float] = {}
    for mark in marks:
        if mark.symbol is None or mark.kind in _NO_NAME:
            continue
        if _holds(unit, mark.symbol):
            found[mark.text] = max(found.get(mark.text, 0.0), mark.spread**-0.5)
    return found


def _holds(unit: Unit, row: SymbolRow) -> bool:
    """Whether a definition begins in the unit; an outline is its own class, not the members."""
    return unit.span.start_byte <= row.symbol.span.start_byte < unit.span.end_byte


def _trace_signals(unit: Unit, marks: Sequence[Mark], depths: int) -> list[Signal]:
    """The deepest traceback frame inside the unit: by its function, else by its line."""
    inside = [
        mark for mark in marks if mark.kind is MarkKind.TRACEBACK and _is_frame_in(mark, unit)
    ]
    if not inside:
        return []
    deepest = max(inside, key=lambda mark: mark.depth)
    value = (depths + 1 + deepest.depth) / (2 * depths)  # the first frame printed has half
    return [_signal("mention.traceback", value, deepest.text)]


def _is_frame_in(mark: Mark, unit: Unit) -> bool:
    if mark.line is not None:
        return unit.span.start_line <= mark.line <= unit.span.end_line
    return mark.symbol is not None and _holds(unit, mark.symbol)


def _spectrum_signals(unit: Unit, suspicious: Suspicious) -> list[Signal]:
    lines = {
        line: score
        for line, score in suspicious.get(unit.file.path, {}).items()
        if unit.span.start_line <= line <= unit.span.end_line and score > 0.0
    }
    if not lines:
        return []
    line, score = min(lines.items(), key=lambda item: (-item[1], item[0]))
    return [_signal("spectrum", min(1.0, score), f"line {line}: {score:.2f}")]


def _linked(
    units: Sequence[Unit], marked: Mapping[int, Mapping[str, float]], reader: CuratedReader
) -> dict[int, tuple[float, str]]:
    """Units that call a marked unit or are called by one (or inherit), as far as it is marked."""
    place = {
        (unit.file.file_pk, unit.ordinal): index
        for index, unit in enumerate(units)
        if unit.ordinal is not None
    }
    targets = {
        (units[i].file.file_pk, units[i].ordinal): (max(marked[i].values()), units[i].name)
        for i in marked
        if marked[i]
    }
    files = sorted({file_pk for file_pk, _ in targets})
    edges = reader.read_edges_from(files, limit=SEED_EDGES)
    edges += reader.read_edges_to(files, limit=SEED_EDGES)
    linked: dict[int, tuple[float, str]] = {}
    for edge in edges:
        if edge.kind not in (EdgeKind.CALL, EdgeKind.INHERIT):
            continue
        source = (edge.source_file, edge.source_ordinal)
        target = (edge.target_file, edge.target_ordinal)
        if source in targets and target in place:
            value, name = targets[source]
            linked.setdefault(place[target], (value, f"used by {name}"))
        if target in targets and source in place:
            value, name = targets[target]
            linked.setdefault(place[source], (value, f"uses {name}"))
    return linked


def _weaken_far(
    linked: Mapping[int, tuple[float, str]],
    order_by: Callable[[int], tuple[float | str, ...]],
    units: Sequence[Unit],
) -> dict[int, tuple[float, str]]:
    """Of many callers and callees only the best few of the source speak with full strength."""
    cap = Cap(HELPERS, "by text", "a name that everything calls")
    near = set(cap.first((i for i in linked if not role_of(units[i].file)), order_by))
    return {
        index: (value if index in near else value * FAR_HELPER, text)
        for index, (value, text) in linked.items()
    }


def _follow_members(units: Sequence[Unit], signals: Sequence[list[Signal]]) -> None:
    """A class outline and a header matter as much as the best item below them."""
    totals = [sum(signal.contribution for signal in own) for own in signals]
    best = max(totals, default=0.0)
    if best <= 0.0:
        return
    heads: dict[tuple[int, int | None], tuple[float, str]] = {}
    for unit, total in zip(units, totals, strict=True):
        for owner in {unit.owner, None} if unit.ordinal is not None else ():
            key = (unit.file.file_pk, owner)
            heads[key] = max(heads.get(key, (0.0, "")), (total, unit.name))
    for unit, own in zip(units, signals, strict=True):
        head = heads.get((unit.file.file_pk, None if unit.name == HEADER else unit.ordinal))
        if head is not None and (unit.name == HEADER or unit.ordinal is not None):
            own.append(_signal("member.score", head[0] / best, f"holds {head[1]}"))
