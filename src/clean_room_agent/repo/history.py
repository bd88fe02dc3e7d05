"""Streams the commits behind a commit, newest first, with the files each one touched.

Takes: a shadow git directory and commit ids. Gives: `CommitFact`. Does not know: which commits
were seen before is still reachable (ask `Repository.is_ancestor` first), or line counts.

Text that is not UTF-8 after git re-encoded it is kept with U+FFFD; paths keep every byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from clean_room_agent.errors import RepositoryError, ShellError
from clean_room_agent.records.code import CommitFact, CommitId, FileChange
from clean_room_agent.repo.objects import require_id
from clean_room_agent.repo.shadow import Shadow

_CHANGE_MARKS = (b":", b"\n")
_FORMAT = "--format=tformat:%H%x00%P%x00%at%x00%s%x00%b"


def read_history(
    shadow: Shadow, head: CommitId, since: CommitId | None, *, similar_renames: bool = True
) -> Iterator[CommitFact]:
    """Yield every commit reachable from `head` and not from `since`, newest first.

    Renames are found by content likeness, or only by equal content when not `similar_renames`
    (a partial clone must not need file contents). Merges carry no changes.

    Raises:
        RepositoryError: an object is missing or broken; names the commit where it stopped.
    """
    arguments = ["log", "--raw", "-z", "-M" if similar_renames else "-M100%", "--no-ext-diff"]
    arguments += ["--no-textconv", "--no-show-signature", "--no-decorate", "--no-notes"]
    arguments += ["--no-color", "--no-abbrev", "--no-diff-merges", "--encoding=UTF-8", _FORMAT]
    arguments += [require_id(head), *([f"^{require_id(since)}"] if since else []), "--"]
    last: CommitId | None = None
    try:
        for fact in _facts(_tokens(shadow.stream(*arguments, what="reading the history"))):
            last = fact.commit_id
            yield fact
    except ShellError as error:
        raise RepositoryError(
            f"the history cannot be read to its end: {error.message}",
            where=f"commit {last or head}",
            hint="`git fsck` names what is missing; a shallow or partial clone may need a fetch",
        ) from error


def _tokens(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _facts(tokens: Iterator[bytes]) -> Iterator[CommitFact]:
    """Group tokens: id, parents, time, subject, body, then `:`-led changes with their paths."""
    # The same few paths come again and again: decode each once.
    paths: dict[bytes, str] = {}
    token = next(tokens, b"")
    while token:
        commit_id = CommitId(token.decode("ascii"))
        parents, time, subject, body = (
            next(tokens, b""), next(tokens, b""), next(tokens, b""), next(tokens, b"")
        )  # fmt: skip
        changes: list[FileChange] = []
        token = next(tokens, b"")
        # An object id never starts so; the first change of a commit follows a line end.
        while token[:1] in _CHANGE_MARKS:
            status = chr(token[token.rindex(b" ") + 1])
            path = _path(next(tokens, b""), paths)
            if status in "RC":
                changes.append(FileChange(_path(next(tokens, b""), paths), status, path))
            else:
                changes.append(FileChange(path, status))
            token = next(tokens, b"")
        yield CommitFact(
            commit_id,
            _time(time),
            subject.decode("utf-8", "replace"),
            body.decode("utf-8", "replace").rstrip("\n"),
            b" " in parents,
            tuple(changes),
        )


def _path(raw: bytes, paths: dict[bytes, str]) -> str:
    path = paths.get(raw)
    if path is None:
        path = paths[raw] = os.fsdecode(raw)
    return path


def _time(text: bytes) -> int:
    """Return the author time; 0 when the commit has none that fits the database's 64 bits."""
    try:
        value = int(text)
    except ValueError:
        return 0
    return value if -(2**63) <= value < 2**63 else 0
