"""Buckets, windows and retries."""

from __future__ import annotations

from itertools import islice

import pytest

from warmcache.clock import ManualClock
from warmcache.limits import PerKeyLimit, SlidingWindow, TokenBucket
from warmcache.retry import call_with_retries, delays, drain


@pytest.fixture
def bucket(clock: ManualClock) -> TokenBucket:
    """Ten tokens, two a second."""
    return TokenBucket(clock, capacity=10, per_second=2)


def test_bucket_starts_full(bucket: TokenBucket) -> None:
    assert bucket.take(10)
    assert not bucket.take(1)


def test_bucket_refills(clock: ManualClock, bucket: TokenBucket) -> None:
    bucket.take(10)
    clock.advance(1.5)
    assert bucket.tokens == 3


def test_bucket_never_overflows(clock: ManualClock, bucket: TokenBucket) -> None:
    bucket.take(1)
    clock.advance(60)
    assert bucket.tokens == 10


def test_refused_take_costs_nothing(clock: ManualClock, bucket: TokenBucket) -> None:
    bucket.take(8)
    assert not bucket.take(3)
    assert bucket.take(2)


def test_refill_is_not_counted_twice(clock: ManualClock, bucket: TokenBucket) -> None:
    bucket.take(10)
    for _ in range(4):
        clock.advance(0.5)
        assert not bucket.take(9)
    assert bucket.tokens == 4


def test_bucket_wait_time(bucket: TokenBucket) -> None:
    assert bucket.wait_time(4) == 0
    bucket.take(10)
    assert bucket.wait_time(4) == 2


def test_bucket_cannot_hold_more(bucket: TokenBucket) -> None:
    assert bucket.wait_time(10) == 0
    with pytest.raises(ValueError, match="never holds 11"):
        bucket.wait_time(11)


def test_window_counts_to_its_limit(clock: ManualClock) -> None:
    window = SlidingWindow(clock, 2, 10)
    assert [window.allow() for _ in range(3)] == [True, True, False]


def test_window_slides(clock: ManualClock) -> None:
    window = SlidingWindow(clock, 2, 10)
    window.allow()
    clock.advance(6)
    window.allow()
    clock.advance(4)
    assert window.allow()
    assert not window.allow()


def test_window_wait_time(clock: ManualClock) -> None:
    window = SlidingWindow(clock, 2, 10)
    assert window.wait_time() == 0
    window.allow()
    clock.advance(3)
    window.allow()
    assert window.wait_time() == 7


def test_keys_have_their_own_windows(clock: ManualClock) -> None:
    limit = PerKeyLimit(clock, 1, 10)
    assert limit.allow("ada")
    assert limit.allow("ben")
    assert not limit.allow("ada")


def test_delays_grow_to_the_longest() -> None:
    assert list(islice(delays(1, longest=6), 5)) == [1, 2, 4, 6, 6]


def test_retries_until_it_works(clock: ManualClock) -> None:
    outcomes = iter([OSError(), OSError(), "done"])

    def action() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, OSError):
            raise outcome
        return str(outcome)

    assert call_with_retries(action, clock, 3) == "done"
    assert clock.now() == 103


def test_retries_give_up(clock: ManualClock) -> None:
    def action() -> None:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        call_with_retries(action, clock, 2)
    assert clock.now() == 101


def test_drain_waits_for_tokens(clock: ManualClock, bucket: TokenBucket) -> None:
    assert drain(bucket, clock, [10, 4, 4]) == [100, 102, 104]
