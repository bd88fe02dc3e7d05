"""What every part of the audit shares: the report, code held against its git blob and its decision.

Takes: a logged fragment with its bytes, a way to read git blobs, decisions. Gives: `AuditReport`,
messages.
Does not know: packages or calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from clean_room_agent.errors import StoreError
from clean_room_agent.records.context import Decision, FragmentKind, Verdict
from clean_room_agent.records.log import LoggedFragment
from clean_room_agent.store.chain import Break
from clean_room_agent.store.raw_reader import RawReader

ReadGitBlob = Callable[[str], bytes | None]
# Bytes of the repository: shown only by a decision, and equal to git's at their range.
FROM_A_BLOB = frozenset({FragmentKind.CODE, FragmentKind.INSTRUCTION_FILE})


@dataclass(slots=True)
class AuditReport:
    """What was checked and every break found; filled while the audit runs.

    `unanswered` calls have no reply, `unfinished` packages were asked about and never logged: both
    are what a killed run leaves, and no break.
    """

    breaks: list[Break] = field(default_factory=list)
    databases: int = 0
    links: int = 0
    packages: int = 0
    fragments: int = 0
    checked_in_git: int = 0
    not_in_git: int = 0
    requests: int = 0
    prompt_fragments: int = 0
    replies: int = 0
    unanswered: int = 0
    unfinished: list[str] = field(default_factory=list)
    claims: int = 0

    @property
    def clean(self) -> bool:
        return not self.breaks


def check_source(
    fragment: LoggedFragment, content: bytes, read_git_blob: ReadGitBlob, report: AuditReport
) -> Iterator[str]:
    """Compare bytes of the repository with those of the git blob that they name."""
    if fragment.blob_id is None or fragment.start_byte is None or fragment.end_byte is None:
        yield "code without a blob and a byte range"
        return
    data = read_git_blob(fragment.blob_id)
    if data is None:
        report.not_in_git += 1
        return
    report.checked_in_git += 1
    if data[fragment.start_byte : fragment.end_byte] != content:
        place = f"{fragment.blob_id[:12]}[{fragment.start_byte}:{fragment.end_byte}]"
        yield f"is not the bytes of git blob {place}"


def why_not_admitted(decisions: Mapping[int, Decision], fragment: LoggedFragment) -> str:
    """Say why no decision lets this very content in; "" where one does (default-deny)."""
    decision = decisions.get(fragment.decision) if fragment.decision is not None else None
    if decision is None:
        return "no decision let it in"
    if decision.verdict is not Verdict.INCLUDED:
        return f"decision {fragment.decision} excluded it"
    if decision.candidate.path != fragment.path:
        return f"decision {fragment.decision} is about another path"
    if decision.candidate.blob_id != fragment.blob_id:
        return f"decision {fragment.decision} is about another content"
    return ""


def content_of(reader: RawReader, sha256: str) -> bytes | None:
    """Return logged bytes; None where they are gone or are not what their name says."""
    try:
        return reader.read_blob(sha256)
    except StoreError:
        return None
