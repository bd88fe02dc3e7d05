"""Choose which descriptions a person's word promotes, and tell what was promoted.

Takes: descriptions of the log, the files of the index, the paths that were named. Gives: the
descriptions to promote; for a judge's listing, what is promoted on a candidate's content.
Does not know: how one is logged or copied; nothing here is automatic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from clean_room_agent.errors import UsageError
from clean_room_agent.records.answers import Enrichment
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Candidate, SubjectKind
from clean_room_agent.store.curated_reader import CuratedReader, FileRow

RULE_ALL = "manual: all"


def choose_promotions(
    enrichments: Sequence[Enrichment],
    promoted: Set[str],
    files: Sequence[FileRow],
    paths: Sequence[str],
) -> tuple[list[Enrichment], str]:
    """Return what to promote and the rule: all contents that files have now, or named files'.

    `enrichments` are oldest first, `promoted` the ids promoted before. Of several descriptions of
    one content the newest is meant. Raises: UsageError for a path that has none.
    """
    newest = {one.blob_id: one for one in enrichments}
    if not paths:
        wanted = {file.blob_id for file in files}
        rule = RULE_ALL
    else:
        wanted = _named(paths, files, newest.keys())
        rule = f"manual: {', '.join(paths)}"
    chosen = [
        one
        for blob_id, one in newest.items()
        if blob_id in wanted and one.enrichment_id not in promoted
    ]
    return chosen, rule


def promoted_about(reader: CuratedReader) -> Callable[[Candidate], str]:
    """Return what tells the promoted description of a candidate file's content, or ""."""

    def tell(candidate: Candidate) -> str:
        if candidate.kind is not SubjectKind.FILE:
            return ""
        found = reader.read_descriptions([candidate.blob_id]).get(candidate.blob_id)
        if found is None:
            return ""
        parts = (found.purpose, ", ".join(found.concepts), "; ".join(found.relations))
        return " | ".join(part for part in parts if part)

    return tell


def _named(paths: Sequence[str], files: Sequence[FileRow], described: Set[BlobId]) -> set[BlobId]:
    by_path = {file.path: file.blob_id for file in files}
    wanted = set()
    for path in paths:
        if path not in by_path:
            raise UsageError(f"{path} is not in the index", hint="cra index")
        if by_path[path] not in described:
            raise UsageError(f"{path} has no description of its present content", hint="cra enrich")
        wanted.add(by_path[path])
    return wanted
