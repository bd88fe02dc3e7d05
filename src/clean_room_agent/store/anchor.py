"""The newest link of the chain, written beside the database after each append.

Takes: the repository, a connection to raw. Gives: whether acknowledged rows are gone.
Does not know: how links are made.

A deleted `-wal` file or a restored old copy rolls the database back with no error from SQLite and
with a chain that is consistent in itself; the anchor still names the link that was acknowledged.
The anchor may lag one append behind (killed between commit and anchor), never lead.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from clean_room_agent.store.chain import GENESIS, Break, read_hash
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.paths import FILE_MODE, state_dir

_NAME = "raw.head"
_READ_BYTES = 256


def write_anchor(repo_path: Path, seq: int, link_hash: str) -> None:
    """Record that link `seq` was acknowledged; callers hold the raw lock."""
    fault_point("anchor.write")
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(state_dir(repo_path) / _NAME, flags, FILE_MODE)
    try:
        if os.fstat(fd).st_mode & 0o777 != FILE_MODE:
            os.fchmod(fd, FILE_MODE)
        os.pwrite(fd, f"{seq:020d} {link_hash}\n".encode(), 0)
    finally:
        os.close(fd)


def read_anchor(repo_path: Path) -> tuple[int, str] | None:
    """Return seq and hash of the last acknowledged link, `None` without a (whole) anchor."""
    path = state_dir(repo_path) / _NAME
    try:
        with path.open("rb") as file:
            words = file.read(_READ_BYTES).decode("ascii", "replace").split()
    except FileNotFoundError:
        return None
    if len(words) != 2 or not words[0].isdigit() or len(words[1]) != len(GENESIS):
        return None
    return int(words[0]), words[1]


def check_anchor(connection: sqlite3.Connection, anchor: tuple[int, str] | None) -> Break | None:
    """Compare an anchor (read before the connection reads) with the chain.

    A missing anchor is a break too, unless nothing was ever logged.
    """
    newest = connection.execute("SELECT max(seq) FROM chain").fetchone()[0] or 0
    if anchor is None:
        if newest == 0:
            return None
        return Break("chain", newest, f"{_NAME} is missing: a loss at the tail cannot be excluded")
    seq, link_hash = anchor
    if seq and read_hash(connection, seq) != link_hash:
        lost = f"{_NAME} says link {seq} was acknowledged, the log ends at {newest}"
        if seq <= newest:
            lost = f"link {seq} is not the one that {_NAME} acknowledged"
        return Break("chain", seq, lost)
    return None
