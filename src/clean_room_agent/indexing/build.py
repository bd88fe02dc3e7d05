"""Bring the index up to date with the working tree and the history: the room's one verb.

Takes: a `Repository` and its curated database. Gives: `IndexReport`. Does not know: what the rows
are used for, or how anything is shown.

Work is found by content: a blob that was parsed once is not parsed again, whatever its path.
Everything is written in one transaction under the write lock, so a kill at any point leaves the
index as it was; when nothing changed, nothing is written.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clean_room_agent.errors import RepositoryError
from clean_room_agent.indexing.edges import EdgeUpdate, update_edges
from clean_room_agent.indexing.history import HistoryUpdate
from clean_room_agent.records.code import BlobId, IndexReport, SkippedFile, SourceFile
from clean_room_agent.repo.attributes import read_linguist
from clean_room_agent.repo.files import MAX_FILE_BYTES, KnownFile, Scan, ScanPolicy, scan
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.languages import is_test_path
from clean_room_agent.repo.openings import language_in, tool_mark
from clean_room_agent.repo.pool import ParserPool, workers_for
from clean_room_agent.repo.tokens import path_tokens
from clean_room_agent.store.connect import Role
from clean_room_agent.store.curated_facts import CuratedFacts, ImportFact, StoredFile, SymbolFact
from clean_room_agent.store.curated_writer import CuratedWriter
from clean_room_agent.store.locks import write_lock
from clean_room_agent.store.promoted import copy_promoted

if TYPE_CHECKING:
    from clean_room_agent.repo.syntax import BlobRows

# Raised whenever parsing or resolution gives other rows for the same bytes.
FORMAT = "5"
# For each content of the tree, how many of other branches and commits stay parsed.
KEPT_BLOBS = 2.0

Progress = Callable[[str, int, int], None]
BlobKey = tuple[str, str | None]


@dataclass(slots=True)
class _Plan:
    """What differs between the tree and the index."""

    rebuild: bool
    scan: Scan
    stored: dict[str, StoredFile]
    blob_keys: dict[BlobKey, int]
    to_parse: dict[BlobKey, SourceFile] = field(default_factory=dict)
    changed: list[SourceFile] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    reused: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.rebuild or self.changed or self.removed)


def index_repository(
    repository: Repository,
    *,
    repo_path: Path,
    full: bool = False,
    progress: Progress | None = None,
    kept_blobs: float = KEPT_BLOBS,
) -> IndexReport:
    """Index what changed since the last index, or everything when `full`.

    `progress(phase, done, total)` is called from this thread; a total of 0 is unknown. Contents
    that only other branches and commits have stay parsed, up to `kept_blobs` for each of the tree.

    Raises:
        StoreBusyError: another process is indexing. RepositoryError: git cannot be read.
    """
    started = time.monotonic()
    tell = progress or _silent
    with (
        write_lock(Role.CURATED, repo_path=repo_path),
        CuratedWriter(repo_path=repo_path) as writer,
    ):
        facts = CuratedFacts(writer.connection)
        meta = facts.read_meta()
        rebuild = full or meta.get("state") != "complete" or meta.get("format") != FORMAT
        plan = _compare(repository, facts, 0 if rebuild else int(meta["scan_started_ns"]), tell)
        history = HistoryUpdate(repository, facts, {} if rebuild else meta, rebuild=rebuild)
        if not _is_current(plan, history, facts):
            with _uncollected(), writer.transaction():
                _write(repository, writer, facts, plan, history, tell)
                writer.keep_orphans(at_most=int(kept_blobs * facts.count_contents()))
        # A new or restored database has none; a promotion that was killed half-way lacks some.
        copy_promoted(writer, repo_path)
        return _report(repository, facts, plan, history, started)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many objects that all stay: searching them for garbage again and again finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _silent(phase: str, done: int, total: int) -> None:
    """Tell nobody."""


def _compare(
    repository: Repository, facts: CuratedFacts, previous_ns: int, tell: Progress
) -> _Plan:
    tell("scan", 0, 0)
    rebuild = previous_ns == 0
    stored = {} if rebuild else facts.read_files()
    known = {
        path: KnownFile(
            BlobId(file.blob_id),
            file.language,
            file.size_bytes,
            file.mtime_ns,
            file.inode,
            file.ctime_ns,
        )
        for path, file in stored.items()
    }
    policy = ScanPolicy(language_in, is_test_path)
    found = scan(repository, known, policy, previous_started_ns=previous_ns)
    plan = _Plan(rebuild, found, stored, {} if rebuild else facts.read_blob_keys())
    plan.skipped = list(found.skipped)
    for file in found.files:
        before = stored.get(file.path)
        if before is None or not _same(before, file, found):
            plan.changed.append(file)
        key = (file.blob_id, file.language)
        if key in plan.blob_keys:
            plan.reused += 1
        elif key not in plan.to_parse:
            plan.to_parse[key] = file
    live = {file.path for file in found.files}
    plan.removed = [path for path in stored if path not in live]
    tell("scan", len(found.files), len(found.files))
    return plan


def _same(before: StoredFile, file: SourceFile, found: Scan) -> bool:
    identity = found.identities[file.path]
    return (
        before.blob_id == file.blob_id
        and before.mtime_ns == file.mtime_ns
        and before.language == file.language
        and before.is_test == file.is_test
        and before.executable == file.executable
        and (before.inode, before.ctime_ns) == (identity.inode, identity.ctime_ns)
    )


def _is_current(plan: _Plan, history: HistoryUpdate, facts: CuratedFacts) -> bool:
    if not plan.is_empty or not history.is_current:
        return False
    return {item.path: item.reason for item in plan.skipped} == facts.read_skipped()


def _write(
    repository: Repository,
    writer: CuratedWriter,
    facts: CuratedFacts,
    plan: _Plan,
    history: HistoryUpdate,
    tell: Progress,
) -> None:
    with writer.bulk_load(blobs=plan.rebuild, history=history.is_rebuild):
        if plan.rebuild:
            writer.delete_index()
        if history.is_rebuild:
            writer.delete_history()
        stale = _parse_and_read(repository, writer, facts, plan, history, tell)
        edges = _write_files(writer, facts, plan, stale)
        writer.revive_blobs()
        tell("edges", 0, 0)
        update_edges(repository, writer, facts, edges, partial(tell, "edges"))
    writer.replace_skipped(plan.skipped)
    writer.replace_attributes(read_linguist(repository, [f.path for f in plan.scan.files]))
    writer.replace_meta(
        {
            "state": "complete",
            "format": FORMAT,
            "head": repository.head or "",
            "scan_started_ns": str(plan.scan.started_ns),
            **history.meta,
        }
    )


def _parse_and_read(
    repository: Repository,
    writer: CuratedWriter,
    facts: CuratedFacts,
    plan: _Plan,
    history: HistoryUpdate,
    tell: Progress,
) -> set[str]:
    """Parse what is new; the commits are read in between, while the workers parse."""
    steps = history.run(writer)
    stale: set[str] = set()
    if plan.to_parse:
        total = sum(file.size_bytes for file in plan.to_parse.values())
        source = _Source(repository, plan, facts.next_key("parsed_blobs", "blob_pk"), stale)
        done = 0
        with ParserPool(workers_for(total)) as pool:
            meanwhile = partial(_take_step, steps)
            for results in pool.parse(source.jobs(), meanwhile=meanwhile):
                for key, rows in results:
                    writer.replace_blob(key, *source.parsed[key], rows)
                    if plan.rebuild:
                        _keep(facts, key, rows)
                done += len(results)
                tell("parse", done, len(plan.to_parse))
        writer.add_generated(source.generated)
    for commits in steps:
        tell("history", commits, 0)
    return stale


def _keep(facts: CuratedFacts, key: int, rows: BlobRows) -> None:
    """Hand over what the edges of a full build are made from, so that it is not read back."""
    facts.keep(
        key,
        [SymbolFact._make(row[:5]) for row in rows[3]],
        [ImportFact._make(row[:4]) for row in rows[5]],
        [
            (kind, name, receiver, enclosing, times)
            for kind, name, receiver, enclosing, _, _, times in rows[4]
            if kind in ("call", "inherit")
        ],
    )


def _take_step(steps: Iterator[int]) -> bool:
    return next(steps, None) is not None


class _Source:
    """Hands out the bytes of new blobs, one at a time, each under its future key."""

    def __init__(self, repository: Repository, plan: _Plan, key: int, stale: set[str]) -> None:
        self._repository = repository
        self._plan = plan
        self._key = key
        self._stale = stale
        self.parsed: dict[int, BlobKey] = {}
        self.generated: dict[int, str] = {}

    def jobs(self) -> Iterator[tuple[int, str | None, bytes]]:
        """Read each blob; a file that is no longer what the scan saw is stale, not trusted."""
        for (blob_id, language), file in self._plan.to_parse.items():
            try:
                data = self._repository.read_file(file.path, limit_bytes=MAX_FILE_BYTES)
            except RepositoryError as error:
                self._skip(blob_id, error.message)
                continue
            if self._repository.hash_bytes(data) != blob_id:
                self._skip(blob_id, "changed while it was indexed")
                continue
            self.parsed[self._key] = (blob_id, language)
            self._plan.blob_keys[blob_id, language] = self._key
            if rule := tool_mark(data, language):
                self.generated[self._key] = rule
            yield self._key, language, data
            self._key += 1

    def _skip(self, blob_id: str, reason: str) -> None:
        for file in self._plan.changed:
            if file.blob_id == blob_id:
                self._stale.add(file.path)
                self._plan.skipped.append(SkippedFile(file.path, reason))


def _write_files(
    writer: CuratedWriter, facts: CuratedFacts, plan: _Plan, stale: set[str]
) -> EdgeUpdate:
    """Point paths at their blobs; says which files the edges have to follow."""
    next_key = facts.next_key("files", "file_pk")
    rows = []
    update = EdgeUpdate(everything=plan.rebuild)
    for file in plan.changed:
        if file.path in stale:
            continue
        before = plan.stored.get(file.path)
        blob_pk = plan.blob_keys[file.blob_id, file.language]
        if before is None:
            key, next_key = next_key, next_key + 1
            update.added.append(key)
        else:
            key = before.file_pk
            if before.blob_pk != blob_pk:
                update.moved[key] = (before.blob_pk, blob_pk)
            if before.is_test != file.is_test:
                update.everything = True
        identity = plan.scan.identities[file.path]
        rows.append(
            (
                key, file.path, blob_pk, file.size_bytes, file.mtime_ns, identity.inode,
                identity.ctime_ns, file.language, file.is_test, file.executable,
                " ".join(path_tokens(file.path)),
            )
        )  # fmt: skip
    gone = [*plan.removed, *(path for path in stale if path in plan.stored)]
    if gone:
        writer.delete_files(plan.stored[path].file_pk for path in gone)
        update.removed = [plan.stored[path] for path in gone]
    writer.replace_files(rows)
    return update


def _report(
    repository: Repository, facts: CuratedFacts, plan: _Plan, history: HistoryUpdate, started: float
) -> IndexReport:
    return IndexReport(
        files=facts.count("files"),
        symbols=facts.count_live("symbols"),
        references=facts.count_live("symbol_references"),
        edges=facts.count("edges"),
        commits=facts.count("commits"),
        parsed_blobs=len(plan.to_parse),
        reused_blobs=plan.reused,
        removed_files=len(plan.removed),
        new_commits=history.new_commits,
        skipped=tuple(plan.skipped),
        not_parsed=facts.count_not_parsed(),
        seconds=time.monotonic() - started,
        head=repository.head or "",
    )
