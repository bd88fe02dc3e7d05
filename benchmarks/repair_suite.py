"""How many tasks of ``eval_suites/repair`` does ``cra solve`` solve without a model, and how fast?

    python benchmarks/repair_suite.py                     # all tasks, one after the other
    python benchmarks/repair_suite.py --limit 5 --seconds 20
    python benchmarks/repair_suite.py --only ledger-split-002 table-wrap-005

Each task runs in a fresh git repository whose history never held the fix. A patch counts as solved
only after grading here: it is applied to a fresh copy of the buggy package and the package's own
tests are run. The column ``held out`` tells whether the tests that the solver could not see pass
as well; where they do not, the patch fits the tests rather than the task.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from eval_suites.loader import (  # noqa: E402
    RepairTask,
    SuiteError,
    apply_patch,
    clean_environment,
    materialise,
    read_tasks,
    run_held_out,
    run_tests,
    write_buggy,
)

GRACE_SECONDS = 60
COLUMNS = "{:<26} {:<18} {:<8} {:<8} {:<9} {:<9} {:>6} {:>7}  {}"


@dataclass(frozen=True)
class Grade:
    """What a patch is worth: on the task's own tests, unseen tests, and against the gold patch."""

    own_tests: bool = False
    held_out: bool = False
    same_as_gold: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """One task after its run."""

    task: RepairTask
    status: str
    candidates: int
    seconds: float
    grade: Grade

    @property
    def solved(self) -> bool:
        """Claimed by the solver and confirmed here."""
        return self.status == "solved" and self.grade.own_tests


