"""Lists what git calls the files of a checkout: tracked, and untracked but not ignored.

Takes: a layout and a shadow. Gives: `ListedPath`. Does not know: contents. The user's index is
read, never written; ignore files are judged by git itself, with the user's own global excludes.
A repository's own `core.excludesFile` is configuration, so it is not obeyed.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError, ShellError
from clean_room_agent.repo.ignore import OWN_DIRECTORY, find_user_excludes, own_ignored
from clean_room_agent.repo.layout import Layout
from clean_room_agent.repo.shadow import Shadow

MODE_NESTED = "040000"
MODE_UNLISTED = "unlisted"
_NEVER_LISTED = (".git", OWN_DIRECTORY)
_UNTRACKED_MODE = "000000"
_LIST_SECONDS = 60.0
# Git cuts a message at 4 kB, so a very long path may lack its end.
_UNLISTED = re.compile(rb"^warning: could not open directory '(.+?)(?:/?': .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ListedPath:
    """One path. `mode` is the index's; `000000` for an untracked file, `040000` for a nested
    repository, `unlisted` for a directory that git could not open. `absent_by_design`: a sparse
    checkout left it out.
    """

    path: str
    mode: str
    tracked: bool
    absent_by_design: bool = False


def list_paths(layout: Layout, shadow: Shadow) -> list[ListedPath]:
    """List what may be read: `list_all` without what `.craignore` excludes."""
    every = list_all(layout, shadow)
    hidden = own_ignored(shadow, layout.root, [listed.path for listed in every])
    return [listed for listed in every if listed.path not in hidden] if hidden else every


def list_all(layout: Layout, shadow: Shadow) -> list[ListedPath]:
    """List tracked and untracked, not ignored paths by name, each once.

    Raises:
        RepositoryError: git cannot read the index or the tree.
    """
    listed = _ls_files(layout, shadow, "-t", "--stage", "--cached", "--others")
    found: dict[str, ListedPath] = {}
    for record in listed.stdout.split(b"\0"):
        if record:
            entry = _parse(record)
            if entry.path.partition("/")[0] not in _NEVER_LISTED:
                found[entry.path] = entry
    for raw in _UNLISTED.findall(listed.stderr):
        path = os.fsdecode(raw)
        found.setdefault(path, ListedPath(path, MODE_UNLISTED, tracked=False))
    return [found[path] for path in sorted(found)]


def list_ignored(layout: Layout, shadow: Shadow) -> list[str]:
    """List the files and folders that git ignores; a folder stands for everything in it.

    A folder with a tracked file is not ignored as a whole. `.craignore` is not asked.

    Raises:
        RepositoryError: git cannot read the index or the tree.
    """
    listed = _ls_files(layout, shadow, "--others", "--ignored", "--directory")
    return [os.fsdecode(path).rstrip("/") for path in listed.stdout.split(b"\0") if path]


def _ls_files(layout: Layout, shadow: Shadow, *options: str) -> shell.Completed:
    """Ask git for paths, as the user's index and ignore files have them."""
    index = layout.git_dir / "index"
    if index.exists() and not stat.S_ISREG(index.stat().st_mode):
        raise RepositoryError("the index is no regular file", where=str(index))
    extra = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(layout.root)}
    shared = sorted(layout.git_dir.glob("sharedindex.*"))
    arguments = ["ls-files", "-z", *options, *_exclude(layout)]
    try:
        listed = _with_shared_index(shadow, arguments, extra, shared)
    except ShellError as error:
        raise RepositoryError(
            f"git cannot list the files: {error.message}",
            where=str(layout.root),
            hint=_explain(layout.root),
        ) from error
    if listed.returncode != 0:
        words = listed.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(f"git cannot list the files: {words}", where=str(layout.root))
    return listed


def _explain(root: Path) -> str:
    """Name the ignore file that git may have waited for: it opens a FIFO as any file."""
    for directory, _, names in os.walk(root):
        place = Path(directory, ".gitignore")
        if ".gitignore" in names and not stat.S_ISREG(place.lstat().st_mode):
            return f"{place} is no regular file: remove it"
    return "the tree may be too large to list in time"


def _with_shared_index(
    shadow: Shadow, arguments: list[str], extra: Mapping[str, str], shared: list[Path]
) -> shell.Completed:
    """Run in the shadow; a split index needs a throw-away copy of it with the shared half."""
    if not shared:
        return shadow.run(*arguments, extra=extra, timeout_seconds=_LIST_SECONDS)
    with tempfile.TemporaryDirectory(prefix="cra-index-") as scratch:
        copy = Path(scratch, "shadow.git")
        shutil.copytree(shadow.ensure(), copy)
        for half in shared:
            if stat.S_ISREG(half.lstat().st_mode):
                shutil.copyfile(half, copy / half.name, follow_symlinks=False)
        return shadow.run(*arguments, extra={**extra, "GIT_DIR": str(copy)})


def _exclude(layout: Layout) -> list[str]:
    """The options of `--exclude-standard`, with the places named; the later file wins."""
    options = []
    for source in (find_user_excludes(os.environ), layout.common_dir / "info" / "exclude"):
        if source is not None and source.is_file():
            options.append(f"--exclude-from={source}")
    return [*options, "--exclude-per-directory=.gitignore"]


def _parse(record: bytes) -> ListedPath:
    if record.startswith(b"? "):
        path = os.fsdecode(record[2:])
        if path.endswith("/"):
            return ListedPath(path[:-1], MODE_NESTED, tracked=False)
        return ListedPath(path, _UNTRACKED_MODE, tracked=False)
    meta, _, name = record.partition(b"\t")
    tag, mode = meta[:1], meta[2:8].decode("ascii")
    return ListedPath(os.fsdecode(name), mode, tracked=True, absent_by_design=tag == b"S")
