"""Rooms, and which of them fits a party."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Room:
    """A room with seats and equipment."""

    name: str
    seats: int
    floor: int = 0
    equipment: frozenset[str] = field(default_factory=frozenset)

    def suits(self, people: int, needs: frozenset[str] = frozenset()) -> bool:
        """Whether everyone can sit and everything needed is there."""
        return self.seats >= people and needs <= self.equipment


def ranked(
    rooms: Iterable[Room], people: int, needs: frozenset[str] = frozenset(), near_floor: int = 0
) -> list[Room]:
    """Rooms that suit a party: fewest spare seats first, then the nearest floor."""
    fitting = [room for room in rooms if room.suits(people, needs)]
    return sorted(
        fitting,
        key=lambda room: (room.seats - people, abs(room.floor - near_floor), room.name),
    )
