"""Measure `cra index` against a bare tree-sitter parse of the same bytes, side by side.

    python benchmarks/index.py --repo PATH [--rounds N] [--growth] [--switch N] [--json]

Takes: a git checkout (it is cloned aside; yours is not touched). Prints medians and their ratio to
the targets. Each round measures the bare parse and the index one after the other, so that a busy
machine slows both. Does not assert anything: a timed test would only measure the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from grown import grow
from processes import SOURCE, Peak

TARGET_FULL_RATIO = 1.5
TARGET_UNCHANGED_S, TARGET_ONE_FILE_S, TARGET_PEAK_MIB = 0.3, 0.5, 400
TARGET_FLAT_RATIO = 2.0

BARE = """
import importlib, os, sys, time
from pathlib import Path
from tree_sitter import Parser
from clean_room_agent.repo.languages import language_of
from clean_room_agent.repo.syntax import load_grammar, _refuse
listed = sys.stdin.buffer.read().split(b"\\0")
work = []
for raw in filter(None, listed):
    path = os.fsdecode(raw)
    language = language_of(path)
    if language and os.path.isfile(path) and not os.path.islink(path):
        data = Path(path).read_bytes()
        if _refuse(data) is None:
            work.append((Parser(load_grammar(language)), data))
started = time.perf_counter()
for parser, data in work:
    parser.parse(data)
