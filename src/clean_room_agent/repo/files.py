"""Scans the working tree into hashed `SourceFile`s, reusing what has not changed.

Takes: a `Repository`, what the last scan knew, and a policy (language and test by path, a size
cap). Gives: a `Scan`. Does not know: parsing, databases. One bad file never ends a scan: it
becomes a `SkippedFile` with a reason. Links, FIFOs, sockets, devices, submodules and nested
repositories are never opened; files named like keys are never read, whatever is configured.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from clean_room_agent.records.code import BlobId, SkippedFile, SourceFile
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.ignore import SECRET_REASON, is_secret_name
from clean_room_agent.repo.listing import MODE_NESTED, MODE_UNLISTED, ListedPath
from clean_room_agent.repo.objects import MODE_SUBMODULE, hash_blob
from clean_room_agent.repo.safe_read import kind_of, open_regular, read_handle
from clean_room_agent.repo.working import WorkingTree, reason_for

MAX_FILE_BYTES = 2_000_000

# A write right after a scan began may carry a time just before it: kernels stamp coarsely, and
# some file systems keep whole seconds only.
_COARSE_CLOCK_NS = 50_000_000
_SECONDS_CLOCK_NS = 2_000_000_000
_ID_LENGTHS = {"sha1": 40, "sha256": 64}


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What an earlier scan knew of a path; `inode` and `ctime_ns` are compared unless 0."""

    blob_id: BlobId
    language: str | None
    size_bytes: int
    mtime_ns: int
    inode: int = 0
    ctime_ns: int = 0


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What to keep beside a `SourceFile` so that the next scan can trust it."""

    inode: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class ScanPolicy:
    """How files are labelled and how large one may be.

    `language_of(path, data, executable)` is asked when a file is hashed; an unchanged file keeps
    the language that is known. `is_test(path, language)` is asked of every file.
    """

    language_of: Callable[[str, bytes, bool], str | None]
    is_test: Callable[[str, str | None], bool]
    max_bytes: int = MAX_FILE_BYTES


@dataclass(frozen=True, slots=True)
class Scan:
    """Files in path order, what was skipped, and when it began (hand it to the next scan)."""

    files: tuple[SourceFile, ...]
    skipped: tuple[SkippedFile, ...]
    started_ns: int
    hashed_files: int
    identities: Mapping[str, FileIdentity] = field(repr=False)


class _SkipError(Exception):
    """Why one path is not read."""


def scan(
    repository: Repository,
    known: Mapping[str, KnownFile],
    policy: ScanPolicy,
    *,
    previous_started_ns: int = 0,
) -> Scan:
    """Scan every listed path. A file is hashed unless it equals its `known` entry.

    `previous_started_ns` is `Scan.started_ns` of the scan that `known` comes from: a file
    touched at or after that moment is hashed again (0: every file is).

    Raises:
        RepositoryError: git cannot list the tree.
    """
    started_ns = time.time_ns()
    paths = repository.list_paths()
    work = _Work(policy, known, repository.object_format, previous_started_ns)
    with WorkingTree(repository.root) as tree:
        _scan_paths(tree, paths, work)
    return Scan(
        files=tuple(work.files),
        skipped=tuple(work.skipped),
        started_ns=started_ns,
        hashed_files=work.hashed,
        identities=work.identities,
    )


@dataclass(slots=True)
class _Work:
    policy: ScanPolicy
    known: Mapping[str, KnownFile]
    object_format: str
    previous_ns: int
    files: list[SourceFile] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    identities: dict[str, FileIdentity] = field(default_factory=dict)
    hashed: int = 0


def _scan_paths(tree: WorkingTree, paths: Iterable[ListedPath], work: _Work) -> None:
    current: str | None = None
    parent = -1
    broken = ""
    for listed in paths:
        directory, _, name = listed.path.rpartition("/")
        if directory != current:
            current = directory
            broken = ""
            try:
                parent = tree.directory(directory)
            except OSError as error:
                broken = reason_for(error)
        try:
            reason = broken or _reason_by_name(listed)
            if reason:
                raise _SkipError(_missing(listed, reason))
            _scan_one(listed.path, name, parent, work)
        except _SkipError as skip:
            work.skipped.append(SkippedFile(listed.path, str(skip)))
        except OSError as error:
            work.skipped.append(SkippedFile(listed.path, _missing(listed, reason_for(error))))


def _reason_by_name(listed: ListedPath) -> str:
    if listed.mode == MODE_SUBMODULE:
        return "submodule"
    if listed.mode == MODE_NESTED:
        return "nested repository"
    if listed.mode == MODE_UNLISTED:
        return "directory that cannot be listed"
    return SECRET_REASON if is_secret_name(listed.path) else ""


def _missing(listed: ListedPath, reason: str) -> str:
    if listed.absent_by_design and reason == "vanished":
        return "left out by a sparse checkout"
    return reason


def _scan_one(path: str, name: str, parent: int, work: _Work) -> None:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise _SkipError(kind_of(status.st_mode))
    if status.st_size > work.policy.max_bytes:
        raise _SkipError(f"too large: {status.st_size} bytes")
    entry = work.known.get(path)
    # A repository made anew may name contents by another hash; its files are as they were.
    if entry is not None and len(entry.blob_id) != _ID_LENGTHS[work.object_format]:
        entry = None
    if entry is not None and _unchanged(entry, status, work.previous_ns):
        blob_id, language = entry.blob_id, entry.language
    else:
        data, status = _read(name, parent, work)
        blob_id = hash_blob(data, work.object_format)
        language = work.policy.language_of(path, data, bool(status.st_mode & stat.S_IXUSR))
    work.identities[path] = FileIdentity(status.st_ino, status.st_ctime_ns)
    work.files.append(
        SourceFile(
            path,
            blob_id,
            status.st_size,
            status.st_mtime_ns,
            language,
            work.policy.is_test(path, language),
            bool(status.st_mode & stat.S_IXUSR),
        )
    )


def _unchanged(entry: KnownFile, status: os.stat_result, previous_ns: int) -> bool:
    mtime_ns = status.st_mtime_ns
    if entry.size_bytes != status.st_size or entry.mtime_ns != mtime_ns:
        return False
    if entry.inode and entry.inode != status.st_ino:
        return False
    if entry.ctime_ns and entry.ctime_ns != status.st_ctime_ns:
        return False
    slack = _COARSE_CLOCK_NS if mtime_ns % 1_000_000_000 else _SECONDS_CLOCK_NS
    # A time that was set back hides a later write within the same tick of the clock; the time of
    # the inode cannot be set.
    return max(mtime_ns, entry.ctime_ns) < previous_ns - slack


def _read(name: str, parent: int, work: _Work) -> tuple[bytes, os.stat_result]:
    """Read a file that stays the same while it is read; one more try if it did not."""
    for _ in range(2):
        handle, before = open_regular(name, parent)
        try:
            data = read_handle(handle, work.policy.max_bytes + 1)
            after = os.fstat(handle)
        finally:
            os.close(handle)
        same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
        if same and len(data) == after.st_size:
            work.hashed += 1
            return data, after
    raise _SkipError("changed while it was read")
