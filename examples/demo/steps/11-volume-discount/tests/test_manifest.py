"""Manifests of many parcels."""

from __future__ import annotations

import pytest

from parcelquote.manifest import discount, quote_lines, read_lines, total

MANIFEST = """
# Monday's round
A-1 ; 0580 ; 1.2 kg ; 30x20x5  ; books
A-2 ; 5003 ; 4 kg   ; 30x20x20 ; lamps   # fragile

A-3 ; 9481 ; 24 kg  ; 40x40x20 ; tiles
"""


def test_read_lines() -> None:
    lines = list(read_lines(MANIFEST))
    assert [line.reference for line in lines] == ["A-1", "A-2", "A-3"]
    assert lines[1].parcel.contents == "lamps"


def test_wrong_number_of_fields() -> None:
    with pytest.raises(ValueError, match="5 fields"):
        list(read_lines("A-1 ; 0580 ; 1 kg"))


def test_heavy_lines_are_reported_not_lost() -> None:
    quoted = quote_lines(read_lines(MANIFEST), "0150")
    assert [item.offer is None for item in quoted] == [False, False, True]
    assert "24000 g" in quoted[2].problem


def test_total_leaves_out_what_cannot_be_sent() -> None:
    quoted = quote_lines(read_lines(MANIFEST), "0150")
    assert total(quoted) == 625 + 1261


@pytest.mark.parametrize(("parcels", "cents"), [(9, 0), (10, 313), (49, 1531), (50, 3750)])
def test_discount_by_number_of_parcels(parcels: int, cents: int) -> None:
    text = "\n".join(f"C-{n} ; 0580 ; 1 kg ; 10x10x10 ; pens" for n in range(parcels))
    assert discount(quote_lines(read_lines(text), "0150")) == cents
