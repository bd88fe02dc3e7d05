"""Rank files and functions for real issues at their base commits, beside published baselines.

    python benchmarks/localization.py DEV.jsonl --mirrors DIR [--suite NAME] [--repos A,B]
        [--work DIR] [--write PREDICTIONS] [--ablate] [--fit] [--keep-indexes DIR] [--from-kept]

For each repository the base commits are checked out by date in one work tree and indexed
incrementally. The signals of every candidate are kept in `--work`/rows.jsonl, so a broken run goes
on where it stopped, and `--ablate` (leave one signal out) and `--fit` (learn the weights, never on
a task's own repository; needs numpy and scipy) add up the kept values without a new index.
`--keep-indexes` keeps each index (about 10 GB in all; needs the command zstd); with `--from-kept`
the retrieval of today runs on the kept indexes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from localization_cases import (
    Row,
    Task,
    find_mirror,
    measure_kept,
    measure_tasks,
    read_lines,
)


def main() -> int:
    options = _parse()
    tasks = [task for task in read_lines(options.tasks) if _is_asked(task, options)]
    options.work.mkdir(parents=True, exist_ok=True)
    rows_path = options.rows or options.work / "rows.jsonl"
    rows = measure_all(tasks, rows_path, options)
    from localization_report import print_report

    print_report(tasks, rows, options)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("localization-work"))
    parser.add_argument("--rows", type=Path, help="where the signals are kept")
    parser.add_argument("--suite", default="")
    parser.add_argument("--repos", default="")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--keep-indexes", type=Path)
    parser.add_argument("--from-kept", action="store_true")
    return parser.parse_args()


def _is_asked(task: Task, options: argparse.Namespace) -> bool:
    repos = options.repos.split(",") if options.repos else []
    return str(task["suite"]).startswith(options.suite) and (not repos or task["repo"] in repos)


def measure_all(tasks: list[Task], rows_path: Path, options: argparse.Namespace) -> list[Row]:
    """The rows of all tasks: those kept by an earlier run, and the missing ones."""
    rows = {row["task_id"]: row for row in read_lines(rows_path)} if rows_path.exists() else {}
    missing = [task for task in tasks if task["task_id"] not in rows]
    with rows_path.open("a", encoding="utf-8") as out:
        for row in _measure_missing(missing, options):
            out.write(json.dumps(row) + "\n")
            out.flush()
            rows[row["task_id"]] = row
            print(
                f"{len(rows):4} {row['task_id']:40} index {row.get('index_s', 0):6.2f} s"
                f"  parsed {row.get('parsed', 0):5}  retrieval {row['seconds']:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    return [rows[task["task_id"]] for task in tasks]


def _measure_missing(missing: list[Task], options: argparse.Namespace) -> Iterator[Row]:
    if options.from_kept:
        yield from measure_kept(missing, options.work, options.keep_indexes)
        return
    if options.keep_indexes:
        options.keep_indexes.mkdir(parents=True, exist_ok=True)
    for repo in sorted({str(task["repo"]) for task in missing}):
        mirror = find_mirror(options.mirrors, repo)
        start = time.perf_counter()
        own = [task for task in missing if task["repo"] == repo]
        yield from measure_tasks(own, mirror, options.work, options.keep_indexes)
        print(f"{repo}: {len(own)} tasks, {time.perf_counter() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
