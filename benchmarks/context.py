"""Measure the context package without a model: seconds per package, or ranks on a task suite.

    python benchmarks/context.py --repo PATH [--queries FILE] [--count N] [--budget TOKENS]
    python benchmarks/context.py --repo PATH --growth [--scales 1,4,16] [--profile]
    python benchmarks/context.py --localization DEV_JSONL --repos-dir DIR --out PREDICTIONS

The first form times whole retrievals, opening the index included, on an indexed repository. The
queries are texts separated by lines of `---`, or subjects of the repository's own commits. The
second makes repositories of 1, 4 and 16 varied copies of a checkout, with their history, and runs
the same tasks on each: the whole verb and the call inside it (see `context_growth`). The third
indexes each task's base commit in a throw-away clone and writes ranked files and spans in
the form that the suite's scorer reads; `DIR` holds clones named owner__name.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from clean_room_agent.indexing import index_repository
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import ContextPackage, FragmentKind
from clean_room_agent.repo.git import open_repository
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.store.curated_reader import CuratedReader

TARGET_S = 0.5
MIN_SUBJECT_WORDS = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--budget", type=int, default=16_000)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--scales", default="1,4,16")
    parser.add_argument("--profile", action="store_true", help="where time goes at the last scale")
    parser.add_argument("--localization", type=Path)
    parser.add_argument("--repos-dir", type=Path)
    parser.add_argument("--only-repo", default="")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.localization:
        return localize(options)
    if options.repo is None:
        parser.error("--repo or --localization is needed")
    if options.growth:
        from context_growth import measure_growth  # it uses `build`

        scales = [int(scale) for scale in options.scales.split(",")]
        return measure_growth(options.repo.resolve(), scales, options.budget, options.profile)
    return measure_seconds(options)


def measure_seconds(options: argparse.Namespace) -> int:
    """Print p50 and p95 of wall and processor seconds beside the target."""
    texts = _read_queries(options)
    build(options.repo, texts[0], options.budget)  # one to warm the page cache
    wall, processor = [], []
    for text in texts:
        start, start_cpu = time.perf_counter(), time.process_time()
        build(options.repo, text, options.budget)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_cpu)
    print(f"{len(texts)} queries, budget {options.budget:,} tokens, {options.repo.name}")
    for name, seconds in (("wall", wall), ("processor", processor)):
        p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        print(f"{name:>9} s: p50 {p50:.3f}  p95 {p95:.3f}  max {max(seconds):.3f}")
    p95 = statistics.quantiles(wall, n=20)[-1]
    print(f"target p95 {TARGET_S} s: {'reached' if p95 <= TARGET_S else 'missed'}")
    return 0


def _read_queries(options: argparse.Namespace) -> list[str]:
    if options.queries:
        parts = options.queries.read_text(encoding="utf-8").split("\n---\n")
        return [part for part in parts if part.strip()]
    with CuratedReader(options.repo) as reader:
        commits = reader.read_recent_commits(limit=options.count * 20)
    usable = [c for c in commits if not c.is_merge and len(c.subject.split()) >= MIN_SUBJECT_WORDS]
    step = max(1, len(usable) // options.count)
    return [commit.subject for commit in usable[::step]]


def build(repo: Path, text: str, budget: int) -> ContextPackage:
    """One retrieval as `cra context` does it, opening the index included."""

    def read_source(path: str, _blob_id: BlobId) -> bytes:
        return (repo / path).read_bytes()

    with CuratedReader(repo) as reader:
        return retrieve(
            text,
            reader=reader,
            read_source=read_source,
            budget_tokens=budget,
            judge=RankedJudge(),
            counter=UpperBoundCounter(),
        )


def localize(options: argparse.Namespace) -> int:
    """Write one prediction for each task whose repository is in `--repos-dir`."""
    done = set()
    if options.out.exists():
        done = {json.loads(line)["task_id"] for line in options.out.open(encoding="utf-8")}
    with options.out.open("a", encoding="utf-8") as out:
        for task in _read_tasks(options):
            if task["task_id"] in done:
                continue
            source = options.repos_dir / str(task["repo"]).replace("/", "__")
            if not source.exists():
                continue
            with tempfile.TemporaryDirectory() as directory:
                prediction = _predict(task, source, Path(directory) / "tree", options.budget)
            out.write(json.dumps(prediction) + "\n")
            out.flush()
            print(task["task_id"], prediction["seconds"], file=sys.stderr)
    return 0


def _read_tasks(options: argparse.Namespace) -> Iterator[dict[str, object]]:
    for line in options.localization.open(encoding="utf-8"):
        task = json.loads(line)
        if options.only_repo in ("", task["repo"]):
            yield task


def _predict(
    task: Mapping[str, object], source: Path, tree: Path, budget: int
) -> dict[str, object]:
    """Index a clone in which the base commit is the newest thing, then rank."""
    base = str(task["base_commit"])
    git = shutil.which("git") or "git"
    for words in (
        ["clone", "--quiet", "--shared", "--no-checkout", str(source), str(tree)],
        ["-C", str(tree), "checkout", "--quiet", "--detach", base],
    ):
        subprocess.run([git, *words], check=True)
    index_repository(open_repository(tree), repo_path=tree, full=True)
    return predict_in(task, tree, budget)


def predict_in(task: Mapping[str, object], tree: Path, budget: int) -> dict[str, object]:
    """Rank for one task in an indexed tree, in the scorer's form."""
    start = time.perf_counter()
    package = build(tree, str(task["query"]), budget)
    seconds = time.perf_counter() - start
    with CuratedReader(tree) as reader:
        plain = {file.path for file in reader.read_all_files() if not role_of(file)}
    ranked = [d.candidate.path for d in package.stages[1].decisions if d.candidate.path in plain]
    return {
        "task_id": task["task_id"],
        "files": ranked,
        "spans": [
            {"path": f.path, "start": f.span.start_line, "end": f.span.end_line, "tokens": f.tokens}
            for f in package.fragments
            if f.kind is FragmentKind.CODE and f.span is not None
        ],
        "functions": [
            f"{d.candidate.path}::{d.candidate.symbol}"
            for d in package.stages[2].decisions
            if d.candidate.symbol and d.candidate.path in plain
        ],
        "signals": {
            d.candidate.path: {s.name: s.value for s in d.candidate.signals}
            for d in package.stages[1].decisions
        },
        "seconds": round(seconds, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
