"""Worktrees and exports: safe writing, clean status, and no removal that loses anybody's work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import Repository, open_repository
from clean_room_agent.repo.materialise import stays_inside
from clean_room_agent.repo.worktree import (
    Worktree,
    create_worktree,
    export_tree,
    list_worktrees,
    remove_worktree,
)
from tests.support.git import GitRepo, snapshot

LFS_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.fixture
def opened(repo: GitRepo, tmp_path: Path) -> Repository:
    return open_repository(repo.root, shadow=tmp_path / "shadow.git")


def make(opened: Repository, place: Path) -> Worktree:
    assert opened.head is not None
    return create_worktree(opened, opened.head, place)


def shared_state(repo: GitRepo) -> dict[str, object]:
    """Everything of the user's repository that a worktree must not change, except its record."""
    inside = snapshot(repo.root / ".git")
    kept = {p: v for p, v in inside.items() if p.partition("/")[0] not in ("worktrees", "objects")}
    return {"git": kept, "tree": snapshot(repo.root), "refs": repo.git("for-each-ref")} | {
        "tree": {p: v for p, v in snapshot(repo.root).items() if not p.startswith(".git")}
    }


@pytest.mark.reliability(case=96)
def test_a_worktree_is_the_commit_and_looks_clean(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    repo.write({"a.py": "the user's own edit\n"})
    made = make(opened, tmp_path / "wt" / "one")

    assert (made.path / "a.py").read_text() == "x = 1\n"
    assert repo.git("status", "--porcelain", "--ignored", cwd=made.path) == ""
    assert repo.git("rev-parse", "HEAD", cwd=made.path) == opened.head
    assert repo.run("symbolic-ref", "-q", "HEAD", cwd=made.path).returncode == 1
    assert (repo.root / "a.py").read_text() == "the user's own edit\n"


@pytest.mark.reliability(case=96)
def test_a_held_config_lock_does_not_stop_it(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    lock = repo.root / ".git" / "config.lock"
    lock.write_text("")
    made = make(opened, tmp_path / "wt")
    assert remove_worktree(opened, made).removed
    assert lock.exists()


@pytest.mark.reliability(case=101)
def test_nothing_of_the_users_repository_changes(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    repo.write({"a.py": "stashed\n"})
    repo.git("stash")
    repo.git("branch", "other", "HEAD~1")
    repo.git("config", "worktree.useRelativePaths", "true")
    repo.git("config", "checkout.defaultRemote", "origin")
    before = shared_state(repo)

    made = make(opened, tmp_path / "wt")
    assert shared_state(repo) == before
    assert remove_worktree(opened, made).removed
    assert shared_state(repo) == before
    assert not (repo.root / ".git" / "worktrees").exists()


@pytest.mark.reliability(case=96)
def test_lfs_pointers_are_written_as_they_are_and_reported(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"big.bin": LFS_POINTER, ".gitattributes": "*.bin filter=lfs -text\n"})
    made = make(open_repository(repo.root), tmp_path / "wt")
    assert made.written is not None
    assert made.written.lfs_pointers == ("big.bin",)
    assert (made.path / "big.bin").read_text() == LFS_POINTER


@pytest.mark.reliability(case=100)
def test_modes_links_and_submodules_are_written_or_named(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"run.sh": "#!/bin/sh\n", "sp ace/new\nline": "1", "by\udcffte": "1", "e": ""})
    (repo.root / "run.sh").chmod(0o755)
    (repo.root / "pkg" / "in").symlink_to("../a.py")
    (repo.root / "out").symlink_to("../../secret")
    (repo.root / "absolute").symlink_to("/etc/passwd")
    (repo.root / "gitlink").symlink_to(".git/config")
    repo.git("add", "--all")
    head = repo.git("rev-parse", "HEAD")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    repo.git("commit", "--quiet", "-m", "odd things")
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    made = make(opened, tmp_path / "wt")

    assert made.written is not None
    assert {skipped.path: skipped.reason for skipped in made.written.skipped} == {
        "out": "symbolic link that leads out of the tree",
        "absolute": "symbolic link that leads out of the tree",
        "gitlink": "symbolic link that leads out of the tree",
        "sub": "submodule",
    }
    assert os.access(made.path / "run.sh", os.X_OK)
    assert (made.path / "pkg" / "in").readlink() == Path("../a.py")
    assert (made.path / "sp ace" / "new\nline").read_text() == "1"
    assert not os.path.lexists(made.path / "out")
    assert repo.git("status", "--porcelain", cwd=made.path) == ""
    assert remove_worktree(opened, made).removed


@pytest.mark.parametrize(
    ("path", "target", "safe"),
    [
        ("l", "a", True),
        ("d/l", "../a", True),
        ("d/e/l", "../../a/b", True),
        ("l", "..", False),
        ("d/l", "../..", False),
        ("l", "/a", False),
        ("l", "", False),
        ("d/l", "x/../../../a", False),
        ("d/l", "x/..", False),
        ("l", ".git/hooks", False),
        ("d/l", "../.GIT/config", False),
        ("l", "./a//b/.", True),
    ],
)
def test_only_links_that_cannot_lead_out_are_made(path: str, target: str, safe: bool) -> None:
    assert stays_inside(path, target) is safe


@pytest.mark.parametrize(
    "name", ["..", ".git", ".GIT", "git~1", ".git."], ids=["up", "git", "case", "dos", "dot"]
)
def test_a_tree_with_unsafe_names_writes_nothing_of_them(
    repo: GitRepo, tmp_path: Path, name: str
) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"evil\n")
    inner = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin",
                     stdin=b"100644 x\0" + bytes.fromhex(blob))  # fmt: skip
    tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin",
                    stdin=b"40000 " + name.encode() + b"\0" + bytes.fromhex(inner))  # fmt: skip
    commit = repo.git("commit-tree", "-m", "evil", tree)
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")

    written = export_tree(opened, CommitId(commit), tmp_path / "deep" / "export")
    assert [skipped.reason for skipped in written.skipped] == ["unsafe path"]
    assert list((tmp_path / "deep" / "export").iterdir()) == []
    assert not (tmp_path / "deep" / "x").exists()


