"""A clock that stands at 100 seconds."""

from __future__ import annotations

import pytest

from warmcache.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Moved by each test."""
    return ManualClock(100.0)
