"""A commit with a path deeper than can be walked is refused in words, not with a broken stack."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import open_repository
from clean_room_agent.repo.working import MAX_DEPTH
from clean_room_agent.repo.worktree import export_tree
from tests.support.git import GitRepo


def commit_at_depth(repo: GitRepo, depth: int) -> CommitId:
    """A commit made as another program would: no file of it lies in the working tree."""
    content = "data 2\nx\n"
    who = "committer Ada <ada@example.org> 1700000000 +0000\n"
    path = "a/" * depth + "b.txt"
    script = f"commit refs/heads/deep{depth}\n{who}data 1\nxM 100644 inline {path}\n{content}\n"
    subprocess.run(["git", "fast-import", "--quiet"], input=script.encode(), cwd=repo.root,
                   check=True)  # fmt: skip
    return CommitId(repo.git("rev-parse", f"deep{depth}").strip())


def test_a_commit_too_deep_to_walk_is_refused_and_nothing_is_written(
    repo: GitRepo, tmp_path: Path
) -> None:
    commit = commit_at_depth(repo, 1500)
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    with pytest.raises(RepositoryError, match=f"deeper than {MAX_DEPTH} directories"):
        export_tree(opened, commit, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_control_the_deepest_path_that_is_allowed_is_written(repo: GitRepo, tmp_path: Path) -> None:
    commit = commit_at_depth(repo, MAX_DEPTH)
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    assert export_tree(opened, commit, tmp_path / "out").files == 1


def test_control_without_the_check_making_its_directories_breaks_the_stack(tmp_path: Path) -> None:
    with pytest.raises((RecursionError, OSError)):
        (tmp_path / ("a/" * 1500)).mkdir(parents=True)
