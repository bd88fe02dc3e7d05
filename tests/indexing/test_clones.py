"""Whatever way a repository is cloned, checked out or stored, the followed index is a fresh one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from tests.indexing.live import differences, fresh_rows, live_rows
from tests.indexing.support import index, wait_until_trusted
from tests.support.git import GitRepo

FILES = {
    "pkg/__init__.py": "",
    "pkg/one.py": "def alpha():\n    return 1\n\n\ndef base():\n    return alpha()\n",
    "pkg/two.py": "from pkg.one import alpha\n\n\ndef go():\n    return alpha()\n",
    "web/one.ts": "export function go() { return 1; }\n",
}


@pytest.fixture
def origin(tmp_path: Path) -> GitRepo:
    """Five commits, the last but one a rename with a change."""
    repo = GitRepo(tmp_path / "origin")
    repo.commit(FILES, "start")
    repo.commit({"pkg/one.py": FILES["pkg/one.py"] + "# more\n"}, "Fix alpha")
    repo.commit({"web/one.ts": "export function go() { return 2; }\n"}, "go on")
    repo.git("mv", "pkg/two.py", "pkg/three.py")
    repo.commit({"pkg/three.py": FILES["pkg/two.py"] + "# three\n"}, "rename two")
    repo.commit({"pkg/four.py": "from pkg.three import go\n"}, "four")
    repo.git("config", "uploadpack.allowFilter", "true")
    return repo


def _clone(origin: GitRepo, *options: str) -> GitRepo:
    place = origin.root.parent / "clone"
    url = origin.root.as_uri()
    origin.git("-c", "protocol.file.allow=always", "clone", "--quiet", *options, url, str(place))
    clone = GitRepo(place, init=False)
    (place / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    return clone


def _follow(repo: GitRepo) -> dict[str, list[tuple[object, ...]]]:
    index(repo.root)
    followed = live_rows(repo.root)
    assert differences(followed, fresh_rows(repo.root)) == {}
    return followed


def _subjects(rows: dict[str, list[tuple[object, ...]]]) -> set[object]:
    return {row[2] for row in rows["commits"]}


@pytest.mark.reliability(case=81)
def test_a_shallow_clone_is_followed_while_it_is_deepened_step_by_step(origin: GitRepo) -> None:
    clone = _clone(origin, "--depth=1")
    assert _subjects(_follow(clone)) == {"four"}
    for depth, count in ((2, 2), (4, 4), (3, 3)):
        clone.git("fetch", "--quiet", f"--depth={depth}")
        assert len(_subjects(_follow(clone))) == count
    clone.commit({"pkg/five.py": "alpha = 1\n"}, "five")
    assert len(_subjects(_follow(clone))) == 4
    clone.git("fetch", "--quiet", "--unshallow")
    assert len(_subjects(_follow(clone))) == 6


@pytest.mark.reliability(case=81)
def test_a_partial_clone_without_its_remote_is_followed(origin: GitRepo) -> None:
    clone = _clone(origin, "--filter=blob:none")
    clone.git("config", "remote.origin.url", "file:///nowhere/at/all")
    # Old contents are really not here: a rename that is found by likeness would need them.
    missing = clone.run("cat-file", "-e", "HEAD~4:pkg/one.py")
    assert missing.returncode != 0
    before = _follow(clone)
    assert len(_subjects(before)) == 5
    clone.commit({"pkg/five.py": "alpha = 1\n"}, "five")
    assert len(_subjects(_follow(clone))) == 6


@pytest.mark.reliability(case=81)
def test_a_partial_clone_that_became_whole_is_read_as_one(origin: GitRepo) -> None:
    clone = _clone(origin, "--filter=blob:none")
    before = _follow(clone)
    assert ("R" in {row[2] for row in before["commit_files"]}) is False
    clone.git("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--refetch",
              "--no-filter", "origin")  # fmt: skip
    clone.git("config", "--unset", "remote.origin.promisor")
    clone.git("config", "--unset", "remote.origin.partialclonefilter")
    after = _follow(clone)
    assert "R" in {row[2] for row in after["commit_files"]}


@pytest.mark.reliability(case=81)
def test_a_clone_without_trees_says_what_is_missing_and_leaves_the_index(origin: GitRepo) -> None:
    clone = _clone(origin, "--filter=tree:0")
    clone.git("config", "remote.origin.url", "file:///nowhere/at/all")
    with pytest.raises(RepositoryError, match="history cannot be read") as raised:
        index(clone.root)
    assert "partial clone" in raised.value.hint


def test_a_sparse_checkout_is_followed_as_it_widens_and_narrows(origin: GitRepo) -> None:
    clone = _clone(origin)
    seen = []
    for words in (("set", "web"), ("add", "pkg"), ("set", "pkg"), ("disable",)):
        clone.git("sparse-checkout", *words)
        seen.append({row[0] for row in _follow(clone)["files"]})
    assert seen[0] == {b"web/one.ts"}
    assert seen[1] == seen[3] == seen[2] | seen[0]
    assert b"web/one.ts" not in seen[2]


def test_linked_worktrees_have_an_index_each(origin: GitRepo) -> None:
    linked = origin.root.parent / "linked"
    origin.git("worktree", "add", "--quiet", "-b", "side", str(linked))
    (origin.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    work = GitRepo(linked, init=False)
    assert _follow(origin)["commits"] == _follow(work)["commits"]
    work.commit({"pkg/side.py": "def alpha(): pass\n"}, "side only")
    assert "side only" in _subjects(_follow(work))
    assert "side only" not in _subjects(_follow(origin))
    origin.git("merge", "--quiet", "side")
    assert "side only" in _subjects(_follow(origin))


def test_a_detached_head_and_an_unborn_branch_are_followed(origin: GitRepo) -> None:
    (origin.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    whole = _follow(origin)
    origin.git("checkout", "--quiet", "--detach", "HEAD~3")
    assert len(_subjects(_follow(origin))) == 2
    origin.git("switch", "--quiet", "--orphan", "empty")
    bare = _follow(origin)
    assert (bare["files"], bare["commits"], bare["cochange"]) == ([], [], [])
    origin.git("switch", "--quiet", "main")
    assert _follow(origin) == whole


def test_packed_refs_and_packed_objects_change_nothing(origin: GitRepo) -> None:
    before = _follow(origin)
    origin.git("pack-refs", "--all")
    origin.git("gc", "--quiet", "--prune=now")
    origin.git("commit-graph", "write", "--reachable")
    assert _follow(origin) == before
    origin.commit({"pkg/one.py": "alpha = 2\n"}, "after packing")
    assert len(_subjects(_follow(origin))) == 6


@pytest.mark.parametrize("first", ["indexed", "replaced"])
def test_grafts_and_replaced_objects_do_not_change_what_the_history_is(
    origin: GitRepo, first: str
) -> None:
    (origin.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    plain = fresh_rows(origin.root)
    if first == "indexed":
        assert _follow(origin) == plain
    head = origin.git("rev-parse", "HEAD")
    origin.git("replace", "HEAD~1", "HEAD~3")
    (origin.root / ".git" / "info" / "grafts").write_text(f"{head}\n")
    # Git itself, asked as a user would, does show another history now.
    assert len(origin.git("log", "--format=%H").split()) < 5
    assert _follow(origin) == plain


@pytest.mark.reliability(case=81)
def test_a_history_rewritten_from_its_root_replaces_the_old_one(origin: GitRepo) -> None:
    (origin.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    _follow(origin)
    parent: list[str] = []
    for commit in origin.git("rev-list", "--reverse", "HEAD").split():
        new = origin.git("commit-tree", f"{commit}^{{tree}}", *parent, "-m", f"new {commit[:7]}")
        parent = ["-p", new]
    origin.git("reset", "--quiet", "--hard", parent[1])
    origin.git("reflog", "expire", "--expire=now", "--all")
    origin.git("gc", "--quiet", "--prune=now")
    subjects = _subjects(_follow(origin))
    assert len(subjects) == 5
    assert all(str(subject).startswith("new ") for subject in subjects)


def test_a_repository_made_anew_with_another_hash_is_indexed_by_it(origin: GitRepo) -> None:
    exclude = origin.root / ".git" / "info" / "exclude"
    exclude.write_text(".clean_room/\n")
    wait_until_trusted(exclude)
    _follow(origin)
    shutil.rmtree(origin.root / ".git")
    origin.git("init", "--quiet", "--object-format=sha256")
    exclude.write_text(".clean_room/\n")
    assert {len(str(row[2])) for row in _follow(origin)["files"]} == {64}
