"""How much of a run with a model is ours? Wall time beside the time of the calls.

    python benchmarks/model_overhead.py                       # a small repository of its own
    python benchmarks/model_overhead.py --repo path/to/clone --task "..." --delay 1.0

A scripted server answers every call after `--delay` seconds, as a small model on a laptop would.
Each verb runs as a person runs it, start-up and index refresh included. Printed for each: wall
time, the time in which a call was in flight, what is left (ours), its share, and the most calls in
flight at once, for one call at a time and for several. Target: our share under 10 % at 1 s a call.
`cpu share` is the same with our processor time for our wall time: what a quiet machine shows.
The tests that `cra solve` runs in its sandbox are the repository's, so they are told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.model_suite import knowing_model, sources  # noqa: E402
from benchmarks.repair_suite import run_cra  # noqa: E402
from eval_suites.loader import materialise, read_tasks  # noqa: E402
from tests.support.model_server import Answer, ModelServer  # noqa: E402
from tests.support.scripted_models import Competent  # noqa: E402

MODELS = {"coder": 32_768, "thinker": 32_768}
ROW = "{:<28} {:>7} {:>9} {:>9} {:>8} {:>7} {:>9} {:>9}"


@dataclass
class Slow:
    """Answers like `model`, each call after `delay` seconds; notes when calls were in flight."""

    model: Competent
    delay: float
    spans: list[tuple[float, float]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: dict[str, Any]) -> Answer:
        started = time.monotonic()
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.delay)
        with self.lock:
            self.now -= 1
            self.spans.append((started, time.monotonic()))
        return self.model(request)

    def busy(self) -> float:
        """Seconds in which at least one call was in flight."""
        total, end = 0.0, 0.0
        for start, stop in sorted(self.spans):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return total


@contextmanager
def prepared(options: argparse.Namespace) -> Iterator[tuple[Path, Competent, list[list[str]]]]:
    """Yield a repository with a room and an index, a model for it, and the verbs to run."""
    with tempfile.TemporaryDirectory(prefix="cra-overhead-") as name:
        if options.repo:
            folder = Path(options.repo)
            before = sources(folder)
            # Every file is "changed", by a line at its end, so that judges let all of them in.
            model = Competent(before, {path: f"{text}\n" for path, text in before.items()})
            verbs = [["context", options.task], ["plan", options.task]]
        else:
            task = read_tasks()[0]
            folder = materialise(task, Path(name) / "repo")
            model = knowing_model(task, folder, Path(name))
            solve = ["solve", task.goal, "--test", task.test_command]
            verbs = [["context", task.goal], ["plan", task.goal], solve]
        for verb in (["init", "--offline"], ["index"]):
            done = run_cra(folder, *verb, seconds=600)
            assert done.returncode == 0, done.stderr
        yield folder, model, verbs


def measure(
    folder: Path, model: Competent, words: list[str], options: tuple[float, int]
) -> list[object]:
    """Run one verb against a slow server and return the row to print."""
    delay, parallel = options
    slow = Slow(model, delay)
    with ModelServer("ollama", slow, models=MODELS) as server:
        settings = (
            'models.backend="ollama"',
            f'models.base_url="{server.base_url}"',
            f"models.parallel={parallel}",
            'coding.model="coder"',
            'reasoning.model="thinker"',
            'attempts.generators=["llm"]',
            "attempts.attempts=1",
        )
        words_set = [part for word in settings for part in ("-c", word)]
        started, used = time.monotonic(), _processor_seconds()
        done = run_cra(folder, *words, "--json", *words_set, seconds=900)
        wall, used = time.monotonic() - started, _processor_seconds() - used
    assert done.returncode in (0, 1, 5), done.stderr
    tests = _test_seconds(folder, json.loads(done.stdout))
    ours = wall - slow.busy() - tests
    share = f"{100 * ours / wall:.1f} %"
    # What a quiet machine would show: the processor time of a verb that runs no tests.
    quiet = "" if tests else f"{100 * used / (used + slow.busy()):.1f} %"
    label = f"cra {words[0]}, {parallel} at once"
    return [
        label,
        f"{wall:.2f}",
        len(slow.spans),
        f"{tests:.2f}",
        f"{ours:.2f}",
        share,
        quiet,
        slow.most,
    ]


def _processor_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _test_seconds(folder: Path, document: dict[str, Any]) -> float:
    """Seconds that the repository's own tests took in the sandbox."""
    if "task_id" not in document:
        return 0.0
    done = run_cra(folder, "trace", document["task_id"], "--json", seconds=120)
    return sum(float(run["seconds"]) for run in json.loads(done.stdout).get("test_runs", []))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", default="", help="a repository of your own")
    parser.add_argument("--task", default="sorting gives the wrong order for equal keys")
    parser.add_argument("--delay", type=float, default=1.0, help="seconds of one call")
    options = parser.parse_args()
    print(ROW.format("", "wall s", "calls", "tests s", "ours s", "share", "cpu share", "in flight"))
    with prepared(options) as (folder, model, verbs):
        for words in verbs:
            for parallel in (1, 4):
                row = measure(folder, model, words, (options.delay, parallel))
                print(ROW.format(*row), flush=True)


if __name__ == "__main__":
    main()
