"""What `cra verify` checks of what was made of answers: each row names rows that are there.

Takes: an open log, a way to read git blobs. Gives: breaks and counts in an `AuditReport`.
Does not know: prompts; whether a claim is true (only that its lines exist in the blob it names).
"""

from __future__ import annotations

from collections.abc import Iterator

from clean_room_agent.errors import CraError
from clean_room_agent.records.answers import Answer, Citation, Claim
from clean_room_agent.store.audit_source import AuditReport, ReadGitBlob
from clean_room_agent.store.chain import Break
from clean_room_agent.store.connect import Connection
from clean_room_agent.store.raw_reader import RawReader

FIRST_TURN = 0
# (table, its id, a column, the table and column it must be found in, whether "" means none).
_REFERENCES = (
    ("plans", "plan_id", "request_id", "model_requests", "request_id", False),
    ("turns", "turn_id", "attempt_id", "attempts", "attempt_id", False),
    ("turns", "turn_id", "request_id", "model_requests", "request_id", False),
    ("turns", "turn_id", "test_run_id", "test_runs", "test_run_id", True),
    ("selections", "selection_id", "request_id", "model_requests", "request_id", True),
    ("selections", "selection_id", "patch_id", "patches", "patch_id", True),
    ("answers", "answer_id", "request_id", "model_requests", "request_id", True),
    ("answers", "answer_id", "package_id", "context_packages", "package_id", False),
    ("enrichments", "enrichment_id", "request_id", "model_requests", "request_id", False),
    ("promotions", "promotion_id", "enrichment_id", "enrichments", "enrichment_id", False),
)


def audit_answers(
    reader: RawReader, connection: Connection, read_git_blob: ReadGitBlob, report: AuditReport
) -> None:
    """Check every plan, turn, selection, answer, description; never stops at a break."""
    for reference in _REFERENCES:
        report.breaks.extend(_check_reference(connection, *reference))
    report.breaks.extend(_check_turn_order(connection))
    report.breaks.extend(_check_scores(connection))
    sql = "SELECT DISTINCT task_id FROM answers ORDER BY seq"
    for (task_id,) in connection.execute(sql).fetchall():
        try:
            answers = reader.read_answers(task_id)
        except CraError as error:
            report.breaks.append(Break("answers", 0, f"{task_id}: {error.message}"))
            continue
        for answer in answers:
            report.breaks.extend(_check_answer(connection, answer, read_git_blob, report))


def _check_reference(
    connection: Connection,
    table: str,
    name: str,
    column: str,
    target: str,
    key: str,
    may_be_empty: bool,
) -> Iterator[Break]:
    unless = f"x.{column} <> '' AND " if may_be_empty else ""
    sql = (
        f"SELECT x.seq, x.{name}, x.{column} FROM {table} AS x WHERE {unless}NOT EXISTS"
        f" (SELECT 1 FROM {target} AS y WHERE y.{key} = x.{column}) ORDER BY x.seq"
    )
    for seq, found, value in connection.execute(sql).fetchall():
        yield Break(table, seq, f"{found} names {column} {value!r}, which is not in the log")


def _check_turn_order(connection: Connection) -> Iterator[Break]:
    """The turns of an attempt are numbered without gaps, in the order in which they were logged."""
    expected: dict[str, int] = {}
    sql = "SELECT seq, turn_id, attempt_id, position FROM turns ORDER BY seq"
    for seq, turn_id, attempt_id, position in connection.execute(sql).fetchall():
        wanted = expected.get(attempt_id, FIRST_TURN)
        if position != wanted:
            yield Break("turns", seq, f"{turn_id} stands at {position}, not at {wanted}")
        expected[attempt_id] = position + 1


def _check_scores(connection: Connection) -> Iterator[Break]:
    """Every patch that a selection weighed is logged."""
    sql = (
        "SELECT s.seq, s.selection_id, json_extract(e.value, '$.patch_id') AS patch_id"
        " FROM selections AS s, json_each(s.scores) AS e WHERE patch_id IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM patches AS p WHERE p.patch_id ="
        " json_extract(e.value, '$.patch_id')) ORDER BY s.seq"
    )
    for seq, selection_id, patch_id in connection.execute(sql).fetchall():
        message = f"{selection_id} weighs patch {patch_id!r}, which is not in the log"
        yield Break("selections", seq, message)


def _check_answer(
    connection: Connection, answer: Answer, read_git_blob: ReadGitBlob, report: AuditReport
) -> Iterator[Break]:
    sql = "SELECT seq FROM answers WHERE answer_id = ?"
    (seq,) = connection.execute(sql, (answer.answer_id,)).fetchone()
    for number, claim in enumerate(answer.claims):
        if claim.refused:
            continue
        report.claims += 1
        for message in _check_claim(claim, read_git_blob, report):
            yield Break("answers", seq, f"{answer.answer_id} claim {number}: {message}")


def _check_claim(claim: Claim, read_git_blob: ReadGitBlob, report: AuditReport) -> Iterator[str]:
    """A printed claim cites something, and only lines that are there."""
    if not claim.citations:
        yield "was printed without a citation"
    for citation in claim.citations:
        place = f"{citation.path}:{citation.start_line}-{citation.end_line}"
        if citation.blob_id is None:
            yield f"cites {place} without a blob"
            continue
        data = read_git_blob(citation.blob_id)
        if data is None:
            report.not_in_git += 1
            continue
        report.checked_in_git += 1
        if not _has_lines(data, citation):
            yield f"cites {place}, which blob {citation.blob_id[:12]} does not have"


def _has_lines(data: bytes, citation: Citation) -> bool:
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return 1 <= citation.start_line <= citation.end_line <= lines
