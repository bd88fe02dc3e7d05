"""The workspace can be changed by the program whoever owns it, and is never changed itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sandbox.conftest import Box

CHANGE = """
import os
for folder, _, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "a") as target:
            target.write("+")
try:
    os.rename("sub", "moved")
    print("renamed", end=" ")
except OSError as error:
    os.mkdir("moved")
    os.rename("sub/file", "moved/file")
    print(error.errno, end=" ")
os.chmod("run.sh", 0o700)
os.symlink("run.sh", "link")
print(open("moved/file").read(), oct(os.stat("run.sh").st_mode & 0o777), os.access(".", os.W_OK))
"""


def _fill(folder: Path, uid: int) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("text")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid)


def _facts(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Everything about each file but when it was read."""
    found = {}
    for path in folder.rglob("*"):
        info = path.lstat()
        facts = (info.st_mode, info.st_ino, info.st_uid, info.st_size, info.st_mtime_ns)
        found[path] = (*facts, info.st_ctime_ns)
    return found


@pytest.mark.reliability(case=38)
@pytest.mark.parametrize("owner", [0, 1000, 65534])
def test_the_program_owns_what_it_sees(box: Box, owner: int) -> None:
    if os.geteuid() != 0:
        owner = os.geteuid()  # only root can give files away
    _fill(box.workspace, owner)
    before = _facts(box.workspace)
    outcome = box.script(CHANGE)
    # An unprivileged overlay cannot rename a lower folder (18: EXDEV); everything else can.
    plain = box.user == "ordinary" and outcome["facts"]["workspace"] == "overlay"
    assert outcome["head"] == f"{18 if plain else 'renamed'} text+ 0o700 True\n", outcome
    assert _facts(box.workspace) == before
    mine = box.user == "root" or owner == 65534
    expected = "overlay" if box.backend == "namespaces" and mine else "copy"
    assert outcome["facts"]["workspace"] == expected


def test_a_private_tree_of_the_caller_can_be_used(box: Box) -> None:
    _fill(box.workspace, 65534 if box.prefix else os.geteuid())
    for path in box.workspace.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    box.workspace.chmod(0o700)
    assert box.script("print(open('sub/file').read())")["head"] == "text\n"


@pytest.mark.reliability(case=38)
def test_a_workspace_larger_than_its_cap_is_not_started_or_not_copied(box: Box) -> None:
    (box.workspace / "large").write_bytes(b"x" * 4_000_000)
    outcome = box.script("print('ran')", limits={"workspace_bytes": 1_000_000})
    if box.backend == "namespaces":
        assert outcome["head"] == "ran\n", outcome
    else:
        assert outcome["status"] == "not_started", outcome
        assert "No space left" in outcome["reason"]


@pytest.mark.reliability(case=37)
def test_memory_without_a_name_or_a_mapping_is_refused(box: Box) -> None:
    source = """
import os
try:
    os.memfd_create("x")
    print("made")
except OSError as error:
    print(error.errno)
"""
    assert box.script(source)["head"] == "1\n"


@pytest.mark.reliability(case=42)
def test_special_files_in_the_workspace_do_not_reach_the_host(box: Box) -> None:
    """A pipe with a host reader is another pipe inside; opening it there finds nobody."""
    os.mkfifo(box.workspace / "pipe")
    (box.workspace / "pipe").chmod(0o666)
    reader = os.open(box.workspace / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    source = """
import os
try:
    os.write(os.open("pipe", os.O_WRONLY | os.O_NONBLOCK), b"out")
except OSError as error:
    print(type(error).__name__)
"""
    try:
        outcome = box.script(source)
        assert os.read(reader, 10) == b""
    finally:
        os.close(reader)
    assert outcome["status"] in ("completed", "not_started"), outcome
