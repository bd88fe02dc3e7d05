"""planning/schemas.md says what the databases are; these tests keep it true."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from clean_room_agent.store.migrations import migrate, steps_of
from clean_room_agent.store.paths import Role
from tests.store.schemas_document import DOCUMENT, named_blocks, schema_files, with_ddl

REGENERATE = "run: python -m tests.store.schemas_document"


def test_the_document_holds_every_schema_file_as_it_is() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert named_blocks(document) == schema_files(), "a block is missing, or in another order"
    assert with_ddl(document) == document, REGENERATE


@pytest.mark.parametrize("role", list(Role))
def test_every_table_has_a_line_that_explains_it(role: Role) -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, 1, steps_of(role))
        tables = {
            name
            for (name,) in connection.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main'"
                " AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            )
        }
    assert tables - explained == set()
