"""Edits are strict, all or nothing, and never leave the root (reliability cases 17-24, 26)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
from pathlib import Path

import pytest

from clean_room_agent.errors import EditError
from clean_room_agent.execute import (
    SearchReplace,
    apply_plan,
    invert,
    plan_edits,
    recover,
    resolve_block,
)
from clean_room_agent.execute.paths import check_path
from clean_room_agent.records.attempt import Replacement


def whole(path: str, before: bytes | None, after: bytes) -> Replacement:
    digest = "" if before is None else hashlib.sha256(before).hexdigest()
    return Replacement(path, 0, len(before or b""), after, digest)


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mode)
        for p in sorted(root.rglob("*"))
        if p.is_file() and not p.is_symlink()
    }


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "pkg").mkdir(parents=True)
    (root / "a.py").write_bytes(b"one\ntwo\nthree\n")
    (root / "pkg" / "b.py").write_bytes(b"x = 1\n")
    return root


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.json"


BAD_PATHS = {
    "parent": "../x",
    "absolute": "/etc/x",
    "through-parent": "a/../../x",
    "empty": "",
    "dot": ".",
    "trailing-slash": "pkg/",
    "nul": "a\0b",
    "very-long": "a/" * 2500 + "x",
    "long-component": "x" * 300,
    "backslash-absolute": "\\x",
    "double-slash": "pkg//b.py",
}


@pytest.mark.reliability(case=17)
@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_a_path_that_leaves_the_tree_is_refused_and_nothing_is_written(
    tree: Path, path: str
) -> None:
    before = snapshot(tree)
    good = whole("a.py", b"one\ntwo\nthree\n", b"changed\n")
    with pytest.raises(EditError):
        plan_edits(tree, [good, whole(path, None, b"evil")])
    assert snapshot(tree) == before


@pytest.mark.reliability(case=17)
def test_without_the_check_a_parent_path_does_escape(tree: Path) -> None:
    (tree / "../x").write_bytes(b"evil")
    assert (tree.parent / "x").read_bytes() == b"evil"


@pytest.mark.reliability(case=18)
@pytest.mark.parametrize("kind", ["file", "parent"])
def test_a_link_out_of_the_tree_is_not_followed(tree: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim.py").write_bytes(b"keep\n")
    if kind == "file":
        (tree / "link.py").symlink_to(outside / "victim.py")
        path = "link.py"
    else:
        (tree / "dir").symlink_to(outside)
        path = "dir/victim.py"
    # The attack works where links are followed.
    assert (tree / path).read_bytes() == b"keep\n"
    with pytest.raises(EditError, match="link"):
        plan_edits(tree, [whole(path, b"keep\n", b"evil\n")])
    assert (outside / "victim.py").read_bytes() == b"keep\n"


@pytest.mark.reliability(case=18)
def test_a_parent_swapped_for_a_link_between_check_and_write_is_refused(
    tree: Path, tmp_path: Path, journal: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_bytes(b"x = 1\n")
    plan = plan_edits(tree, [whole("pkg/b.py", b"x = 1\n", b"x = 2\n")])

    def swap(point: str) -> None:
        if point == "apply.after_journal":
            (tree / "pkg").rename(tree / "was")
            (tree / "pkg").symlink_to(outside)

    with pytest.raises(EditError):
        apply_plan(tree, plan, journal=journal, between=swap)
    assert (outside / "b.py").read_bytes() == b"x = 1\n"
    assert not journal.exists()


REFUSED = [
    ".git/config",
    "sub/.git/hooks/x",
    ".GIT/config",
    ".gitmodules",
    ".clean_room/raw.sqlite",
]


@pytest.mark.reliability(case=19)
@pytest.mark.parametrize("path", REFUSED)
def test_git_and_our_own_files_are_never_edited(path: str) -> None:
    with pytest.raises(EditError):
        check_path(path, allow_ci=True)


@pytest.mark.reliability(case=19)
def test_workflow_files_need_explicit_permission() -> None:
    path = ".github/workflows/ci.yml"
    with pytest.raises(EditError, match="permission"):
        check_path(path)
    assert check_path(path, allow_ci=True)[-1] == "ci.yml"


@pytest.mark.reliability(case=20)
def test_the_new_name_of_a_move_is_checked_like_the_old_one(tree: Path) -> None:
    move = [whole("a.py", b"one\ntwo\nthree\n", b""), whole("../a.py", None, b"one\n")]
    before = snapshot(tree)
    with pytest.raises(EditError):
        plan_edits(tree, move)
    assert snapshot(tree) == before


@pytest.mark.reliability(case=21)
def test_a_search_text_must_occur_exactly_once() -> None:
    content = b"def area(w, h):\n    return w * h\n\ndef twice(w):\n    return w * 2\n"
    with pytest.raises(EditError, match="nearest lines: 1: def area") as missing:
        resolve_block(SearchReplace("a.py", b"def area(w, hh):", b"x"), content)
    assert "does not occur" in str(missing.value)
    with pytest.raises(EditError, match="more than once"):
        resolve_block(SearchReplace("a.py", b"return w *", b"x"), content)
    with pytest.raises(EditError, match="more than once"):
        resolve_block(SearchReplace("a.py", b"aa", b"x"), b"aaa")
    found = resolve_block(SearchReplace("a.py", b"w * h", b"w + h"), content)
    assert found is not None
    assert content[found.start_byte : found.end_byte] == b"w * h"


@pytest.mark.reliability(case=26)
def test_a_block_that_was_applied_before_is_no_failure() -> None:
    assert resolve_block(SearchReplace("a.py", b"old", b"new"), b"new\n") is None
    assert resolve_block(SearchReplace("a.py", b"same", b"same"), b"same\n") is None


@pytest.mark.reliability(case=22)
def test_failure_of_a_later_file_puts_the_earlier_ones_back(tree: Path, journal: Path) -> None:
    plan = plan_edits(
        tree,
        [whole("a.py", b"one\ntwo\nthree\n", b"1\n"), whole("pkg/b.py", b"x = 1\n", b"x = 2\n")],
    )
    before = snapshot(tree)

    def fail(point: str) -> None:
        if point == "apply.between_files":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(EditError, match="put back"):
        apply_plan(tree, plan, journal=journal, between=fail)
    assert snapshot(tree) == before


@pytest.mark.reliability(case=22)
def test_a_writer_killed_between_files_is_rolled_back_from_its_journal(
    tree: Path, journal: Path
) -> None:
    plan = plan_edits(
        tree,
        [whole("a.py", b"one\ntwo\nthree\n", b"1\n"), whole("pkg/b.py", b"x = 1\n", b"x = 2\n")],
    )
    before = snapshot(tree)
    child = os.fork()
    if child == 0:

        def die(point: str) -> None:
            if point == "apply.between_files":
                os.kill(os.getpid(), signal.SIGKILL)

        with contextlib.suppress(BaseException):
            apply_plan(tree, plan, journal=journal, between=die)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert snapshot(tree) != before  # the kill did leave half a change
    with pytest.raises(EditError, match="interrupted"):
        apply_plan(tree, plan, journal=journal)
    assert recover(tree, journal) == (["a.py"], [])
    assert snapshot(tree) == before


@pytest.mark.reliability(case=22)
def test_recovery_leaves_a_file_that_the_user_edited_since(tree: Path, journal: Path) -> None:
    plan = plan_edits(tree, [whole("a.py", b"one\ntwo\nthree\n", b"1\n")])
    child = os.fork()
    if child == 0:
        apply_plan(
            tree, plan, journal=journal, between=lambda _p: os.kill(os.getpid(), signal.SIGKILL)
        )
    os.waitpid(child, 0)
    (tree / "a.py").write_bytes(b"the user's\n")
    assert recover(tree, journal) == ([], ["a.py"])
    assert (tree / "a.py").read_bytes() == b"the user's\n"


@pytest.mark.reliability(case=23)
def test_a_file_that_changed_on_disk_is_not_overwritten(tree: Path, journal: Path) -> None:
    edit = whole("a.py", b"one\ntwo\nthree\n", b"1\n")
    plan = plan_edits(tree, [edit])
    (tree / "a.py").write_bytes(b"the user's\n")
    with pytest.raises(EditError, match="changed since"):
        plan_edits(tree, [edit])
    with pytest.raises(EditError, match="changed since"):
        apply_plan(tree, plan, journal=journal)
    assert (tree / "a.py").read_bytes() == b"the user's\n"


CONTENTS = {
    "crlf": b"a\r\nTARGET\r\nb\r\n",
    "mixed": b"a\nTARGET\r\nb\rc\n",
    "bom": b"\xef\xbb\xbfa\nTARGET\n",
    "no-final-newline": b"a\nTARGET",
    "tabs": b"\tif x:\n\t\tTARGET\n",
    "latin-1": b"caf\xe9 TARGET \xff\n",
    "utf-16": "a TARGET b\n".encode("utf-16-le").replace(b"T\0A\0R\0G\0E\0T\0", b"TARGET"),
}


@pytest.mark.reliability(case=24)
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_bytes_outside_the_edited_span_and_the_mode_are_identical(
    tree: Path, journal: Path, content: bytes
) -> None:
    path = tree / "run.sh"
    path.write_bytes(content)
    path.chmod(0o755)
    edit = resolve_block(SearchReplace("run.sh", b"TARGET", b"NEW"), content)
    assert edit is not None
    apply_plan(tree, plan_edits(tree, [edit]), journal=journal)
    assert path.read_bytes() == content.replace(b"TARGET", b"NEW")
    assert path.stat().st_mode & 0o777 == 0o755


def test_an_inverted_plan_restores_created_changed_and_removed_files(
    tree: Path, journal: Path
) -> None:
    before = snapshot(tree)
    plan = plan_edits(
        tree, [whole("new/deep/c.py", None, b"c\n"), whole("a.py", b"one\ntwo\nthree\n", b"1\n")]
    )
    apply_plan(tree, plan, journal=journal)
    assert (tree / "new/deep/c.py").read_bytes() == b"c\n"
    apply_plan(tree, invert(plan), journal=journal)
    assert snapshot(tree) == before


def test_overlapping_ranges_are_refused(tree: Path) -> None:
    digest = hashlib.sha256(b"one\ntwo\nthree\n").hexdigest()
    edits = [Replacement("a.py", 0, 5, b"", digest), Replacement("a.py", 3, 6, b"", digest)]
    with pytest.raises(EditError, match="overlap"):
        plan_edits(tree, edits)


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_regular_file_is_refused_without_blocking(tree: Path, kind: str) -> None:
    target = tree / "odd"
    os.mkfifo(target) if kind == "fifo" else target.mkdir()
    with pytest.raises(EditError):
        plan_edits(tree, [whole("odd", None, b"x")])
