"""Reads HEAD and the refs of a repository from its files, without a git process.

Takes: a git directory and its common directory. Gives: commit ids by ref name. Does not know:
objects, so a name may point at a tag; `Repository.resolve` peels it. Reftables are no files:
`read_head` then asks git, which runs nothing for a rev-parse.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.layout import Layout
from clean_room_agent.repo.objects import OBJECT_ID
from clean_room_agent.repo.safe_read import read_git_file
from clean_room_agent.repo.shadow import command, environment

_REF_FILE_BYTES = 4096
_PACKED_BYTES = 1 << 29
_MAX_SYMBOLIC_HOPS = 5
_PRIVATE_PREFIXES = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")


@dataclass(frozen=True, slots=True)
class Head:
    """What HEAD names: an object id (None: unborn) and a full ref name (empty: detached)."""

    object_id: str | None
    ref: str


def read_head(layout: Layout) -> Head:
    """Return what HEAD of this checkout points at.

    Raises:
        RepositoryError: HEAD is missing or is neither a ref nor an object id.
    """
    if layout.ref_storage != "files":
        return _head_by_git(layout)
    path = layout.git_dir / "HEAD"
    text = f"ref: {path.readlink()}" if path.is_symlink() else _ref_text(path)
    if text is None:
        raise RepositoryError("HEAD cannot be read", where=str(path))
    if not text.startswith("ref:"):
        if not OBJECT_ID.fullmatch(text):
            raise RepositoryError("HEAD is neither a ref nor a commit", where=str(path))
        return Head(text, "")
    ref = text[len("ref:") :].strip()
    return Head(read_ref(layout, ref), ref)


def read_ref(layout: Layout, name: str) -> str | None:
    """Return the object id of the full ref `name` (`refs/...` or `HEAD`), None if absent."""
    if layout.ref_storage != "files":
        return _rev_parse(layout, name)
    for _ in range(_MAX_SYMBOLIC_HOPS):
        if not _is_safe(name):
            return None
        text = _ref_text(_place(layout, name) / name)
        if text is None:
            return _packed(layout.common_dir / "packed-refs", name)
        if OBJECT_ID.fullmatch(text):
            return text
        if not text.startswith("ref:"):
            return None
        name = text[len("ref:") :].strip()
    return None


def _place(layout: Layout, name: str) -> Path:
    private = not name.startswith("refs/") or name.startswith(_PRIVATE_PREFIXES)
    return layout.git_dir if private else layout.common_dir


def _is_safe(name: str) -> bool:
    """Whether `name` may be joined to a git directory: `HEAD`-like, or under refs, no `..`."""
    if name.startswith("refs/"):
        return all(part and not part.startswith(".") for part in name.split("/"))
    return name.replace("_", "").isalpha() and name.isupper()


def _ref_text(path: Path) -> str | None:
    data = read_git_file(path, limit_bytes=_REF_FILE_BYTES)
    return None if data is None else os.fsdecode(data).strip()


def _packed(path: Path, name: str) -> str | None:
    data = read_git_file(path, limit_bytes=_PACKED_BYTES)
    if data is None:
        return None
    found = data.find(b" " + os.fsencode(name) + b"\n")
    if found < 0:
        return None
    object_id = data[data.rfind(b"\n", 0, found) + 1 : found].decode("ascii", "replace")
    return object_id if OBJECT_ID.fullmatch(object_id) else None


def _head_by_git(layout: Layout) -> Head:
    asked = _ask_real(layout, "symbolic-ref", "--quiet", "HEAD")
    ref = os.fsdecode(asked.stdout).strip() if asked.returncode == 0 else ""
    return Head(_rev_parse(layout, "HEAD"), ref)


def _rev_parse(layout: Layout, name: str) -> str | None:
    asked = _ask_real(layout, "rev-parse", "--quiet", "--verify", name)
    return asked.stdout.decode("ascii").strip() if asked.returncode == 0 else None


def _ask_real(layout: Layout, *arguments: str) -> shell.Completed:
    """Ask git about refs in the real git directory: with our overrides, this runs nothing."""
    return shell.run(
        command(arguments),
        cwd=layout.root,
        env=environment({"GIT_DIR": str(layout.git_dir), "GIT_WORK_TREE": str(layout.root)}),
        timeout_seconds=60.0,
    )
