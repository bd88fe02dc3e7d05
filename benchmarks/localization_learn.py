"""Learn file and item weights by repository-wise cross-validation and print them with their scores.

Takes: a `Board`. Gives: text. Does not know: how a signal is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from localization_cases import Row, Task
from localization_fit import Case, Matrix, fit, hold_out, make_case
from localization_report import (
    SUITES,
    Board,
    Ranker,
    by_hand,
    groups_by,
    in_suite,
    predict,
    total,
)

from clean_room_agent.retrieval.weights import SCOPE_WEIGHTS, SYMBOL_WEIGHTS

# Learned from nothing here: no task of the suites has tests that ran.
FIXED = frozenset({"spectrum", "mention.suggested", "text.suggested", "embed.cosine"})
# Few issues give a path, a test or a traceback, while a person who asks often does: these keep
# a stated least weight whatever is learned. Forms of items may weigh against them, no more than
# that a small item that the task names keeps a score.
LEAST = MappingProxyType(
    {
        "mention.path": 0.30,
        "mention.test": 0.60,
        "mention.traceback": 0.11,
        "mention.module": 0.11,
        "mention.stem": 0.11,
        "form.small": -0.55,
        "form.outline": -0.25,
        "member.score": 0.0,
    }
)
SCALE = 2.0  # `DEARNESS` stands to weights as they are given, which is twice as large as learned
Learned = Mapping[str, Mapping[str, float]]  # by repository held out; "" is all together


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned: candidates by task, the weights at the start, and which are free."""

    names: tuple[str, ...]
    cases: Sequence[Case]
    start: Mapping[str, float]
    free: frozenset[str]

    def learn(self) -> Learned:
        start = np.array([self.start.get(name, 0.0) for name in self.names])
        free = np.array([name in self.free for name in self.names])
        least = np.array([LEAST.get(name, 0.0) for name in self.names])
        held = hold_out(self.cases, start, free=free, least=least)
        held[""] = fit(self.cases, start, free=free, least=least)
        return {repo: self._named(weights) for repo, weights in held.items()}

    def _named(self, weights: Matrix) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.names, weights, strict=True)}


def file_lesson(board: Board, without: frozenset[str] = frozenset()) -> Lesson:
    names = tuple(n for n in SCOPE_WEIGHTS if n not in FIXED | without)
    cases = [
        make_case(
            task["task_id"],
            task["repo"],
            names,
            [(file["path"], file["signals"]) for file in board.rows[task["task_id"]]["files"]],
            task["gold_files"],
        )
        for task in board.tasks
    ]
    return Lesson(names, cases, SCOPE_WEIGHTS, frozenset(names))


def item_lesson(board: Board, files: Learned) -> Lesson:
    """Items as they are once files are ranked with weights that never saw their repository.

    Gold are the items that hold changed lines: a language without listed functions teaches too.
    """
    names = tuple(SYMBOL_WEIGHTS)
    cases = []
    for task in board.tasks:
        row = board.rows[task["task_id"]]
        shares = file_shares(row, files[task["repo"]])
        candidates = [(_item_key(item), _with_share(item, shares)) for item in row["items"]]
        gold = [_item_key(item) for item in row["items"] if _is_changed(item, task)]
        cases.append(make_case(task["task_id"], task["repo"], names, candidates, gold))
    return Lesson(names, cases, SYMBOL_WEIGHTS, frozenset(names) - FIXED - {"mention.path"})


def _is_changed(item: Row, task: Task) -> bool:
    return any(
        span["path"] == item["path"]
        and span["start"] <= item["end"]
        and item["start"] <= span["end"]
        for span in task["gold_spans"]
    )


def file_shares(row: Row, weights: Mapping[str, float]) -> dict[str, float]:
    scores = {file["path"]: total(file["signals"], weights) for file in row["files"]}
    best = max(scores.values(), default=1.0)
    return {path: max(0.0, score / best) for path, score in scores.items()}


def _item_key(item: Row) -> str:
    return f"{item['path']}:{item['start']}:{item['end']}"


def _with_share(item: Row, shares: Mapping[str, float]) -> dict[str, float]:
    if "file.score" not in item["signals"]:
        return dict(item["signals"])
    return {**item["signals"], "file.score": shares.get(item["path"], 0.0)}


def held_out(files: Learned, items: Learned) -> Ranker:
    """Ranks each task with weights that were learned without its repository."""

    def rank(task: Task, row: Row) -> Row:
        own = {name: SCALE * weight for name, weight in items[task["repo"]].items()}
        return predict(row, files[task["repo"]], own)

    return rank


def print_fit(board: Board) -> None:
    """Hand-set and learned weights beside each other, then the weights of all together."""
    files = file_lesson(board).learn()
    items = item_lesson(board, files).learn()
    ranker = held_out(files, items)
    for suite in SUITES:
        tasks = in_suite(board.tasks, suite)
        if not tasks:
            continue
        board.head(f"{suite}, weights")
        for key in ("a", "b", "f"):
            board.baseline(key, tasks)
        board.line("as they are", tasks, by_hand)
        board.line("learned, repository held out", tasks, ranker)
        board.paired(tasks, ranker)
        for field in ("mention", "repo", "lang"):
            groups = groups_by(tasks, field)
            for name, group in groups.items() if len(groups) > 1 else ():
                board.line(f"  {name}", group, ranker)
    for title, learned, now in (
        ("file weights", files, SCOPE_WEIGHTS),
        ("item weights", items, SYMBOL_WEIGHTS),
    ):
        print(f"\n{title}: now, learned on all, least and most of the held-out runs")
        for name, value in learned[""].items():
            runs = [weights[name] for repo, weights in learned.items() if repo]
            print(f"  {name:<22}{now[name]:7.2f}{value:8.3f}{min(runs):8.3f}{max(runs):8.3f}")
