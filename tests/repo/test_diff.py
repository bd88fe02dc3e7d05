"""Diffs that git itself accepts: applying one to `before` gives `after`, byte for byte."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from clean_room_agent.errors import EditError
from clean_room_agent.repo.git import open_repository
from tests.support.git import GitRepo, snapshot

CASES: dict[str, tuple[dict[str, bytes], dict[str, bytes]]] = {
    "changed": ({"a.py": b"1\n2\n3\n"}, {"a.py": b"1\ntwo\n3\n"}),
    "new": ({}, {"pkg/deep/new.py": b"x\n"}),
    "deleted": ({"a.py": b"1\n"}, {}),
    "emptied": ({"a.py": b"1\n"}, {"a.py": b""}),
    "new-and-empty": ({}, {"a.py": b""}),
    "no-newline-at-the-end": ({"a.py": b"1\n2"}, {"a.py": b"1\n3"}),
    "newline-added": ({"a.py": b"1"}, {"a.py": b"1\n"}),
    "crlf-and-bom": ({"a.py": b"\xef\xbb\xbf1\r\n2\r\n"}, {"a.py": b"\xef\xbb\xbf1\r\n3\n"}),
    "binary": ({"a.bin": b"\0\1\2" * 50}, {"a.bin": b"\0\1\3" * 50}),
    "not-utf8": ({"a.py": b"caf\xe9\n"}, {"a.py": b"caf\xe8\n"}),
    "odd-names": (
        {"sp ace": b"1\n", 'quo"te': b"1\n", "tab\t": b"1\n", "\udcff": b"1\n", "é": b"1\n"},
        {
            "sp ace": b"2\n",
            'quo"te': b"2\n",
            "tab\t": b"2\n",
            "\udcff": b"2\n",
            "new\nline": b"2\n",
        },
    ),
    "sort-order": (
        {"a.b": b"1\n", "a/b": b"1\n", "a0": b"1\n"},
        {"a.b": b"2\n", "a/b": b"2\n", "a0": b"2\n"},
    ),
}


def files_of(root: Path) -> dict[str, bytes]:
    found = snapshot(root)
    return {p: data for p, (mode, data) in found.items() if mode & 0o100000 and ".git/" not in p}


@pytest.mark.reliability(case=24)
@pytest.mark.parametrize("name", CASES)
def test_git_apply_accepts_the_diff(repo: GitRepo, tmp_path: Path, name: str) -> None:
    before, after = CASES[name]
    patch = open_repository(repo.root).diff(before, after)
    target = GitRepo(tmp_path / "target")
    target.write(before)
    target.git("apply", "-", stdin=patch)
    assert files_of(target.root) == after


def test_it_is_written_as_git_writes_it(repo: GitRepo) -> None:
    patch = open_repository(repo.root).diff({"a.py": b"x = 1\n"}, {"a.py": b"x = 2\n"})
    repo.write({"a.py": "x = 2\n"})
    assert patch.decode() == repo.git("diff", "--full-index", "a.py") + "\n"


def test_modes_and_types_show(repo: GitRepo) -> None:
    patch = open_repository(repo.root).diff(
        {"run.sh": b"1\n", "l": b"target"},
        {"run.sh": b"1\n", "l": b"target"},
        modes_after={"run.sh": "100755", "l": "120000"},
    )
    assert b"old mode 100644\nnew mode 100755" in patch
    assert b"new file mode 120000" in patch


def test_equal_files_make_no_diff(repo: GitRepo) -> None:
    assert open_repository(repo.root).diff({"a": b"1"}, {"a": b"1"}) == b""


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/", ".git/config", "a/.GIT/x", "."])
def test_unsafe_paths_are_refused(repo: GitRepo, path: str) -> None:
    with pytest.raises(EditError):
        open_repository(repo.root).diff({}, {path: b"1"})


@pytest.mark.parametrize("seed", range(5))
def test_random_edits_survive_the_round_trip(repo: GitRepo, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    lines = [b"line %d\n" % dice.randint(0, 5) for _ in range(60)]
    edited = [line for line in lines if dice.random() > 0.2]
    for _ in range(5):
        edited.insert(dice.randint(0, len(edited)), b"new\n")
    before, after = {"f": b"".join(lines)}, {"f": b"".join(edited)[: dice.choice((-1, None))]}
    target = GitRepo(tmp_path / "target")
    target.write(before)
    target.git("apply", "-", stdin=open_repository(repo.root).diff(before, after))
    assert files_of(target.root) == after
