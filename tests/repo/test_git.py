"""Opening a repository: facts from files, every refusal with a next step, refs and objects."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import BlobId, CommitId
from clean_room_agent.repo.git import open_repository
from tests.support.git import GitRepo


def test_facts_are_read_without_a_shadow(repo: GitRepo) -> None:
    repository = open_repository(repo.root / "pkg")

    assert repository.root == repo.root
    assert repository.git_dir == repository.common_dir == repo.root / ".git"
    assert (repository.object_format, repository.branch) == ("sha1", "main")
    assert repository.head == repo.git("rev-parse", "HEAD")
    assert not repository.is_shallow
    assert not (repo.root / ".clean_room").exists()


def test_a_missing_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught:
        open_repository(tmp_path)
    assert "git init" in caught.value.hint


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="No such file"):
        open_repository(tmp_path / "none")


def test_a_bare_repository_is_refused(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    with pytest.raises(RepositoryError, match="bare"):
        open_repository(tmp_path / "bare.git")


def test_a_path_inside_the_git_directory_is_refused(repo: GitRepo) -> None:
    with pytest.raises(RepositoryError, match="bare"):
        open_repository(repo.root / ".git" / "refs")


@pytest.mark.reliability(case=81)
def test_an_unborn_branch_has_no_head_and_no_history(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    repo.write({"new.py": "x\n"})
    repository = open_repository(repo.root)

    assert repository.head is None
    assert repository.branch == "main"
    assert list(repository.history()) == []
    assert [listed.path for listed in repository.list_paths()] == ["new.py"]


@pytest.mark.reliability(case=81)
def test_a_detached_head_has_no_branch(repo: GitRepo) -> None:
    repo.git("checkout", "--quiet", "--detach", "HEAD~1")
    repository = open_repository(repo.root)
    assert repository.branch == ""
    assert repository.head == repo.git("rev-parse", "HEAD")


@pytest.mark.reliability(case=81)
def test_a_sha256_repository_is_read_whole(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo", object_format="sha256")
    head = repo.commit({"a.py": "x = 1\n"})
    repository = open_repository(repo.root)

    assert repository.object_format == "sha256"
    assert repository.head == head
    entry = repository.tree(CommitId(head))["a.py"]
    assert repository.hash_bytes(b"x = 1\n") == entry.blob_id
    assert repository.read_blobs([entry.blob_id]) == {entry.blob_id: b"x = 1\n"}
    assert [fact.commit_id for fact in repository.history()] == [head]
    assert len(repository.diff({"a": b"1"}, {"a": b"2"}).split(b"\n")[1]) > 128


@pytest.mark.reliability(case=99)
def test_a_linked_worktree_has_its_own_head(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"), "HEAD~1")
    repository = open_repository(tmp_path / "linked")

    assert repository.root == tmp_path / "linked"
    assert repository.common_dir == repo.root / ".git"
    assert repository.branch == "topic"
    assert repository.head == repo.git("rev-parse", "HEAD~1")
    assert [listed.path for listed in repository.list_paths()] == ["a.py", "pkg/b.py"]


def test_a_submodule_checkout_opens_although_core_worktree_is_set(
    repo: GitRepo, tmp_path: Path
) -> None:
    outer = GitRepo(tmp_path / "outer")
    outer.commit({"a": "1"})
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repo.root), "sub")
    repository = open_repository(outer.root / "sub")

    assert repository.root == outer.root / "sub"
    assert repository.git_dir == outer.root / ".git" / "modules" / "sub"
    assert len(list(repository.history())) == 2


@pytest.mark.reliability(case=100)
@pytest.mark.parametrize("name", ["with space", "new\nline", "byte-\udcff", 'quo"te\\x', "#hash"])
def test_a_root_with_an_odd_name_is_read(tmp_path: Path, name: str) -> None:
    repo = GitRepo(tmp_path / name)
    repo.commit({"a.py": "1\n"})
    repository = open_repository(repo.root)
    assert repository.read_blobs([repository.hash_bytes(b"1\n")])
    assert [listed.path for listed in repository.list_paths()] == ["a.py"]


@pytest.mark.reliability(case=100)
def test_a_symlinked_root_opens_as_the_real_one(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repo.root)
    assert open_repository(tmp_path / "link").root == repo.root


@pytest.mark.reliability(case=100)
def test_a_moved_worktree_is_explained(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    repo.root.rename(tmp_path / "moved")
    with pytest.raises(RepositoryError) as caught:
        open_repository(tmp_path / "linked")
    assert "git worktree repair" in caught.value.hint


@pytest.mark.reliability(case=13)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_another_owners_repository_is_refused_in_gits_words(repo: GitRepo, home: Path) -> None:
    os.chown(repo.root / ".git", 12345, 12345)
    os.chown(repo.root, 12345, 12345)
    with pytest.raises(RepositoryError, match="dubious ownership") as caught:
        open_repository(repo.root)
    assert "*" not in caught.value.hint

    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repo.root}\n")
    assert open_repository(repo.root).root == repo.root


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_names_resolve_as_git_resolves_them(repo: GitRepo, packed: bool) -> None:
    repo.git("tag", "-a", "v1", "-m", "one", "HEAD~1")
    repo.git("branch", "feature/x", "HEAD~1")
    if packed:
        repo.git("pack-refs", "--all")
    repository = open_repository(repo.root)
    head = repo.git("rev-parse", "HEAD")
    for name in ("HEAD", "main", "v1", "feature/x", "main~1", "HEAD^", "refs/tags/v1", head[:9]):
        assert repository.resolve(name) == repo.git("rev-parse", f"{name}^{{commit}}")


@pytest.mark.reliability(case=16)
@pytest.mark.parametrize("name", ["none", "-x", "--all", "HEAD@{1}", "a b", "HEAD:a.py", "..", ""])
def test_what_is_no_revision_is_refused(repo: GitRepo, name: str) -> None:
    with pytest.raises(RepositoryError):
        open_repository(repo.root).resolve(name)


@pytest.mark.reliability(case=16)
def test_a_hundred_thousand_refs_cost_bounded_time(repo: GitRepo) -> None:
    head = repo.git("rev-parse", "HEAD")
    lines = "".join(f"{head} refs/tags/t{number}\n" for number in range(100_000))
    (repo.root / ".git" / "packed-refs").write_text(f"# pack-refs with: sorted\n{lines}")
    started = time.perf_counter()
    repository = open_repository(repo.root)
    assert repository.resolve("t99999") == head
    assert len(list(repository.history())) == 2
    assert time.perf_counter() - started < 5


def test_ancestors_are_told_apart_and_a_lost_commit_is_none(repo: GitRepo) -> None:
    repository = open_repository(repo.root)
    first, second = (CommitId(repo.git("rev-parse", name)) for name in ("HEAD~1", "HEAD"))
    assert repository.is_ancestor(first, second)
    assert not repository.is_ancestor(second, first)
    assert not repository.is_ancestor(CommitId("0" * 39 + "1"), second)


def test_missing_blobs_are_named(repo: GitRepo) -> None:
    lost = BlobId("1234567890" * 4)
    with pytest.raises(RepositoryError, match=lost):
        open_repository(repo.root).read_blobs([lost])


def test_objects_behind_the_repositorys_own_alternates_are_found(
    repo: GitRepo, tmp_path: Path
) -> None:
    repo.git("clone", "--quiet", "--shared", ".", str(tmp_path / "shared"))
    repository = open_repository(tmp_path / "shared")
    assert repository.head is not None
    assert len(repository.tree(repository.head)) == 2
    assert len(list(repository.history())) == 2


def test_a_relative_chain_of_alternates_is_followed(repo: GitRepo, tmp_path: Path) -> None:
    head = repo.git("rev-parse", "HEAD")
    middle, last = GitRepo(tmp_path / "middle"), GitRepo(tmp_path / "last")
    for borrower, lender in ((middle, "repo"), (last, "middle")):
        place = borrower.root / ".git" / "objects" / "info" / "alternates"
        place.write_text(f"../../../{lender}/.git/objects\n")
    (last.root / ".git" / "refs" / "heads" / "main").write_text(f"{head}\n")
    assert len(list(open_repository(last.root).history())) == 2


def test_a_git_directory_whose_files_are_links_is_read(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("pack-refs", "--all")
    for name in ("config", "packed-refs", "objects", "refs"):
        (repo.root / ".git" / name).rename(tmp_path / name)
        (repo.root / ".git" / name).symlink_to(tmp_path / name)
    repository = open_repository(repo.root)
    assert repository.head == repo.git("rev-parse", "HEAD")
    assert len(list(repository.history())) == 2


@pytest.mark.reliability(case=16)
@pytest.mark.parametrize("text", ["--output=x", "HEAD", "a\nb", ""])
def test_only_whole_ids_reach_git(repo: GitRepo, text: str) -> None:
    repository = open_repository(repo.root)
    assert not repository.is_ancestor(CommitId(text), CommitId(text))
    with pytest.raises(RepositoryError, match="object id"):
        repository.tree(CommitId(text))
    with pytest.raises(RepositoryError, match="object id"):
        repository.read_blobs([BlobId(text)])


@pytest.mark.parametrize("target", ["../../etc/passwd", "refs/heads/../../config", "refs/heads/.x"])
def test_a_head_that_names_a_file_outside_refs_is_unborn(repo: GitRepo, target: str) -> None:
    (repo.root / ".git" / "HEAD").write_text(f"ref: {target}\n")
    assert open_repository(repo.root).head is None


def test_dirty_paths_see_bytes_modes_types_deletions_and_new_files(repo: GitRepo) -> None:
    repo.commit({"keep": "1", "gone": "1", "exec": "1", "turned": "1", "edited": "1"})
    (repo.root / "link").symlink_to("keep")
    head = CommitId(repo.commit())
    assert open_repository(repo.root).dirty_paths(head) == []

    (repo.root / "gone").unlink()
    (repo.root / "exec").chmod(0o755)
    (repo.root / "turned").unlink()
    (repo.root / "turned").symlink_to("keep")
    (repo.root / "link").unlink()
    (repo.root / "link").symlink_to("edited")
    repo.write({"edited": "2", "new": "1"})
    expected = ["edited", "exec", "gone", "link", "new", "turned"]
    assert open_repository(repo.root).dirty_paths(head) == expected


def test_a_file_behind_a_link_is_not_read(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("s")
    (repo.root / "out").symlink_to(tmp_path / "outside")
    repository = open_repository(repo.root)
    for path in ("out/secret", "out", "pkg", "../user-home/x", "none", "/etc/passwd", ""):
        with pytest.raises(RepositoryError):
            repository.read_file(path, limit_bytes=100)
    assert repository.read_file("pkg/b.py", limit_bytes=100) == b"y = 2\n"
    with pytest.raises(RepositoryError, match="larger"):
        repository.read_file("pkg/b.py", limit_bytes=3)
