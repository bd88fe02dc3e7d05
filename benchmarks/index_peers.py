"""Measure `cra index` beside a bare parse, universal-ctags and a peer's repository map.

    python benchmarks/index_peers.py REPO... [--aider-python PATH] [--rounds N] [--out FILE]

Takes: git checkouts (each is cloned aside; yours are not touched). Gives: one Markdown table for
each: wall and processor seconds, peak memory, size on disk, definitions, medians over rounds, and
ratios of processor seconds to the bare parse. Does not know: how good an index is.

Every round runs every side once, so that a busy machine slows all of them. Processor seconds are
user and system time of the process and all its children. A peer that is not installed is named
with the way to install it, and the rest goes on. Ctrl-C prints what was measured of a repository
so far, and the next one begins.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from grown import git
from processes import Cost, run_process

HERE = Path(__file__).resolve().parent
CRA = [sys.executable, "-m", "clean_room_agent"]
BARE_NAME = "bare tree-sitter parse"
NO_CTAGS = "universal-ctags is not installed: apt-get install universal-ctags"
NO_AIDER = "Aider is left out: python -m venv DIR; DIR/bin/pip install aider-chat; then give" + (
    " --aider-python DIR/bin/python"
)
ADDED = {
    ".py": "\n\ndef added_{0}(value):\n    return value\n",
    ".go": "\n\nfunc added{0}(value int) int {{\n\treturn value\n}}\n",
}

# Only the parse is on the clock; the bytes are read one file at a time, so that memory is honest.
BARE = """
import json, os, sys, time
from pathlib import Path
from tree_sitter import Parser
from clean_room_agent.repo.languages import language_of
from clean_room_agent.repo.syntax import _refuse, load_grammar
parsers, wall, cpu, files, size = {}, 0.0, 0.0, 0, 0
for raw in filter(None, sys.stdin.buffer.read().split(b"\\0")):
    path = os.fsdecode(raw)
    language = language_of(path)
    if not language or os.path.islink(path) or not os.path.isfile(path):
        continue
    data = Path(path).read_bytes()
    if _refuse(data) is not None:
        continue
    if language not in parsers:
        parsers[language] = Parser(load_grammar(language))
    started, started_cpu = time.perf_counter(), time.process_time()
    parsers[language].parse(data)
    wall += time.perf_counter() - started
    cpu += time.process_time() - started_cpu
    files, size = files + 1, size + len(data)
print(json.dumps({"wall": wall, "cpu": cpu, "files": files, "bytes": size}))
"""


@dataclass(slots=True)
class Side:
    """One row of the table."""

    name: str
    costs: list[Cost] = field(default_factory=list)
    disk_mib: float = 0.0
    found: str = ""


@dataclass(slots=True)
class Trial:
    """One repository: the clones that each side has for itself, and the rows."""

    root: Path
    flat: Path
    aider: Path
    edited: str
    options: argparse.Namespace
    rounds: int = 0
    sides: dict[str, Side] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    size: dict[str, float] = field(default_factory=dict)

    def side(self, name: str) -> Side:
        return self.sides.setdefault(name, Side(name))

    def edit(self, root: Path) -> None:
        """Add a definition to one file."""
        with (root / self.edited).open("a") as file:
            file.write(ADDED.get(Path(self.edited).suffix, "\n").format(self.rounds))


def prepare(source: Path, work: Path, options: argparse.Namespace) -> Trial:
    """Clone for each side; `flat` is the same tree with one commit and no history."""
    root, flat, aider = work / "root", work / "flat", work / "aider"
    for target in (root, aider):
        git("clone", "--quiet", str(source), str(target), cwd=work)
    flat.mkdir()
    git("init", "--quiet", cwd=flat)
    for raw in git("ls-files", "-z", cwd=root).split(b"\0")[:-1]:
        path = os.fsdecode(raw)
        (flat / path).parent.mkdir(parents=True, exist_ok=True)
        if (root / path).is_file():
            shutil.copy2(root / path, flat / path, follow_symlinks=False)
    git("add", "--all", "--force", cwd=flat)
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    git(*identity, "commit", "--quiet", "-m", "the tree", cwd=flat)
    return Trial(root, flat, aider, _file_to_edit(root), options)


def _file_to_edit(root: Path) -> str:
    """The largest file below 60 kB of the language that most files are in."""
    listed = [os.fsdecode(raw) for raw in git("ls-files", "-z", cwd=root).split(b"\0")[:-1]]
    known = [path for path in listed if Path(path).suffix in ADDED and (root / path).is_file()]
    if not known:
        return listed[0]
    suffixes = [Path(path).suffix for path in known]
    most = max(set(suffixes), key=suffixes.count)
    fits = [path for path in known if Path(path).suffix == most]
    sizes = {path: (root / path).stat().st_size for path in fits}
    return max((path for path in fits if sizes[path] < 60_000), key=lambda path: sizes[path])


def bare(trial: Trial) -> None:
    """Parse what `cra` parses, one file after the other, on one core."""
    paths = git("ls-files", "-z", cwd=trial.root)
    cost, out = run_process([sys.executable, "-c", BARE], trial.root, paths)
    facts = json.loads(out)
    side = trial.side(BARE_NAME)
    side.costs.append(Cost(facts["wall"], facts["cpu"], cost.peak_mib))
    trial.size = {"files": facts["files"], "bytes": facts["bytes"]}


def ctags(trial: Trial) -> None:
    """All tags of the tree into one file outside of it."""
    program = shutil.which("ctags")
    if program is None or b"Universal" not in subprocess.check_output([program, "--version"]):
        _note(trial, NO_CTAGS)
        return
    tags = trial.root.parent / "tags"
    tags.unlink(missing_ok=True)
    command = [program, "-R", "--exclude=.clean_room", "-f", str(tags), "."]
    cost, _ = run_process(command, trial.root)
    side = trial.side("universal-ctags -R")
    side.costs.append(cost)
    side.disk_mib = tags.stat().st_size / 2**20
    with tags.open("rb") as lines:
        side.found = f"{sum(not line.startswith(b'!_') for line in lines):,} tags"


def aider(trial: Trial) -> None:
    """The peer's cache of tags: cold, with nothing changed, with one file changed; its ranking."""
    if trial.options.aider_python is None:
        _note(trial, NO_AIDER)
        return
    for cache in trial.aider.glob(".aider.tags.cache*"):
        shutil.rmtree(cache)
    for name, mode in (
        ("Aider, tags of all files", "tags"),
        ("Aider, nothing changed", "tags"),
        ("Aider, one file changed", "tags"),
        ("Aider, nothing changed, files ranked", "map"),
    ):
        if "one file" in name:
            trial.edit(trial.aider)
        paths = git("ls-files", "-z", cwd=trial.aider)
        driver = [str(trial.options.aider_python.absolute()), str(HERE / "peer_aider.py")]
        command = [*driver, str(trial.aider), mode]
        try:
            cost, out = run_process(command, trial.root.parent, paths, trial.options.limit)
        except TimeoutError:
            _note(trial, f"{name}: stopped after {trial.options.limit:g} s")
            continue
        facts = json.loads(out)
        side = trial.side(name)
        side.costs.append(cost)
        side.disk_mib = _disk_mib(next(trial.aider.glob(".aider.tags.cache*")))
        side.found = f"{facts['definitions']:,} definitions, {facts['references']:,} references"


