"""A cache of limited size that forgets what was used least recently."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass
class Counts:
    """How often a cache was asked, and what came of it."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0

    @property
    def hit_rate(self) -> float:
        """The part of questions that were answered, between 0 and 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class RecentCache(Generic[Key, Value]):
    """Keeps the most recently used entries, up to a capacity."""

    def __init__(self, capacity: int, on_evict: Callable[[Key, Value], None] | None = None) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.counts = Counts()
        self._on_evict = on_evict
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[Key]:
        """Keys, least recently used first."""
        return iter(self._entries)

    def get(self, key: Key, default: Value | None = None) -> Value | None:
        """The value of a key, which becomes the most recently used."""
        if key not in self._entries:
            self.counts.misses += 1
            return default
        self.counts.hits += 1
        self._entries.move_to_end(key)
        return self._entries[key]

    def peek(self, key: Key) -> Value | None:
        """The value of a key, leaving order and counts alone."""
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Store a value as the most recently used, evicting if need be."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self.capacity:
            self._evict_oldest()

    def discard(self, key: Key) -> bool:
        """Forget a key; whether it was there."""
        if key not in self._entries:
            return False
        del self._entries[key]
        return True

    def resize(self, capacity: int) -> None:
        """Change the capacity, evicting what no longer fits."""
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        while len(self._entries) > self.capacity:
            self._evict_oldest()

    def _evict_oldest(self) -> None:
        key, value = self._entries.popitem(last=False)
        self.counts.evictions += 1
        if self._on_evict is not None:
            self._on_evict(key, value)
