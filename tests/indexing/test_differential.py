"""After any edits, an index that followed them says what one made from nothing says, row for row.

Few sequences of edits are tried by default, the same in every run. For a long search:
`CRA_LONG_DIFFERENTIAL=500 python -m pytest tests/indexing/test_differential.py -k random`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from clean_room_agent.indexing import index_repository
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.connect import Role, get_connection
from tests.indexing.edited import EDITS, Edited
from tests.indexing.live import check_search, differences, fresh_rows, live_rows, unread_tables

LONG = int(os.environ.get("CRA_LONG_DIFFERENTIAL", "0"))

# To say why an example fails would run it many times more.
PHASES = (Phase.generate, Phase.shrink)
NUMBERS = st.integers(0, 63)
# Most steps change sources: what only git does is common enough with one share each.
SHARES = {"write": 9, "append": 3, "rename": 4, "delete": 3, "copy": 2, "commit": 3, "manifest": 2}
CHOICES = [name for name in sorted(EDITS) for _ in range(SHARES.get(name, 1))]
# What is done and with what, and whether the index is brought up to date after it.
STEPS = st.lists(
    st.tuples(st.sampled_from(CHOICES), NUMBERS, NUMBERS, NUMBERS, st.booleans()),
    min_size=1,
    max_size=24 if LONG else 12,
)


def follow(root: Path) -> None:
    """Bring the index up to date."""
    index_repository(open_repository(root), repo_path=root)


def assert_equals_fresh(root: Path) -> None:
    """The index of `root` says what a fresh one says, and its full-text parts are whole."""
    assert differences(live_rows(root), fresh_rows(root)) == {}
    check_search(root)


@pytest.mark.reliability(case=82)
@settings(
    max_examples=LONG or 8,
    derandomize=not LONG,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
@given(steps=STEPS)
def test_an_index_that_followed_random_edits_equals_a_fresh_one(
    steps: list[tuple[str, int, int, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory(prefix="cra-edits-") as place:
        edited = Edited(Path(place))
        follow(edited.root)
        for *step, look in steps:
            edited.apply(*step)
            if look:
                follow(edited.root)
                if LONG:
                    note(f"compared after {step}")
                    assert_equals_fresh(edited.root)
        follow(edited.root)
        assert_equals_fresh(edited.root)


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        ("DELETE FROM symbol_references WHERE rowid = 1", {"references"}),
        ("UPDATE edges SET confidence = 0.123 WHERE rowid = 1", {"edges"}),
        ("INSERT INTO file_attributes VALUES (CAST('pkg/one.py' AS BLOB), 'x')", {"attributes"}),
        ("INSERT INTO generated_blobs SELECT min(blob_pk), 'x' FROM files", {"generated"}),
        ("UPDATE churn SET fixes = fixes + 1 WHERE path_pk = 1", {"churn"}),
        (
            "INSERT INTO blob_search (rowid, names, prose, identifiers) VALUES (99, 'go', '', '')",
            {"blob_search hits", "blob_search terms"},
        ),
    ],
    ids=[
        *("a reference is lacking", "an edge differs", "an attribute is left"),
        *("a mark is left", "a count differs", "an orphan is searched"),
    ],
)
def test_a_single_row_that_differs_is_found(tmp_path: Path, harm: str, named: set[str]) -> None:
    """The control of the test above; the last row is a blob that no file points at."""
    edited = Edited(tmp_path)
    follow(edited.root)
    connection = get_connection(Role.CURATED, repo_path=edited.root)
    connection.execute(harm)
    connection.close()
    assert set(differences(live_rows(edited.root), fresh_rows(edited.root))) == named


def test_every_table_of_the_index_is_compared(tmp_path: Path) -> None:
    """But what a model described, and the list of contents that no live row may show."""
    edited = Edited(tmp_path)
    follow(edited.root)
    assert unread_tables(edited.root) == {"descriptions", "kept_blobs"}
