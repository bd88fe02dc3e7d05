"""Add kept signals up to rankings, score them with the suite's scorer, and print the tables.

Takes: tasks, rows of signals, weights. Gives: the scorer's input, and text. Does not know: how a
signal is measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from localization_cases import Row, Task, read_lines

from clean_room_agent.retrieval.weights import DEARNESS, SCOPE_WEIGHTS, SYMBOL_WEIGHTS

KS = (1, 3, 5, 10, 20)
BASELINES = {"a": "BM25, whole files", "b": "BM25, functions", "f": "BM25 and mentions"}
SUITES = ("swebench", "history")
Weights = Mapping[str, float]
Ranker = Callable[[Task, Row], Row]
Ranks = tuple[int | None, int | None]


def load_scorer(tasks: Path) -> ModuleType:
    """The scorer that lies beside the tasks."""
    spec = importlib.util.spec_from_file_location("localization_score", tasks.parent / "score.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no score.py beside {tasks}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def total(signals: Weights, weights: Weights) -> float:
    return round(sum(value * weights.get(name, 0.0) for name, value in signals.items()), 9)


def predict(row: Row, files: Weights, items: Weights) -> Row:
    """The rankings of one task under these weights, in the scorer's form."""
    scores = {file["path"]: total(file["signals"], files) for file in row["files"]}
    ranked = sorted(scores, key=lambda path: (-scores[path], path))
    best = max(scores.values(), default=0.0)

    def item_score(item: Row) -> float:
        own = total({k: v for k, v in item["signals"].items() if k != "file.score"}, items)
        if "file.score" in item["signals"] and best > 0.0:
            own += items["file.score"] * max(0.0, scores[item["path"]] / best)
        return own

    scored = [(item_score(item), item) for item in row["items"]]
    scored.sort(key=lambda pair: (-round(pair[0], 9), pair[1]["path"], pair[1]["start"]))
    filled = sorted(scored, key=lambda pair: DEARNESS * math.log1p(pair[1]["tokens"]) - pair[0])
    return {
        "task_id": row["task_id"],
        "files": ranked,
        "functions": [
            f"{item['path']}::{name}"
            for _, item in scored
            for name in ([item["symbol"]] if item["symbol"] else []) + item.get("inside", [])
        ],
        "spans": [
            {key: item[key] for key in ("path", "start", "end", "tokens")} for _, item in filled
        ],
        "seconds": row["seconds"],
    }


def by_hand(_task: Task, row: Row) -> Row:
    return predict(row, SCOPE_WEIGHTS, SYMBOL_WEIGHTS)


class Board:
    """Scores rankings of the same tasks, and prints each as one line."""

    def __init__(self, tasks: Sequence[Task], rows: Sequence[Row], where: Path) -> None:
        self.tasks = list(tasks)
        self.rows = {row["task_id"]: row for row in rows}
        self.scorer = load_scorer(where)
        ranks = where.parent / "baseline_ranks.jsonl"
        self.baselines: dict[str, dict[str, list[int | None]]] = {
            line["task_id"]: line for line in read_lines(ranks)
        }

    def head(self, title: str) -> None:
        places = " ".join(f"all@{k:<3}" for k in KS)
        print(f"\n{title:<34}     n  {places}    MRR  macro1 macro5  fn@1  fn@5 fn@10 8k/32k lines")

    def line(self, name: str, tasks: Sequence[Task], ranker: Ranker) -> dict[str, Any]:
        """Score and print one ranking."""
        predictions = [ranker(task, self.rows[task["task_id"]]) for task in tasks]
        scored = self.scorer.evaluate(list(tasks), predictions, [8_000, 32_000])
        summary: dict[str, Any] = self.scorer.summarize(scored)
        print(_line(name, summary), flush=True)
        return summary

    def baseline(self, key: str, tasks: Sequence[Task]) -> None:
        """Print a stored baseline of the same tasks."""
        known = [(task, self.baselines[task["task_id"]][key]) for task in tasks]
        summary: dict[str, Any] = {"n": len(known)}
        for k in KS:
            hits = [(task["repo"], bool(last and last <= k)) for task, (_, last) in known]
            summary[f"all@{k}"] = statistics.mean(hit for _, hit in hits)
            repos: dict[str, list[bool]] = {}
            for repo, hit in hits:
                repos.setdefault(repo, []).append(hit)
            summary[f"macro@{k}"] = statistics.mean(statistics.mean(own) for own in repos.values())
        summary["MRR"] = statistics.mean(1 / first if first else 0.0 for _, (first, _) in known)
        print(_line(f"{key} {BASELINES[key]}", summary))

    def paired(self, tasks: Sequence[Task], ranker: Ranker) -> None:
        """Task by task: is all gold found earlier, later, or at the same place?"""
        for key in BASELINES:
            tally = {"earlier": 0, "later": 0, "same": 0}
            for task in tasks:
                own = self.last_rank(task, ranker(task, self.rows[task["task_id"]])["files"])
                other = self.baselines[task["task_id"]][key][1] or 10**6
                verdict = "same" if own == other else "earlier" if own < other else "later"
                tally[verdict] += 1
            said = ", ".join(f"{name} {count}" for name, count in tally.items())
            print(f"  against {key}: all gold found {said}")

    @staticmethod
    def last_rank(task: Task, files: Sequence[str]) -> int:
        places = {path: place for place, path in enumerate(files, 1)}
        found = max(places.get(path, 10**6) for path in task["gold_files"])
        return found if found <= 100 else 10**6


