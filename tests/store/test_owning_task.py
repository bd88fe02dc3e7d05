"""Any id of the log leads to its task."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from clean_room_agent.errors import UsageError
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.raw_reader import RawReader
from tests.pipeline import asking
from tests.support.git import GitRepo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A log with one row of every table that has ids of its own."""
    repo = GitRepo(tmp_path / "repo")
    repo.commit({"a.py": "x = 1\n"})
    with asking.open_test_room(repo.root, None):
        pass
    rows = {
        "tasks": {"task_id": "t-1", "run_id": None},
        "context_packages": {"package_id": "k-1", "task_id": "t-1"},
        "plans": {"plan_id": "l-1", "task_id": "t-1"},
        "attempts": {"attempt_id": "a-10", "task_id": "t-1"},
        "answers": {"answer_id": "a-20", "task_id": "t-1"},
        "patches": {"patch_id": "p-1", "attempt_id": "a-10"},
        "selections": {"selection_id": "s-1", "task_id": "t-1"},
        "test_runs": {"test_run_id": "x-1", "task_id": "t-1"},
        "validations": {"validation_id": "v-1", "patch_id": "p-1", "test_run_id": "x-1"},
        "turns": {"turn_id": "n-1", "attempt_id": "a-10"},
        "model_requests": {"request_id": "q-1", "task_id": "t-1"},
        "enrichments": {"enrichment_id": "n-2", "request_id": "q-1"},
        "promotions": {"promotion_id": "m-1", "enrichment_id": "n-2"},
    }
    with closing(sqlite3.connect(database_path(Role.RAW, repo.root))) as database:
        (run_id,) = database.execute("SELECT run_id FROM runs").fetchone()
        for table, given in rows.items():
            values: dict[str, object] = {}
            for _, name, kind, required, _, key in database.execute(f"PRAGMA table_info({table})"):
                if name in given or name == "run_id":
                    values[name] = given.get(name) or run_id
                elif required and not key:
                    values[name] = {"TEXT": "", "BLOB": b""}.get(kind, 0)
            marks = ", ".join("?" * len(values))
            sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
            database.execute(sql, tuple(values.values()))
        database.commit()
    return repo.root


IDS = ("t-1", "k-1", "l-1", "a-10", "a-20", "p-1", "s-1", "x-1", "v-1", "n-1", "n-2", "q-1", "m-1")


@pytest.mark.parametrize("word", [*IDS, "a-2", "last"])
def test_an_id_or_its_beginning_leads_to_the_task(root: Path, word: str) -> None:
    with RawReader(root) as reader:
        assert reader.owning_task(word) == "t-1"


@pytest.mark.parametrize("word", ["a-", "a-3", "l-9", "z-1", "nothing"])
def test_what_names_nothing_or_two_things_is_refused(root: Path, word: str) -> None:
    with RawReader(root) as reader, pytest.raises(UsageError):
        reader.owning_task(word)
