"""What `cra verify` checks: that the log is whole and that every package follows from it.

Takes: the repository's databases, a way to read git blobs. Gives: an `AuditReport`.
Does not know: git, calls of models (`audit_calls`), or how a package is rendered (a prompt is its
fragments, in order).

Every break is named with its table and seq. Not guarded: an editor of the database who
recomputes the whole chain and the anchor with it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from clean_room_agent.errors import CraError, StoreError
from clean_room_agent.records.log import LoggedFragment, LoggedPackage
from clean_room_agent.store.anchor import check_anchor, read_anchor
from clean_room_agent.store.audit_calls import audit_calls
from clean_room_agent.store.audit_source import (
    FROM_A_BLOB,
    AuditReport,
    ReadGitBlob,
    check_source,
    content_of,
    why_not_admitted,
)
from clean_room_agent.store.chain import Break, read_head, verify_chain
from clean_room_agent.store.connect import Role, database_path, get_connection, state_dir
from clean_room_agent.store.raw_reader import RawReader

__all__ = ["AuditReport", "DatabaseState", "audit_raw", "check_databases"]
_MOST_INTEGRITY_LINES = 100


class DatabaseState(NamedTuple):
    """One database as `cra doctor` reports it; an empty message means intact."""

    name: str
    message: str
    size_bytes: int


def check_databases(repo_path: Path) -> tuple[DatabaseState, ...]:
    """Check the structure of each database that is there (not the chain; see `audit_raw`)."""
    states = []
    for role, task_id in _databases(repo_path):
        first = next(_check_database(repo_path, role, task_id, pragma="quick_check"), None)
        path = database_path(role, repo_path, task_id)
        size = path.stat().st_size if path.exists() else 0
        states.append(DatabaseState(_name(role, task_id), first.message if first else "", size))
    return tuple(states)


def audit_raw(repo_path: Path, read_git_blob: ReadGitBlob) -> AuditReport:
    """Check every database, the chain, and every logged package; never stops at a break.

    `read_git_blob` gives the bytes of a git blob, `None` where git no longer has it: such code
    fragments are checked against the copy in the log and counted in `not_in_git`.
    """
    report = AuditReport()
    for role, task_id in _databases(repo_path):
        report.databases += 1
        report.breaks.extend(_check_database(repo_path, role, task_id))
    if not os.path.lexists(database_path(Role.RAW, repo_path)):
        return report
    try:
        _audit_log(repo_path, read_git_blob, report)
    except StoreError as error:
        report.breaks.append(Break("raw", 0, f"cannot be read to the end: {error.message}"))
    return report


def _audit_log(repo_path: Path, read_git_blob: ReadGitBlob, report: AuditReport) -> None:
    anchor = read_anchor(repo_path)
    with closing(get_connection(Role.RAW, repo_path=repo_path, read_only=True)) as connection:
        lost = check_anchor(connection, anchor)
        if lost is not None:
            report.breaks.append(lost)
        report.breaks.extend(verify_chain(connection))
        report.links = read_head(connection)[0]
        ids = connection.execute("SELECT package_id FROM context_packages ORDER BY seq").fetchall()
    with RawReader(repo_path) as reader:
        for (package_id,) in ids:
            report.packages += 1
            try:
                report.breaks.extend(_check_package(reader, package_id, read_git_blob, report))
            except CraError as error:
                message = f"{package_id} cannot be read: {error.message}"
                report.breaks.append(Break("context_packages", 0, message))
        audit_calls(reader, repo_path, read_git_blob, report)


def _databases(repo_path: Path) -> Iterator[tuple[Role, str | None]]:
    for role in (Role.RAW, Role.CURATED, Role.VECTORS):
        if os.path.lexists(database_path(role, repo_path)):
            yield role, None
    for path in sorted((state_dir(repo_path) / "sessions").glob("session_*.sqlite")):
        yield Role.SESSION, path.name.removeprefix("session_").removesuffix(".sqlite")


def _name(role: Role, task_id: str | None) -> str:
    return f"{role} {task_id}" if task_id else str(role)


def _check_database(
    repo_path: Path, role: Role, task_id: str | None, *, pragma: str = "integrity_check"
) -> Iterator[Break]:
    name = _name(role, task_id)
    try:
        opened = get_connection(role, repo_path=repo_path, task_id=task_id, read_only=True)
        with closing(opened) as connection:
            rows = connection.execute(f"PRAGMA {pragma}({_MOST_INTEGRITY_LINES})").fetchall()
    except CraError as error:
        yield Break(name, 0, error.message)
        return
    for (line,) in rows:
        if line != "ok":
            yield Break(name, 0, f"damaged: {line}")


def _check_package(
    reader: RawReader, package_id: str, read_git_blob: ReadGitBlob, report: AuditReport
) -> Iterator[Break]:
    """Render the package again from its fragments and compare with what was logged."""
    package = reader.read_package_by_id(package_id)
    fragments = reader.read_fragments(package_id)
    digest, whole = hashlib.sha256(), True
    for index, fragment in enumerate(fragments):
        report.fragments += 1
        if fragment.position != index:
            yield _at(fragment, f"stands at {fragment.position}, not at {index}")
        content = content_of(reader, fragment.content_sha256)
        if content is None:
            whole = False
            yield _at(fragment, f"its content {fragment.content_sha256[:16]} is gone or changed")
            continue
        digest.update(content)
        if fragment.kind in FROM_A_BLOB:
            for message in check_source(fragment, content, read_git_blob, report):
                yield _at(fragment, message)
    yield from _check_totals(package, fragments, digest.hexdigest() if whole else None)
    if content_of(reader, package.prompt_sha256) is None:
        yield Break("context_packages", package.seq, "its prompt is gone from the log or changed")
    yield from _check_decisions(reader, package, fragments)


def _check_totals(
    package: LoggedPackage, fragments: tuple[LoggedFragment, ...], sha256: str | None
) -> Iterator[Break]:
    if sha256 is not None and sha256 != package.prompt_sha256:
        message = f"{package.package_id} renders to {sha256[:16]}, not {package.prompt_sha256[:16]}"
        yield Break("context_packages", package.seq, message)
    tokens = sum(fragment.tokens for fragment in fragments)
    if tokens != package.tokens:
        message = f"{package.package_id} has {tokens} tokens in fragments, {package.tokens} logged"
        yield Break("context_packages", package.seq, message)
    if package.tokens > package.budget_tokens:
        message = f"{package.package_id} is over its budget of {package.budget_tokens} tokens"
        yield Break("context_packages", package.seq, message)


def _check_decisions(
    reader: RawReader, package: LoggedPackage, fragments: tuple[LoggedFragment, ...]
) -> Iterator[Break]:
    """Default-deny: code is shown only by a logged decision that included this very content."""
    logged = reader.read_decisions(package.task_id, package_id=package.package_id)
    decisions = {found.position: found.decision for found in logged}
    for fragment in fragments:
        message = why_not_admitted(decisions, fragment) if fragment.kind in FROM_A_BLOB else ""
        if message:
            yield _at(fragment, message)


def _at(fragment: LoggedFragment, message: str) -> Break:
    place = f"{fragment.package_id} fragment {fragment.position}"
    return Break("context_fragments", fragment.seq, f"{place}: {message}")
