"""The cache that forgets the least recently used."""

from __future__ import annotations

import pytest

from warmcache.clock import ManualClock
from warmcache.recency import Counts, RecentCache


def filled(capacity: int = 3) -> RecentCache[str, int]:
    """A cache holding a, b and c in that order."""
    cache: RecentCache[str, int] = RecentCache(capacity)
    for number, key in enumerate("abc"):
        cache.put(key, number)
    return cache


def test_put_and_get() -> None:
    assert filled().get("b") == 1


def test_absent_key_gives_the_default() -> None:
    assert filled().get("z") is None
    assert filled().get("z", -1) == -1


def test_full_cache_keeps_its_capacity() -> None:
    assert list(filled(3)) == ["a", "b", "c"]


def test_oldest_goes_first() -> None:
    cache = filled()
    cache.put("d", 3)
    assert list(cache) == ["b", "c", "d"]


def test_reading_renews() -> None:
    cache = filled()
    cache.get("a")
    cache.put("d", 3)
    assert list(cache) == ["c", "a", "d"]


def test_writing_again_renews() -> None:
    cache = filled()
    cache.put("a", 9)
    assert list(cache) == ["b", "c", "a"]
    assert cache.counts.evictions == 0


def test_peek_changes_nothing() -> None:
    cache = filled()
    assert cache.peek("a") == 0
    assert list(cache) == ["a", "b", "c"]
    assert cache.counts == Counts()


def test_discard() -> None:
    cache = filled()
    assert cache.discard("b")
    assert not cache.discard("b")
    assert len(cache) == 2


def test_resize_evicts() -> None:
    cache = filled()
    cache.resize(1)
    assert list(cache) == ["c"]
    assert cache.counts.evictions == 2


def test_evicted_entries_are_reported() -> None:
    gone: list[tuple[str, int]] = []
    cache: RecentCache[str, int] = RecentCache(1, lambda key, value: gone.append((key, value)))
    cache.put("a", 1)
    cache.put("b", 2)
    assert gone == [("a", 1)]


def test_hit_rate() -> None:
    cache = filled()
    for key in "abz":
        cache.get(key)
    cache.get("a")
    assert cache.counts.hit_rate == 0.75
    assert Counts().hit_rate == 0.0


def test_capacity_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RecentCache(0)


def test_clock_refuses_to_go_back() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)
