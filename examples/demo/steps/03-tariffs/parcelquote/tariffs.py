"""Prices by weight band and zone."""

from __future__ import annotations

from dataclasses import dataclass

from parcelquote.zones import Zone


class TooHeavyError(ValueError):
    """No band of the tariff takes so much weight."""


@dataclass(frozen=True)
class Band:
    """Prices in cents for parcels up to and including a weight."""

    up_to_grams: int
    local: int
    regional: int
    national: int

    def price(self, zone: Zone) -> int:
        """The price for a zone."""
        return {Zone.LOCAL: self.local, Zone.REGIONAL: self.regional}.get(zone, self.national)


@dataclass(frozen=True)
class Tariff:
    """A named list of bands, lightest first."""

    name: str
    bands: tuple[Band, ...]

    def price(self, grams: int, zone: Zone) -> int:
        """The price for a weight and a zone."""
        for band in self.bands:
            if grams <= band.up_to_grams:
                return band.price(zone)
        raise TooHeavyError(f"{self.name} takes no parcel of {grams} g")

    @property
    def heaviest(self) -> int:
        """The greatest weight that the tariff takes."""
        return self.bands[-1].up_to_grams


STANDARD = Tariff(
    "standard",
    (
        Band(2_000, 590, 690, 840),
        Band(5_000, 790, 940, 1190),
        Band(10_000, 1090, 1340, 1690),
        Band(20_000, 1590, 1990, 2590),
    ),
)
