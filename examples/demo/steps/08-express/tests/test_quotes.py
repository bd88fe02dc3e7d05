"""Offers for single parcels."""

from __future__ import annotations

from parcelquote.parcels import parse_parcel
from parcelquote.quotes import express_is_worth_it, quote
from parcelquote.tariffs import EXPRESS
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


def test_quote_express() -> None:
    offer = quote(parse_parcel("3 kg", "30x20x10"), "0150", "3015", EXPRESS)
    assert offer.base == 1990


def test_express_is_worth_two_days() -> None:
    parcel = parse_parcel("700 g", "20x20x5")
    assert not express_is_worth_it(parcel, "0150", "0580")
    assert express_is_worth_it(parcel, "0150", "0580", days_saved=2)
