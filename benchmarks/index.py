"""Measure `cra index` against a bare tree-sitter parse of the same bytes, side by side.

    python benchmarks/index.py --repo PATH [--rounds N] [--json]

Takes: a git checkout (it is cloned aside; yours is not touched). Prints medians and their ratio to
the targets. Each round measures the bare parse and the index one after the other, so that a busy
machine slows both. Does not assert anything: a timed test would only measure the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
TARGET_FULL_RATIO = 1.5
TARGET_UNCHANGED_S, TARGET_ONE_FILE_S, TARGET_PEAK_MIB = 0.3, 0.5, 400
TARGET_FLAT_RATIO = 2.0

# Runs the index without the command line, for a checkout that has none.
DIRECT = """
import sys
from pathlib import Path
from clean_room_agent.repo.git import open_repository
from clean_room_agent.indexing import index_repository
root = Path.cwd()
index_repository(open_repository(root), repo_path=root, full="--full" in sys.argv)
"""

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
    has_cli = (SOURCE / "clean_room_agent" / "__main__.py").exists()
    start = ["-m", "clean_room_agent", "index"] if has_cli else ["-c", DIRECT]
    if has_cli and not (root / ".clean_room" / "config.toml").exists():
        subprocess.run(
            [sys.executable, "-m", "clean_room_agent", "init", "--offline"],
            cwd=root, env=_environment(), check=True, capture_output=True,
        )  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *start, *(["--full"] if full else [])],
        cwd=root, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        peak = _Peak(process.pid)
        _, error = process.communicate()
        seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(error.decode("utf-8", "replace"))
    return seconds, peak.stop()


class _Peak(threading.Thread):
    """Samples the summed proportional memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self._peak_kib = 0
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.1):
            self._peak_kib = max(self._peak_kib, sum(map(_memory_kib, _family(self._pid))))

    def stop(self) -> float:
        self._over.set()
        self.join()
        return self._peak_kib / 1024


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found.extend(map(int, text.split()))
    return found


def _memory_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:"), 0)


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


def make_tree(root: Path, modules: int) -> None:
    """Write a package of modules that import and call each other, and commit it."""
    (root / "pkg").mkdir(parents=True)
    _git("init", "--quiet", cwd=root)
    for n in range(modules):
        lines = [
            f"from pkg.m{(n * 7 + k) % modules} import Class{(n * 7 + k) % modules}" for k in (1, 2)
        ]
        lines += [f"class Class{n}:", f'    """Holds the values of {n}."""']
        for k in range(20):
            lines += [
                f"    def method_{n}_{k}(self, value):",
                f"        return self.method_{n}_{k - 1}(value)",
            ]
        (root / "pkg" / f"m{n}.py").write_text("\n".join(lines) + "\n")
    _git("add", "--all", cwd=root)
    _git("commit", "--quiet", "-m", "generated", cwd=root)


def measure_growth(rounds: int, work: Path) -> dict[str, dict[str, float]]:
    """Full and one-file index of generated trees of 1, 4 and 16 times 250 modules."""
    growth = {}
    for scale in (1, 4, 16):
        root = work / f"tree{scale}"
        make_tree(root, 250 * scale)
        full = statistics.median(run_index(root, full=True)[0] for _ in range(rounds))
        one = []
        for number in range(rounds):
            with (root / "pkg" / "m7.py").open("a") as file:
                file.write(f"\ndef added_{number}(): pass\n")
            one.append(run_index(root)[0])
        growth[f"{scale}x"] = {"full_s": full, "one_file_s": statistics.median(one)}
    return growth


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
        line(f"generated {name}: full", row["full_s"], "s", None)
        line(f"generated {name}: one file", row["one_file_s"], "s", None)
    if growth:
        flat = growth["16x"]["one_file_s"] / growth["1x"]["one_file_s"]
        line("one file, 16x / 1x", flat, "x", TARGET_FLAT_RATIO)
        line(
            "full, 16x / 1x (linear: 16)", growth["16x"]["full_s"] / growth["1x"]["full_s"], "x", 16
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repo", type=Path, required=True, help="a git checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-growth", action="store_true", help="leave the generated trees out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cra-bench-") as folder:
        work = Path(folder)
        facts = measure_repository(options.repo.resolve(), options.rounds, work)
        growth = {} if options.no_growth else measure_growth(options.rounds, work)
    if options.json:
        print(json.dumps({"schema_version": 1, "repository": facts, "growth": growth}))
    else:
        _print(facts, growth)


if __name__ == "__main__":
    main()
