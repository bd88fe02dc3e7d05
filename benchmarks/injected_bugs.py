"""Bugs injected into a real repository, its own tests as the oracle: solved out of tried.

Usage: python benchmarks/injected_bugs.py --repo CLONE --target PATH.py
           --tests "pytest -q tests/x.py" [--count 10] [--seed 1] [--seconds 60]

Each bug is one syntax-tree mutation of TARGET that makes at least one test of the command fail and
leaves some passing. The mutation is committed in a private clone, `cra solve` is run there, and the
verdict is the program's own; `same` says that the file is then byte-equal to the original.
The operators below were written apart from the repair catalogue and are not read by it.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt,), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,), ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.FloorDiv,), ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """One edit of the source: its kind, its line, and the whole new text."""

    kind: str
    line: int
    text: str


def mutations(source: str) -> Iterator[Mutation]:
    """Yield single mutations of the function bodies in `source`."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = [a.arg for a in function.args.args if a.arg != "self"]
        for node in ast.walk(ast.Module(body=function.body, type_ignores=[])):
            yield from _of_node(source, node, names)


def _of_node(source: str, node: ast.AST, names: list[str]) -> Iterator[Mutation]:
    if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
        operator = node.ops[0] if isinstance(node, ast.Compare) else node.op
        for other in SWAPS.get(type(operator), ()):
            yield _rewrite(source, node, "operator", lambda n, o=other: _set_operator(n, o()))
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for delta in (1, -1):
            yield _rewrite(source, node, "constant", lambda n, d=delta: _add(n, d))
    if isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
        yield _rewrite(source, node, "swapped arguments", lambda n: n.args.reverse())
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        for other_name in names:
            if other_name != node.id:
                yield _rewrite(source, node, "variable", lambda n, o=other_name: _rename(n, o))
    if isinstance(node, ast.If | ast.While):
        test = ast.get_source_segment(source, node.test)
        yield _replace(source, node.test, "negated condition", f"not ({test})")
    if isinstance(node, ast.Slice) and node.lower is not None:
        yield _replace(source, node.lower, "slice bound", "")


def _set_operator(node: ast.AST, operator: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = operator  # type: ignore[call-overload]
    else:
        node.op = operator  # type: ignore[attr-defined]


def _add(node: ast.AST, delta: int) -> None:
    node.value += delta  # type: ignore[attr-defined]


def _rename(node: ast.AST, name: str) -> None:
    node.id = name  # type: ignore[attr-defined]


def _rewrite(source: str, node: ast.AST, kind: str, change) -> Mutation:  # type: ignore[no-untyped-def]
    segment = ast.get_source_segment(source, node) or ""
    copy = ast.parse(f"({segment})", mode="eval").body
    change(copy)
    return _replace(source, node, kind, ast.unparse(copy))


def _replace(source: str, node: ast.AST, kind: str, text: str) -> Mutation:
    lines = source.splitlines(keepends=True)
    data = source.encode()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    begin = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
    end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
    new = data[:begin] + text.encode() + data[end:]
    return Mutation(kind, node.lineno, new.decode())  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Outcome:
    """What `cra solve` made of one mutation."""

    kind: str
    line: int
    status: str
    same: bool
    tried: int
    seconds: float
    why: str


def breaks_some(clone: Path, command: list[str]) -> bool:
    """Whether the tests notice the mutation: some fail, in bounded time, and some pass."""
    try:
        done = subprocess.run(
            [*command, "-x", "--co", "-q"], cwd=clone, capture_output=True, timeout=60, check=False
        )
        if done.returncode != 0:
            return False
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider"],
            cwd=clone, capture_output=True, timeout=120, check=False, text=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 1 and " passed" in done.stdout


def solve(clone: Path, tests: str, seconds: float) -> dict[str, object]:
    """Run `cra solve --json` and return its document."""
    argv = [sys.executable, "-m", "clean_room_agent", "solve", "tests fail since the last commit"]
    done = subprocess.run(
        [*argv, "--test", tests, "--json", "-q", "--seconds", str(seconds), "-C", str(clone)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        document: dict[str, object] = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"status": "error", "reason": done.stderr.strip()[-200:]}
    return document


def run_one(
    clone: Path, target: str, original: str, mutation: Mutation, options: Options
) -> Outcome:
    """Commit the mutation, solve it, put the original back."""
    git = ["git", "-C", str(clone), "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    subprocess.run([*git, "commit", "-qam", "edit"], check=True)
    started = time.monotonic()
    found = solve(clone, options.tests, options.seconds)
    seconds = time.monotonic() - started
    same = False
    if found.get("status") == "solved":
        patch = str(found["patch"]).encode("utf-8", "surrogateescape")
        subprocess.run(["git", "-C", str(clone), "apply", "-"], input=patch, check=True)
        fixed = (clone / target).read_text("utf-8")
        same = ast.dump(ast.parse(fixed)) == ast.dump(ast.parse(original))
    (clone / target).write_text(original, "utf-8")
    subprocess.run([*git, "commit", "-qam", "revert"], check=True)
    error = found.get("error")
    why = str(
        error["message"]
        if isinstance(error, dict)
        else found.get("reason") or found.get("summary", "")
    )
    tried = int(str(found.get("candidates_tried", 0)))
    return Outcome(
        mutation.kind, mutation.line, str(found.get("status", "error")), same, tried, seconds, why
    )


@dataclass(frozen=True)
class Options:
    """How each bug is solved."""

    tests: str
    seconds: float


def main() -> None:
    """Inject, solve, print a row each and the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--tests", required=True)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    options = Options(chosen.tests, chosen.seconds)
    with tempfile.TemporaryDirectory(prefix="cra-injected-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", chosen.repo, str(clone)], check=True)
        for verb in (["init", "--offline"], ["index", "-q"]):
            subprocess.run([sys.executable, "-m", "clean_room_agent", *verb], cwd=clone, check=True)
        outcomes = list(_walk(clone, chosen.target, chosen.count, chosen.seed, options))
    solved = [o for o in outcomes if o.status == "solved"]
    print(
        f"\nsolved {len(solved)} of {len(outcomes)}, {sum(o.same for o in solved)} equal to the "
        f"original; median {statistics.median(o.seconds for o in outcomes):.1f} s"
    )


def _walk(clone: Path, target: str, count: int, seed: int, options: Options) -> Iterator[Outcome]:
    original = (clone / target).read_text("utf-8")
    pool = list({m.text: m for m in mutations(original) if m.text != original}.values())
    random.Random(seed).shuffle(pool)
    command = shlex.split(options.tests)
    if command[0] == "pytest":
        command = [sys.executable, "-m", "pytest", *command[1:]]
    done = 0
    for mutation in pool:
        if done == count:
            return
        (clone / target).write_text(mutation.text, "utf-8")
        if not breaks_some(clone, command):
            (clone / target).write_text(original, "utf-8")
            continue
        done += 1
        outcome = run_one(clone, target, original, mutation, options)
        print(
            f"{done:3} {outcome.kind:18} line {outcome.line:5} {outcome.status:11} "
            f"same={outcome.same!s:5} tried {outcome.tried:6} {outcome.seconds:6.1f} s  "
            f"{outcome.why[:90]}",
            flush=True,
        )
        yield outcome


if __name__ == "__main__":
    main()