print(time.perf_counter() - started, len(work), sum(len(data) for _, data in work))
"""


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(SOURCE),
        "LC_ALL": "C.UTF-8",
    }


def _git(*arguments: str, cwd: Path) -> bytes:
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True
    ).stdout


def bare_parse(root: Path) -> tuple[float, int, int]:
    """Parse every file of a known language on one core: seconds, files, bytes."""
    done = subprocess.run(
        [sys.executable, "-c", BARE],
        cwd=root, env=_environment(), input=_git("ls-files", "-z", cwd=root), check=True,
        capture_output=True,
    )  # fmt: skip
    seconds, files, size = done.stdout.split()
    return float(seconds), int(files), int(size)


def run_index(root: Path, *, full: bool = False) -> tuple[float, float]:
    """Index in a process of its own: wall seconds, and peak MiB of it and all its children."""
    seconds, _, peak, _ = _run(root, ["--full"] if full else [])
    return seconds, peak


def run_measured(root: Path, *, full: bool = False) -> tuple[float, float, float]:
    """Index in a process of its own: wall seconds, CPU seconds of all processes, peak MiB."""
    return _run(root, ["--full"] if full else [])[:3]


def _run(root: Path, arguments: list[str]) -> tuple[float, float, float, bytes]:
    start = [sys.executable, "-m", "clean_room_agent"]
    if not (root / ".clean_room" / "config.toml").exists():
        subprocess.run(
            [*start, "init", "--offline"],
            cwd=root, env=_environment(), check=True, capture_output=True,
        )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with subprocess.Popen(
        [*start, "index", *arguments],
        cwd=root, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        peak = Peak(process.pid)
        printed, error = process.communicate()
        seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(error.decode("utf-8", "replace"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, peak.stop(), printed


def measure_repository(source: Path, rounds: int, work: Path) -> dict[str, float]:
    """Full, unchanged and one-file-changed index of a clone, beside the bare parse."""
    root = work / "clone"
    _git("clone", "--quiet", str(source), str(root), cwd=work)
    changed = max(
        (root / os.fsdecode(p) for p in _git("ls-files", "-z", "*.py", cwd=root).split(b"\0") if p),
        key=lambda path: path.stat().st_size if path.stat().st_size < 100_000 else 0,
        default=None,
    )
    bare, full, unchanged, one, peaks = [], [], [], [], []
    for number in range(rounds):
        seconds, files, size = bare_parse(root)
        bare.append(seconds)
        seconds, peak = run_index(root, full=True)
        full.append(seconds)
        peaks.append(peak)
        unchanged.append(run_index(root)[0])
        if changed is not None:
            with changed.open("a") as file:
                file.write(f"\n\ndef benchmark_{number}(value):\n    return value\n")
            one.append(run_index(root)[0])
    return {
        "files": files,
        "bytes": size,
        "bare_parse_s": statistics.median(bare),
        "full_s": statistics.median(full),
        "full_ratio": statistics.median(f / b for f, b in zip(full, bare, strict=True)),
        "unchanged_s": statistics.median(unchanged),
        "one_file_s": statistics.median(one) if one else 0.0,
        "peak_mib": max(peaks),
    }


def measure_growth(source: Path, work: Path) -> dict[str, dict[str, float]]:
    """Full, unchanged and one-file index of 1, 4 and 16 varied copies of a repository."""
    growth = {}
    for scale in (1, 4, 16):
        root = work / f"grown{scale}"
        grow(source, scale, root)
        full, full_cpu, peak = run_measured(root, full=True)
        unchanged = run_measured(root)[0]
        with _largest_source(root).open("a") as file:
            file.write("\n\ndef benchmark_grown(value):\n    return value\n")
        one, one_cpu, _ = run_measured(root)
        growth[f"{scale}x"] = {
            "full_s": full, "full_cpu_s": full_cpu, "peak_mib": peak, "unchanged_s": unchanged,
            "one_file_s": one, "one_file_cpu_s": one_cpu,
        }  # fmt: skip
        shutil.rmtree(root)
    return growth


def measure_switch(source: Path, commits: int, work: Path) -> list[dict[str, object]]:
    """Index HEAD, a commit so many before it, HEAD, and that commit again, in one database."""
    root = work / "switched"
    _git("clone", "--quiet", str(source), str(root), cwd=work)
    newest = _git("rev-parse", "HEAD", cwd=root).decode().strip()
    rows: list[dict[str, object]] = []
    for commit in (newest, f"{newest}~{commits}", newest, f"{newest}~{commits}"):
        _git("checkout", "--quiet", "--detach", commit, cwd=root)
        seconds, cpu, _, printed = _run(root, ["--json"])
        report = json.loads(printed)
        rows.append(
            {
                "at": "HEAD" if commit == newest else f"HEAD~{commits}",
                "parsed": report["parsed_blobs"],
                "reused": report["reused_blobs"],
                "new_commits": report["new_commits"],
                "wall_s": seconds,
                "cpu_s": cpu,
            }
        )
    return rows


def _largest_source(root: Path) -> Path:
    """The largest Python file below 100 kB at the paths of the first copy."""
    listed = _git("ls-files", "-z", "*.py", cwd=root).split(b"\0")
    sizes = {p: (root / os.fsdecode(p)).stat().st_size for p in listed if p}
    fitting = [p for p, size in sizes.items() if size < 100_000]
    if not fitting:
        raise SystemExit("the growth of an index needs a repository with Python files")
    return root / os.fsdecode(max(fitting, key=lambda p: (sizes[p], p)))


def _print(facts: dict[str, float], growth: dict[str, dict[str, float]]) -> None:
    def line(name: str, value: float, unit: str, target: float | None) -> None:
        verdict = (
            ""
            if target is None
            else f"  target {target:g}  {'ok' if value <= target else 'MISSED'}"
        )
        print(f"{name:<34}{value:>10.2f} {unit:<5}{verdict}")

    print(f"{facts['files']:.0f} files, {facts['bytes'] / 1e6:.1f} MB of known languages")
    line("bare parse, one core", facts["bare_parse_s"], "s", None)
    line("full index", facts["full_s"], "s", None)
    line("full index / bare parse", facts["full_ratio"], "x", TARGET_FULL_RATIO)
    line("nothing changed", facts["unchanged_s"], "s", TARGET_UNCHANGED_S)
    line("one file changed", facts["one_file_s"], "s", TARGET_ONE_FILE_S)
    line("peak memory, children included", facts["peak_mib"], "MiB", TARGET_PEAK_MIB)
    for name, row in growth.items():
        for key, value in row.items():
            line(f"{name}: {key}", value, "", None)
    if growth:
        first, last = growth["1x"], growth["16x"]
        line("one file, 16x / 1x", last["one_file_s"] / first["one_file_s"], "x", TARGET_FLAT_RATIO)
        flat = last["one_file_cpu_s"] / first["one_file_cpu_s"]
        line("one file CPU, 16x / 1x", flat, "x", TARGET_FLAT_RATIO)
        line("full CPU, 16x / 1x (linear: 16)", last["full_cpu_s"] / first["full_cpu_s"], "x", 16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repo", type=Path, required=True, help="a git checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", action="store_true", help="index 1, 4 and 16 varied copies too")
    parser.add_argument("--switch", type=int, metavar="N", help="go N commits back and forth too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cra-bench-") as folder:
        work = Path(folder)
        facts = measure_repository(options.repo.resolve(), options.rounds, work)
        growth = measure_growth(options.repo.resolve(), work) if options.growth else {}
        switch = (
            measure_switch(options.repo.resolve(), options.switch, work) if options.switch else []
        )
    if options.json:
        print(
            json.dumps(
                {"schema_version": 1, "repository": facts, "growth": growth, "switch": switch}
            )
        )
    else:
        _print(facts, growth)
        for row in switch:
            print(row)


if __name__ == "__main__":
    main()
