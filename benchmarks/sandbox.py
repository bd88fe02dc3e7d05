"""What a sandbox costs: the same command bare and in each backend, alternating, medians.

Run `python benchmarks/sandbox.py [ROUNDS]`. The target is at most 150 ms above bare.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from clean_room_agent import sandbox, shell
from clean_room_agent.errors import SandboxError
from clean_room_agent.records.attempt import RunStatus

TARGET_MILLISECONDS = 150.0
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
TESTS = """
import pytest
@pytest.mark.parametrize("number", range(20))
def test_square(number):
    assert number * number >= number
"""
COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "pytest, 20 small tests": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_small.py"),
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder).resolve()
        (workspace / "test_small.py").write_text(TESTS)
        for title, arguments in COMMANDS.items():
            _compare(title, (sys.executable, *arguments), workspace, rounds)


def _compare(title: str, argv: tuple[str, ...], workspace: Path, rounds: int) -> None:
    ways: dict[str, Callable[[], None]] = {"bare": lambda: _bare(argv, workspace)}
    spec = sandbox.SandboxSpec(
        argv=argv,
        workspace=workspace,
        workspace_target=workspace,
        environment=ENVIRONMENT,
        read_only=sandbox.interpreter_paths(Path(sys.executable), workspace_target=workspace),
    )
    for name in ("namespaces", "bubblewrap"):
        try:
            backend = sandbox.select_backend(name)
        except SandboxError as error:
            print(f"{name}: {error}")
            continue
        ways[name] = lambda backend=backend: _boxed(spec, backend)  # type: ignore[misc]
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - started) * 1000)
    bare = statistics.median(times["bare"])
    print(f"{title} ({rounds} rounds, medians)")
    for name, values in times.items():
        median = statistics.median(values)
        over = median - bare
        verdict = "" if name == "bare" else f"  {over:+7.1f} ms  target {TARGET_MILLISECONDS:g}"
        print(
            f"  {name:12}{median:8.1f} ms  (min {min(values):.1f}, max {max(values):.1f}){verdict}"
        )


def _bare(argv: tuple[str, ...], workspace: Path) -> None:
    shell.run(argv, cwd=workspace, env=ENVIRONMENT).check("the bare command")


def _boxed(spec: sandbox.SandboxSpec, backend: sandbox.Backend) -> None:
    outcome = sandbox.run(spec, backend)
    if outcome.status is not RunStatus.COMPLETED or outcome.exit_code != 0:
        raise SystemExit(f"{outcome.status}: {outcome.reason} {outcome.output_head!r}")


if __name__ == "__main__":
    main()
