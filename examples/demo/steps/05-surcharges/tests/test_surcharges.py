"""Additions to the price."""

from __future__ import annotations

from parcelquote.parcels import parse_parcel
from parcelquote.surcharges import is_oversize, surcharges


def reasons(weight: str, size: str, receiver: str) -> list[str]:
    """The reasons printed for a parcel."""
    return [item.reason for item in surcharges(parse_parcel(weight, size), receiver, 1000)]


def test_fuel_is_always_there() -> None:
    assert reasons("1 kg", "10x10x10", "0150") == ["fuel"]


def test_everything_at_once() -> None:
    assert reasons("1 kg", "130x10x10", "8476") == ["fuel", "oversize", "remote area"]


def test_longest_side_is_allowed() -> None:
    assert not is_oversize(parse_parcel("1 kg", "120x10x10"))
    assert is_oversize(parse_parcel("1 kg", "121x10x10"))


def test_girth_counts_too() -> None:
    assert not is_oversize(parse_parcel("1 kg", "100x50x50"))
    assert is_oversize(parse_parcel("1 kg", "100x51x50"))


def test_fuel_is_a_part_of_the_base() -> None:
    (fuel,) = surcharges(parse_parcel("1 kg", "10x10x10"), "0150", 940)
    assert fuel.cents == 56
