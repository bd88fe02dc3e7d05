"""From a repository to a verified patch, and every question about it, through the real verbs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.journey import BUGGY, FIXED, TASK, Journey, new_journey


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """One journey up to a solved task; the tests of this module only read or undo."""
    journey = new_journey(tmp_path_factory.mktemp("solved"))
    journey.ok("init", "--offline")
    before = journey.state()
    document = journey.ok("solve", TASK, "--test", "pytest -q")
    assert document["status"] == "solved"
    assert journey.state() == before
    return journey


def test_the_patch_is_the_fix_and_the_users_tree_is_untouched(solved: Journey) -> None:
    run = solved.ok("runs", "--verb", "solve")["runs"][0]
    assert run["status"] == "solved"
    assert run["summary"]["candidates_tried"] > 0
    trace = solved.ok("trace", "last")
    patches = trace["attempts"][0]["patches"]
    assert patches[0]["validations"][0]["verdict"] == "solved"
    assert "-    return [base + (1 if index <= rest" in patches[0]["diff"]
    assert (solved.root / "money.py").read_text() == BUGGY
    assert solved.git("status", "--porcelain") == ""


def test_the_trace_reaches_every_fragment_trial_and_test(solved: Journey) -> None:
    trace = solved.ok("trace", "last")
    package = trace["packages"][0]
    decisions = [d for stage in package["stages"] for d in stage["decisions"]]
    for fragment in package["fragments"]:
        if fragment["kind"] == "code":
            assert decisions[fragment["decision"]]["verdict"] == "included"
    purposes = [run["purpose"] for run in trace["test_runs"]]
    assert purposes[0] == "baseline"
    assert "grade" in purposes
    trials = trace["attempts"][0]["trials"]
    assert [t["position"] for t in trials] == list(range(len(trials)))


def test_why_answers_for_a_shown_and_a_not_shown_file(solved: Journey) -> None:
    shown = solved.ok("why", "money.py")
    assert shown["shown"]
    assert any(d["signals"] for d in shown["decisions"])
    hidden = solved.ok("why", "README.md")
    assert not hidden["shown"]
    assert hidden["reason"] or hidden["decisions"]
    unknown = solved.cra("why", "nowhere.py")
    assert unknown.code == 2
    assert "no such path" in unknown.stderr


def test_verify_is_clean(solved: Journey) -> None:
    document = solved.ok("verify")
    assert document["clean"]
    assert document["packages"] >= 1
    assert document["links"] > 5


def test_apply_and_undo_are_exact(solved: Journey) -> None:
    before = solved.state()
    assert solved.ok("apply", "last")["applied"]
    assert (solved.root / "money.py").read_text() == FIXED
    again = solved.cra("apply", "last")
    assert again.code == 1
    assert "applied already" in again.stderr
    solved.ok("undo")
    assert solved.state() == before
    assert solved.cra("undo").code == 2


def test_undo_refuses_when_the_file_was_edited_since(solved: Journey) -> None:
    solved.ok("apply", "last")
    path = solved.root / "money.py"
    path.write_text(FIXED + "# mine\n")
    refused = solved.cra("undo")
    assert refused.code == 1
    assert "changed since" in refused.stderr
    assert path.read_text() == FIXED + "# mine\n"
    path.write_text(FIXED)
    solved.ok("undo")
    assert path.read_text() == BUGGY


def test_gc_removes_the_worktree_of_a_finished_task_and_salvages_nothing_of_ours(
    tmp_path: Path,
) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    document = journey.ok("solve", TASK, "--test", "pytest -q")
    assert Path(document["worktree"]).is_dir()
    assert journey.ok("gc", "--dry-run")["leftovers"]
    journey.ok("gc")
    assert not Path(document["worktree"]).exists()
    assert len(journey.git("worktree", "list").splitlines()) == 1
    assert journey.ok("verify")["clean"]


def test_uncommitted_work_is_the_base_and_survives(tmp_path: Path) -> None:
    journey = new_journey(tmp_path, {"money.py": FIXED, "README.md": "x\n"})
    journey.ok("init", "--offline")
    (journey.root / "money.py").write_text(BUGGY)
    test = "from money import share\n\n\ndef test_share():\n    assert share(5, 3) == [2, 2, 1]\n"
    (journey.root / "test_new.py").write_text(test)
    before = journey.state()
    assert journey.ok("solve", TASK, "--test", "pytest -q")["status"] == "solved"
    assert journey.state() == before
    assert journey.cra("solve", TASK, "--test", "pytest -q", "--dirty", "refuse").code == 2


def test_two_runs_give_the_same_context(tmp_path: Path) -> None:
    journey = new_journey(tmp_path)
    journey.ok("init", "--offline")
    first, second = (journey.ok("context", TASK) for _ in range(2))
    assert [f["sha256"] for f in first["fragments"]] == [f["sha256"] for f in second["fragments"]]
    assert first["tokens"] <= first["budget_tokens"]


def test_what_templates_cannot_solve_is_said_truthfully(tmp_path: Path) -> None:
    source = "def shout(text):\n    return text\n"
    test = (
        "from loud import shout\n\n\ndef test_shout():\n"
        "    assert shout('x y') == 'unrelated-5f2c' and shout('q') == 'other-77aa'\n\n\n"
        "def test_fine():\n    assert shout\n"
    )
    journey = new_journey(tmp_path, {"loud.py": source, "test_loud.py": test})
    journey.ok("init", "--offline")
    done = journey.cra("solve", "shout is wrong", "--test", "pytest -q", "--seconds", "8", "--json")
    document = done.document
    assert document["status"] == "not_solved"
    assert document["patch"] == ""
    # A cut search is a budget, not a statement about the catalogue.
    assert done.code == (1 if "every candidate" in document["stopped"] else 5)
    assert document["failures"]["test_loud.py::test_shout"].startswith("AssertionError")
    assert journey.ok("verify")["clean"]
