"""Writes the files of a commit into an empty directory, byte for byte as they are in git.

Takes: a shadow, a commit, a destination. Gives: `Written`: what was put there and what was not.
Does not know: worktrees, indexes. No filter, line-end conversion or download takes part, so an
LFS pointer is written as the pointer it is, and reported.

Every file is created new, relative to a handle of its directory, before any symbolic link
exists; links come last and only when they cannot lead out of the destination.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import BlobId, CommitId, SkippedFile
from clean_room_agent.repo.objects import (
    MODE_EXECUTABLE,
    MODE_LINK,
    MODE_SUBMODULE,
    TreeEntry,
    read_blobs,
    read_tree,
)
from clean_room_agent.repo.shadow import Shadow
from clean_room_agent.repo.working import MAX_DEPTH, WorkingTree, reason_for

_BATCH_BYTES = 32 << 20
_MAX_BLOB_BYTES = 1 << 29
_LFS_PREFIX = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES = 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Written:
    """What lies in the destination: how many files, LFS pointers among them, and what not."""

    files: int
    lfs_pointers: tuple[str, ...]
    skipped: tuple[SkippedFile, ...]


def write_tree(shadow: Shadow, commit: CommitId, destination: Path) -> Written:
    """Write every file of `commit` below `destination`, which exists and holds no such path.

    Raises:
        RepositoryError: an object is missing, a path is too deep, or a file cannot be written.
    """
    entries = read_tree(shadow, commit, sizes=True)
    _refuse_depth(entries, commit)
    skipped: list[SkippedFile] = []
    plain: dict[str, TreeEntry] = {}
    links: dict[str, TreeEntry] = {}
    submodules: list[str] = []
    for path, entry in entries.items():
        reason = _refusal(path, entry)
        if reason:
            skipped.append(SkippedFile(path, reason))
        elif entry.mode == MODE_SUBMODULE:
            # An empty directory, as git leaves it for a submodule that nobody asked for.
            skipped.append(SkippedFile(path, "submodule"))
            submodules.append(f"{path}/")
        elif entry.mode == MODE_LINK:
            links[path] = entry
        else:
            plain[path] = entry
    try:
        _make_directories(destination, [*plain, *links, *submodules])
        pointers = _write_files(shadow, destination, plain)
        skipped += _write_links(shadow, destination, links)
    except OSError as error:
        raise RepositoryError(
            f"cannot write the files of {commit}: {error.strerror}", where=str(destination)
        ) from error
    return Written(len(plain), tuple(pointers), tuple(skipped))


def _refuse_depth(paths: Iterable[str], commit: CommitId) -> None:
    """Refuse what could be made but neither walked nor removed again."""
    deepest = max(paths, key=lambda path: path.count("/"), default="")
    if deepest.count("/") > MAX_DEPTH:
        raise RepositoryError(
            f"{commit} holds a path deeper than {MAX_DEPTH} directories; it is not written out",
            where=f"{deepest[:80]}...",
            hint="solving needs a copy of the whole commit; move that file up",
        )


def _refusal(path: str, entry: TreeEntry) -> str:
    parts = path.split("/")
    if any(part in ("", ".", "..") or _is_git_name(part) for part in parts):
        return "unsafe path"
    return "too large" if entry.size_bytes > _MAX_BLOB_BYTES else ""


def _is_git_name(part: str) -> bool:
    return part.casefold().rstrip(". ") == ".git" or part.casefold() == "git~1"


def _make_directories(destination: Path, paths: list[str]) -> None:
    made = {""}
    for path in sorted(paths):
        directory = path.rpartition("/")[0]
        if directory not in made:
            (destination / directory).mkdir(parents=True, exist_ok=True)
            made.add(directory)


def _write_files(shadow: Shadow, destination: Path, entries: Mapping[str, TreeEntry]) -> list[str]:
    pointers = []
    with WorkingTree(destination) as tree:
        for batch in _batches(entries):
            blobs = dict(read_blobs(shadow, [entries[path].blob_id for path in batch]))
            for path in batch:
                data = blobs[entries[path].blob_id]
                directory, _, name = path.rpartition("/")
                mode = 0o777 if entries[path].mode == MODE_EXECUTABLE else 0o666
                handle = os.open(name, _CREATE, mode, dir_fd=tree.directory(directory))
                try:
                    _write_all(handle, data)
                finally:
                    os.close(handle)
                if len(data) < _LFS_POINTER_BYTES and data.startswith(_LFS_PREFIX):
                    pointers.append(path)
    return pointers


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _batches(entries: Mapping[str, TreeEntry]) -> Iterator[list[str]]:
    batch: list[str] = []
    total = 0
    for path in sorted(entries):
        size = entries[path].size_bytes
        if batch and total + size > _BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(path)
        total += size
    if batch:
        yield batch


def _write_links(
    shadow: Shadow, destination: Path, links: Mapping[str, TreeEntry]
) -> list[SkippedFile]:
    skipped = []
    targets: dict[BlobId, bytes] = dict(
        read_blobs(shadow, [entry.blob_id for entry in links.values()])
    )
    with WorkingTree(destination) as tree:
        for path in sorted(links):
            target = os.fsdecode(targets[links[path].blob_id])
            if not stays_inside(path, target):
                skipped.append(SkippedFile(path, "symbolic link that leads out of the tree"))
                continue
            directory, _, name = path.rpartition("/")
            try:
                os.symlink(target, name, dir_fd=tree.directory(directory))
            except (OSError, ValueError) as error:
                reason = reason_for(error) if isinstance(error, OSError) else "unusable target"
                skipped.append(SkippedFile(path, f"symbolic link not made: {reason}"))
    return skipped


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at `path` to `target` cannot lead out of the tree or into git's own files.

    `..` may only lead the target: the directory of a link is a real one, so those steps are
    known; after a name that may itself be a link, a `..` could go anywhere.
    """
    if not target or target.startswith("/") or "\0" in target:
        return False
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    if ups > path.count("/"):
        return False
    return not any(part == ".." or _is_git_name(part) for part in parts[ups:])
