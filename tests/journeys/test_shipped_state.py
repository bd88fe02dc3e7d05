"""State that a repository or an archive ships in our place is refused, and never followed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.journey import TASK, Journey, new_journey


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    made.ok("index")
    return made


def test_gc_follows_no_link_and_removes_only_what_bears_our_names(
    journey: Journey, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    (victim / "photos").mkdir(parents=True)
    (victim / "t-20260101-abcdefghijk-1").mkdir()
    fresh = journey.root / ".clean_room" / "fresh"
    fresh.symlink_to(victim)
    journey.ok("gc")
    assert (victim / "photos").is_dir()
    assert (victim / "t-20260101-abcdefghijk-1").is_dir()
    fresh.unlink()
    fresh.mkdir()
    (fresh / "photos").symlink_to(victim)
    (fresh / "t-20260101-abcdefghijk-1").mkdir()
    journey.ok("gc")
    assert (victim / "photos").is_dir()
    assert [path.name for path in fresh.iterdir()] == ["photos"]


def test_gc_leaves_a_worktree_in_which_somebody_made_a_repository(journey: Journey) -> None:
    document = journey.ok("solve", TASK, "--test", "pytest -q")
    nested = Path(document["worktree"]) / "sub"
    nested.mkdir()
    subprocess.run(["git", "init", "-q", "."], cwd=nested, check=True)
    (nested / "thesis.txt").write_text("mine\n")
    assert "repository of its own" in journey.ok("gc")["leftovers"][0]["result"]
    assert (nested / "thesis.txt").read_text() == "mine\n"


def test_a_commit_made_in_a_kept_worktree_is_not_taken_for_ours(journey: Journey) -> None:
    document = journey.ok("solve", TASK, "--test", "pytest -q")
    inside = Journey(Path(document["worktree"]), journey.home)
    inside.git("commit", "-qam", "keep it")
    commit = inside.git("rev-parse", "HEAD").strip()
    assert "changes are in" in journey.ok("gc")["leftovers"][0]["result"]
    assert commit in journey.git("for-each-ref", "--format=%(objectname)")


JOURNALS = {
    "valid": json.dumps({"version": 1, "files": []}),
    "garbage": "garbage",
    "list": "[]",
    "half": '{"version": 1}',
}


@pytest.mark.parametrize("text", JOURNALS.values(), ids=JOURNALS.keys())
def test_a_journal_that_was_never_logged_is_not_followed(journey: Journey, text: str) -> None:
    (journey.root / ".clean_room" / "apply.journal").write_text(text)
    before = journey.state()
    done = journey.cra("undo")
    assert done.code == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "never logged" in done.stderr
    assert journey.state() == before


def test_a_linked_room_is_refused_and_its_target_untouched(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (journey.root / ".clean_room").symlink_to(victim)
    journey.git("add", "-f", ".clean_room")
    journey.git("commit", "-q", "-m", "link the room")
    assert journey.cra("init", "--offline").code == 3
    assert list(victim.iterdir()) == []
    assert victim.stat().st_mode & 0o777 == 0o755


def test_an_environment_that_comes_as_a_submodule_is_not_run(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    mark = tmp_path / "mark"
    program = journey.root / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    (journey.root / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    commit = journey.git("rev-parse", "HEAD").strip()
    journey.git("update-index", "--add", "--cacheinfo", f"160000,{commit},.venv")
    journey.git("commit", "-q", "-m", "ship an environment")
    journey.ok("init", "--offline")
    done = journey.cra("solve", TASK, "--test", ".venv/bin/python -m pytest -q")
    assert done.code == 2, done.stderr
    assert "belongs to the repository" in done.stderr
    assert not mark.exists()
