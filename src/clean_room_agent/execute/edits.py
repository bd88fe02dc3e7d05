"""Turn proposed replacements into a plan of whole files, or refuse them all.

Takes: a root directory and `Replacement`s (or search/replace blocks). Gives: an `EditPlan` with the
exact bytes before and after of each file. Does not know: git, databases, who proposed the edit.

Bytes outside the replaced ranges are never touched, so line ends, byte-order marks, encodings,
final newlines and modes survive. Nothing is written here; see `apply`.
"""

from __future__ import annotations

import difflib
import errno
import hashlib
import heapq
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.errors import EditError
from clean_room_agent.execute.paths import check_path, open_parent
from clean_room_agent.records.attempt import Replacement

MAX_FILE_BYTES = 16 * 1024**2
_COMPARED_LINES = 200
_COMPARED_CHARACTERS = 300
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SearchReplace:
    """One block of an answer: `search` must occur exactly once in the file at `path`."""

    path: str
    search: bytes
    replace: bytes


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file, whole: `before is None` creates it, `after is None` removes it."""

    path: str
    before: bytes | None
    after: bytes | None
    mode: int

    @property
    def before_sha256(self) -> str:
        return "" if self.before is None else hashlib.sha256(self.before).hexdigest()

    @property
    def after_sha256(self) -> str:
        return "" if self.after is None else hashlib.sha256(self.after).hexdigest()


@dataclass(frozen=True, slots=True)
class EditPlan:
    """Every file of one change, in path order; files that would not change are left out."""

    files: tuple[FileEdit, ...]


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """Yield a descriptor of `root`; every later access is relative to it."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def read_file(root_fd: int, path: str, *, allow_ci: bool = False) -> tuple[bytes, int] | None:
    """Return the bytes and mode of a regular file below the root, or None if there is none.

    Raises:
        EditError: the path is not allowed, is a link, or is no regular file.
    """
    parts = check_path(path, allow_ci=allow_ci)
    try:
        with open_parent(root_fd, parts) as parent:
            return _read_regular(parent, parts[-1], path)
    except EditError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _read_regular(parent: int, name: str, path: str) -> tuple[bytes, int] | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = (
            "is a symbolic link"
            if error.errno == errno.ELOOP
            else f"cannot be opened: {error.strerror}"
        )
        raise EditError(f"the file {what}", where=path) from error
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        os.close(handle)
        raise EditError("the path is no regular file", where=path)
    with os.fdopen(handle, "rb") as stream:
        if facts.st_size > MAX_FILE_BYTES:
            raise EditError(f"the file is larger than {MAX_FILE_BYTES} bytes", where=path)
        return stream.read(), stat.S_IMODE(facts.st_mode)


def plan_edits(
    root: Path, replacements: Iterable[Replacement], *, allow_ci: bool = False
) -> EditPlan:
    """Check every replacement against the bytes on disk and return what each file becomes.

    Raises:
        EditError: a path is refused, a file changed since it was read (its hash differs), ranges
            overlap or leave the file. Nothing has been written.
    """
    by_path: dict[str, list[Replacement]] = defaultdict(list)
    for replacement in replacements:
        by_path[replacement.path].append(replacement)
    files = []
    with open_root(root) as root_fd:
        for path in sorted(by_path):
            found = read_file(root_fd, path, allow_ci=allow_ci)
            before, mode = found if found is not None else (None, 0o644)
            after = replace_ranges(before, by_path[path])
            if after != before:
                files.append(FileEdit(path, before, after, mode))
    return EditPlan(tuple(files))


def replace_ranges(before: bytes | None, replacements: Sequence[Replacement]) -> bytes:
    """Return `before` with every range replaced.

    Raises:
        EditError: the content is not what the edit was made for, or ranges overlap.
    """
    path = replacements[0].path
    content = b"" if before is None else before
    digest = "" if before is None else hashlib.sha256(content).hexdigest()
    pieces: list[bytes] = []
    position = 0
    for item in sorted(replacements, key=lambda r: (r.start_byte, r.end_byte)):
        if item.before_sha256 != digest:
            raise EditError(
                "the file changed since the edit was made; it was not overwritten",
                where=path,
                hint="solve again from here, or take the patch by hand: cra trace, git apply",
            )
        if not position <= item.start_byte <= item.end_byte <= len(content):
            raise EditError("the edit's byte ranges overlap or leave the file", where=path)
        pieces += (content[position : item.start_byte], item.new_bytes)
        position = item.end_byte
    return b"".join((*pieces, content[position:]))


def resolve_block(block: SearchReplace, content: bytes) -> Replacement | None:
    """Return the one place a search/replace block means, or None when it changes nothing.

    A block whose replacement already stands in the file, and whose search text does not, has
    been applied before: that is no failure. Matching is exact; nothing is guessed.

    Raises:
        EditError: the search text is empty, absent (the nearest lines are named), or ambiguous.
    """
    if block.search == block.replace:
        return None
    if not block.search:
        raise EditError("the search text is empty", where=block.path)
    count = content.count(block.search)
    if count == 0 and block.replace and content.count(block.replace) == 1:
        return None
    if count == 0:
        raise EditError(
            "the search text does not occur in the file",
            where=block.path,
            hint=f"nearest lines: {_nearest(block.search, content)}",
        )
    # Overlapping occurrences are ambiguous too, and `count` does not see them.
    first = content.find(block.search)
    if count > 1 or content.find(block.search, first + 1) != -1:
        raise EditError("the search text occurs more than once in the file", where=block.path)
    digest = hashlib.sha256(content).hexdigest()
    return Replacement(block.path, first, first + len(block.search), block.replace, digest)


def _nearest(search: bytes, content: bytes) -> str:
    """Name the lines most like the first one searched for.

    Comparing costs much, so only the lines that share most words with it are compared, and only
    their beginnings: a large file and an answer full of wrong blocks must not take minutes.
    """
    searched = search.decode("utf-8", "replace").strip().splitlines()
    wanted = searched[0][:_COMPARED_CHARACTERS] if searched else ""
    words = set(_WORD.findall(wanted))
    lines = [
        line[:_COMPARED_CHARACTERS] for line in content.decode("utf-8", "replace").splitlines()
    ]
    alike = heapq.nlargest(
        _COMPARED_LINES, lines, key=lambda line: len(words.intersection(_WORD.findall(line)))
    )
    close = difflib.get_close_matches(wanted, alike, n=2, cutoff=0.5)
    numbered = [f"{lines.index(line) + 1}: {line.strip()[:100]}" for line in close]
    return "; ".join(numbered) or "none resembles it"
