"""Start-up of `cra` against a bare `import typer, rich`, in one run, medians, side by side.

Usage: python benchmarks/startup.py [--repeat N]. The brief allows at most 1.6 times.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

ALLOWED_RATIO = 1.6
COMMANDS = {
    "python -c 'import typer, rich'": [sys.executable, "-c", "import typer, rich"],
    "cra --help": [sys.executable, "-m", "clean_room_agent", "--help"],
    "cra --version": [sys.executable, "-m", "clean_room_agent", "--version"],
}


def measure(argv: list[str]) -> float:
    """Return the wall-clock seconds of one run."""
    started = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure the commands in turn, so that a slow moment of the machine hits all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeat):
        for name, argv in COMMANDS.items():
            seconds[name].append(measure(argv))
    base = statistics.median(next(iter(seconds.values())))
    print(f"{'command':34} {'median s':>9} {'ratio':>6}  allowed")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:34} {median:9.3f} {median / base:6.2f}  {ALLOWED_RATIO}")


if __name__ == "__main__":
    main()
