"""What embeddings add to the ranking of files, and what they cost.

    python benchmarks/localization_embed.py DEV.jsonl --mirrors DIR --keep-indexes DIR --work DIR
        [--repos A,B] [--every N] [--limit N] [--precision bfloat16] [--only-report]

Runs on indexes that `localization.py --keep-indexes` kept, with the extra `embed`. The vectors of
each repository are kept in `--work`, so content that two base commits share is embedded once. The
signals of every candidate, without and with `embed.cosine`, are kept in `--work`/rows-embed.jsonl;
a broken run goes on where it stopped. The weight of the signal is learned with each repository held
out, all other weights as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from localization_cases import BlobReader, Row, Task, find_mirror, read_lines, unpack_index
from localization_fit import hold_out, make_case, ranks
from localization_learn import FIXED, LEAST

from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.llm.embedding import open_embedder
from clean_room_agent.pipeline.embedding import embed_contents, open_meaning
from clean_room_agent.records.context import Candidate
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope import propose_files
from clean_room_agent.retrieval.scope.embed import SIGNAL, Meaning
from clean_room_agent.retrieval.weights import SCOPE_WEIGHTS
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from clean_room_agent.store.vectors import VectorHit

# A file's cosine may be that of its best chunk or the mean of its best three, to title or text.
BEST = (1, 3)
GRID = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5)
CUTS = (1, 3, 5, 10)


def main() -> int:
    options = _parse()
    tasks = _choose(options)
    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / "rows-embed.jsonl"
    rows = {row["task_id"]: row for row in read_lines(path)} if path.exists() else {}
    missing = [] if options.only_report else [t for t in tasks if t["task_id"] not in rows]
    with path.open("a", encoding="utf-8") as out:
        for row in _measure_all(missing, options):
            out.write(json.dumps(row) + "\n")
            out.flush()
            rows[row["task_id"]] = row
            print(
                f"{len(rows):4} {row['task_id']:40} {row['chunks']:6} chunks"
                f" {row['embed_cpu_s']:7.1f} s processor, query {row['query_s']:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    _report([task for task in tasks if task["task_id"] in rows], rows)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--keep-indexes", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--repos", default="")
    parser.add_argument("--every", type=int, default=1, help="each N-th task of a repository")
    parser.add_argument("--limit", type=int, default=0, help="tasks of one repository at most")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--only-report", action="store_true")
    return parser.parse_args()


def _choose(options: argparse.Namespace) -> list[Task]:
    """The newest tasks of each repository, so that base commits share most of their content."""
    repos = options.repos.split(",") if options.repos else []
    by_repo: dict[str, list[Task]] = {}
    for task in read_lines(options.tasks):
        if not repos or task["repo"] in repos:
            by_repo.setdefault(task["repo"], []).append(task)
    chosen: list[Task] = []
    for repo in repos or sorted(by_repo):
        own = sorted(by_repo[repo], key=lambda task: (task["base_date"], task["task_id"]))
        own = own[:: -options.every]
        chosen += own[: options.limit] if options.limit else own
    return chosen


def _measure_all(tasks: Sequence[Task], options: argparse.Namespace) -> Iterator[Row]:
    config = EmbedConfig(enabled=True, precision=options.precision)
    for task in tasks:
        home = options.work / str(task["repo"]).replace("/", "__")
        home.mkdir(exist_ok=True)
        blobs = BlobReader(find_mirror(options.mirrors, task["repo"]))
        with TemporaryDirectory(dir="/dev/shm") as directory:
            tree = Path(directory)
            unpack_index(options.keep_indexes / f"{task['task_id']}.zst", tree)
            with CuratedReader(tree) as reader:
                yield _measure(task, reader, blobs, home, config)
        blobs.close()


def _measure(
    task: Task, reader: CuratedReader, blobs: BlobReader, home: Path, config: EmbedConfig
) -> Row:
    def read(file: FileRow) -> bytes:
        return blobs(file.path, file.blob_id)

    def silent(_phase: str, _done: int, _total: int) -> None:
        return None

    before = time.process_time()
    report = embed_contents(reader, read, home, config, open_embedder(config), silent)
    cpu = time.process_time() - before
    meaning = open_meaning(reader, home, config)
    if meaning is None:
        raise ValueError("[embed] is off")
    start = time.process_time()
    with_embed = _files(task["query"], reader, meaning)
    query_s = time.process_time() - start
    start = time.process_time()
    without = _files(task["query"], reader, None)
    plain_s = time.process_time() - start
    return {
        "task_id": task["task_id"],
        "chunks": report.chunks,
        "blobs": report.blobs,
        "embed_s": round(report.seconds, 2),
        "embed_cpu_s": round(cpu, 2),
        "query_s": round(query_s, 3),
        "plain_s": round(plain_s, 3),
        "without": without,
        "with": with_embed,
        "cosines": _variants(task["query"], reader, meaning),
    }


def _files(query: str, reader: CuratedReader, meaning: Meaning | None) -> list[dict[str, Any]]:
    resolution = resolve_mentions(parse_task(query), reader)
    proposed = propose_files(resolution, reader, {}, meaning)
    sources = [c for c in proposed.candidates if not role_of(proposed.files[c.path])]
    return [{"path": c.path, "signals": _signals(c)} for c in sources]


def _signals(candidate: Candidate) -> dict[str, float]:
    return {s.name: s.value for s in candidate.signals if not s.name.startswith("role.")}


def _variants(query: str, reader: CuratedReader, meaning: Meaning) -> dict[str, dict[str, float]]:
    """The cosines of all files, in each way that a file may be compared."""
    mentions = parse_task(query)
    files = [file for file in reader.read_all_files() if meaning.wants(file)]
    found: dict[str, dict[str, float]] = {}
    for name, text in (("text", mentions.query), ("title", mentions.title)):
        vector = meaning.vector_of(text)
        for best in BEST:
            hits: list[VectorHit] = meaning.store.search(vector, files, best=best)
            found[f"{name}-{best}"] = {hit.file.path: round(hit.score, 4) for hit in hits}
    return found


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The candidates of one task: their score without the signal, its value, which are gold."""

    task: Task
    base: np.ndarray[Any, Any]
    value: np.ndarray[Any, Any]
    gold: np.ndarray[Any, Any]
    missed: int

    def ranks(self, weight: float) -> list[int]:
        scores = np.round(self.base + weight * self.value, 9)
        order = np.argsort(-scores, kind="stable")
        return [int(place) + 1 for place, index in enumerate(order) if self.gold[index]]


