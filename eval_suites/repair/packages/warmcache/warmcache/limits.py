"""Limits on how often something may happen."""

from __future__ import annotations

from collections import deque

from warmcache.clock import Clock


class TokenBucket:
    """Tokens refill at a steady rate; each action takes some."""

    def __init__(self, clock: Clock, capacity: float, per_second: float) -> None:
        if capacity <= 0 or per_second <= 0:
            raise ValueError("capacity and rate must be positive")
        self.capacity = capacity
        self.per_second = per_second
        self._clock = clock
        self._tokens = capacity
        self._filled_at = clock.now()

    def _refill(self) -> None:
        now = self._clock.now()
        gained = (now - self._filled_at) * self.per_second
        self._tokens = min(self.capacity, self._tokens + gained)
        self._filled_at = now

    @property
    def tokens(self) -> float:
        """How many tokens there are now."""
        self._refill()
        return self._tokens

    def take(self, count: float = 1) -> bool:
        """Take tokens if there are enough of them."""
        self._refill()
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def wait_time(self, count: float = 1) -> float:
        """Seconds until so many tokens can be taken."""
        if count > self.capacity:
            raise ValueError(f"the bucket never holds {count} tokens")
        missing = count - self.tokens
        return max(0.0, missing / self.per_second)


class SlidingWindow:
    """At most so many actions within any stretch of so many seconds."""

    def __init__(self, clock: Clock, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._clock = clock
        self._moments: deque[float] = deque()

    def _forget_old(self) -> None:
        horizon = self._clock.now() - self.seconds
        while self._moments and self._moments[0] <= horizon:
            self._moments.popleft()

    def allow(self) -> bool:
        """Whether one more action may happen; if so it is counted."""
        self._forget_old()
        if len(self._moments) >= self.limit:
            return False
        self._moments.append(self._clock.now())
        return True

    def wait_time(self) -> float:
        """Seconds until the next action may happen."""
        self._forget_old()
        if len(self._moments) < self.limit:
            return 0.0
        oldest = self._moments[-self.limit]
        return oldest + self.seconds - self._clock.now()


class PerKeyLimit:
    """A sliding window for each key, such as each caller."""

    def __init__(self, clock: Clock, limit: int, seconds: float) -> None:
        self._clock = clock
        self._limit = limit
        self._seconds = seconds
        self._windows: dict[str, SlidingWindow] = {}

    def allow(self, key: str) -> bool:
        """Whether a key may act once more."""
        if key not in self._windows:
            self._windows[key] = SlidingWindow(self._clock, self._limit, self._seconds)
        return self._windows[key].allow()
