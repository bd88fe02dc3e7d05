"""Bands and their prices."""

from __future__ import annotations

import pytest

from parcelquote.tariffs import STANDARD, TooHeavyError
from parcelquote.zones import Zone


@pytest.mark.parametrize(
    ("grams", "zone", "cents"),
    [
        (300, Zone.LOCAL, 590),
        (1_900, Zone.NATIONAL, 840),
        (3_000, Zone.REGIONAL, 940),
        (7_500, Zone.LOCAL, 1090),
        (19_000, Zone.NATIONAL, 2590),
    ],
)
def test_standard_price(grams: int, zone: Zone, cents: int) -> None:
    assert STANDARD.price(grams, zone) == cents


def test_too_heavy() -> None:
    with pytest.raises(TooHeavyError, match="25000 g"):
        STANDARD.price(25_000, Zone.LOCAL)


def test_heaviest() -> None:
    assert STANDARD.heaviest == 20_000