@pytest.mark.reliability(case=97)
@pytest.mark.parametrize("work", ["changed", "staged", "untracked", "deleted", "ahead"])
def test_removal_refuses_when_work_would_be_lost(
    repo: GitRepo, opened: Repository, tmp_path: Path, work: str
) -> None:
    made = make(opened, tmp_path / "wt")
    if work == "untracked":
        (made.path / "new.py").write_text("1")
    elif work == "deleted":
        (made.path / "a.py").unlink()
    else:
        (made.path / "a.py").write_text("mine\n")
    if work in ("staged", "ahead"):
        repo.git("add", "--all", cwd=made.path)
    if work == "ahead":
        repo.git("commit", "--quiet", "-m", "mine", cwd=made.path)

    removal = remove_worktree(opened, made)
    assert not removal.removed
    assert ("ahead" if work == "ahead" else "dirty") in removal.reasons[0]
    assert made.path.exists()


@pytest.mark.reliability(case=97)
def test_salvage_keeps_patch_untracked_files_and_commits(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    made = make(opened, tmp_path / "wt")
    (made.path / "a.py").write_text("committed\n")
    repo.git("commit", "--quiet", "-am", "mine", cwd=made.path)
    mine = repo.git("rev-parse", "HEAD", cwd=made.path)
    (made.path / "a.py").write_text("then edited\n")
    (made.path / "deep").mkdir()
    (made.path / "deep" / "new.bin").write_bytes(b"\0\xff")

    removal = remove_worktree(opened, made, salvage_to=tmp_path / "salvage")

    assert removal.removed
    assert not made.path.exists()
    patch, copy = removal.salvaged
    assert copy.read_bytes() == b"\0\xff"
    target = tmp_path / "target"
    repo.git("clone", "--quiet", ".", str(target))
    repo.git("apply", str(patch), cwd=target)
    assert (target / "a.py").read_text() == "then edited\n"
    assert (target / "deep" / "new.bin").read_bytes() == b"\0\xff"
    assert mine in repo.git("for-each-ref", "refs/cra/salvage")


@pytest.mark.reliability(case=97)
def test_a_worktree_in_use_is_left_alone(opened: Repository, tmp_path: Path) -> None:
    made = make(opened, tmp_path / "wt")
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=made.path, stdin=-1) as user:
        removal = remove_worktree(opened, made, salvage_to=tmp_path / "salvage")
        assert user.stdin is not None
        user.stdin.close()
    assert removal.reasons == (f"in use by process {user.pid}",)
    assert remove_worktree(opened, made).removed


