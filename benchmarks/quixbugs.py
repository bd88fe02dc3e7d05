"""Repair the one-line bugs of a QuixBugs checkout with the real verb, and check the patches.

    python benchmarks/quixbugs.py --folder DIR [--only NAME] [--seconds 60]

Takes: a folder that holds `python_programs`, `correct_python_programs`, `python_testcases` and
`json_testcases` (github.com/jkoppel/QuixBugs). Gives: one line a program: solved, candidates
tried, seconds, and whether the patch is also correct. Does not know: any program by name, beyond
leaving out the folder's own test and node modules.

Each program gets a fresh git repository of its own with its buggy version and its tests; the
correct version is never copied there. A patch counts as correct when the function it changes is
textually the correct one up to formatting, or when both answer alike on inputs made from the
folder's by small random changes (a fixed seed). Programs without JSON inputs whose text differs
are printed as `unknown`, for a person to read.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROBES = 200
PROBE_SECONDS = 120
_CHECK = """
import copy, inspect, json, sys
sys.path.insert(0, sys.argv[1]); sys.setrecursionlimit(2000)
name = sys.argv[2]
function = getattr(__import__(name), name)
for line in sys.stdin:
    try:
        answer = function(*json.loads(line))
        print(json.dumps(list(answer) if inspect.isgenerator(answer) else answer, default=str))
    except Exception as error:
        print("raised", type(error).__name__)
    sys.stdout.flush()
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one program."""

    name: str
    solved: bool
    correct: str
    tried: int | None
    seconds: float
    note: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    names = options.only or program_names(options.folder)
    results = []
    for name in names:
        result = run_program(options.folder, name, options.seconds)
        results.append(result)
        print(
            f"{result.name:28} solved={'yes' if result.solved else 'no':3} "
            f"correct={result.correct:8} tried={result.tried} {result.seconds:6.1f} s "
            f"{result.note}",
            flush=True,
        )
    solved = sum(r.solved for r in results)
    right = sum(r.correct == "yes" for r in results)
    unknown = sum(r.correct == "unknown" for r in results)
    print(f"{solved} solved, {right} correct, {unknown} unknown, of {len(results)}")
    return 0


def program_names(folder: Path) -> list[str]:
    """Programs that have both a buggy version and a test module."""
    tests = sorted((folder / "python_testcases").glob("test_*.py"))
    names = [t.stem.removeprefix("test_") for t in tests]
    return [n for n in names if (folder / "python_programs" / f"{n}.py").exists()]


def run_program(folder: Path, name: str, seconds: float) -> Result:
    with tempfile.TemporaryDirectory(prefix="quixbugs-") as scratch:
        repository = Path(scratch) / "repository"
        prepare(folder, name, repository)
        started = time.perf_counter()
        answer = solve(repository, name, seconds)
        elapsed = time.perf_counter() - started
        if not answer.get("solved"):
            return Result(name, False, "-", _tried(answer), elapsed, str(answer.get("reason", "")))
        patched = repository / "python_programs" / f"{name}.py"
        if not _apply(repository, str(answer.get("patch", ""))):
            return Result(name, False, "-", _tried(answer), elapsed, "the patch does not apply")
        correct = judge(folder, name, patched)
        return Result(name, True, correct, _tried(answer), elapsed, str(answer.get("summary", "")))


def prepare(folder: Path, name: str, repository: Path) -> None:
    """A git repository with one buggy program and its tests, and no answer in it."""
    programs, tests = repository / "python_programs", repository / "python_testcases"
    programs.mkdir(parents=True)
    tests.mkdir()
    (programs / "__init__.py").touch()
    shutil.copy(folder / "python_programs" / f"{name}.py", programs)
    shutil.copy(folder / "python_testcases" / f"test_{name}.py", tests)
    for support in ("load_testdata.py", "node.py"):
        shutil.copy(folder / "python_testcases" / support, tests)
    if (folder / "python_programs" / "node.py").exists():
        shutil.copy(folder / "python_programs" / "node.py", programs)
    data = folder / "json_testcases" / f"{name}.json"
    if data.exists():
        (repository / "json_testcases").mkdir()
        shutil.copy(data, repository / "json_testcases")
    shutil.copy(folder / "conftest.py", repository)
    (repository / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n.clean_room/\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one program"]):
        _git(repository, *command)


def solve(repository: Path, name: str, seconds: float) -> dict[str, object]:
    """Run the real verbs; the JSON document of `solve`, with `patch`, `tried` and `summary`."""
    base = [sys.executable, "-m", "clean_room_agent"]
    for verb in (["init", "--offline"], ["index"]):
        done = _command([*base, *verb], repository, seconds)
        if done.returncode:
            return {"solved": False, "reason": f"{verb[0]}: {_last_line(done.stderr)}"}
    verb = ["solve", f"the tests of {name} fail", "--json"]
    verb += ["--test", f"{sys.executable} -m pytest -q python_testcases/test_{name}.py"]
    verb += ["--seconds", f"{seconds:g}"]
    done = _command([*base, *verb], repository, seconds + 60)
    try:
        document = json.loads(done.stdout or "{}")
    except json.JSONDecodeError:
        return {"solved": False, "reason": f"exit {done.returncode}: {_last_line(done.stderr)}"}
    if not isinstance(document, dict):
        return {"solved": False, "reason": "the document is no object"}
    document.setdefault("solved", done.returncode == 0)
    if not document["solved"]:
        document.setdefault("reason", f"exit {done.returncode}: {_last_line(done.stderr)}")
    return document


def _tried(answer: dict[str, object]) -> int | None:
    for key in ("tried", "candidates_tried"):
        value = answer.get(key)
        if isinstance(value, int):
            return value
    return None


def judge(folder: Path, name: str, patched: Path) -> str:
    """`yes`, `no` or `unknown`: is the patched program the correct one?"""
    right = folder / "correct_python_programs" / f"{name}.py"
    if _code_of(right) == _code_of(patched):
        return "yes"
    data = folder / "json_testcases" / f"{name}.json"
    if not data.exists():
        return "unknown"
    probes = make_probes(data, random.Random(20))
    expected, given = (_answers(path, name, probes) for path in (right, patched))
    pairs = [(a, b) for a, b in zip(expected, given, strict=False) if not a.startswith("raised")]
    if not pairs:
        return "unknown"
    return "yes" if all(a == b for a, b in pairs) else "no"


def _code_of(path: Path) -> str:
    """The functions of a module without their docstrings, positions and formatting."""
    tree = ast.parse(path.read_bytes())
    return "\n".join(
        ast.dump(n) for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Assign)
    )


def make_probes(data: Path, chance: random.Random) -> list[str]:
    """Inputs near the folder's own: numbers moved by a little, elements dropped and repeated."""
    lines = data.read_text().splitlines()
    cases = [json.loads(line)[0] for line in lines if line.strip()]
    cases = [case if isinstance(case, list) else [case] for case in cases]
    cases = [case for case in cases if len(json.dumps(case)) < 300] or cases
    if not cases:
        return []
    return [json.dumps(_vary(chance.choice(cases), chance)) for _ in range(PROBES)]


