"""Which zone a parcel travels: by the first digits of both postcodes."""

from __future__ import annotations

from enum import IntEnum

REGIONS = {
    "0": "east",
    "1": "east",
    "2": "south",
    "3": "south",
    "4": "west",
    "5": "west",
    "6": "west",
    "7": "middle",
    "8": "north",
    "9": "north",
}
NEIGHBOURS = {
    frozenset({"east", "south"}),
    frozenset({"south", "west"}),
    frozenset({"west", "middle"}),
    frozenset({"east", "middle"}),
    frozenset({"middle", "north"}),
}
REMOTE_PREFIXES = ("847", "948", "976")


class Zone(IntEnum):
    """How far a parcel travels."""

    LOCAL = 1
    REGIONAL = 2
    NATIONAL = 3


def check_postcode(postcode: str) -> str:
    """The postcode without spaces, if it has four digits."""
    cleaned = postcode.replace(" ", "")
    if len(cleaned) != 4 or not cleaned.isdigit():
        raise ValueError(f"not a postcode: {postcode!r}")
    return cleaned


def region(postcode: str) -> str:
    """The region that a postcode belongs to."""
    return REGIONS[check_postcode(postcode)[0]]


def zone_between(sender: str, receiver: str) -> Zone:
    """Local within a region, regional between neighbours, national otherwise."""
    here, there = region(sender), region(receiver)
    if here == there:
        return Zone.LOCAL
    if frozenset({here, there}) in NEIGHBOURS:
        return Zone.REGIONAL
    return Zone.NATIONAL


def is_remote(postcode: str) -> bool:
    """Whether the last miles to a postcode go by ferry or mountain road."""
    return check_postcode(postcode).startswith(REMOTE_PREFIXES)
