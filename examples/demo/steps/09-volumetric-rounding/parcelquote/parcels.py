"""Parcels, and the weight that is charged for."""

from __future__ import annotations

from dataclasses import dataclass

from parcelquote.units import parse_size, parse_weight

# A light but bulky parcel is charged as if each of these weighed a gram.
CUBIC_CENTIMETRES_PER_GRAM = 5
ROUNDING_GRAMS = 100


@dataclass(frozen=True)
class Parcel:
    """One parcel: what it weighs and how large it is."""

    grams: int
    sides: tuple[int, int, int]
    contents: str = ""

    def __post_init__(self) -> None:
        if self.grams <= 0:
            raise ValueError("a parcel weighs something")

    @property
    def volume(self) -> int:
        """Cubic centimetres."""
        longest, middle, shortest = self.sides
        return longest * middle * shortest

    @property
    def girth(self) -> int:
        """The length plus the way around, as carriers measure it."""
        longest, middle, shortest = self.sides
        return longest + 2 * (middle + shortest)

    @property
    def volumetric_grams(self) -> int:
        """What the parcel would weigh at the usual density, rounded up to 100 g."""
        step = CUBIC_CENTIMETRES_PER_GRAM * ROUNDING_GRAMS
        return -(-self.volume // step) * ROUNDING_GRAMS

    @property
    def billable_grams(self) -> int:
        """The larger of the real and the volumetric weight."""
        return max(self.grams, self.volumetric_grams)


def parse_parcel(weight: str, size: str, contents: str = "") -> Parcel:
    """A parcel from text such as ``2.5 kg`` and ``40x30x20``."""
    return Parcel(parse_weight(weight), parse_size(size), contents.strip())