def _line(name: str, summary: Mapping[str, Any]) -> str:
    cells = [f"{name:<34.34} {summary['n']:5} "]
    cells += [f"{100 * summary[f'all@{k}']:6.1f} " for k in KS]
    cells.append(f"{summary['MRR']:7.3f} {100 * summary['macro@1']:6.1f} ")
    cells.append(f"{100 * summary['macro@5']:6.1f}")
    measured = [summary.get(f"fn@{k}") for k in (1, 5, 10)]
    measured += [summary.get(f"tok{n}.line_frac") for n in (8_000, 32_000)]
    if measured[-1] is not None:  # a suite without listed functions still has lines
        cells += ["     -" if value is None else f"{100 * value:6.1f}" for value in measured]
    return "".join(cells)


def groups_by(tasks: Iterable[Task], field: str) -> dict[str, list[Task]]:
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(str(task[field]), []).append(task)
    return dict(sorted(groups.items()))


def in_suite(tasks: Iterable[Task], suite: str) -> list[Task]:
    return [task for task in tasks if str(task["suite"]).startswith(suite)]


def print_report(tasks: list[Task], rows: list[Row], options: argparse.Namespace) -> None:
    """Every table that was asked for."""
    board = Board(tasks, rows, options.tasks)
    for suite in SUITES:
        own = in_suite(tasks, suite)
        if own:
            _print_suite(board, suite, own, by_hand)
    print_seconds(tasks, rows)
    if options.write:
        with options.write.open("w", encoding="utf-8") as out:
            for task in tasks:
                out.write(json.dumps(by_hand(task, board.rows[task["task_id"]])) + "\n")
    if options.ablate:
        print_ablation(board)
    if options.fit:
        from localization_learn import print_fit

        print_fit(board)


def _print_suite(board: Board, suite: str, tasks: Sequence[Task], ranker: Ranker) -> None:
    board.head(suite)
    for key in BASELINES:
        board.baseline(key, tasks)
    board.line("cra", tasks, ranker)
    board.paired(tasks, ranker)
    for field in ("mention", "repo", "lang"):
        groups = groups_by(tasks, field)
        if len(groups) > 1:
            board.head(f"{suite} by {field}")
            for name, group in groups.items():
                board.line(name, group, ranker)


def print_seconds(tasks: Sequence[Task], rows: Sequence[Row]) -> None:
    """Seconds of index steps and of retrievals, by repository."""
    by_task = {row["task_id"]: row for row in rows}
    print("\nseconds                          tasks   index p50    p95    retrieval p50    p95")
    for repo, own in groups_by(tasks, "repo").items():
        index = [by_task[task["task_id"]].get("index_s", 0.0) for task in own]
        query = [by_task[task["task_id"]]["seconds"] for task in own]
        print(
            f"{repo:<32} {len(own):5}      {_part(index, 0.5):6.2f} {_part(index, 0.95):6.2f}"
            f"           {_part(query, 0.5):6.2f} {_part(query, 0.95):6.2f}"
        )


def _part(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_ablation(board: Board) -> None:
    """Each signal left out, with the weights as they are."""
    for suite in SUITES:
        tasks = in_suite(board.tasks, suite)
        if not tasks:
            continue
        board.head(f"{suite}, without")
        board.line("nothing left out", tasks, by_hand)
        for name, weight in SCOPE_WEIGHTS.items():
            if weight and name != "spectrum":
                board.line(name, tasks, _without(name))


def _without(name: str) -> Ranker:
    weights = {key: weight for key, weight in SCOPE_WEIGHTS.items() if key != name}
    return lambda _task, row: predict(row, weights, SYMBOL_WEIGHTS)
