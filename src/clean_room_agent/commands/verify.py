"""`cra verify`: rebuild every logged package and prompt, check every hash and the chain.

Takes: the stores and git's blobs. Gives: exit code 0 when all agree, 6 on any break.
Does not know: what a break means; each is named with its table and row.
"""

from __future__ import annotations

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.output import Output
from clean_room_agent.errors import RepositoryError, StoreError
from clean_room_agent.records.code import BlobId
from clean_room_agent.store.audit import AuditReport, audit_raw


def verify(invocation: Invocation) -> int:
    """Audit, print every break, return the exit code."""
    repository = invocation.repository
    cache: dict[str, bytes | None] = {}

    def read_git_blob(blob_id: str) -> bytes | None:
        if blob_id not in cache:
            try:
                cache[blob_id] = repository.read_blobs([BlobId(blob_id)]).get(BlobId(blob_id))
            except RepositoryError:
                # The blob was never committed, or was pruned: the log's own copy is checked.
                cache[blob_id] = None
        return cache[blob_id]

    report = audit_raw(invocation.root, read_git_blob)
    _print(invocation.output, report)
    invocation.output.document(_document(report))
    return 0 if report.clean else StoreError.exit_code


def _print(output: Output, report: AuditReport) -> None:
    for found in report.breaks:
        output.line(f"BROKEN {found.table} {found.seq}: {found.message}")
    verdict = "clean" if report.clean else f"{len(report.breaks)} breaks"
    output.line(
        f"{verdict}: {report.databases} databases, {report.links:,} links of the chain, "
        f"{report.packages} prompts rebuilt from {report.fragments} fragments "
        f"({report.checked_in_git} against git, {report.not_in_git} against the log's copy)"
    )
    if report.requests:
        output.line(
            f"{report.requests} calls of models rebuilt from {report.prompt_fragments} fragments, "
            f"{report.replies} replies, {report.unanswered} calls without one"
        )
    for package_id in report.unfinished:
        output.line(f"unfinished: {package_id}: its run ended before it was logged (`cra resume`)")


def _document(report: AuditReport) -> dict[str, object]:
    return {
        "clean": report.clean,
        "breaks": [{"table": b.table, "seq": b.seq, "message": b.message} for b in report.breaks],
        "databases": report.databases,
        "links": report.links,
        "packages": report.packages,
        "fragments": report.fragments,
        "checked_in_git": report.checked_in_git,
        "not_in_git": report.not_in_git,
        "requests": report.requests,
        "prompt_fragments": report.prompt_fragments,
        "replies": report.replies,
        "unanswered": report.unanswered,
        "unfinished": report.unfinished,
        "claims": report.claims,
    }
