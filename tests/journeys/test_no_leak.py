"""With the base commit checked out, nothing newer than it influences a rank, a score or a package.

A future commit says the task's very words and touches the gold file. Wherever it lies in the
repository, what `cra context` and `cra search` say is, byte for byte, what they say in a repository
that has no future. The negative control makes the same commit an ancestor: then scores do change.

What is newer and does count: the working tree as it is, changed and untracked files too. They are
the user's own, and what a task is about. A benchmark has to start from a clean checkout.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clean_room_agent.commands.context import ContextView, context
from clean_room_agent.commands.init import init
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.search import SearchRequest, search
from clean_room_agent.commands.task_room import open_room
from clean_room_agent.indexing import index_repository
from clean_room_agent.pipeline.at_commit import open_at
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import open_repository
from tests.indexing.live import differences, fresh_rows, live_rows
from tests.support.git import GitRepo

TASK = "Splitting the bill loses a cent: share_bill ignores the remainder of the division"
GOLD = "src/money.py"
FILES = {
    GOLD: '"""Money."""\n\n\ndef share_bill(total, people):\n'
    "    return [total // people] * people\n",
    "src/report.py": "from src.money import share_bill\n\n\ndef report(total):\n"
    '    """Print the bill and the cents of each share."""\n    return share_bill(total, 3)\n',
    "src/split.py": "def split_words(text):\n    return text.split()\n",
    "src/rounding.py": "def remainder(a, b):\n    return a % b\n\n\ndef division(a, b):\n"
    "    return a // b\n",
    "src/__init__.py": "",
    "tests/test_money.py": "from src.money import share_bill\n\n\ndef test_share():\n"
    "    assert sum(share_bill(9, 3)) == 9\n",
    "docs/bill.md": "# The bill\n\nEach pays a share.\n",
    # Equally good ones: what decides between them must not be in which order they were indexed.
    **{f"src/tie{n}.py": f"def cents{n}(bill):\n    return bill\n" for n in range(6)},
    **{f"src/same{n}.py": "def cents(bill):\n    return bill\n" for n in range(3)},
}
PAST = (
    ({"src/split.py": FILES["src/split.py"] + "# words\n"}, "Split words at blanks"),
    ({"src/rounding.py": FILES["src/rounding.py"] + "# zero\n"}, "Fix remainder of a division"),
    ({"src/report.py": FILES["src/report.py"] + "# cents\n"}, "Report the bill in cents"),
    ({GOLD: FILES[GOLD] + "# share\n", "src/report.py": FILES["src/report.py"]}, "Share the bill"),
)
# What the future holds: the fix, files full of the task's words, more definitions of its name.
FUTURE = {
    GOLD: FILES[GOLD].replace("[total // people] * people", "exact(total, people)"),
    **{
        f"src/bill{n}.py": f"def share_bill(total):\n    return remainder(total, {n})\n"
        for n in range(4)
    },
    "src/split.py": "from src.bill0 import share_bill\nclass Cent: pass\n",
    **{f"src/tie{n}.py": f"def cents{n}(bill):\n    return {n}\n" for n in (1, 3, 4)},
    "src/same1.py": "def cents(bill):\n    return 1\n",
}


def make_base(place: Path) -> GitRepo:
    """The repository as it was when the task was written; the same bytes every time."""
    repo = GitRepo(place)
    (place / ".git" / "info" / "exclude").write_text("/.clean_room/\n")
    repo.commit(FILES, "Start")
    for files, message in PAST:
        repo.commit(files, message)
    return repo


def add_future(repo: GitRepo) -> str:
    """Commit the future on a branch of its own and come back to the base."""
    repo.git("switch", "--quiet", "-c", "future")
    commit = repo.commit(FUTURE, f"{TASK}\n\n{TASK} in {GOLD}")
    repo.git("switch", "--quiet", "main")
    return commit


@pytest.fixture
def answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], str]:
    """Ask for the package with every decision, and for a search; as text without the run's ids."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def ask(root: Path) -> str:
        init(Invocation(root, json=True), offline=True)
        capsys.readouterr()
        context(Invocation(root, json=True), TASK, ContextView(prompt=False, all_decisions=True))
        search(Invocation(root, json=True), SearchRequest(TASK, 20, (), True))
        package, found = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert any(hit["path"] == GOLD for hit in found["hits"])
        assert package["decisions"] and package["fragments"]
        for name in ("task_id", "run_id", "package_id"):
            package.pop(name)
        found.pop("run_id")
        return json.dumps([package, found], indent=1, sort_keys=True)

    return ask


