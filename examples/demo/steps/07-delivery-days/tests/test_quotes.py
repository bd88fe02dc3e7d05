"""Offers for single parcels."""

from __future__ import annotations

from parcelquote.parcels import parse_parcel
from parcelquote.quotes import quote
from parcelquote.zones import Zone


def test_quote_by_weight() -> None:
    offer = quote(parse_parcel("3 kg", "30x20x10"), "0150", "3015")
    assert offer.zone is Zone.REGIONAL
    assert offer.base == 940
    assert offer.total == 996
    assert offer.days == 2


def test_quote_by_volume() -> None:
    offer = quote(parse_parcel("500 g", "40x40x25"), "0150", "0580")
    assert offer.base == 1090
