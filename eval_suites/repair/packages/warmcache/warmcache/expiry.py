"""A cache whose entries expire."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from warmcache.clock import Clock
from warmcache.recency import RecentCache

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Entry(Generic[Value]):
    """A value and the moment from which it no longer counts."""

    value: Value
    expires: float

    def is_fresh(self, now: float) -> bool:
        """Whether the value still counts."""
        return now < self.expires


class ExpiringCache(Generic[Key, Value]):
    """Entries live for a time and are bounded in number."""

    def __init__(
        self, clock: Clock, lifetime: float, capacity: int = 128, *, sliding: bool = False
    ) -> None:
        if lifetime <= 0:
            raise ValueError("lifetime must be positive")
        self.lifetime = lifetime
        self.sliding = sliding
        self._clock = clock
        self._store: RecentCache[Key, Entry[Value]] = RecentCache(capacity)

    def __len__(self) -> int:
        """How many entries are fresh."""
        now = self._clock.now()
        return sum(1 for key in self._store if self._is_fresh(key, now))

    def _is_fresh(self, key: Key, now: float) -> bool:
        entry = self._store.peek(key)
        return entry is not None and entry.is_fresh(now)

    def put(self, key: Key, value: Value, lifetime: float | None = None) -> None:
        """Store a value for the usual time or one of its own."""
        seconds = self.lifetime if lifetime is None else lifetime
        self._store.put(key, Entry(value, self._clock.now() + seconds))

    def get(self, key: Key, default: Value | None = None) -> Value | None:
        """The value of a key if fresh; with sliding, reading renews it."""
        entry = self._store.get(key)
        if entry is None:
            return default
        if not entry.is_fresh(self._clock.now()):
            self._store.discard(key)
            return default
        if self.sliding:
            self.put(key, entry.value)
        return entry.value

    def remaining(self, key: Key) -> float:
        """Seconds that a key has left; zero if it is gone."""
        entry = self._store.peek(key)
        if entry is None:
            return 0.0
        return max(0.0, entry.expires - self._clock.now())

    def purge(self) -> int:
        """Drop everything stale; how many that were."""
        now = self._clock.now()
        stale = [key for key in self._store if not self._is_fresh(key, now)]
        for key in stale:
            self._store.discard(key)
        return len(stale)
