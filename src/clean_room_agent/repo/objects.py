"""Reads trees and blobs of the user's repository through the shadow; hashes without git.

Takes: a shadow git directory and ids. Gives: entries, bytes, yes or no. Does not know: names of
branches, the working tree. A missing object is named, never fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import BlobId, CommitId
from clean_room_agent.repo.shadow import Shadow

MODE_FILE = "100644"
MODE_EXECUTABLE = "100755"
MODE_LINK = "120000"
MODE_SUBMODULE = "160000"

_IDS_PER_PROCESS = 4000
_SHOWN_MISSING = 5
OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What a commit holds at a path. `size_bytes` is -1 unless sizes were asked for."""

    mode: str
    blob_id: BlobId
    size_bytes: int = -1


def read_tree(shadow: Shadow, commit: CommitId, *, sizes: bool = False) -> dict[str, TreeEntry]:
    """Return every file, link and submodule of `commit` by path.

    Raises:
        RepositoryError: the commit or one of its trees is missing.
    """
    options = ["-l"] if sizes else []
    listed = shadow.run("ls-tree", "-r", "-z", *options, "--full-tree", require_id(commit))
    if listed.returncode != 0:
        words = listed.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(f"cannot read this commit's tree: {words}", where=f"commit {commit}")
    entries = {}
    for record in listed.stdout.split(b"\0"):
        if record:
            meta, _, path = record.partition(b"\t")
            mode, _, object_id, *size = meta.decode("ascii").split()
            known = int(size[0]) if size and size[0].isdigit() else -1
            entries[os.fsdecode(path)] = TreeEntry(mode, BlobId(object_id), known)
    return entries


def read_blobs(shadow: Shadow, blob_ids: Collection[BlobId]) -> Iterator[tuple[BlobId, bytes]]:
    """Yield each blob once, in the order of `blob_ids`.

    Raises:
        RepositoryError: after the present ones, when some are missing or no blobs; names them.
    """
    missing: list[str] = []
    for chunk in _chunks(dict.fromkeys(blob_ids)):
        request = "".join(f"{require_id(blob_id)}\n" for blob_id in chunk).encode("ascii")
        answer = shadow.run("cat-file", "--batch", "--buffer", input_bytes=request)
        answer.check("reading objects")
        yield from _parse_batch(answer.stdout, missing)
    if missing:
        shown = ", ".join(missing[:_SHOWN_MISSING])
        more = f" and {len(missing) - _SHOWN_MISSING} more" if len(missing) > _SHOWN_MISSING else ""
        raise RepositoryError(
            f"objects are missing and are not fetched: {shown}{more}",
            where=str(shadow.objects),
            hint="in a partial or shallow clone, fetch them with git first",
        )


def _chunks(blob_ids: Iterable[BlobId]) -> Iterator[list[BlobId]]:
    chunk: list[BlobId] = []
    for blob_id in blob_ids:
        chunk.append(blob_id)
        if len(chunk) == _IDS_PER_PROCESS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _parse_batch(output: bytes, missing: list[str]) -> Iterator[tuple[BlobId, bytes]]:
    place = 0
    while place < len(output):
        end = output.index(b"\n", place)
        words = output[place:end].decode("ascii", "replace").split(" ")
        place = end + 1
        if len(words) != 3:
            missing.append(words[0])
            continue
        size = int(words[2])
        if words[1] == "blob":
            yield BlobId(words[0]), output[place : place + size]
        else:
            missing.append(f"{words[0]} (a {words[1]})")
        place += size + 1


def require_id(object_id: str) -> str:
    """Return `object_id` if it is a whole one; anything else could be read as an option.

    Raises:
        RepositoryError: it is not.
    """
    if not OBJECT_ID.fullmatch(object_id):
        raise RepositoryError(f"not a whole object id: {object_id!r}")
    return object_id


def is_ancestor(shadow: Shadow, ancestor: CommitId, descendant: CommitId) -> bool:
    """Whether `ancestor` is reachable from `descendant`; False when either is not there."""
    if not (OBJECT_ID.fullmatch(ancestor) and OBJECT_ID.fullmatch(descendant)):
        return False
    asked = shadow.run("merge-base", "--is-ancestor", ancestor, descendant)
    return asked.returncode == 0


def peel_to_commit(shadow: Shadow, target: str) -> CommitId | None:
    """Return the commit behind an object id (abbreviated too) with `~n`/`^n` steps."""
    asked = shadow.run("rev-parse", "--verify", "--quiet", target + "^{commit}")
    return CommitId(asked.stdout.decode("ascii").strip()) if asked.returncode == 0 else None


def hash_blob(data: bytes, object_format: str) -> BlobId:
    """Return the id that git gives a blob of `data`."""
    digest = hashlib.sha256() if object_format == "sha256" else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return BlobId(digest.hexdigest())
