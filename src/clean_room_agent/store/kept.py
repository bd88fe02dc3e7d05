"""Forget the parsed contents that only other branches and commits have.

Takes: a repository's curated database. Gives: how many there are, and none of them afterwards.
Does not know: why they were kept, or how many an index may keep.
"""

from __future__ import annotations

from pathlib import Path

from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.curated_writer import CuratedWriter
from clean_room_agent.store.locks import write_lock


def count_kept(*, repo_path: Path) -> int:
    """How many contents are kept for other branches and commits; 0 without an index."""
    if not database_path(Role.CURATED, repo_path).is_file():
        return 0
    with CuratedWriter(repo_path=repo_path) as writer:
        return int(writer.connection.execute("SELECT count(*) FROM kept_blobs").fetchone()[0])


def drop_kept(*, repo_path: Path) -> None:
    """Delete them. A later switch of branches parses again what it needs.

    Raises: StoreBusyError: the repository is being indexed.
    """
    with (
        write_lock(Role.CURATED, repo_path=repo_path),
        CuratedWriter(repo_path=repo_path) as writer,
        writer.transaction(),
    ):
        writer.keep_orphans(at_most=0)
