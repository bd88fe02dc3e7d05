"""A limit on a list, with its order and its reason (curation rule 6).

Takes: items. Gives: the first ones in a stated order, and how many were left. Does not know: what
the items are. No list in this room is cut in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", int, str)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` items, ordered by `criterion`; `reason` says why there is a limit."""

    limit: int
    criterion: str
    reason: str

    def first(
        self, items: Iterable[T], order_by: Callable[[T], tuple[float | str, ...]]
    ) -> list[T]:
        """The items with the smallest `order_by`, which must express the criterion."""
        return sorted(items, key=order_by)[: self.limit]

    def best(self, scores: Mapping[K, float]) -> dict[K, float]:
        """The keys with the largest scores, in that order; equal scores by key."""
        ordered = sorted(scores.items(), key=lambda item: (-round(item[1], 9), item[0]))
        return dict(ordered[: self.limit])

    def describe(self, count: int, things: str) -> str:
        """One sentence for the log on how many of `count` items lie beyond the cap; else empty."""
        if count <= self.limit:
            return ""
        first = f"the first {self.limit:,} {self.criterion}"
        return f"{count - self.limit:,} {things} beyond {first} ({self.reason})"
