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

    def band_for(self, grams: int) -> Band:
        """The lightest band that takes a weight."""
        for band in self.bands:
            if grams < band.up_to_grams:
                return band
        raise TooHeavyError(f"{self.name} takes no parcel of {grams} g")

    def price(self, grams: int, zone: Zone) -> int:
        """The price for a weight and a zone."""
        return self.band_for(grams).price(zone)

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
EXPRESS = Tariff(
    "express",
    (
        Band(1_000, 1190, 1390, 1790),
        Band(5_000, 1690, 1990, 2490),
        Band(10_000, 2290, 2790, 3490),
    ),
)
TARIFFS = {tariff.name: tariff for tariff in (STANDARD, EXPRESS)}
