"""Read the commits that are new into the index: what changed when, how often, and together.

Takes: a `Repository` and what the index knows of its history. Gives: rows of commits, churn and
co-change. Does not know: the content of any file.

A commit that touches more than `MAX_VOTING_FILES` files or is a merge is kept and searchable,
but says nothing about single files: it counts neither as churn nor as co-change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from clean_room_agent.records.code import CommitFact, CommitId
from clean_room_agent.repo.git import Repository
from clean_room_agent.store.curated_facts import CuratedFacts
from clean_room_agent.store.curated_writer import CommitValues, CuratedWriter

MAX_VOTING_FILES = 20
# A message with one of these words is counted as a fix.
_FIX = re.compile(
    r"\b(?:fix(?:e[sd]|ing)?|bug(?:s|fix(?:es)?)?|regressions?|crash(?:es|ed|ing)?|defects?"
    r"|broken|wrong(?:ly)?|incorrect(?:ly)?|resolve[sd]?)\b",
    re.IGNORECASE,
)
_COMMITS_PER_STEP = 1500


class HistoryUpdate:
    """One pass over the commits that the index lacks. Does nothing when it lacks none."""

    def __init__(
        self, repository: Repository, facts: CuratedFacts, meta: Mapping[str, str], *, rebuild: bool
    ) -> None:
        self._repository = repository
        self._facts = facts
        self._head = repository.head
        known = CommitId(meta.get("history_head", ""))
        shallow = str(int(repository.is_shallow))
        same_depth = meta.get("history_shallow", shallow) == shallow
        self.is_current = not rebuild and same_depth and known == (self._head or "")
        self.since: CommitId | None = None
        may_keep = not rebuild and same_depth and known != ""
        if may_keep and self._head is not None and repository.is_ancestor(known, self._head):
            self.since = known
        self.new_commits = 0
        self.meta = {"history_head": self._head or "", "history_shallow": shallow}

    @property
    def is_rebuild(self) -> bool:
        """Whether the rows of earlier commits have to go: the history was rewritten."""
        return not self.is_current and self.since is None

    def run(self, writer: CuratedWriter) -> Iterator[int]:
        """Write all new commits; yields their number so far, so that other work can go between."""
        if self.is_current:
            return
        tally = _Tally({} if self.is_rebuild else self._facts.read_paths())
        key = self._facts.next_key("commits", "commit_pk")
        commits: list[CommitValues] = []
        files: list[tuple[int, int, str]] = []
        for fact in self._repository.history(self.since) if self._head else ():
            commits.append(
                (key, fact.commit_id, fact.author_time, fact.subject, fact.body, fact.is_merge)
            )
            files.extend((key, path_pk, status) for path_pk, status in tally.add(fact))
            key += 1
            if len(commits) >= _COMMITS_PER_STEP:
                self._flush(writer, tally, commits, files)
                yield self.new_commits
        self._flush(writer, tally, commits, files)
        writer.replace_churn((pk, n, fixes, last) for pk, (n, fixes, last) in tally.churn.items())
        writer.replace_cochange((a, b, n) for (a, b), n in sorted(tally.pairs.items()))

    def _flush(
        self,
        writer: CuratedWriter,
        tally: _Tally,
        commits: list[CommitValues],
        files: list[tuple[int, int, str]],
    ) -> None:
        writer.replace_paths(tally.take_new_paths())
        writer.replace_commits(commits, files)
        self.new_commits += len(commits)
        commits.clear()
        files.clear()


class _Tally:
    """Counts over commits; paths by key."""

    def __init__(self, keys: dict[str, int]) -> None:
        self._keys = keys
        self._next = max(keys.values(), default=0) + 1
        self._new: list[tuple[int, str]] = []
        self.churn: dict[int, list[int]] = {}
        self.pairs: Counter[tuple[int, int]] = Counter()

    def add(self, fact: CommitFact) -> list[tuple[int, str]]:
        """Count one commit; give the path keys it touched with their statuses."""
        touched = [(self._key(change.path), change.status) for change in fact.changes]
        if not touched or len(touched) > MAX_VOTING_FILES or fact.is_merge:
            return touched
        fixes = 1 if _FIX.search(fact.subject) or _FIX.search(fact.body) else 0
        churn = self.churn
        for key, _ in touched:
            counts = churn.get(key)
            if counts is None:
                churn[key] = [1, fixes, fact.author_time]
            else:
                counts[0] += 1
                counts[1] += fixes
                counts[2] = max(counts[2], fact.author_time)
        if len(touched) > 1:
            self.pairs.update(combinations(sorted(key for key, _ in touched), 2))
        return touched

    def _key(self, path: str) -> int:
        key = self._keys.get(path)
        if key is None:
            key = self._keys[path] = self._next
            self._next += 1
            self._new.append((key, path))
        return key

    def take_new_paths(self) -> list[tuple[int, str]]:
        """Give the paths met since the last call."""
        new, self._new = self._new, []
        return new