def run_cra(folder: Path, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run one ``cra`` verb inside a repository."""
    environment = clean_environment(folder) | {"PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    del environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    return subprocess.run(
        [sys.executable, "-m", "clean_room_agent", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def solve_command(task: RepairTask, seconds: float, extra: Sequence[str]) -> list[str]:
    """The arguments of ``cra solve`` for a task."""
    limit = ["--seconds", f"{seconds:g}"]
    return ["solve", task.goal, "--test", task.test_command, "--json", *limit, *extra]


def sources(folder: Path, task: RepairTask) -> dict[str, str]:
    """The syntax trees of a package's modules as text, so that layout does not count."""
    modules = sorted((folder / task.package).glob("*.py"))
    return {path.name: ast.dump(ast.parse(path.read_text(encoding="utf-8"))) for path in modules}


def grade_patch(task: RepairTask, patch: str, scratch: Path) -> Grade:
    """Apply a patch to a fresh buggy copy and judge it by tests and against the gold patch."""
    mended = write_buggy(task, scratch / "mended")
    gold = write_buggy(task, scratch / "gold")
    apply_patch(gold, task.gold_patch)
    try:
        apply_patch(mended, patch)
    except SuiteError as problem:
        return Grade(problem=str(problem))
    if any(
        (mended / path.relative_to(gold)).read_bytes() != path.read_bytes()
        for path in (gold / "tests").glob("*.py")
    ):
        return Grade(problem="the patch changes tests")
    try:
        own = run_tests(mended)
        unseen = run_held_out(task.package, mended)
    except (SuiteError, subprocess.TimeoutExpired, SyntaxError) as problem:
        return Grade(problem=str(problem).splitlines()[0])
    return Grade(
        own_tests=all(own.values()),
        held_out=all(unseen.values()),
        same_as_gold=sources(mended, task) == sources(gold, task),
    )


def read_answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document that ``cra solve`` printed, or an error document in its shape."""
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"status": "error", "patch": "", "problem": f"exit {done.returncode}: {last}"}
    return answer if isinstance(answer, dict) else {"status": "error", "problem": "not an object"}


def prepare(task: RepairTask, folder: Path) -> str:
    """Make the repository and index it; a complaint, or nothing when all went well."""
    materialise(task, folder)
    for verb in (["init", "--offline"], ["index"]):
        done = run_cra(folder, *verb, seconds=GRACE_SECONDS)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            return f"{verb[0]} exit {done.returncode}: {last}"
    return ""


def run_task(task: RepairTask, seconds: float, extra: Sequence[str]) -> Outcome:
    """Solve one task in a temporary repository and grade the answer."""
    with tempfile.TemporaryDirectory(prefix="cra-suite-") as scratch:
        folder = Path(scratch) / task.package
        problem = prepare(task, folder)
        if problem:
            return Outcome(task, "error", 0, 0.0, Grade(problem=problem))
        started = time.perf_counter()
        try:
            command = solve_command(task, seconds, extra)
            done = run_cra(folder, *command, seconds=seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return Outcome(task, "timeout", 0, time.perf_counter() - started, Grade())
        wall = time.perf_counter() - started
        answer = read_answer(done)
        patch = answer.get("patch") or ""
        grade = grade_patch(task, patch, Path(scratch)) if patch else Grade()
        if answer.get("problem"):
            grade = Grade(problem=str(answer["problem"]))
        tried = int(answer.get("candidates_tried") or 0)
        return Outcome(task, str(answer.get("status")), tried, wall, grade)


def print_outcome(outcome: Outcome) -> None:
    """One line of the table."""
    task, grade = outcome.task, outcome.grade
    print(
        COLUMNS.format(
            task.task_id,
            task.bug_class,
            "yes" if task.expected_by_templates else "no",
            "yes" if outcome.solved else "no",
            "yes" if grade.held_out else "-",
            "same" if grade.same_as_gold else "-",
            outcome.candidates,
            f"{outcome.seconds:.1f}",
            grade.problem or ("" if outcome.solved else outcome.status),
        ).rstrip(),
        flush=True,
    )


def ratio(outcomes: Iterable[Outcome]) -> str:
    """Solved of tried, as text."""
    chosen = list(outcomes)
    return f"{sum(outcome.solved for outcome in chosen)}/{len(chosen)}"


def print_summary(outcomes: Sequence[Outcome]) -> None:
    """Totals, by class, by expectation, and times."""
    solved = [outcome for outcome in outcomes if outcome.solved]
    print(f"\nsolved {ratio(outcomes)}")
    print(f"  of them pass what is held out: {sum(o.grade.held_out for o in solved)}/{len(solved)}")
    print(f"  of them same tree as gold:     {sum(o.grade.same_as_gold for o in solved)}")
    for wanted, label in ((True, "expected"), (False, "not expected")):
        print(f"{label}: {ratio(o for o in outcomes if o.task.expected_by_templates is wanted)}")
    for bug_class in sorted({outcome.task.bug_class for outcome in outcomes}):
        print(f"  {bug_class:<18} {ratio(o for o in outcomes if o.task.bug_class == bug_class)}")
    if solved:
        print(f"median seconds when solved: {statistics.median(o.seconds for o in solved):.2f}")
    if outcomes:
        print(f"median seconds over all:    {statistics.median(o.seconds for o in outcomes):.2f}")


def write_results(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Outcomes as JSON lines, for comparing runs."""
    lines = [
        json.dumps(
            {
                "id": outcome.task.task_id,
                "bug_class": outcome.task.bug_class,
                "expected_by_templates": outcome.task.expected_by_templates,
                "status": outcome.status,
                "solved": outcome.solved,
                "candidates_tried": outcome.candidates,
                "seconds": round(outcome.seconds, 3),
                **asdict(outcome.grade),
            }
        )
        for outcome in outcomes
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def choose(tasks: Sequence[RepairTask], only: Sequence[str], limit: int | None) -> list[RepairTask]:
    """The tasks that were asked for; an unknown id ends the program."""
    unknown = set(only) - {task.task_id for task in tasks}
    if unknown:
        raise SystemExit(f"no such task: {', '.join(sorted(unknown))}")
    chosen = [task for task in tasks if not only or task.task_id in only]
    return chosen[:limit]


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run cra solve over the repair suite.")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="these tasks only")
    parser.add_argument("--limit", type=int, help="the first so many tasks")
    parser.add_argument("--seconds", type=float, help="instead of each task's own limit")
    parser.add_argument("--jobs", type=int, default=1, help="tasks at a time")
    parser.add_argument("--out", type=Path, help="write outcomes to this JSON Lines file")
    parser.add_argument("--solve-option", action="append", default=[], help="passed to cra solve")
    return parser.parse_args(arguments)


def main() -> int:
    """Run, print, and exit with 0 whatever was solved: a benchmark measures, tests judge."""
    options = read_arguments()
    tasks = choose(read_tasks(), options.only, options.limit)
    print(
        COLUMNS.format(
            "task", "class", "expected", "solved", "held out", "gold", "tried", "seconds", ""
        ).rstrip()
    )

    def run_one(task: RepairTask) -> Outcome:
        outcome = run_task(task, options.seconds or task.seconds, options.solve_option)
        print_outcome(outcome)
        return outcome

    with ThreadPoolExecutor(options.jobs) as workers:
        outcomes = list(workers.map(run_one, tasks))
    print_summary(outcomes)
    if options.out:
        write_results(options.out, outcomes)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
