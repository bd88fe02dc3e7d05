"""What `cra verify` checks of calls of models: every byte asked, every try, everything made of it.

Takes: an open log, a way to read git blobs. Gives: breaks and counts in an `AuditReport`.
Does not know: servers, or how a prompt is laid out (it is its fragments, in order).

Each fragment must follow from something logged: code and instruction files from git's bytes and a
decision that included them, a candidate from a decision on that candidate, a task from its task,
everything else from a template or from the row that its source names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from clean_room_agent.errors import CraError
from clean_room_agent.records.calls import LoggedRequest
from clean_room_agent.records.context import Decision, FragmentKind
from clean_room_agent.records.log import LoggedFragment
from clean_room_agent.store.audit_answers import audit_answers
from clean_room_agent.store.audit_source import (
    FROM_A_BLOB,
    AuditReport,
    ReadGitBlob,
    check_source,
    content_of,
    why_not_admitted,
)
from clean_room_agent.store.chain import Break
from clean_room_agent.store.connect import Connection, Role, get_connection
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.values import text

# The rows that a source may name, by the word before its colon.
SOURCES = {
    "test_run": ("test_runs", "test_run_id"),
    "request": ("model_requests", "request_id"),
    "plan": ("plans", "plan_id"),
    "turn": ("turns", "turn_id"),
    "task": ("tasks", "task_id"),
    "patch": ("patches", "patch_id"),
    "attempt": ("attempts", "attempt_id"),
    "answer": ("answers", "answer_id"),
    "selection": ("selections", "selection_id"),
    "package": ("context_packages", "package_id"),
    "run": ("runs", "run_id"),
}
TEMPLATE = "template"
# What frames are made of (see `prompts.framing`); other framing must name its template or source.
_GLUE = re.compile(rb"<<<[a-z-]+ [^\n]*\n|\n?>>>[a-z]+\n|=== [^\n]*\n|\s*")
_CACHED_BLOBS = 256
Subject = tuple[str, str, str | None, int | None, int | None]


@dataclass
class _Room:
    """What one audit of calls reads with."""

    reader: RawReader
    connection: Connection
    read_git_blob: ReadGitBlob
    report: AuditReport
    decisions: dict[str, dict[int, Decision]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.content = lru_cache(maxsize=_CACHED_BLOBS)(lambda sha: content_of(self.reader, sha))

    def exists(self, table: str, column: str, value: str) -> bool:
        sql = f"SELECT 1 FROM {table} WHERE {column} = ?"
        return self.connection.execute(sql, (value,)).fetchone() is not None

    def package_decisions(self, package_id: str) -> dict[int, Decision]:
        """Return the decisions of a logged package by their position; the newest package's stay."""
        if package_id not in self.decisions:
            task_id = self.reader.read_package_by_id(package_id).task_id
            found = self.reader.read_decisions(task_id, package_id=package_id)
            self.decisions = {package_id: {d.position: d.decision for d in found}}
        return self.decisions[package_id]


def audit_calls(
    reader: RawReader, repo_path: Path, read_git_blob: ReadGitBlob, report: AuditReport
) -> None:
    """Check every call and everything that was made of answers; never stops at a break."""
    with closing(get_connection(Role.RAW, repo_path=repo_path, read_only=True)) as connection:
        room = _Room(reader, connection, read_git_blob, report)
        report.breaks.extend(_check_lost_rows(connection))
        sql = "SELECT seq, request_id FROM model_requests ORDER BY seq"
        for seq, request_id in connection.execute(sql).fetchall():
            report.requests += 1
            try:
                report.breaks.extend(_check_request(room, reader.read_request(request_id)))
                report.breaks.extend(_check_replies(room, request_id))
            except CraError as error:
                message = f"{request_id} cannot be read: {error.message}"
                report.breaks.append(Break("model_requests", seq, message))
        audit_answers(reader, connection, read_git_blob, report)


def _check_lost_rows(connection: Connection) -> Iterator[Break]:
    """Fragments and replies whose request is gone."""
    for table in ("prompt_fragments", "model_replies"):
        sql = (
            f"SELECT seq, request_id FROM {table} AS x WHERE NOT EXISTS (SELECT 1 FROM"
            " model_requests AS q WHERE q.request_id = x.request_id) ORDER BY seq"
        )
        for seq, request_id in connection.execute(sql).fetchall():
            yield Break(table, seq, f"its request {request_id} is not in the log")


def _check_request(room: _Room, request: LoggedRequest) -> Iterator[Break]:
    """Render the prompt again from its fragments and compare with what was logged."""
    fragments = room.reader.read_prompt_fragments(request.request_id)
    digest, whole = hashlib.sha256(), True
    for index, (fragment, source) in enumerate(fragments):
        room.report.prompt_fragments += 1
        if fragment.position != index:
            yield _at(fragment, f"stands at {fragment.position}, not at {index}")
        content = room.content(fragment.content_sha256)
        if content is None:
            whole = False
            yield _at(fragment, f"its content {fragment.content_sha256[:16]} is gone or changed")
            continue
        digest.update(content)
        for message in _check_fragment(room, request, fragment, source, content):
            yield _at(fragment, message)
    yield from _check_totals(room, request, fragments, digest.hexdigest() if whole else None)
    yield from _check_package(room, request, fragments)


