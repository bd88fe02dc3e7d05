"""What it costs to send one parcel."""

from __future__ import annotations

from dataclasses import dataclass

from parcelquote.parcels import Parcel
from parcelquote.surcharges import Surcharge, surcharges
from parcelquote.tariffs import STANDARD, Tariff
from parcelquote.zones import Zone, zone_between


@dataclass(frozen=True)
class Quote:
    """The offer for one parcel, in cents."""

    zone: Zone
    base: int
    extras: tuple[Surcharge, ...] = ()

    @property
    def total(self) -> int:
        """What the sender pays."""
        return self.base + sum(extra.cents for extra in self.extras)


def quote(parcel: Parcel, sender: str, receiver: str, tariff: Tariff = STANDARD) -> Quote:
    """The offer for a parcel between two postcodes."""
    zone = zone_between(sender, receiver)
    base = tariff.price(parcel.billable_grams, zone)
    return Quote(zone=zone, base=base, extras=surcharges(parcel, receiver, base))
