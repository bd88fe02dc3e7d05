"""Copy what a person promoted from raw to curated: the only way for a description to be read.

Takes: the log, a `CuratedWriter` whose lock the caller holds. Gives: the table `descriptions`.
Does not know: who promoted what, or why.

Raw holds the act, curated only its result: copying again gives the same rows, so a promotion that
was killed after its row in raw is finished by whoever copies next.
"""

from __future__ import annotations

import os
from pathlib import Path

from clean_room_agent.records.answers import Enrichment
from clean_room_agent.records.code import BlobId
from clean_room_agent.store.connect import Role, database_path, get_connection
from clean_room_agent.store.curated_writer import CuratedWriter
from clean_room_agent.store.raw_reader import RawReader


def read_promoted(repo_path: Path) -> dict[BlobId, Enrichment]:
    """Return for each content the description that was promoted last."""
    if not os.path.lexists(database_path(Role.RAW, repo_path)):
        return {}
    # Opened to write first: a log of an older version is brought up to date so.
    get_connection(Role.RAW, repo_path=repo_path).close()
    with RawReader(repo_path) as reader:
        promotions = reader.read_promotions()
        known = {one.enrichment_id: one for one in reader.read_enrichments(promoted=True)}
    found: dict[BlobId, Enrichment] = {}
    for promotion in promotions:
        enrichment = known[promotion.enrichment_id]
        found[enrichment.blob_id] = enrichment
    return found


def copy_promoted(writer: CuratedWriter, repo_path: Path) -> bool:
    """Make curated hold what was promoted, and nothing else; say whether anything changed."""
    promoted = read_promoted(repo_path)
    wanted = {str(blob_id): one.enrichment_id for blob_id, one in promoted.items()}
    if writer.read_description_ids() == wanted:
        return False
    with writer.transaction():
        writer.replace_descriptions(promoted.values())
    return True
