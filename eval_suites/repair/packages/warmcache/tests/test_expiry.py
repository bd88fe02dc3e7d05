"""Entries that expire, and functions remembered with them."""

from __future__ import annotations

import pytest

from warmcache.clock import ManualClock
from warmcache.expiry import ExpiringCache
from warmcache.memo import call_key, remember


@pytest.fixture
def cache(clock: ManualClock) -> ExpiringCache[str, int]:
    """Lifetime ten seconds."""
    return ExpiringCache(clock, 10)


def test_fresh_until_the_lifetime_is_over(
    clock: ManualClock, cache: ExpiringCache[str, int]
) -> None:
    cache.put("a", 1)
    clock.advance(9.5)
    assert cache.get("a") == 1
    clock.advance(0.5)
    assert cache.get("a") is None


def test_own_lifetime(clock: ManualClock, cache: ExpiringCache[str, int]) -> None:
    cache.put("a", 1, lifetime=2)
    cache.put("b", 2, lifetime=0)
    assert cache.get("b") is None
    clock.advance(2)
    assert cache.get("a") is None


def test_reading_does_not_renew(clock: ManualClock, cache: ExpiringCache[str, int]) -> None:
    cache.put("a", 1)
    clock.advance(6)
    cache.get("a")
    clock.advance(6)
    assert cache.get("a") is None


def test_sliding_renews(clock: ManualClock) -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(clock, 10, sliding=True)
    cache.put("a", 1)
    for _ in range(3):
        clock.advance(6)
        assert cache.get("a") == 1


def test_length_counts_fresh_entries(clock: ManualClock, cache: ExpiringCache[str, int]) -> None:
    cache.put("a", 1)
    clock.advance(6)
    cache.put("b", 2)
    assert len(cache) == 2
    clock.advance(6)
    assert len(cache) == 1


def test_remaining(clock: ManualClock, cache: ExpiringCache[str, int]) -> None:
    cache.put("a", 1)
    clock.advance(4)
    assert cache.remaining("a") == 6
    clock.advance(40)
    assert cache.remaining("a") == 0
    assert cache.remaining("z") == 0


def test_purge(clock: ManualClock, cache: ExpiringCache[str, int]) -> None:
    cache.put("a", 1)
    cache.put("b", 1, lifetime=30)
    clock.advance(20)
    assert cache.purge() == 1
    assert cache.purge() == 0
    assert cache.get("b") == 1


def test_lifetime_must_be_positive(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="positive"):
        ExpiringCache(clock, 0)


def test_remember_runs_once(clock: ManualClock) -> None:
    calls: list[int] = []

    @remember(clock, 10)
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    assert [double(2), double(2), double(3)] == [4, 4, 6]
    assert calls == [2, 3]
    clock.advance(10)
    assert double(2) == 4
    assert calls == [2, 3, 2]


def test_remember_keeps_none(clock: ManualClock) -> None:
    calls: list[str] = []

    @remember(clock, 10)
    def look_up(name: str) -> None:
        calls.append(name)

    look_up("a")
    look_up("a")
    assert calls == ["a"]


def test_remember_tells_named_arguments_apart(clock: ManualClock) -> None:
    @remember(clock, 10)
    def join(first: str, *, last: str) -> str:
        return first + last

    assert join("a", last="b") == "ab"
    assert join("a", last="c") == "ac"


def test_call_key_ignores_the_order_of_names() -> None:
    assert call_key((1,), {"a": 1, "b": 2}) == call_key((1,), {"b": 2, "a": 1})
    assert call_key((1,), {}) != call_key((), {"a": 1})
