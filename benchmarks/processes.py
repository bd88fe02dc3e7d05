"""Run a command to its end and tell what it took, children included.

Takes: a command. Gives: wall and processor seconds, peak memory (`Peak`, also for a process that
was started elsewhere), what it printed. Does not know: what is measured.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
SAMPLE_S = 0.03


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took, with its children."""

    wall: float
    processor: float
    peak_mib: float


class Peak(threading.Thread):
    """Samples the summed proportional memory (PSS) of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self._kib = 0
        self.start()

    def run(self) -> None:
        while not self._over.is_set():
            self._kib = max(self._kib, sum(map(_memory_kib, _family(self._pid))))
            self._over.wait(SAMPLE_S)

    def stop(self) -> float:
        """Return the largest sum in MiB."""
        self._over.set()
        self.join()
        return self._kib / 1024


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found.extend(map(int, children.split()))
    return found


def _memory_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line[:4] == "Pss:"), 0)


def run_process(
    argv: Sequence[str], root: Path, given: bytes = b"", limit_s: float | None = None
) -> tuple[Cost, bytes]:
    """Run a command to its end: its cost, and what it printed. Over the limit: `TimeoutError`."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told:
        with tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            started = time.perf_counter()
            process = subprocess.Popen(
                argv, cwd=root, env=environment, stdin=source, stdout=out, stderr=told
            )
        peak = Peak(process.pid)
        stop = threading.Timer(limit_s or 86_400, process.kill)
        stop.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.perf_counter() - started
        stop.cancel()
        peak_mib = peak.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        told.seek(0)
        if limit_s and wall >= limit_s:
            raise TimeoutError
        if process.returncode:
            raise SystemExit(f"{argv[:4]}: {told.read().decode('utf-8', 'replace')}")
        return Cost(wall, used.ru_utime + used.ru_stime, peak_mib), out.read()
