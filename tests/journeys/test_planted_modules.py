"""A repository's own modules named like the standard library's never run as ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.journey import TASK, Journey, new_journey

NAMES = ("multiprocessing", "struct", "signal", "typer", "ast", "tree_sitter", "sitecustomize")


def planted(folder: Path) -> tuple[Journey, Path]:
    """A repository with a hostile module of each name, each leaving a mark when it runs."""
    marks = folder / "marks"
    marks.mkdir()
    files: dict[str, str | bytes] = {
        f"{name}.py": f"open({str(marks / name)!r}, 'w').close()\nraise ImportError('planted')\n"
        for name in NAMES
    }
    files["README.md"] = "# Planted\n"
    return new_journey(folder, files), marks


@pytest.mark.reliability(case=1)
def test_planted_modules_run_in_an_unguarded_python(tmp_path: Path) -> None:
    journey, marks = planted(tmp_path)
    code = "from multiprocessing.spawn import spawn_main"
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=journey.root,
        env=journey.environment(),
        capture_output=True,
        check=False,
    )
    assert [mark.name for mark in marks.iterdir()] == ["multiprocessing"]


@pytest.mark.reliability(case=1)
@pytest.mark.parametrize("form", ["module", "script"])
def test_planted_modules_do_not_run_in_any_verb(tmp_path: Path, form: str) -> None:
    journey, marks = planted(tmp_path)
    program = [sys.executable, "-m", "clean_room_agent"]
    if form == "script":
        program = [str(Path(sys.executable).with_name("cra"))]
    verbs = [
        ["init", "--offline"],
        ["index"],
        ["context", TASK],
        ["solve", TASK, "--test", f"{sys.executable} -m pytest -q"],
        ["runs"],
        ["verify"],
        ["doctor"],
        ["gc"],
    ]
    for verb in verbs:
        done = subprocess.run(
            [*program, *verb],
            cwd=journey.root,
            env=journey.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, (verb, done.stderr)
        assert list(marks.iterdir()) == [], verb
    index = journey.ok("index", "--full")
    assert "crashed" not in index["not_parsed"]
