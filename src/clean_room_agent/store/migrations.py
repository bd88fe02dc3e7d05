"""How a database gets and keeps its schema: numbered steps, each one transaction.

Takes: an open connection. Gives: the schema of a version, and a fingerprint to check it by.
Does not know: which file is open, or who may write.

The lists only grow. A step and its record (`user_version`) commit together, so a process killed
half-way resumes at the next start. In raw a step may add tables, never change one: the digests of
the chain cover all columns of a row.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from clean_room_agent.errors import StoreError
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.paths import FILE_MODE, Role

SCHEMA_DIR = Path(__file__).parent / "schema"

# "CRA" and a digit, so that `file` and a hex dump tell whose database it is.
APPLICATION_IDS: Mapping[Role, int] = {
    Role.RAW: 0x43524131,
    Role.CURATED: 0x43524132,
    Role.SESSION: 0x43524133,
    Role.VECTORS: 0x43524134,
}

MIGRATIONS: Mapping[Role, tuple[str, ...]] = {
    Role.RAW: ("raw_001.sql", "raw_002.sql"),
    Role.CURATED: ("curated_001.sql", "curated_002.sql", "curated_003.sql", "curated_004.sql"),
    Role.SESSION: ("session_001.sql",),
    Role.VECTORS: ("vectors_001.sql",),
}

_SCHEMA_ROWS = """
SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master
WHERE NOT (type = 'table' AND name IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))
ORDER BY type, name
"""


def steps_of(role: Role) -> tuple[str, ...]:
    """Return the SQL of every step of `role`, in order."""
    return tuple((SCHEMA_DIR / name).read_text("utf-8") for name in MIGRATIONS[role])


def newest_version(role: Role) -> int:
    """Return the version that this program writes."""
    return len(MIGRATIONS[role])


def schema_versions() -> dict[str, int]:
    """Return the version of each role's schema that this program writes."""
    return {str(role): newest_version(role) for role in MIGRATIONS}


def migrate(connection: sqlite3.Connection, application_id: int, steps: tuple[str, ...]) -> None:
    """Apply the steps that `user_version` does not count yet, each with its record."""
    done = read_version(connection)
    for version, step in enumerate(steps[done:], start=done + 1):
        fault_point("migrations.step")
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{step}\n;PRAGMA application_id = {application_id};\n"
                f"PRAGMA user_version = {version};"
            )
            fault_point("migrations.before_commit")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def back_up(connection: sqlite3.Connection, path: Path) -> Path:
    """Write a complete copy of the database beside it before its first migration step."""
    copy = path.with_name(f"{path.name}.v{read_version(connection)}.backup")
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    part.touch(FILE_MODE)
    part.chmod(FILE_MODE)
    connection.execute("VACUUM INTO ?", (str(part),))
    fault_point("migrations.backup")
    part.replace(copy)
    return copy


def read_version(connection: sqlite3.Connection) -> int:
    """Return `user_version`."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def fingerprint(connection: sqlite3.Connection) -> str:
    """Return a hash over every table, index, trigger and view that the file defines."""
    digest = hashlib.sha256()
    for row in connection.execute(_SCHEMA_ROWS):
        digest.update("\x1f".join(row).encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()


@lru_cache(maxsize=16)
def expected_fingerprint(role: Role, version: int) -> str:
    """Return the fingerprint that the steps up to `version` give."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, APPLICATION_IDS[role], steps_of(role)[:version])
        return fingerprint(connection)


def check_schema(connection: sqlite3.Connection, role: Role, path: Path) -> None:
    """Refuse a file that is not ours, is newer, or defines anything but our schema.

    Raises: StoreError naming which of the three.
    """
    found = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if found != APPLICATION_IDS[role]:
        raise StoreError(
            f"this is not a {role} database of cra (application id {found:#010x})",
            where=str(path),
            hint="move the file away; it was not opened",
        )
    version, newest = read_version(connection), newest_version(role)
    if version > newest or version < 1:
        raise StoreError(
            f"schema version {version} of the {role} database is not known (newest: {newest})",
            where=str(path),
            hint="install the version of cra that wrote it",
        )
    if fingerprint(connection) != expected_fingerprint(role, version):
        raise StoreError(
            f"the {role} database does not have the schema of version {version}",
            where=str(path),
            hint=rebuild_hint(role),
        )


def rebuild_hint(role: Role) -> str:
    """Say what can be done about a damaged file of `role`; nothing is ever rebuilt unasked."""
    if role is Role.CURATED:
        return "it is derivable: delete the file and run `cra index --full`"
    if role is Role.VECTORS:
        return "it is derivable: delete the file and run `cra index`"
    return "move the file away and restore a copy; `cra verify` says what is broken"