def _vary(value: object, chance: random.Random) -> object:
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return max(1, value + chance.choice((-1, 0, 0, 1, 2))) if value > 0 else value
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        return value[:at] + value[at + 1 :] if chance.random() < 0.3 else value
    if isinstance(value, list):
        varied = [_vary(v, chance) if chance.random() < 0.4 else v for v in value]
        if len(varied) > 1 and chance.random() < 0.2 and not isinstance(value[0], list):
            ordered = value == sorted(value, key=str)
            return sorted(varied, key=str) if ordered else varied
        return varied
    return value


def _answers(path: Path, name: str, probes: list[str]) -> list[str]:
    """One line an input; the list ends early when the program does not come back."""
    command = [sys.executable, "-c", _CHECK, str(path.parent), name]
    try:
        done = subprocess.run(
            command,
            input="\n".join(probes),
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
        return output.decode().splitlines() if isinstance(output, bytes) else output.splitlines()
    return done.stdout.splitlines()


def _apply(repository: Path, patch: str) -> bool:
    if not patch:
        return False
    done = subprocess.run(
        ["git", "apply", "-"],
        cwd=repository,
        input=patch,
        text=True,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _command(argv: list[str], folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=seconds + 60, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", "took too long")


def _git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "bench",
        "GIT_AUTHOR_EMAIL": "bench@example.invalid",
        "GIT_COMMITTER_NAME": "bench",
        "GIT_COMMITTER_EMAIL": "bench@example.invalid",
    }
    subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, env=os.environ | identity
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
