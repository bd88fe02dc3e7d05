"""Printed receipts."""

from __future__ import annotations

from parcelquote.manifest import quote_lines, read_lines
from parcelquote.receipt import WIDTH, receipt, row

MANIFEST = """
B-7 ; 3015 ; 4 kg  ; 30x20x20 ; lamps
B-8 ; 9481 ; 30 kg ; 30x20x20 ; anvil
"""


def test_row_is_as_wide_as_the_paper() -> None:
    assert row("fuel", 56) == "fuel" + " " * 32 + "0.56"
    assert len(row("x" * 60, 123456)) == WIDTH


def test_discount_is_a_row_of_its_own() -> None:
    text = "\n".join(f"D-{n} ; 0580 ; 1 kg ; 10x10x10 ; pens" for n in range(10))
    assert receipt(quote_lines(read_lines(text), "0150")).splitlines()[-2:] == [
        "discount                           -3.13",
        "total                              59.37",
    ]


def test_receipt() -> None:
    assert receipt(quote_lines(read_lines(MANIFEST), "0150")).splitlines() == [
        "B-7, 4.0 kg",
        "  regional parcel                   9.40",
        "  fuel                              0.56",
        "B-8, 30.0 kg",
        "  not sent: standard takes no parcel of 30000 g",
        "-" * WIDTH,
        "total                               9.96",
    ]