@pytest.mark.reliability(case=98)
def test_locked_and_foreign_worktrees_are_left_alone(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    repo.git("worktree", "add", "--quiet", "--detach", str(theirs))
    made = make(opened, tmp_path / "ours")
    repo.git("worktree", "lock", str(made.path))

    listed = list_worktrees(opened)
    assert [(w.path, w.is_locked) for w in listed] == [(made.path, True)]
    assert remove_worktree(opened, listed[0]).reasons == ("locked",)
    foreign = Worktree("theirs", theirs, made.base, repo.root / ".git" / "worktrees" / "theirs")
    assert remove_worktree(opened, foreign).reasons == ("not registered by us",)
    assert theirs.exists()


@pytest.mark.reliability(case=98)
def test_a_forged_registration_cannot_name_another_directory(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("1")
    admin = repo.root / ".git" / "worktrees" / "forged"
    admin.mkdir(parents=True)
    (admin / "gitdir").write_text(f"{victim}/.git\n")
    (admin / "commondir").write_text("../..\n")
    (admin / "HEAD").write_text(f"{opened.head}\n")
    (admin / "cra-worktree").write_text(f"{opened.head}\n{os.fsencode(victim).hex()}\nforged\n")

    for worktree in list_worktrees(opened):
        remove_worktree(opened, worktree)
    assert (victim / "precious").read_text() == "1"


@pytest.mark.reliability(case=98)
def test_worktrees_left_by_a_crash_are_listed_with_their_base(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    kept, gone = make(opened, tmp_path / "prefix" / "kept"), make(opened, tmp_path / "gone")
    for child in sorted(gone.path.rglob("*"), reverse=True):
        child.rmdir() if child.is_dir() else child.unlink()
    gone.path.rmdir()
    again = open_repository(repo.root, shadow=tmp_path / "shadow.git")

    assert [(w.name, w.exists) for w in list_worktrees(again)] == [("gone", False), ("kept", True)]
    assert [w.path for w in list_worktrees(again, under=tmp_path / "prefix")] == [kept.path]
    for worktree in list_worktrees(again):
        assert worktree.base == opened.head
        assert remove_worktree(again, worktree).removed
    assert list_worktrees(again) == []


@pytest.mark.reliability(case=98)
def test_a_creation_killed_half_way_is_listed_and_removed(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({f"many/{number}.py": f"{number}\n" * 200 for number in range(200)})
    script = (
        "from pathlib import Path; import sys\n"
        "from clean_room_agent.repo.git import open_repository\n"
        "from clean_room_agent.repo.worktree import create_worktree\n"
        "repository = open_repository(Path(sys.argv[1]), shadow=Path(sys.argv[2]))\n"
        "create_worktree(repository, repository.head, Path(sys.argv[3]))\n"
    )
    arguments = [str(repo.root), str(tmp_path / "shadow.git"), str(tmp_path / "wt")]
    child = subprocess.Popen([sys.executable, "-c", script, *arguments])
    while not (tmp_path / "wt" / "many").exists():
        assert child.poll() is None
    child.kill()
    child.wait()

    again = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    (left,) = list_worktrees(again)
    assert not left.is_finished
    assert remove_worktree(again, left).reasons == ("its making was interrupted",)
    assert not (tmp_path / "wt").exists()
    assert not (repo.root / ".git" / "worktrees").exists()


@pytest.mark.reliability(case=98)
def test_a_failed_creation_leaves_nothing(repo: GitRepo, tmp_path: Path) -> None:
    blob = repo.git("rev-parse", "HEAD:a.py")
    (repo.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RepositoryError, match=blob):
        make(open_repository(repo.root, shadow=tmp_path / "shadow.git"), tmp_path / "wt")
    assert not (tmp_path / "wt").exists()
    assert not (repo.root / ".git" / "worktrees").exists()


def test_an_existing_destination_is_refused(opened: Repository, tmp_path: Path) -> None:
    (tmp_path / "wt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryError, match="does not exist"):
        make(opened, tmp_path / "wt")


@pytest.mark.reliability(case=52)
def test_an_export_has_the_files_and_no_git_data(
    repo: GitRepo, opened: Repository, tmp_path: Path
) -> None:
    first = opened.resolve("HEAD~1")
    written = export_tree(opened, first, tmp_path / "export")
    assert written.files == 2
    assert set(snapshot(tmp_path / "export")) == {"a.py", "pkg", "pkg/b.py"}
    assert (tmp_path / "export" / "pkg" / "b.py").read_text() == "y = 1\n"
    with pytest.raises(RepositoryError, match="empty"):
        export_tree(opened, first, tmp_path / "export")


@pytest.mark.reliability(case=100)
def test_line_end_conversion_changes_no_byte(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"lf.txt": "1\n2\n", "crlf.txt": "1\r\n", ".gitattributes": "*.txt eol=crlf\n"})
    repo.git("config", "core.autocrlf", "true")
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    made = make(opened, tmp_path / "wt")
    assert (made.path / "lf.txt").read_bytes() == b"1\n2\n"
    assert remove_worktree(opened, made).removed


@pytest.mark.reliability(case=100)
def test_a_sparse_checkout_gives_a_whole_clean_worktree(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("sparse-checkout", "set", "--no-cone", "/a.py")
    opened = open_repository(repo.root, shadow=tmp_path / "shadow.git")
    made = make(opened, tmp_path / "wt")
    assert (made.path / "pkg" / "b.py").exists()
    assert repo.git("status", "--porcelain", cwd=made.path) == ""
    assert remove_worktree(opened, made).removed
