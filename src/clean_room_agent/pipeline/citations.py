"""Check what an answer cites, each time by reading the cited lines again.

Takes: a repository, the commit of the answer, what was shown. Gives: `CheckedCitation`s, or the
reason why one is refused. Does not know: models, or how an answer is printed.

A file whose bytes are those of the commit is cited at the commit. One that has uncommitted changes
is read from the working tree and cited as such, never with a commit that does not hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from clean_room_agent.errors import RepositoryError
from clean_room_agent.execute.answer import ShownFile
from clean_room_agent.records.answers import Citation
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.objects import TreeEntry

WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class CheckedCitation:
    """A citation that holds: `at` is a commit id or `worktree`, `code` the cited bytes."""

    citation: Citation
    at: str
    code: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """The lines of one file as they were read again, and where that was."""

    lines: tuple[bytes, ...]
    at: str


class CitationChecker:
    """Checks against one commit (None before the first one) and one package.

    `worktree` is the checkout that may hold uncommitted changes; None where the commit alone
    counts.
    """

    def __init__(
        self,
        repository: Repository,
        commit: CommitId | None,
        shown: Mapping[str, ShownFile],
        *,
        worktree: Repository | None,
        limit_bytes: int,
    ) -> None:
        self._repository = repository
        self._commit = commit
        self._shown = shown
        self._worktree = worktree
        self._limit_bytes = limit_bytes
        self._sources: dict[str, Source | str] = {}

    def check(self, cited: Citation) -> CheckedCitation | str:
        """Return the citation with the blob that holds it, or why it is refused."""
        shown = self._shown.get(cited.path)
        if shown is None:
            return "a path that was not shown"
        if cited.start_line < 1 or cited.end_line < cited.start_line:
            return f"{cited.start_line}-{cited.end_line} is no range of lines"
        source = self._read(shown)
        if isinstance(source, str):
            return source
        if cited.end_line > len(source.lines):
            return f"past the end of the file, which has {len(source.lines)} lines"
        unseen = _unseen(cited, shown, source)
        if unseen:
            return f"line {unseen} was not shown"
        code = b"\n".join(source.lines[cited.start_line - 1 : cited.end_line]) + b"\n"
        held = Citation(cited.path, cited.start_line, cited.end_line, shown.blob_id)
        return CheckedCitation(held, source.at, code)

    def _read(self, shown: ShownFile) -> Source | str:
        if shown.path not in self._sources:
            self._sources[shown.path] = self._read_again(shown)
        return self._sources[shown.path]

    def _read_again(self, shown: ShownFile) -> Source | str:
        entry = self._tree.get(shown.path)
        if entry is not None and entry.blob_id == shown.blob_id:
            data = self._repository.read_blobs([shown.blob_id])[shown.blob_id]
            return Source(_lines(data), str(self._commit))
        if self._worktree is None:
            return "the commit holds another content there"
        try:
            data = self._worktree.read_file(shown.path, limit_bytes=self._limit_bytes)
        except RepositoryError as error:
            return f"it can no longer be read: {error.message}"
        if self._worktree.hash_bytes(data) != shown.blob_id:
            return "the file changed since it was shown"
        return Source(_lines(data), WORKTREE)

    @cached_property
    def _tree(self) -> dict[str, TreeEntry]:
        return {} if self._commit is None else self._repository.tree(self._commit)


def _lines(data: bytes) -> tuple[bytes, ...]:
    return tuple(data.removesuffix(b"\n").split(b"\n")) if data else ()


def _unseen(cited: Citation, shown: ShownFile, source: Source) -> int:
    """Return the first cited line that was not shown, 0 if there is none.

    Blank lines between two shown items say nothing, so they may stand inside a range.
    """
    for number in range(cited.start_line, cited.end_line + 1):
        if number not in shown.lines and source.lines[number - 1].strip():
            return number
    return 0
