"""A home of its own for every test: the user's global git configuration must play no part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git import GitRepo


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "user-home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return place


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    """A benign repository with two commits."""
    made = GitRepo(tmp_path / "repo")
    made.commit({"a.py": "x = 1\n", "pkg/b.py": "y = 1\n"}, "first")
    made.commit({"pkg/b.py": "y = 2\n"}, "second")
    return made
