"""How the cost of a context package grows with the size of the repository.

Takes: a checkout and scales. Gives: a printed table: p50 and p95 of wall and processor seconds of
the whole verb and of the call inside it, ratios to the first scale, the phases, peak memory.
Does not know: whether the packages are good (`localization` does).

Each task runs at every scale before the next task, so that a busy machine slows all alike. The
tasks are first paragraphs of docstrings and subjects of commits of the checkout itself.
"""

from __future__ import annotations

import ast
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from context import MIN_SUBJECT_WORDS, build
from grown import git, grow
from processes import Cost, run_process

TASKS = 30
MIN_DOC_WORDS = 8
FLAT = 2.0
BESIDES = 3  # what the verb does for any task is measured beside every third
PROFILE_LINES = 18
CRA = [sys.executable, "-m", "clean_room_agent"]


@dataclass(slots=True)
class Scale:
    """One repository and what was measured on it."""

    copies: int
    root: Path
    facts: dict[str, int]
    index: Cost
    verb: list[Cost] = field(default_factory=list)
    call: list[Cost] = field(default_factory=list)
    start: list[Cost] = field(default_factory=list)
    refresh: list[Cost] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=dict)


def measure_growth(source: Path, copies: Sequence[int], budget: int, profile: bool) -> int:
    """Build the repositories, run every task on each, print."""
    tasks = make_tasks(source)
    with tempfile.TemporaryDirectory(prefix="cra-growth-") as folder:
        scales = [_prepare(source, count, Path(folder)) for count in copies]
        for scale in scales:
            build(scale.root, tasks[0], budget)  # one to warm the page cache
        for number, text in enumerate(tasks):
            for scale in scales:
                _run(scale, text, budget, besides=number % BESIDES == 0)
        _print(scales, len(tasks))
        if profile:
            _profile(scales[-1], tasks, budget)
    return 0


def make_tasks(source: Path) -> list[str]:
    """Texts that a person could have written about this code: half docstrings, half subjects."""
    subjects = git("log", "--no-merges", "--max-count=1000", "--format=%s", cwd=source)
    lines = subjects.decode("utf-8", "replace").splitlines()
    usable = [line for line in lines if len(line.split()) >= MIN_SUBJECT_WORDS]
    docs = _spread(sorted(set(_docstrings(source))), TASKS // 2)
    return docs + _spread(usable, TASKS - len(docs))


def _docstrings(source: Path) -> Iterator[str]:
    for raw in git("ls-files", "-z", "*.py", cwd=source).split(b"\0")[:-1]:
        try:
            tree = ast.parse((source / os.fsdecode(raw)).read_bytes())
        except (SyntaxError, ValueError, FileNotFoundError):
            continue  # a test's data
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                if len(text.split()) >= MIN_DOC_WORDS:
                    yield text


def _spread(texts: list[str], count: int) -> list[str]:
    step = max(1, len(texts) // count) if count else 1
    return texts[::step][:count]


def _prepare(source: Path, copies: int, folder: Path) -> Scale:
    root = folder / f"x{copies}"
    grow(source, copies, root)
    run_process([*CRA, "init", "--offline"], root)
    index, out = run_process([*CRA, "index", "--json"], root)
    facts = json.loads(out)
    kept = ("files", "symbols", "references", "edges", "commits")
    print(f"{copies}x: indexed in {index.wall:.1f} s", file=sys.stderr)
    return Scale(copies, root, {name: facts[name] for name in kept}, index)


def _run(scale: Scale, text: str, budget: int, *, besides: bool) -> None:
    """One task: the verb, the call inside, and what the verb does besides."""
    if besides:
        scale.start.append(run_process([*CRA, "--version"], scale.root)[0])
        scale.refresh.append(run_process([*CRA, "index", "--json"], scale.root)[0])
    scale.verb.append(run_process([*CRA, "context", text, "--json"], scale.root)[0])
    started, started_cpu = time.perf_counter(), time.process_time()
    package = build(scale.root, text, budget)
    wall = time.perf_counter() - started
    scale.call.append(Cost(wall, time.process_time() - started_cpu, 0))
    stages = {stage.name: stage.seconds for stage in package.stages}
    for name, seconds in {**stages, "open": wall - sum(stages.values())}.items():
        scale.phases.setdefault(name, []).append(seconds)


def _print(scales: Sequence[Scale], tasks: int) -> None:
    first = scales[0]
    print(f"{tasks} tasks at each scale; seconds; in brackets the ratio to {first.copies}x")
    _row("", [f"{scale.copies}x" for scale in scales])
    for name in first.facts:
        _row(name, [f"{scale.facts[name]:,}" for scale in scales])
    _times("full index, processor", scales, lambda scale: scale.index.processor)
    for name, kept in (("verb", "verb"), ("call", "call")):
        for kind in ("wall", "processor"):
            for share in (50, 95):
                _times(f"{name}, {kind}, p{share}", scales, _quantile(kept, kind, share))
    _times("verb, peak MiB", scales, lambda s: max(cost.peak_mib for cost in s.verb), "{:.0f}")
    print("where the verb's time goes, medians (processor seconds outside the call):")
    _times("  start", scales, _quantile("start", "processor", 50))
    _times("  refresh the index, log a run", scales, _refresh)
    for phase in first.phases:
        _times(f"  {phase} (wall)", scales, lambda s, p=phase: statistics.median(s.phases[p]))
    _times("  load the rooms, log, print", scales, _rest)
    p95 = _quantile("verb", "processor", 95)
    ratio = p95(scales[-1]) / p95(first)
    verdict = "flat" if ratio <= FLAT else "NOT flat"
    print(f"verb p95, processor: {ratio:.2f}x at {scales[-1].copies}x: {verdict} within {FLAT:g}x")


def _refresh(scale: Scale) -> float:
    """What `cra index` takes beyond its start where nothing changed."""
    middle = _quantile("refresh", "processor", 50)(scale)
    return middle - _quantile("start", "processor", 50)(scale)


def _rest(scale: Scale) -> float:
    """What the verb takes beyond an unchanged `cra index` and the call."""
    verb, call = (_quantile(kept, "processor", 50)(scale) for kept in ("verb", "call"))
    return verb - call - _quantile("refresh", "processor", 50)(scale)


def _quantile(kept: str, kind: str, share: int) -> Callable[[Scale], float]:
    def value(scale: Scale) -> float:
        seconds = [getattr(cost, kind) for cost in getattr(scale, kept)]
        return statistics.quantiles(seconds, n=100, method="inclusive")[share - 1]

    return value


def _times(
    name: str, scales: Sequence[Scale], value: Callable[[Scale], float], form: str = "{:.3f}"
) -> None:
    values = [value(scale) for scale in scales]
    cells = [form.format(values[0])]
    cells += [f"{form.format(v)} ({v / values[0]:.2f})" for v in values[1:]]
    _row(name, cells)


def _row(name: str, cells: Sequence[str]) -> None:
    print(f"{name:<32}" + "".join(f"{cell:>20}" for cell in cells))


def _profile(scale: Scale, tasks: Sequence[str], budget: int) -> None:
    profile = cProfile.Profile()
    profile.enable()
    for text in tasks:
        build(scale.root, text, budget)
    profile.disable()
    print(f"\nthe call at {scale.copies}x, {len(tasks)} tasks, under a profiler (slower):")
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(PROFILE_LINES)
    pstats.Stats(profile).strip_dirs().sort_stats("cumulative").print_stats(3 * PROFILE_LINES)
