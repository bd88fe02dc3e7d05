"""The history stream: every commit once, newest first, whatever git lets a commit contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import CommitId, FileChange
from clean_room_agent.repo.git import open_repository
from tests.support.git import AUTHOR, GitRepo


def test_commits_come_newest_first_with_what_they_touched(repo: GitRepo) -> None:
    repo.git("mv", "a.py", "renamed.py")
    repo.commit(message="move it\n\nBody line one\n\n:not 100644 a change\n")
    repo.git("rm", "-q", "pkg/b.py")
    repo.commit(message="drop")
    facts = list(open_repository(repo.root).history())

    assert [fact.subject for fact in facts] == ["drop", "move it", "second", "first"]
    assert facts[0].changes == (FileChange("pkg/b.py", "D"),)
    assert facts[1].changes == (FileChange("renamed.py", "R", "a.py"),)
    assert facts[1].body == "Body line one\n\n:not 100644 a change"
    assert {change.path for change in facts[3].changes} == {"a.py", "pkg/b.py"}
    assert facts[3].author_time == 1_700_000_060
    assert [fact.commit_id for fact in facts] == repo.git("rev-list", "HEAD").split()


def test_only_commits_after_a_known_one_are_given(repo: GitRepo) -> None:
    known = CommitId(repo.git("rev-parse", "HEAD"))
    new = repo.commit({"c.py": "1"})
    assert [fact.commit_id for fact in open_repository(repo.root).history(known)] == [new]
    assert list(open_repository(repo.root).history(CommitId(new))) == []


@pytest.mark.reliability(case=81)
def test_an_octopus_merge_is_flagged_and_carries_no_files(repo: GitRepo) -> None:
    for name in ("one", "two"):
        repo.git("checkout", "--quiet", "-b", name, "main")
        repo.commit({f"{name}.py": name})
    repo.git("checkout", "--quiet", "main")
    repo.commit({"main.py": "1"})
    repo.git("merge", "--quiet", "-m", "octopus", "one", "two")
    facts = list(open_repository(repo.root).history())

    assert facts[0].is_merge
    assert facts[0].changes == ()
    assert len(facts) == 6
    assert not any(fact.is_merge for fact in facts[1:])


@pytest.mark.reliability(case=81)
def test_bad_dates_and_encodings_survive(repo: GitRepo) -> None:
    tree = repo.git("rev-parse", "HEAD^{tree}")
    parent = repo.git("rev-parse", "HEAD")
    for number, (when, message, header) in enumerate(
        [
            ("99999999999999999999 +0000", b"far future\n", b""),
            ("-1 +9999", b"before time\n", b""),
            ("1700000000 +0000", b"raw \xff\xfe bytes\n", b""),
            ("1700000000 +0000", b"caf\xe9\n", b"encoding ISO-8859-1\n"),
            ("1700000000 +0000", b"\x82\xa0\n", b"encoding no-such-code\n"),
            ("1700000000 +0000", b"", b""),
        ]
    ):
        body = b"tree %s\nparent %s\n" % (tree.encode(), parent.encode())
        who = f"{AUTHOR} {when}".encode()
        parent = repo.raw_commit(
            body + b"author %s\ncommitter %s\n%s\n%s" % (who, who, header, message)
        )
        assert parent, number
    repo.git("update-ref", "refs/heads/main", parent)
    facts = list(open_repository(repo.root).history())

    assert len(facts) == 8
    subjects = {fact.subject for fact in facts}
    assert {"", "café", "far future", "before time", "raw \ufffd\ufffd bytes"} <= subjects
    assert all(-(2**63) <= fact.author_time < 2**63 for fact in facts)


@pytest.mark.reliability(case=81)
def test_a_shallow_clone_ends_at_its_edge(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"c.py": "1"})
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.root}", str(tmp_path / "shallow"))
    repository = open_repository(tmp_path / "shallow")
    assert repository.is_shallow
    assert len(list(repository.history())) == 2

    repo.git("fetch", "--quiet", "--unshallow", cwd=tmp_path / "shallow")
    deep = open_repository(tmp_path / "shallow")
    assert not deep.is_shallow
    assert len(list(deep.history())) == 3


@pytest.mark.reliability(case=81)
def test_a_partial_clone_gives_its_history_without_a_fetch(repo: GitRepo, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    url = f"file://{repo.root}"
    repo.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", url, str(tmp_path / "part"))
    repo.root.rename(tmp_path / "no-server")
    repository = open_repository(tmp_path / "part")

    assert repository.is_partial
    assert len(list(repository.history())) == 2
    assert repository.head is not None
    entries = repository.tree(repository.head)
    with pytest.raises(RepositoryError, match=entries["a.py"].blob_id):
        repository.read_blobs([entries["a.py"].blob_id])


@pytest.mark.reliability(case=81)
def test_a_rewritten_history_is_told_by_ancestry(repo: GitRepo) -> None:
    old = CommitId(repo.git("rev-parse", "HEAD"))
    repo.git("commit", "--quiet", "--amend", "-m", "rewritten")
    repository = open_repository(repo.root)
    assert repository.head is not None
    assert not repository.is_ancestor(old, repository.head)


@pytest.mark.reliability(case=9)
def test_a_missing_tree_is_an_error_that_names_the_commit(repo: GitRepo) -> None:
    head = repo.git("rev-parse", "HEAD")
    tree = repo.git("rev-parse", "HEAD^{tree}")
    (repo.root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(RepositoryError, match=f"{tree}(.|\n)*{head}"):
        list(open_repository(repo.root).history())


@pytest.mark.reliability(case=75)
def test_odd_file_names_keep_their_bytes(repo: GitRepo) -> None:
    names = ["new\nline", ":100644 x", "tab\there", "\udcff\udcfe", "x" * 255, "esc\x1b[31m"]
    repo.commit(dict.fromkeys(names, "1"))
    newest = next(iter(open_repository(repo.root).history()))
    assert {change.path for change in newest.changes} == set(names)


def test_replace_refs_and_grafts_are_not_obeyed(repo: GitRepo) -> None:
    first, head = repo.git("rev-parse", "HEAD~1"), repo.git("rev-parse", "HEAD")
    repo.git("replace", head, first)
    assert [fact.commit_id for fact in open_repository(repo.root).history()] == [head, first]
