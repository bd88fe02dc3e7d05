"""What is added to the price of the tariff."""

from __future__ import annotations

from dataclasses import dataclass

from parcelquote.parcels import Parcel
from parcelquote.units import percent_of
from parcelquote.zones import is_remote

FUEL_PERCENT = 6
LONGEST_SIDE = 120
LARGEST_GIRTH = 300
OVERSIZE_CENTS = 750
REMOTE_CENTS = 420


@dataclass(frozen=True)
class Surcharge:
    """One addition and the reason that is printed for it."""

    reason: str
    cents: int


def is_oversize(parcel: Parcel) -> bool:
    """Whether a parcel does not fit the conveyor."""
    return parcel.sides[0] > LONGEST_SIDE or parcel.girth > LARGEST_GIRTH


def surcharges(parcel: Parcel, receiver: str, base: int) -> tuple[Surcharge, ...]:
    """All additions for a parcel; fuel comes first and is always there."""
    found = [Surcharge("fuel", percent_of(base, FUEL_PERCENT))]
    if is_oversize(parcel):
        found.append(Surcharge("oversize", OVERSIZE_CENTS))
    if is_remote(receiver):
        found.append(Surcharge("remote area", REMOTE_CENTS))
    return tuple(found)
