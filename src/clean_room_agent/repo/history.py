"""Streams the commits behind a commit, newest first, with the files each one touched.

Takes: a shadow git directory and commit ids. Gives: `CommitFact`, or the plain rows it is made
of. Does not know: which commits were seen before is still reachable (ask
`Repository.is_ancestor` first), or line counts.

Text that is not UTF-8 after git re-encoded it is kept with U+FFFD; paths keep every byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from clean_room_agent.errors import RepositoryError, ShellError
from clean_room_agent.records.code import CommitFact, CommitId, FileChange
from clean_room_agent.redaction import blank, secret_spans
from clean_room_agent.repo.objects import require_id
from clean_room_agent.repo.shadow import Shadow

# A status is a letter, perhaps with a likeness in percent, after a line end for the first; an
# object id is longer.
_LONGEST_STATUS = 8
_FORMAT = "--format=tformat:%H%x00%P%x00%at%x00%s%x00%b"
# Each tree is read once, near its neighbours: git's own caches (hundreds of MiB) save no time.
_SMALL_CACHES = (
    "-c", "core.packedGitLimit=32m", "-c", "core.packedGitWindowSize=4m",
    "-c", "core.deltaBaseCacheLimit=16m",
)  # fmt: skip
_STEP_BYTES = 1 << 17
_LINE_END = ord("\n")

# path, status, and the path before a rename or copy (else empty)
ChangeRow = tuple[bytes, str, bytes]
# id, author time, subject, body, is it a merge, changes
CommitRow = tuple[str, int, str, str, bool, list[ChangeRow]]


def read_history(
    shadow: Shadow, head: CommitId, since: CommitId | None, *, similar_renames: bool = True
) -> Iterator[CommitFact]:
    """Yield every commit reachable from `head` and not from `since`, newest first.

    Renames are found by content likeness, or only by equal content when not `similar_renames`
    (a partial clone must not need file contents). Merges carry no changes.

    Raises:
        RepositoryError: an object is missing or broken; names the commit where it stopped.
    """
    for rows in read_history_rows(shadow, head, since, similar_renames=similar_renames):
        for commit_id, time, subject, body, is_merge, changes in rows:
            facts = tuple(
                FileChange(os.fsdecode(path), status, os.fsdecode(old))
                for path, status, old in changes
            )
            yield CommitFact(CommitId(commit_id), time, subject, body, is_merge, facts)


def read_history_rows(
    shadow: Shadow, head: CommitId, since: CommitId | None, *, similar_renames: bool = True
) -> Iterator[list[CommitRow]]:
    """Yield what `read_history` does as plain rows, some hundred at a time."""
    arguments = [
        *_SMALL_CACHES,
        "log",
        "--name-status",
        "-z",
        "-M" if similar_renames else "-M100%",
    ]
    arguments += ["--no-ext-diff"]
    arguments += ["--no-textconv", "--no-show-signature", "--no-decorate", "--no-notes"]
    arguments += ["--no-color", "--no-abbrev", "--no-diff-merges", "--encoding=UTF-8", _FORMAT]
    arguments += [require_id(head), *([f"^{require_id(since)}"] if since else []), "--"]
    last = str(head)
    try:
        for rows in _rows(shadow.stream(*arguments, what="reading the history")):
            last = rows[-1][0]
            yield rows
    except ShellError as error:
        raise RepositoryError(
            f"the history cannot be read to its end: {error.message}",
            where=f"commit {last}",
            hint="`git fsck` names what is missing; a shallow or partial clone may need a fetch",
        ) from error


def _rows(blocks: Iterator[bytes]) -> Iterator[list[CommitRow]]:
    tokens: list[bytes] = []
    rest = b""
    for block in _large(blocks):
        *whole, rest = (rest + block).split(b"\0")
        tokens += whole
        rows, used = _group(tokens)
        del tokens[:used]
        if rows:
            yield _without_secrets(rows)
    # That a commit is whole is known by what follows it.
    rows, _ = _group([*tokens, rest, b""])
    if rows:
        yield _without_secrets(rows)


def _without_secrets(rows: list[CommitRow]) -> list[CommitRow]:
    """Put blanks in place of secrets that somebody wrote into a message."""
    texts = "\0".join(f"{row[2]}\0{row[3]}" for row in rows).encode("utf-8")
    found = secret_spans(texts)
    if not found:
        return rows
    clean = blank(texts, found).decode("utf-8").split("\0")
    pairs = zip(rows, clean[::2], clean[1::2], strict=True)
    return [(*row[:2], subject, body, *row[4:]) for row, subject, body in pairs]


def _large(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Join what git writes in pieces of a page each: every step after this costs by the call."""
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= _STEP_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _group(tokens: list[bytes]) -> tuple[list[CommitRow], int]:
    """Group tokens: id, parents, time, subject, body, then a status and paths for each change.

    Gives the commits that are whole, and how many tokens they used up.
    """
    rows: list[CommitRow] = []
    at = start = 0
    try:
        while start + 5 < len(tokens) and tokens[start]:
            commit_id, parents, time, subject, body = tokens[start : start + 5]
            at = start + 5
            changes: list[ChangeRow] = []
            while 0 < len(token := tokens[at]) < _LONGEST_STATUS:
                status = chr(token[token[0] == _LINE_END])
                if status in "RC":
                    changes.append((tokens[at + 2], status, tokens[at + 1]))
                    at += 3
                else:
                    changes.append((tokens[at + 1], status, b""))
                    at += 2
            rows.append(
                (
                    commit_id.decode("ascii"), _time(time), subject.decode("utf-8", "replace"),
                    body.decode("utf-8", "replace").rstrip("\n"), b" " in parents, changes,
                )
            )  # fmt: skip
            start = at
    except IndexError:
        pass  # the rest has not come yet
    return rows, start


def _time(text: bytes) -> int:
    """Return the author time; 0 when the commit has none that fits the database's 64 bits."""
    try:
        value = int(text)
    except ValueError:
        return 0
    return value if -(2**63) <= value < 2**63 else 0
