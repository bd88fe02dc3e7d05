"""Measure the context package at several sizes: gold functions held whole, tokens near gold.

    python benchmarks/localization_levels.py DEV.jsonl --work DIR --keep-indexes DIR [--every N]

The packages are those of `cra context`: the same stages, floors and framing, one for each size.
Tasks are those with gold functions; of each repository every `N`th, at least two. A neighbour is
an item that a call or an inheritance joins to a gold function, or the outline of its class. The
kept indexes are those of `benchmarks/localization.py --keep-indexes`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localization_cases import BlobReader, Task, read_lines, unpack_index
from localization_report import groups_by

from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.code import EdgeKind, Span
from clean_room_agent.records.context import ContextPackage, Fragment, FragmentKind
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.sources import ReadSource
from clean_room_agent.store.curated_reader import CuratedReader, SymbolRow

LEVELS = (4_000, 8_000, 16_000, 32_000)
EDGES = 400


@dataclass(frozen=True, slots=True)
class Level:
    """One package: the share of gold functions in it whole, and what its code tokens are."""

    whole: float
    all_whole: bool
    code: int
    in_gold: int
    near_gold: int
    used: int


@dataclass(frozen=True, slots=True)
class Places:
    """Byte ranges by path."""

    gold: dict[str, list[Span]]
    near: dict[str, list[Span]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="the clones")
    parser.add_argument("--keep-indexes", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6)
    options = parser.parse_args()
    tasks = sample((t for t in read_lines(options.tasks) if t["gold_functions"]), options.every)
    found: dict[str, list[list[Level]]] = {}
    for task in tasks:
        levels = measure_kept(task, options.work, options.keep_indexes)
        found.setdefault(str(task["suite"]).split("-")[0], []).append(levels)
        print(task["task_id"], [round(level.whole, 2) for level in levels], file=sys.stderr)
    print_levels(found)
    return 0


def sample(tasks: Iterable[Task], every: int) -> Iterator[Task]:
    """Every nth task of each repository, at least two."""
    for own in groups_by(tasks, "repo").values():
        yield from own[:: min(every, max(1, len(own) // 2))]


def measure_kept(task: Task, work: Path, keep: Path) -> list[Level]:
    read_source = BlobReader(work / str(task["repo"]).replace("/", "__"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        unpack_index(keep / f"{task['task_id']}.zst", Path(directory))
        with CuratedReader(Path(directory)) as reader:
            levels = measure_levels(task, reader, read_source)
    read_source.close()
    return levels


def measure_levels(task: Task, reader: CuratedReader, read_source: ReadSource) -> list[Level]:
    """One package for each size, from one index."""
    places = find_places(task["gold_functions"], reader)
    return [weigh(build(task["query"], tokens, reader, read_source), places) for tokens in LEVELS]


def build(
    query: str, tokens: int, reader: CuratedReader, read_source: ReadSource
) -> ContextPackage | None:
    """The package; None where the task's own text is larger than the room."""
    counter = UpperBoundCounter()
    if counter.count(query.encode()) > 0.9 * tokens:
        return None
    return retrieve(
        query,
        reader=reader,
        read_source=read_source,
        budget_tokens=tokens,
        judge=RankedJudge(),
        counter=counter,
    )


def find_places(functions: Sequence[str], reader: CuratedReader) -> Places:
    """Where the gold functions are, and what a call or an inheritance joins to them."""
    gold: dict[str, list[Span]] = {}
    near: dict[str, list[Span]] = {}
    for name in functions:
        path, _, qualified = name.partition("::")
        file = reader.read_file(path)
        if file is None:
            continue
        rows = reader.read_definitions(file.file_pk)
        own = [row for row in rows if row.symbol.qualified_name == qualified]
        gold.setdefault(path, []).extend(row.symbol.span for row in own)
        for neighbour, span in _neighbours(own, rows, path, reader):
            near.setdefault(neighbour, []).append(span)
    return Places(gold, near)


