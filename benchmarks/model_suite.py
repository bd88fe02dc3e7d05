"""How many tasks of `eval_suites/repair` does `cra solve` solve with a model that knows the fix?

    python benchmarks/model_suite.py                     # every task
    python benchmarks/model_suite.py --limit 10 --format symbols

The model is a scripted server that speaks Ollama's protocol and knows the gold patch of its task,
nothing else: it can only write the fix if the room shows it the files. So this measures the room,
the edit format, the applier, the sandbox and the grading, end to end, beside the same tasks
without any model (benchmarks/repair_suite.py). It prints solved, calls, tokens and seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.repair_suite import GRACE_SECONDS, grade_patch, read_answer, run_cra  # noqa: E402
from eval_suites.loader import RepairTask, apply_patch, materialise, read_tasks  # noqa: E402
from tests.support.model_server import ModelServer  # noqa: E402
from tests.support.scripted_models import Competent  # noqa: E402

MODELS = {"coder": 32_768, "thinker": 32_768}
COLUMNS = "{:<26} {:<10} {:<6} {:>6} {:>8} {:>8}  {}"


@dataclass(frozen=True)
class Outcome:
    """One task after its run."""

    task_id: str
    status: str
    graded: bool
    calls: int
    prompt_tokens: int
    seconds: float
    problem: str


def sources(folder: Path) -> dict[str, str]:
    """Return every Python file of a folder by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.py"))
        if ".clean_room" not in path.parts
    }


def knowing_model(task: RepairTask, folder: Path, scratch: Path) -> Competent:
    """Return a model that knows the gold patch of a task."""
    gold = materialise(task, scratch / "known")
    apply_patch(gold, task.gold_patch)
    return Competent(sources(folder), sources(gold))


def settings(server: ModelServer) -> list[str]:
    """Return the options that point a run at a server."""
    words = (
        'models.backend="ollama"',
        f'models.base_url="{server.base_url}"',
        'coding.model="coder"',
        'reasoning.model="thinker"',
        'attempts.generators=["llm"]',
    )
    return [part for word in words for part in ("-c", word)]


def run_task(task: RepairTask, extra: list[str]) -> Outcome:
    """Solve one task with a model that knows it."""
    with tempfile.TemporaryDirectory(prefix="cra-suite-") as name:
        scratch = Path(name)
        folder = materialise(task, scratch / "repo")
        model = knowing_model(task, folder, scratch)
        done = run_cra(folder, "init", "--offline", seconds=GRACE_SECONDS)
        assert done.returncode == 0, done.stderr
        started = time.monotonic()
        with ModelServer("ollama", model, models=MODELS) as server:
            words = ["solve", task.goal, "--test", task.test_command, "--json"]
            solved = run_cra(folder, *words, *settings(server), *extra, seconds=300)
            calls = len(server.chats)
        return _outcome(task, solved, time.monotonic() - started, calls, scratch)


def _outcome(
    task: RepairTask,
    done: subprocess.CompletedProcess[str],
    seconds: float,
    calls: int,
    scratch: Path,
) -> Outcome:
    answer: dict[str, Any] = read_answer(done)
    patch = str(answer.get("patch") or "")
    graded = bool(patch) and grade_patch(task, patch, scratch).own_tests
    status = str(answer.get("status") or answer.get("error", {}).get("code", "error"))
    problem = str(answer.get("problem") or answer.get("reason") or answer.get("error", ""))
    return Outcome(
        task.task_id, status, graded, calls, int(answer.get("prompt_tokens", 0)), seconds,
        "" if graded else problem,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=0, help="only the first N tasks")
    parser.add_argument("--only", nargs="*", default=[], help="task ids")
    parser.add_argument("--format", choices=("blocks", "symbols"), default="blocks")
    options = parser.parse_args()
    tasks = [t for t in read_tasks() if not options.only or t.task_id in options.only]
    extra = ["-c", f'coding.edit_format="{options.format}"']
    outcomes = []
    print(COLUMNS.format("task", "status", "graded", "calls", "tokens", "seconds", ""))
    for task in tasks[: options.limit or None]:
        found = run_task(task, extra)
        outcomes.append(found)
        row = (found.task_id, found.status, found.graded, found.calls, found.prompt_tokens)
        print(COLUMNS.format(*row, f"{found.seconds:.1f}", found.problem[:90]), flush=True)
    solved = sum(o.graded for o in outcomes)
    print(
        f"{solved} of {len(outcomes)} solved; median "
        f"{statistics.median(o.calls for o in outcomes):g} calls, "
        f"{statistics.median(o.seconds for o in outcomes):.1f} s"
    )
    print(json.dumps({"solved": solved, "tried": len(outcomes)}))


if __name__ == "__main__":
    main()