def _make(task: Task, row: Row, variant: str) -> _Ranked:
    """`variant` "" takes the signal as it was measured; else it is made from kept cosines."""
    files = row["with"]
    cosines = row["cosines"].get(variant, {})
    middle = sorted(cosines.values())[(len(cosines) - 1) // 2] if cosines else 0.0
    raw = {path: max(0.0, value - middle) for path, value in cosines.items()}
    top = max((raw.get(file["path"], 0.0) for file in files), default=0.0) or 1.0
    base, value = [], []
    for file in files:
        signals: Mapping[str, float] = file["signals"]
        base.append(sum(SCOPE_WEIGHTS[n] * v for n, v in signals.items() if n != SIGNAL))
        own = signals.get(SIGNAL, 0.0) if not variant else raw.get(file["path"], 0.0) / top
        value.append(own)
    wanted = set(task["gold_files"])
    gold = np.array([file["path"] in wanted for file in files], dtype=bool)
    missed = len(wanted) - int(gold.sum())
    return _Ranked(task, np.array(base), np.array(value), gold, missed)


def _report(tasks: Sequence[Task], rows: Mapping[str, Row]) -> None:
    print(f"{len(tasks)} tasks of {len({task['repo'] for task in tasks})} repositories")
    for suite in ("swebench", "history", ""):
        own = [task for task in tasks if str(task["suite"]).startswith(suite)]
        if own:
            _report_suite(suite or "both", own, rows)
    _report_cost(tasks, rows)


def _report_suite(suite: str, tasks: Sequence[Task], rows: Mapping[str, Row]) -> None:
    print(f"\n{suite}, {len(tasks)} tasks      all@1    @3    @5   @10   MRR")
    _line("without", [_plain_ranks(task, rows[task["task_id"]]) for task in tasks])
    for variant in ("text-1", "text-3", "title-1", "title-3"):
        alone = [_alone_ranks(task, rows[task["task_id"]], variant) for task in tasks]
        _line(f"cosine alone, {variant}", alone)
    cases = [_make(task, rows[task["task_id"]], "") for task in tasks]
    for weight in GRID:
        _line(f"as it is x {weight}", [(case.ranks(weight), case.missed) for case in cases])
    held = _held_out(cases)
    _line("as it is, held out", held)
    _paired(cases, held)
    _report_relearned(tasks, rows)
    for variant in ("text-3", "title-1", "title-3"):
        others = [_make(task, rows[task["task_id"]], variant) for task in tasks]
        _line(f"{variant}, held out", _held_out(others))


def _report_relearned(tasks: Sequence[Task], rows: Mapping[str, Row]) -> None:
    """All weights learned anew on these tasks, each repository held out: the weights as they are
    saw the tasks without the signal, and favour that side."""
    for title, side, more in (("without", "without", ()), ("with", "with", (SIGNAL,))):
        names = (*(name for name in SCOPE_WEIGHTS if name not in FIXED), *more)
        cases = [
            make_case(
                task["task_id"],
                task["repo"],
                names,
                [(file["path"], file["signals"]) for file in rows[task["task_id"]][side]],
                task["gold_files"],
            )
            for task in tasks
        ]
        start = np.array([SCOPE_WEIGHTS[name] for name in names])
        least = np.array([LEAST.get(name, 0.0) for name in names])
        free = np.ones(len(names), dtype=bool)
        held = hold_out(cases, start, free=free, least=least)
        _line(
            f"all learned, held out, {title}",
            [(ranks(case, held[case.repo]), case.missed) for case in cases],
        )
        if more:
            values = sorted(round(float(weights[-1]), 2) for weights in held.values())
            print(f"    weights of the signal: {values}")


def _paired(cases: Sequence[_Ranked], held: Sequence[tuple[list[int], int]]) -> None:
    """Task by task: all gold found earlier, later, or at the same place as without the signal."""
    earlier = later = 0
    for case, (places, _) in zip(cases, held, strict=True):
        before, after = max(case.ranks(0.0), default=0), max(places, default=0)
        earlier += after < before
        later += after > before
    same = len(cases) - earlier - later
    print(f"    all gold earlier {earlier}, later {later}, same {same}")


def _held_out(cases: Sequence[_Ranked]) -> list[tuple[list[int], int]]:
    """Each task with the weight that is best on the other repositories, by their mean MRR."""
    told = {
        weight: {case.task["task_id"]: _reciprocal(case.ranks(weight)) for case in cases}
        for weight in GRID
    }
    chosen = {}
    for repo in {case.task["repo"] for case in cases}:
        others = [case.task["task_id"] for case in cases if case.task["repo"] != repo]
        if others:
            chosen[repo] = max(GRID, key=lambda w: sum(told[w][key] for key in others))
    print(f"    weights: {sorted(set(chosen.values()))}")
    return [(case.ranks(chosen.get(case.task["repo"], 0.0)), case.missed) for case in cases]


def _plain_ranks(task: Task, row: Row) -> tuple[list[int], int]:
    scores = {
        file["path"]: sum(SCOPE_WEIGHTS[n] * v for n, v in file["signals"].items())
        for file in row["without"]
    }
    return _ranks_of(task, scores)


def _alone_ranks(task: Task, row: Row, variant: str) -> tuple[list[int], int]:
    return _ranks_of(task, row["cosines"][variant])


def _ranks_of(task: Task, scores: Mapping[str, float]) -> tuple[list[int], int]:
    ordered = sorted(scores, key=lambda path: (-round(scores[path], 9), path))
    places = {path: place for place, path in enumerate(ordered, start=1)}
    found = [places[path] for path in task["gold_files"] if path in places]
    return sorted(found), len(set(task["gold_files"])) - len(found)


def _reciprocal(ranks: Sequence[int]) -> float:
    return 1.0 / min(ranks) if ranks else 0.0


def _line(name: str, found: Sequence[tuple[list[int], int]]) -> None:
    shares = [
        100.0
        * sum(not missed and max(ranks, default=cut + 1) <= cut for ranks, missed in found)
        / len(found)
        for cut in CUTS
    ]
    mrr = sum(_reciprocal(ranks) for ranks, _ in found) / len(found)
    print(f"  {name:<28}" + "".join(f"{share:6.1f}" for share in shares) + f"  {mrr:.3f}")


def _report_cost(tasks: Sequence[Task], rows: Mapping[str, Row]) -> None:
    print("\nrepository                 tasks  chunks  processor s  chunks/s")
    for repo in sorted({str(task["repo"]) for task in tasks}):
        own = [rows[task["task_id"]] for task in tasks if task["repo"] == repo]
        chunks, seconds = sum(r["chunks"] for r in own), sum(r["embed_cpu_s"] for r in own)
        print(f"  {repo:<25}{len(own):6}{chunks:8}{seconds:12.1f}{chunks / (seconds or 1):10.1f}")
    extra = [rows[t["task_id"]]["query_s"] - rows[t["task_id"]]["plain_s"] for t in tasks]
    print(f"  a query costs {1000 * float(np.median(extra)):.0f} ms of processor more (median)")


if __name__ == "__main__":
    sys.exit(main())
