"""What counts as a change, told by the kernel itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clean_room_agent.repo.git import open_repository
from clean_room_agent.repo.watching import Watch
from tests.support.git import GitRepo

LONG, SHORT = 60.0, 0.3


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo(tmp_path / "repo")
    repo.commit(
        {".gitignore": "node_modules/\n*.log\n", "a.py": "x = 1\n", "build/kept.py": "x = 1\n",
         "node_modules/a.js": "1\n", "sub/inner/b.py": "x = 1\n", "old.log": "1\n"}
    )  # fmt: skip
    (repo.root / ".clean_room").mkdir()
    return repo


@pytest.fixture
def watch(repo: GitRepo) -> Iterator[Watch]:
    with closing(Watch(open_repository(repo.root))) as made:
        yield made


def test_git_says_what_it_ignores_folder_by_folder(repo: GitRepo) -> None:
    repo.write({"build/new.log": "1\n", ".craignore": "a.py\n"})
    ignored = set(open_repository(repo.root).list_ignored())
    assert ignored == {"node_modules", "old.log", "build/new.log"}


@pytest.mark.parametrize(
    "path",
    ["a.py", "new.py", "sub/inner/b.py", "new/folder/c.py", ".gitignore", ".craignore",
     ".git/HEAD", ".git/index", ".git/packed-refs", ".git/refs/heads/main", ".git/info/exclude"],
)  # fmt: skip
def test_what_an_index_could_show_counts(repo: GitRepo, watch: Watch, path: str) -> None:
    watch.ignore(open_repository(repo.root).list_ignored())
    place = repo.root / path
    repo.write({path: place.read_bytes() if place.exists() else b"x = 2\n"})
    assert watch.wait(seconds=LONG)


@pytest.mark.parametrize(
    "path",
    ["node_modules/a.js", "node_modules/deep/new.js", "old.log", ".clean_room/curated.sqlite",
     ".git/FETCH_HEAD", ".git/objects/aa/bb", ".git/refs/tags/one", ".git/refs/heads/main.lock",
     ".git/logs/HEAD"],
)  # fmt: skip
def test_what_no_index_shows_does_not_count(repo: GitRepo, watch: Watch, path: str) -> None:
    watch.ignore(open_repository(repo.root).list_ignored())
    repo.write({path: "2\n"})
    assert not watch.wait(seconds=SHORT)
    # It is not that nothing is heard at all.
    repo.write({"a.py": "x = 2\n"})
    assert watch.wait(seconds=LONG)


def test_what_is_not_said_to_be_ignored_counts(repo: GitRepo, watch: Watch) -> None:
    """The control: without the list, the same change is heard."""
    repo.write({"node_modules/a.js": "2\n"})
    assert watch.wait(seconds=LONG)


def test_while_git_holds_its_index_it_is_not_done(repo: GitRepo, watch: Watch) -> None:
    lock = repo.root / ".git" / "index.lock"
    lock.write_bytes(b"")
    repo.write({"a.py": "x = 2\n"})
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(watch.wait(seconds=LONG)))
    waiting.start()
    waiting.join(SHORT)
    assert (heard, lock.exists()) == ([], True)
    lock.unlink()
    waiting.join()
    assert heard == [True]


def test_a_lock_that_a_killed_git_left_stops_nothing(repo: GitRepo, watch: Watch) -> None:
    lock = repo.root / ".git" / "index.lock"
    lock.write_bytes(b"")
    os.utime(lock, (0, 0))
    repo.write({"a.py": "x = 2\n"})
    assert watch.wait(seconds=LONG)