def _check_totals(
    room: _Room,
    request: LoggedRequest,
    fragments: tuple[tuple[LoggedFragment, str], ...],
    sha256: str | None,
) -> Iterator[Break]:
    where = ("model_requests", request.seq)
    if sha256 is not None and sha256 != request.prompt_sha256:
        message = f"{request.request_id} renders to {sha256[:16]}, not {request.prompt_sha256[:16]}"
        yield Break(*where, message)
    for name, blob in (("prompt", request.prompt_sha256), ("schema", request.schema_sha256)):
        if blob and room.content(blob) is None:
            yield Break(*where, f"the {name} of {request.request_id} is gone or changed")
    tokens = sum(fragment.tokens for fragment, _ in fragments)
    if tokens != request.tokens:
        message = f"has {tokens} tokens in fragments, {request.tokens} logged"
        yield Break(*where, f"{request.request_id} {message}")


def _check_fragment(
    room: _Room, request: LoggedRequest, fragment: LoggedFragment, source: str, content: bytes
) -> Iterator[str]:
    """Say what is wrong with the origin of one fragment."""
    kind = fragment.kind
    if kind in FROM_A_BLOB:
        yield from check_source(fragment, content, room.read_git_blob, room.report)
    elif kind is FragmentKind.CANDIDATE:
        if fragment.blob_id is None or not fragment.path:
            yield "a candidate without a path and a blob"
    elif source:
        yield from _check_named_source(room, request, source)
    elif kind is FragmentKind.TASK:
        if request.task_id is None:
            yield "a task text in a call without a task"
        else:
            asked = text(content.decode("utf-8", "surrogateescape"))
            if asked != room.reader.read_task(request.task_id).task.text:
                yield f"is not the text of task {request.task_id}"
    elif kind is FragmentKind.FRAMING:
        if not fragment.template and _GLUE.fullmatch(content) is None:
            yield "framing that is no frame and names no template"
    elif not fragment.template:
        yield f"a fragment of kind {kind} that names neither template nor source"


def _check_named_source(room: _Room, request: LoggedRequest, source: str) -> Iterator[str]:
    word, _, name = source.partition(":")
    if word == TEMPLATE:
        if not name:
            yield "its source names no template"
    elif word not in SOURCES:
        yield f"its source {source!r} is of no known kind"
    elif not room.exists(*SOURCES[word], name):
        yield f"its source {source} is not in the log"
    elif word == "request" and room.reader.read_request(name).seq >= request.seq:
        yield f"its source {source} is not older than the call itself"


def _check_package(
    room: _Room, request: LoggedRequest, fragments: tuple[tuple[LoggedFragment, str], ...]
) -> Iterator[Break]:
    """Default-deny: what comes from the repository needs a decision of the request's package."""
    judged = [f for f, _ in fragments if f.kind in (*FROM_A_BLOB, FragmentKind.CANDIDATE)]
    if not judged:
        return
    if not request.package_id or not room.exists(
        "context_packages", "package_id", request.package_id
    ):
        if request.package_id and _was_cut_short(room.reader, request):
            if request.package_id not in room.report.unfinished:
                room.report.unfinished.append(request.package_id)
            return
        message = f"{request.request_id} shows code of package {request.package_id or '(none)'}"
        yield Break("model_requests", request.seq, f"{message}, which is not in the log")
        return
    decisions = room.package_decisions(request.package_id)
    proposed = {_subject(decision) for decision in decisions.values()}
    for fragment in judged:
        if fragment.kind is not FragmentKind.CANDIDATE:
            message = why_not_admitted(decisions, fragment)
        else:
            known = _subject_of(fragment) in proposed
            message = "" if known else "asks about what was never proposed in its package"
        if message:
            yield _at(fragment, message)


def _was_cut_short(reader: RawReader, request: LoggedRequest) -> bool:
    """Say whether the run did not come to its end: then its package may be missing."""
    end = reader.read_run(request.run_id).end
    return end is None or end.exit_code != 0


def _subject(decision: Decision) -> Subject:
    candidate = decision.candidate
    span = candidate.span
    start, end = (span.start_byte, span.end_byte) if span else (None, None)
    return (candidate.path, candidate.symbol, candidate.blob_id, start, end)


def _subject_of(fragment: LoggedFragment) -> Subject:
    place = (fragment.start_byte, fragment.end_byte)
    return (fragment.path, fragment.symbol, fragment.blob_id, *place)


def _check_replies(room: _Room, request_id: str) -> Iterator[Break]:
    """Every try of a call, from 1 without gaps, with the text that came."""
    sql = "SELECT seq, try_number, text_sha256 FROM model_replies WHERE request_id = ? ORDER BY seq"
    rows = room.connection.execute(sql, (request_id,)).fetchall()
    room.report.replies += len(rows)
    room.report.unanswered += not rows
    for expected, (seq, number, sha256) in enumerate(rows, start=1):
        if number != expected:
            yield Break("model_replies", seq, f"{request_id}: try {number} follows {expected - 1}")
            return
        if room.content(sha256) is None:
            message = f"{request_id}: the text of try {number} is gone or changed"
            yield Break("model_replies", seq, message)


def _at(fragment: LoggedFragment, message: str) -> Break:
    place = f"{fragment.package_id} fragment {fragment.position}"
    return Break("prompt_fragments", fragment.seq, f"{place}: {message}")