def cra(trial: Trial) -> None:
    """`cra index` into a new room, with nothing changed, with one file changed."""
    for name, root in (("cra index", trial.root), ("cra index, no history", trial.flat)):
        shutil.rmtree(root / ".clean_room", ignore_errors=True)
        run_process([*CRA, "init", "--offline"], root)
        _index(trial, f"{name}, full", root)
    _index(trial, "cra index, nothing changed", trial.root)
    trial.edit(trial.root)
    _index(trial, "cra index, one file changed", trial.root)


def _index(trial: Trial, name: str, root: Path) -> None:
    cost, out = run_process([*CRA, "index", "--json"], root)
    facts = json.loads(out)
    side = trial.side(name)
    side.costs.append(cost)
    side.disk_mib = _disk_mib(root / ".clean_room")
    side.found = (
        f"{facts['symbols']:,} definitions, {facts['references']:,} references,"
        f" {facts['edges']:,} edges, {facts['commits']:,} commits"
    )


def _note(trial: Trial, text: str) -> None:
    if text not in trial.notes:
        trial.notes.append(text)
        print(text, file=sys.stderr)


def _disk_mib(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 2**20


SIDES: tuple[Callable[[Trial], None], ...] = (bare, ctags, aider, cra)


def measure(source: Path, options: argparse.Namespace) -> str:
    """Every round, every side; returns the table."""
    with tempfile.TemporaryDirectory(prefix="cra-peers-") as folder:
        trial = prepare(source, Path(folder), options)
        try:
            _run_rounds(source.name, trial)
        except KeyboardInterrupt:
            _note(trial, f"Interrupted in round {trial.rounds + 1} of {options.rounds}.")
        return "\n".join(_table(source.name, trial))


def _run_rounds(name: str, trial: Trial) -> None:
    for number in range(trial.options.rounds):
        trial.rounds = number
        for side in SIDES:
            print(f"{name} {number + 1}: {side.__name__}", file=sys.stderr)
            side(trial)


def _table(name: str, trial: Trial) -> list[str]:
    if BARE_NAME not in trial.sides:
        return [f"### {name}: nothing was measured", "", *trial.notes]
    base = statistics.median(cost.processor for cost in trial.sides[BARE_NAME].costs)
    lines = [
        f"### {name}: {trial.size['files']:,} files of known languages,"
        f" {trial.size['bytes'] / 1e6:.1f} MB, {trial.options.rounds} rounds",
        "",
        "| | wall s | processor s | to the parse | peak MiB | disk MiB | found |",
        "|---|---|---|---|---|---|---|",
    ]
    for side in trial.sides.values():
        wall = statistics.median(cost.wall for cost in side.costs)
        processor = statistics.median(cost.processor for cost in side.costs)
        peak = max(cost.peak_mib for cost in side.costs)
        lines.append(
            f"| {side.name} | {wall:.2f} | {processor:.2f} | {processor / base:.2f} |"
            f" {peak:.0f} | {side.disk_mib:.1f} | {side.found} |"
        )
    lines.extend(["", *trial.notes])
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("repos", type=Path, nargs="+", help="git checkouts")
    parser.add_argument("--aider-python", type=Path, help="an interpreter that has aider-chat")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for each run of a peer")
    parser.add_argument("--out", type=Path, help="the tables into this file too")
    options = parser.parse_args()
    head = (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f} at the start; medians, interleaved rounds."
    )
    tables = []
    for repo in options.repos:
        tables.append(measure(repo.resolve(), options))
        print(tables[-1], flush=True)
    if options.out is not None:
        options.out.write_text("\n\n".join([head, *tables]) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
