"""Read the commits that are new into the index: what changed when, how often, and together.

Takes: a `Repository` and what the index knows of its history. Gives: rows of commits, churn and
co-change. Does not know: the content of any file.

A commit that touches more than `MAX_VOTING_FILES` files or is a merge is kept and searchable,
but says nothing about single files: it counts neither as churn nor as co-change.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.history import ChangeRow, CommitRow, read_history_rows
from clean_room_agent.store.curated_facts import CuratedFacts
from clean_room_agent.store.curated_writer import CommitValues, CuratedWriter

MAX_VOTING_FILES = 20
# Where more commits than these would have to go, and than one in so many, all are read again.
_FEW_COMMITS, _MAX_LEFT_SHARE = 500, 4
# A message with one of these words, in any case, is counted as a fix.
_FIX = re.compile(
    r"\b(?:fix(?:e[sd]|ing)?|bug(?:s|fix(?:es)?)?|regressions?|crash(?:es|ed|ing)?|defects?"
    r"|broken|wrong(?:ly)?|incorrect(?:ly)?|resolve[sd]?)\b"
)


class HistoryUpdate:
    """One pass over the commits that the index lacks. Does nothing when it lacks none."""

    def __init__(
        self, repository: Repository, facts: CuratedFacts, meta: Mapping[str, str], *, rebuild: bool
    ) -> None:
        self._repository = repository
        self._facts = facts
        self._head = repository.head
        known = CommitId(meta.get("history_head", ""))
        shallow = _depth(repository)
        same_depth = meta.get("history_shallow", shallow) == shallow
        self.is_current = not rebuild and same_depth and known == (self._head or "")
        self.since: CommitId | None = None
        # Commits of the index that are not behind HEAD: of a branch that was left, or rewritten.
        self._left: list[CommitRow] = []
        may_keep = not self.is_current and not rebuild and same_depth and known != ""
        if may_keep and self._head is not None:
            self._keep_shared(known, self._head, facts)
        self.new_commits = 0
        self.meta = {"history_head": self._head or "", "history_shallow": shallow}

    def _keep_shared(self, known: CommitId, head: CommitId, facts: CuratedFacts) -> None:
        """Find what the index has and HEAD lacks; all of it has to go where that costs less."""
        at_most = max(_FEW_COMMITS, facts.count("commits") // _MAX_LEFT_SHARE)
        if self._repository.is_ancestor(known, head) or self._read_left(known, head, at_most):
            self.since = known

    def _read_left(self, known: CommitId, head: CommitId, at_most: int) -> bool:
        """Read what lies behind `known` only; False where it is too much, or pruned."""
        if not self._repository.is_ancestor(known, known):
            return False
        try:
            for rows in self._read(known, head):
                self._left += rows
                if len(self._left) > at_most:
                    break
            else:
                return True
        except RepositoryError:
            pass  # git has begun to forget the old branch: everything is read again instead
        self._left = []
        return False

    @property
    def is_rebuild(self) -> bool:
        """Whether the rows of earlier commits have to go: the history was rewritten."""
        return not self.is_current and self.since is None

    def run(self, writer: CuratedWriter) -> Iterator[int]:
        """Write all new commits; yields their number so far, so that other work can go between."""
        if self.is_current:
            return
        tally = _Tally({} if self.is_rebuild else self._facts.read_paths())
        self._drop_left(writer, tally)
        key = self._facts.next_key("commits", "commit_pk")
        for rows in self._rows():
            commits: list[CommitValues] = []
            files: list[tuple[int, int, str]] = []
            for commit_id, time, subject, body, is_merge, changes in rows:
                commits.append((key, commit_id, time, subject, body, is_merge))
                if changes:
                    touched = tally.touch(changes)
                    files += [(key, path_pk, status) for path_pk, status in touched]
                    if len(touched) <= MAX_VOTING_FILES and not is_merge:
                        keys = [path_pk for path_pk, _ in touched]
                        tally.count(keys, time, _is_fix(subject, body))
                key += 1
            writer.replace_paths(tally.take_new_paths())
            writer.replace_commits(commits, files)
            self.new_commits += len(commits)
            yield self.new_commits
        writer.replace_churn((pk, n, fixes, last) for pk, (n, fixes, last) in tally.churn.items())
        writer.replace_cochange((a, b, n) for (a, b), n in sorted(tally.pairs.items()))

    def _drop_left(self, writer: CuratedWriter, tally: _Tally) -> None:
        """Take the commits that are not behind HEAD out of every count."""
        if not self._left:
            return
        left = _Tally(tally.keys)
        for _, time, subject, body, is_merge, changes in self._left:
            touched = left.touch(changes)
            if touched and len(touched) <= MAX_VOTING_FILES and not is_merge:
                left.count([path_pk for path_pk, _ in touched], time, _is_fix(subject, body))
        paths = writer.delete_commits(row[0] for row in self._left)
        writer.replace_churn((pk, -n, -fixes, last) for pk, (n, fixes, last) in left.churn.items())
        writer.replace_cochange((a, b, -n) for (a, b), n in sorted(left.pairs.items()))
        writer.delete_unused_paths(paths, voting_files=MAX_VOTING_FILES)
        tally.keys = self._facts.read_paths()

    def _rows(self) -> Iterator[list[CommitRow]]:
        return iter(()) if self._head is None else self._read(self._head, self.since)

    def _read(self, head: CommitId, since: CommitId | None) -> Iterator[list[CommitRow]]:
        repository = self._repository
        return read_history_rows(
            repository.shadow, head, since, similar_renames=not repository.is_partial
        )


def _depth(repository: Repository) -> str:
    """Say how far back the commits reach, and how their renames are found.

    A clone that was deepened has older commits behind the same head, and one that was `1` is still
    `1`: the commits at which it ends have to be named.
    """
    ends = sorted(repository.layout.shallow.split())
    shown = hashlib.sha256(b"\n".join(ends)).hexdigest() if ends else "0"
    return f"{shown} partial" if repository.is_partial else shown


def _is_fix(subject: str, body: str) -> bool:
    return _FIX.search(f"{subject}\n{body}".lower()) is not None


class _Tally:
    """Counts over commits; paths by key."""

    def __init__(self, keys: dict[bytes, int]) -> None:
        self.keys = keys
        self._next = max(keys.values(), default=0) + 1
        self._new: list[tuple[int, bytes]] = []
        self.churn: dict[int, list[int]] = {}
        self.pairs: Counter[tuple[int, int]] = Counter()

    def touch(self, changes: list[ChangeRow]) -> list[tuple[int, str]]:
        """Give the keys of the paths of one commit with their statuses."""
        touched = []
        for path, status, _ in changes:
            key = self.keys.get(path)
            if key is None:
                key = self.keys[path] = self._next
                self._next += 1
                self._new.append((key, path))
            touched.append((key, status))
        return touched

    def count(self, keys: list[int], time: int, is_fix: bool) -> None:
        """Count one commit that touched these paths."""
        for key in keys:
            counts = self.churn.get(key)
            if counts is None:
                self.churn[key] = [1, int(is_fix), time]
            else:
                counts[0] += 1
                counts[1] += is_fix
                if time > counts[2]:
                    counts[2] = time
        if len(keys) > 1:
            keys.sort()
            self.pairs.update(combinations(keys, 2))

    def take_new_paths(self) -> list[tuple[int, bytes]]:
        """Give the paths met since the last call."""
        new, self._new = self._new, []
        return new
