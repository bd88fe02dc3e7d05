"""Ignore rules: the same answer as git's own, on benign repositories (reliability case 83)."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from clean_room_agent.repo.git import open_repository
from tests.support.git import GitRepo

NAMES = ("a.py", "b.log", "build", "keep.log", "x y", "#odd", "!bang", "data.txt", "[z]", "deep")
PATTERNS = (
    "*.log", "!keep.log", "build/", "/build", "deep/**/a.py", "**/data.txt", "x\\ y", "x y",
    "\\#odd", "\\!bang", "[ab].*", "d?ta.txt", "deep/*", "!deep/deep", "# note", "", "*",
    "!*/", "!*.py", "/deep/build/", "\\[z\\]", "data.txt ", "deep",
)  # fmt: skip


def git_answer(repo: GitRepo) -> list[str]:
    """Tracked files, and untracked ones that plain `git check-ignore` does not name."""
    tracked = set(repo.git("ls-files", "-z").split("\0")) - {""}
    disk = [
        str(Path(directory, name).relative_to(repo.root))
        for directory, _, names in os.walk(repo.root)
        for name in names
        if "/.git/" not in f"{directory}/"
    ]
    asked = repo.run("check-ignore", "-z", "--stdin", stdin="\0".join(disk).encode())
    ignored = set(asked.stdout.decode().split("\0"))
    return sorted(tracked | {path for path in disk if path not in ignored})


def random_tree(repo: GitRepo, dice: random.Random, ignore_file: str) -> None:
    """A nested tree of the names above, with ignore files in some of its directories."""
    folders = [""] + [
        "/".join(dice.choices(("build", "deep", "x y", "pkg"), k=dice.randint(1, 3)))
        for _ in range(5)
    ]
    for folder in folders:
        for name in dice.sample(NAMES, 5):
            place = repo.root / folder / name
            if not place.exists() and all(not parent.is_file() for parent in place.parents):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text("x\n")
        if (repo.root / folder).is_dir() and dice.random() < 0.6:
            rules = "\n".join(dice.sample(PATTERNS, 4)) + "\n"
            (repo.root / folder / ignore_file).write_text(rules)


@pytest.mark.reliability(case=83)
@pytest.mark.parametrize("seed", range(12))
def test_listing_equals_check_ignore(tmp_path: Path, home: Path, seed: int) -> None:
    dice = random.Random(seed)
    repo = GitRepo(tmp_path / "repo")
    repo.home = home
    random_tree(repo, dice, ".gitignore")
    (repo.root / ".git" / "info").mkdir(exist_ok=True)
    (repo.root / ".git" / "info" / "exclude").write_text("\n".join(dice.sample(PATTERNS, 2)))
    if seed % 3 == 0:
        (home / "globals").write_text("\n".join(dice.sample(PATTERNS, 2)))
        (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/globals\n")
    elif seed % 3 == 1:
        (home / ".config" / "git").mkdir(parents=True)
        (home / ".config" / "git" / "ignore").write_text("\n".join(dice.sample(PATTERNS, 2)))
    # Some of what is ignored is tracked all the same.
    everything = git_answer(repo)
    repo.run("add", "--force", "--", *dice.sample(everything, min(3, len(everything))))

    expected = git_answer(repo)
    assert [entry.path for entry in open_repository(repo.root).list_paths()] == expected


@pytest.mark.reliability(case=83)
@pytest.mark.parametrize("seed", range(8))
def test_our_own_ignore_file_has_gits_meaning(tmp_path: Path, seed: int) -> None:
    """The same rules as `.gitignore` in an untracked twin hide the same files."""
    ours, twin = GitRepo(tmp_path / "ours"), GitRepo(tmp_path / "twin")
    for repo, name in ((ours, ".craignore"), (twin, ".gitignore")):
        random_tree(repo, random.Random(seed), name)
    if seed % 2:
        ours.git("add", "--all")

    listed = {entry.path for entry in open_repository(ours.root).list_paths()}
    expected = {path.replace(".gitignore", ".craignore") for path in git_answer(twin)}
    # A rule may hide the rule file itself, whose name differs between the twins.
    strip = lambda found: {path for path in found if not path.endswith(".craignore")}  # noqa: E731
    assert strip(listed) == strip(expected)


@pytest.mark.reliability(case=83)
def test_tracked_and_untracked_files_are_hidden_by_craignore_alike(repo: GitRepo) -> None:
    repo.write({"pkg/.craignore": "*.py\n!keep.py\n", "pkg/keep.py": "1", "pkg/new.py": "1"})
    listed = [entry.path for entry in open_repository(repo.root).list_paths()]
    assert listed == ["a.py", "pkg/.craignore", "pkg/keep.py"]


def test_our_state_and_gits_are_never_listed(repo: GitRepo) -> None:
    repo.commit({".clean_room/config.toml": "[models]\n", ".gitignore": "!.clean_room\n"})
    listed = [entry.path for entry in open_repository(repo.root).list_paths()]
    assert listed == [".gitignore", "a.py", "pkg/b.py"]


def test_a_craignore_that_is_a_link_is_not_obeyed(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("*\n")
    (repo.root / ".craignore").symlink_to(tmp_path / "rules")
    listed = [entry.path for entry in open_repository(repo.root).list_paths()]
    assert listed == [".craignore", "a.py", "pkg/b.py"]
