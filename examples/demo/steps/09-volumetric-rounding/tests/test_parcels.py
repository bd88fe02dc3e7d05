"""Parcels and what they are charged for."""

from __future__ import annotations

import pytest

from parcelquote.parcels import Parcel, parse_parcel


def test_heavy_parcel_is_charged_by_weight() -> None:
    assert parse_parcel("2.5 kg", "20x20x10").billable_grams == 2500


def test_bulky_parcel_is_charged_by_volume() -> None:
    assert parse_parcel("800 g", "50x40x30").billable_grams == 12000


def test_volumetric_weight_is_rounded_up() -> None:
    assert parse_parcel("100 g", "30x20x11").billable_grams == 1400
    assert parse_parcel("100 g", "30x20x10").billable_grams == 1200


def test_girth() -> None:
    assert parse_parcel("1 kg", "10x30x20").girth == 90


def test_contents_are_trimmed() -> None:
    assert parse_parcel("1 kg", "10x10x10", " books ").contents == "books"


def test_weightless_parcels_are_refused() -> None:
    with pytest.raises(ValueError, match="weighs something"):
        Parcel(0, (10, 10, 10))
