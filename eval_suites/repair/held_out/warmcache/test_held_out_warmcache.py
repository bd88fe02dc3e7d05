"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

from itertools import islice

import pytest
from warmcache.clock import ManualClock
from warmcache.expiry import ExpiringCache
from warmcache.limits import SlidingWindow, TokenBucket
from warmcache.memo import call_key
from warmcache.recency import RecentCache
from warmcache.retry import delays


@pytest.fixture
def clock() -> ManualClock:
    """Starts at seven seconds."""
    return ManualClock(7.0)


def test_use_decides_who_stays() -> None:
    cache: RecentCache[int, str] = RecentCache(2)
    cache.put(1, "one")
    cache.put(2, "two")
    for newcomer in (3, 4, 5):
        assert cache.get(1) == "one"
        cache.put(newcomer, "new")
    assert list(cache) == [1, 5]
    assert cache.counts.evictions == 3


def test_eviction_order_on_resize() -> None:
    cache: RecentCache[int, int] = RecentCache(4)
    for key in range(4):
        cache.put(key, key)
    cache.resize(2)
    assert list(cache) == [2, 3]


@pytest.mark.parametrize(("wait", "known"), [(0, True), (2.75, True), (3, False), (4, False)])
def test_lifetime_to_the_second(clock: ManualClock, wait: float, known: bool) -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(clock, 3)
    cache.put("a", 1)
    clock.advance(wait)
    assert (cache.get("a") == 1) is known
    assert len(cache) == int(known)


@pytest.mark.parametrize("lifetime", [0, 0.0])
def test_no_lifetime_at_all(clock: ManualClock, lifetime: float) -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(clock, 3)
    cache.put("a", 1, lifetime=lifetime)
    assert cache.remaining("a") == 0
    cache.put("b", 1, lifetime=None)
    assert cache.remaining("b") == 3


def test_asking_often_does_not_fill(clock: ManualClock) -> None:
    bucket = TokenBucket(clock, capacity=8, per_second=1)
    bucket.take(8)
    for second in range(1, 6):
        clock.advance(1)
        assert bucket.tokens == second


def test_waiting_for_a_full_bucket(clock: ManualClock) -> None:
    bucket = TokenBucket(clock, capacity=3, per_second=0.5)
    bucket.take(3)
    assert bucket.wait_time(3) == 6
    with pytest.raises(ValueError, match="never"):
        bucket.wait_time(3.5)


def test_window_waits_for_the_oldest(clock: ManualClock) -> None:
    window = SlidingWindow(clock, 3, 20)
    for _ in range(3):
        assert window.allow()
        clock.advance(2)
    assert window.wait_time() == 14
    clock.advance(14)
    assert window.allow()
    assert window.wait_time() == 2


def test_call_keys() -> None:
    assert call_key((), {"x": 1, "a": 2, "m": 3}) == call_key((), {"m": 3, "x": 1, "a": 2})
    assert call_key((), {"x": 1}) != call_key((), {"x": 2})
    assert call_key((), {"x": 1}) != call_key((), {"y": 1})


def test_first_delay_is_the_first() -> None:
    assert list(islice(delays(3, factor=3, longest=50), 4)) == [3, 9, 27, 50]
    assert list(islice(delays(5, factor=1), 3)) == [5, 5, 5]
