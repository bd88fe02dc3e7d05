"""Zones between postcodes."""

from __future__ import annotations

import pytest

from parcelquote.zones import Zone, is_remote, region, zone_between


@pytest.mark.parametrize(
    ("sender", "receiver", "zone"),
    [
        ("0150", "1400", Zone.LOCAL),
        ("0150", "3015", Zone.REGIONAL),
        ("7010", "9008", Zone.REGIONAL),
        ("0150", "5003", Zone.NATIONAL),
        ("9008", "4006", Zone.NATIONAL),
    ],
)
def test_zone_between(sender: str, receiver: str, zone: Zone) -> None:
    assert zone_between(sender, receiver) is zone
    assert zone_between(receiver, sender) is zone


def test_spaces_do_not_matter() -> None:
    assert region(" 50 03") == "west"


@pytest.mark.parametrize("postcode", ["", "123", "12345", "12a4"])
def test_bad_postcodes(postcode: str) -> None:
    with pytest.raises(ValueError, match="postcode"):
        region(postcode)


def test_remote() -> None:
    assert is_remote("9481")
    assert not is_remote("9008")
