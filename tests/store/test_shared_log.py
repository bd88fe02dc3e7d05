"""Looking at a database that is open must not take SQLite's locks from it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from clean_room_agent.store.connect import Role, database_path, get_connection
from clean_room_agent.store.raw_reader import RawReader

VISIT = (
    "import sqlite3, sys\n"
    "visitor = sqlite3.connect(sys.argv[1])\n"
    "visitor.execute('SELECT count(*) FROM chain').fetchall()\n"
    "visitor.close()"
)


def visit(path: Path) -> None:
    """Another process opens and closes the database; the last one out removes the WAL."""
    subprocess.run([sys.executable, "-c", VISIT, str(path)], check=True, timeout=60)


def test_a_second_look_leaves_the_write_ahead_log_of_an_open_database(tmp_path: Path) -> None:
    path = database_path(Role.RAW, tmp_path)
    wal = Path(f"{path}-wal")
    with closing(get_connection(Role.RAW, repo_path=tmp_path)) as opened:
        opened.execute("SELECT count(*) FROM chain").fetchall()
        with RawReader(tmp_path) as reader:
            reader.read_runs()
        visit(path)
        assert wal.exists()
        # Negative control: a plain look at the file drops the locks, and the visitor removes it.
        with path.open("rb") as file:
            file.read(1)
        visit(path)
        assert not wal.exists()