@pytest.fixture
def expected(tmp_path: Path, answers: Callable[[Path], str]) -> str:
    """What is said where there is no future."""
    return answers(make_base(tmp_path / "without").root)


def _branch(repo: GitRepo, commit: str) -> None:
    pass  # the branch it was made on is there


def _tag(repo: GitRepo, commit: str) -> None:
    repo.git("tag", "--annotate", "-m", TASK, "v2", commit)
    repo.git("branch", "--quiet", "-D", "future")


def _remote_branch(repo: GitRepo, commit: str) -> None:
    repo.git("update-ref", "refs/remotes/origin/main", commit)
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.git("branch", "--quiet", "-D", "future")
    repo.git("config", "branch.main.remote", "origin")
    repo.git("config", "branch.main.merge", "refs/heads/main")


def _stash(repo: GitRepo, commit: str) -> None:
    repo.write(FUTURE)
    repo.git("stash", "push", "--quiet", "--include-untracked", "-m", TASK)


def _reflog(repo: GitRepo, commit: str) -> None:
    repo.git("reset", "--quiet", "--hard", commit)
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    repo.git("branch", "--quiet", "-D", "future")


def _fetched(repo: GitRepo, commit: str) -> None:
    other = repo.root.parent / "theirs"
    repo.git("clone", "--quiet", str(repo.root), str(other))
    repo.git("switch", "--quiet", "future", cwd=other)
    repo.git("branch", "--quiet", "-D", "future")
    repo.git("fetch", "--quiet", str(other), "future")
    assert commit in (repo.root / ".git" / "FETCH_HEAD").read_text()


def _notes(repo: GitRepo, commit: str) -> None:
    for old in repo.git("rev-list", "HEAD").split():
        repo.git("notes", "add", "-m", f"{TASK} {GOLD}", old)
    repo.git("config", "notes.displayRef", "refs/notes/*")


def _replaced(repo: GitRepo, commit: str) -> None:
    repo.git("replace", "HEAD~1", commit)
    assert TASK in repo.git("log", "--format=%s")  # git itself shows the future as the past


def _grafted(repo: GitRepo, commit: str) -> None:
    head = repo.git("rev-parse", "HEAD")
    (repo.root / ".git" / "info" / "grafts").write_text(f"{head} {commit}\n")
    assert TASK in repo.git("log", "--format=%s")


def _worktree(repo: GitRepo, commit: str) -> None:
    repo.git("worktree", "add", "--quiet", str(repo.root.parent / "linked"), "future")


def _packed(repo: GitRepo, commit: str) -> None:
    repo.git("gc", "--quiet", "--prune=now")
    repo.git("commit-graph", "write", "--reachable", "--changed-paths")


def _merging(repo: GitRepo, commit: str) -> None:
    (repo.root / ".git" / "MERGE_HEAD").write_text(f"{commit}\n")
    (repo.root / ".git" / "MERGE_MSG").write_text(TASK)
    (repo.root / ".git" / "ORIG_HEAD").write_text(f"{commit}\n")


PLACES = {
    "branch": _branch, "tag": _tag, "remote branch": _remote_branch, "stash": _stash,
    "reflog": _reflog, "FETCH_HEAD": _fetched, "notes": _notes, "replace ref": _replaced,
    "grafts": _grafted, "linked worktree": _worktree, "packs and commit graph": _packed,
    "merge heads": _merging,
}  # fmt: skip


@pytest.mark.parametrize("plant", PLACES.values(), ids=PLACES)
def test_a_future_that_is_no_ancestor_changes_no_byte(
    tmp_path: Path,
    answers: Callable[[Path], str],
    expected: str,
    plant: Callable[[GitRepo, str], None],
) -> None:
    repo = make_base(tmp_path / "with")
    plant(repo, add_future(repo))
    assert repo.git("status", "--porcelain") == ""
    assert answers(repo.root) == expected


