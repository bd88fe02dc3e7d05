"""No repository makes us run its programs; each attack is shown to work on plain git (G1-G10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import BlobId
from clean_room_agent.repo.files import ScanPolicy, scan
from clean_room_agent.repo.git import Repository, open_repository
from clean_room_agent.repo.objects import MODE_SUBMODULE
from clean_room_agent.repo.worktree import (
    create_worktree,
    export_tree,
    list_worktrees,
    remove_worktree,
)
from tests.support.git import GitRepo, snapshot
from tests.support.hostile import VECTORS, Vector, hostile_repo

POLICY = ScanPolicy(
    language_of=lambda path, data, executable: None, is_test=lambda path, language: False
)


def use_everything(root: Path, scratch: Path) -> list[str]:
    """Call every public question and act on a repository; return the errors it answered with."""
    repository = open_repository(root, shadow=scratch / "shadow.git")
    head = repository.head
    assert head is not None
    errors: list[str] = []
    for act in (
        lambda: scan(repository, {}, POLICY),
        lambda: list(repository.history()),
        lambda: repository.resolve("main~1"),
        lambda: repository.is_ancestor(head, head),
        lambda: repository.dirty_paths(head),
        lambda: repository.read_blobs(
            [e.blob_id for e in repository.tree(head).values() if e.mode != MODE_SUBMODULE]
        ),
        lambda: repository.diff({"a.py": b"1\n"}, {"a.py": b"2\n", "notes.txt": b"3\n"}),
        lambda: use_worktrees(repository, scratch),
        lambda: export_tree(repository, head, scratch / "export"),
    ):
        try:
            act()
        except RepositoryError as error:
            errors.append(str(error))
    return errors


def use_worktrees(repository: Repository, scratch: Path) -> None:
    assert repository.head is not None
    made = create_worktree(repository, repository.head, scratch / "wt")
    (made.path / "a.py").write_text("changed\n")
    assert [w.path for w in list_worktrees(repository)] == [made.path]
    assert not remove_worktree(repository, made).removed
    assert remove_worktree(repository, made, salvage_to=scratch / "salvage").removed


@pytest.mark.reliability(case=1)
@pytest.mark.reliability(case=2)
@pytest.mark.reliability(case=3)
@pytest.mark.reliability(case=4)
@pytest.mark.reliability(case=5)
@pytest.mark.reliability(case=8)
@pytest.mark.reliability(case=9)
@pytest.mark.reliability(case=96)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_no_planted_program_runs_and_the_attack_is_real(tmp_path: Path, vector: Vector) -> None:
    repo = hostile_repo(tmp_path / "repo", vector)

    errors = use_everything(repo.root, tmp_path / "ours")

    assert repo.ran() == []
    if not repo.missing_blob:
        assert errors == []
    vector.control(repo)
    assert repo.ran() != [], "the negative control shows no attack, so the guard shows nothing"


@pytest.mark.reliability(case=5)
def test_every_attack_at_once_runs_nothing(tmp_path: Path) -> None:
    # A missing object would end some calls early; it has a test of its own.
    repo = hostile_repo(tmp_path / "repo", *(v for v in VECTORS if v.name != "promisor"))

    assert use_everything(repo.root, tmp_path / "ours") == []
    assert repo.ran() == []


@pytest.mark.reliability(case=9)
def test_a_missing_object_is_named_and_not_fetched(tmp_path: Path) -> None:
    vector = next(vector for vector in VECTORS if vector.name == "promisor")
    repo = hostile_repo(tmp_path / "repo", vector)
    repository = open_repository(repo.root, shadow=tmp_path / "shadow.git")

    assert repository.is_partial
    with pytest.raises(RepositoryError, match=repo.missing_blob):
        repository.read_blobs([BlobId(repo.missing_blob)])
    assert repo.ran() == []


@pytest.mark.reliability(case=6)
def test_core_worktree_elsewhere_is_refused_with_both_paths(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    repo.commit({"a.py": "new\n"})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.py").write_text("precious\n")
    repo.git("config", "core.worktree", str(elsewhere))
    before = snapshot(elsewhere)

    with pytest.raises(RepositoryError) as caught:
        open_repository(repo.root)

    assert str(elsewhere) in str(caught.value)
    assert str(repo.root) in str(caught.value)
    assert snapshot(elsewhere) == before
    repo.run("checkout", "-f", "HEAD", "--", ".")
    assert snapshot(elsewhere) != before, "plain git was expected to write there"


@pytest.mark.reliability(case=6)
def test_core_worktree_by_worktree_config_is_refused_too(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    repo.commit({"a.py": "new\n"})
    repo.git("config", "extensions.worktreeConfig", "true")
    repo.git("config", "--worktree", "core.worktree", str(tmp_path))

    with pytest.raises(RepositoryError, match=r"core\.worktree"):
        open_repository(repo.root)


@pytest.mark.reliability(case=7)
def test_a_bare_shaped_directory_is_no_repository_but_its_files_are_indexed(tmp_path: Path) -> None:
    vector = next(vector for vector in VECTORS if vector.name == "bare-shaped")
    repo = hostile_repo(tmp_path / "repo", vector)

    with pytest.raises(RepositoryError, match="bare"):
        open_repository(repo.root / "vendor" / "data")
    found = scan(open_repository(repo.root, shadow=tmp_path / "shadow.git"), {}, POLICY)
    assert "vendor/data/config" in [file.path for file in found.files]
    assert repo.ran() == []


@pytest.mark.reliability(case=10)
def test_git_variables_of_the_caller_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = hostile_repo(tmp_path / "repo")
    other = GitRepo(tmp_path / "other")
    other.commit({"other.py": "z = 1\n"})
    hostile = {
        "GIT_DIR": str(other.root / ".git"),
        "GIT_WORK_TREE": str(other.root),
        "GIT_INDEX_FILE": str(other.root / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other.root / ".git" / "objects"),
        "GIT_EXTERNAL_DIFF": str(repo.program("GIT_EXTERNAL_DIFF")),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(repo.program("GIT_CONFIG_COUNT")),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "none"),
        "GIT_CONFIG_PARAMETERS": "'core.pager=false'",
    }
    for key, value in hostile.items():
        monkeypatch.setenv(key, value)

    assert use_everything(repo.root, tmp_path / "ours") == []
    repository = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    assert [listed.path for listed in repository.list_paths()] == [
        "a.py",
        "merged.txt",
        "notes.txt",
        "pkg/b.py",
    ]
    assert repo.ran() == []

    (other.root / "other.py").write_text("z = 2\n")
    repo.run("status", env=hostile)
    repo.run("diff", env=hostile)
    assert repo.ran() == ["GIT_CONFIG_COUNT", "GIT_EXTERNAL_DIFF"]


@pytest.mark.reliability(case=11)
def test_a_shipped_shadow_directory_is_replaced(tmp_path: Path) -> None:
    repo = hostile_repo(tmp_path / "repo")
    shipped = repo.root / ".clean_room" / "shadow.git"
    (shipped / "objects" / "info").mkdir(parents=True)
    (shipped / "refs").mkdir()
    (shipped / "hooks").mkdir()
    (shipped / "HEAD").write_text("ref: refs/heads/none\n")
    (shipped / "objects" / "info" / "alternates").write_text(f"{repo.root}/.git/objects\n")
    program = repo.program("shipped")
    # A bare-looking file that git would obey, were it left in place.
    (shipped / "config").write_text(f"[core]\n\tbare = true\n[alias]\n\tls-files = !{program}\n")

    repository = open_repository(repo.root)
    assert len(repository.list_paths()) == 4

    assert b"alias" not in (shipped / "config").read_bytes()
    assert sorted(p.name for p in shipped.iterdir()) == ["HEAD", "config", "objects", "refs"]
    assert repo.ran() == []


@pytest.mark.reliability(case=11)
def test_a_state_directory_that_is_a_link_is_refused(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    repo.commit({"a.py": "1\n"})
    (tmp_path / "victim").mkdir()
    (repo.root / ".clean_room").symlink_to(tmp_path / "victim")

    with pytest.raises(RepositoryError, match="link"):
        open_repository(repo.root).list_paths()
    assert list((tmp_path / "victim").iterdir()) == []
