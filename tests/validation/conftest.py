"""Isolations for validation tests: a plain local one, and the real sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.isolation import LocalIsolation, SandboxIsolation


@pytest.fixture
def isolation() -> LocalIsolation:
    return LocalIsolation()


@pytest.fixture
def sandbox(tmp_path: Path) -> SandboxIsolation:
    return SandboxIsolation(tmp_path / "shown")
