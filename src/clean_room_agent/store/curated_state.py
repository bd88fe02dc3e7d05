"""Says whether the index was written since: one look at the state of `curated.sqlite`.

Takes: a repository. Gives: a text that is another one after every write of the index.
Does not know: what the index says.
"""

from __future__ import annotations

from pathlib import Path

from clean_room_agent.store.connect import Role, database_path, get_connection


def read_index_state(repo_path: Path) -> str:
    """Return what is another text after each index that wrote something; empty without one."""
    if not database_path(Role.CURATED, repo_path).exists():
        return ""
    connection = get_connection(Role.CURATED, repo_path=repo_path, read_only=True)
    try:
        rows = connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
    finally:
        connection.close()
    return repr(rows)