def _neighbours(
    own: Sequence[SymbolRow], rows: Sequence[SymbolRow], path: str, reader: CuratedReader
) -> Iterator[tuple[str, Span]]:
    by_ordinal = {row.ordinal: row for row in rows}
    for row in own:
        owner = row.symbol.parent
        if owner in by_ordinal:
            span = by_ordinal[owner].symbol.span
            yield path, Span(span.start_byte, span.start_byte + 1, span.start_line, span.start_line)
    keys = {(row.file_pk, row.ordinal) for row in own}
    files = {file_pk for file_pk, _ in keys}
    joined: set[tuple[int, int]] = set()
    edges = reader.read_edges_from(files, limit=EDGES) + reader.read_edges_to(files, limit=EDGES)
    for edge in edges:
        if edge.kind not in (EdgeKind.CALL, EdgeKind.INHERIT):
            continue
        for one, other in (
            ((edge.source_file, edge.source_ordinal), (edge.target_file, edge.target_ordinal)),
            ((edge.target_file, edge.target_ordinal), (edge.source_file, edge.source_ordinal)),
        ):
            if one in keys and other[1] is not None:
                joined.add((other[0], other[1]))
    for file in reader.read_files({file_pk for file_pk, _ in joined}):
        for row in reader.read_definitions(file.file_pk):
            if (file.file_pk, row.ordinal) in joined:
                yield file.path, row.symbol.span


def weigh(package: ContextPackage | None, places: Places) -> Level:
    if package is None:
        return Level(0.0, False, 0, 0, 0, 0)
    code = [f for f in package.fragments if f.kind is FragmentKind.CODE and f.span is not None]
    spans = [(path, span) for path, own in places.gold.items() for span in own]
    held = [is_held(path, span, code) for path, span in spans]
    in_gold = near = 0
    for fragment in code:
        if _touches(fragment, places.gold):
            in_gold += fragment.tokens
        elif _touches(fragment, places.near):
            near += fragment.tokens
    whole = statistics.mean(held) if held else 0.0
    total = sum(fragment.tokens for fragment in code)
    return Level(whole, bool(held) and all(held), total, in_gold, near, package.tokens)


def is_held(path: str, span: Span, code: Sequence[Fragment]) -> bool:
    """Whether one fragment holds the whole definition, or an outline and members all of it."""
    own = [f.span for f in code if f.path == path and f.span is not None]
    at = span.start_byte
    for part in sorted(own, key=lambda part: part.start_byte):
        if part.start_byte <= at < part.end_byte:
            at = part.end_byte
    return at >= span.end_byte


def _touches(fragment: Fragment, places: dict[str, list[Span]]) -> bool:
    span = fragment.span
    return span is not None and any(
        place.start_byte < span.end_byte and span.start_byte < place.end_byte
        for place in places.get(fragment.path, ())
    )


def print_levels(found: dict[str, list[list[Level]]]) -> None:
    print("suite      tasks   room  gold whole  all whole  code tokens  in gold  + neighbours")
    for suite, tasks in found.items():
        for place, room in enumerate(LEVELS):
            own = [levels[place] for levels in tasks]
            code = sum(level.code for level in own) or 1
            gold = sum(level.in_gold for level in own)
            near = gold + sum(level.near_gold for level in own)
            print(
                f"{suite:<10} {len(own):5} {room:6}  {100 * _mean(own, 'whole'):8.1f} %"
                f" {100 * _mean(own, 'all_whole'):8.1f} %  {_mean(own, 'code'):11,.0f}"
                f"  {100 * gold / code:5.1f} %  {100 * near / code:10.1f} %"
            )


def _mean(levels: Sequence[Level], field: str) -> float:
    return statistics.mean(float(getattr(level, field)) for level in levels)


if __name__ == "__main__":
    sys.exit(main())
