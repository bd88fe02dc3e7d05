"""Writes the DDL into `planning/schemas.md`: `python -m tests.store.schemas_document`."""

from __future__ import annotations

import re
from pathlib import Path

from clean_room_agent.store.migrations import MIGRATIONS, SCHEMA_DIR

DOCUMENT = Path(__file__).parents[2] / "planning" / "schemas.md"
_BLOCK = re.compile(r"(<!-- ddl (?P<name>[\w.]+) -->\n)```sql\n.*?```\n", re.DOTALL)


def schema_files() -> list[str]:
    return [name for steps in MIGRATIONS.values() for name in steps]


def with_ddl(document: str) -> str:
    """Return the document with each block replaced by the file that it names."""

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}```sql\n{(SCHEMA_DIR / found['name']).read_text('utf-8')}```\n"

    return _BLOCK.sub(block, document)


def named_blocks(document: str) -> list[str]:
    return [found["name"] for found in _BLOCK.finditer(document)]


if __name__ == "__main__":
    DOCUMENT.write_text(with_ddl(DOCUMENT.read_text("utf-8")), "utf-8")
