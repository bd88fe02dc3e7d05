"""JSON of the log that somebody edited into another shape: an error in words for every reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.errors import StoreError
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from tests.store import call_samples
from tests.store.samples import tamper


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    with RawLog(tmp_path) as raw:
        call_samples.append_everything(raw)
    return tmp_path


def read_all(repo: Path) -> int:
    with RawReader(repo) as reader:
        return len(reader.read_runs()) + len(reader.read_requests()) + len(reader.read_events())


def test_control_the_log_as_it_was_appended_is_read(repo: Path) -> None:
    assert read_all(repo) > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_requests SET choice = '{}'",
        "UPDATE model_requests SET choice = '[]'",
        "UPDATE model_requests SET choice = json_set(choice, '$.sampling', 7)",
        "UPDATE model_requests SET choice = json_remove(choice, '$.adapter')",
        "UPDATE runs SET config = '[]'",
    ],
)
def test_another_shape_is_a_damaged_row(repo: Path, statement: str) -> None:
    tamper(repo, statement)
    with pytest.raises(StoreError, match="damaged"):
        read_all(repo)