def test_the_same_commit_as_an_ancestor_does_change_the_scores(
    tmp_path: Path, answers: Callable[[Path], str], expected: str
) -> None:
    """The control: the files are those of the base again, only the history knows."""
    repo = make_base(tmp_path / "with")
    base = repo.git("rev-parse", "HEAD")
    repo.git("reset", "--quiet", "--hard", add_future(repo))
    repo.git("rm", "--quiet", "-r", ".")
    repo.git("checkout", base, "--", ".")
    repo.commit(message="Back to how it was")
    assert repo.git("diff", "--stat", base) == ""
    leaked = answers(repo.root)
    assert leaked != expected
    scores = [
        {hit["path"]: hit["score"] for hit in json.loads(text)[1]["hits"]}[GOLD]
        for text in (expected, leaked)
    ]
    assert scores[1] > scores[0]


@pytest.mark.parametrize("way", ["switch", "reset", "detach"])
def test_an_index_that_was_in_the_future_forgets_it(
    tmp_path: Path, answers: Callable[[Path], str], expected: str, way: str
) -> None:
    """Also what is kept of the future's files for the next switch counts in no statistic."""
    repo = make_base(tmp_path / "with")
    base = repo.git("rev-parse", "HEAD")
    add_future(repo)
    repo.git("switch", "--quiet", "future")
    ahead = answers(repo.root)
    assert ahead != expected
    words = {
        "switch": ("switch", "main"), "reset": ("reset", "--hard", base),
        "detach": ("checkout", "--detach", base),
    }  # fmt: skip
    repo.git(*words[way], "--quiet")
    assert answers(repo.root) == expected
    assert differences(live_rows(repo.root), fresh_rows(repo.root)) == {}


def test_dates_of_files_and_of_the_checkout_say_nothing(
    tmp_path: Path, answers: Callable[[Path], str], expected: str
) -> None:
    repo = make_base(tmp_path / "with")
    (repo.root / GOLD).unlink()
    repo.git("checkout", "--", GOLD)  # the newest file, and the last in its directory
    for number, path in enumerate(sorted(FILES)):
        if path != GOLD:
            os.utime(repo.root / path, ns=(number, 10**18 - number * 10**15))
    os.utime(repo.root / GOLD, ns=(4 * 10**18, 4 * 10**18))
    assert answers(repo.root) == expected


def test_uncommitted_and_untracked_files_are_the_users_own_and_count(
    tmp_path: Path, answers: Callable[[Path], str], expected: str
) -> None:
    repo = make_base(tmp_path / "with")
    repo.write({"src/draft.py": f'"""{TASK}"""\n\n\ndef share_bill():\n    pass\n'})
    mine = json.loads(answers(repo.root))
    assert "src/draft.py" in {hit["path"] for hit in mine[1]["hits"]}
    # What is ignored is not theirs to be judged by: it is never read.
    (repo.root / ".git" / "info" / "exclude").write_text("/.clean_room/\n/src/draft.py\n")
    assert answers(repo.root) == expected


def test_the_index_of_one_commit_is_that_of_a_checkout_of_it(
    tmp_path: Path, answers: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `--at` reads, asked while the future is checked out and indexed."""
    repo = make_base(tmp_path / "with")
    base = CommitId(repo.git("rev-parse", "HEAD"))
    add_future(repo)
    repo.git("switch", "--quiet", "future")
    answers(repo.root)
    invocation = Invocation(repo.root, json=True)
    with (
        recorded_run(invocation, "ask", []) as run,
        open_room(invocation, run, ()) as room,
        open_at(room, base) as view,
    ):
        at_base = live_rows(view.root)
    alone = make_base(tmp_path / "without").root
    index_repository(open_repository(alone), repo_path=alone)
    assert differences(at_base, live_rows(alone)) == {}
    assert differences(at_base, live_rows(repo.root)) != {}


def test_a_clone_that_has_only_the_base_says_the_same(
    tmp_path: Path, answers: Callable[[Path], str], expected: str
) -> None:
    repo = make_base(tmp_path / "with")
    add_future(repo)
    clone = tmp_path / "clone"
    repo.git("clone", "--quiet", "--single-branch", "--branch", "main", str(repo.root), str(clone))
    (clone / ".git" / "info" / "exclude").write_text("/.clean_room/\n")
    assert answers(clone) == expected
    shutil.rmtree(clone / ".clean_room")
    assert answers(clone) == expected
