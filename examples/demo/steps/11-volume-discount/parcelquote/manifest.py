"""Many parcels at once: a customer's manifest, one parcel a line.

A line reads ``reference ; receiver's postcode ; weight ; size ; contents``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parcelquote.parcels import Parcel, parse_parcel
from parcelquote.quotes import Quote, quote
from parcelquote.tariffs import TooHeavyError
from parcelquote.units import percent_of

SEPARATOR = ";"
FIELDS = 5
# From so many parcels on, so many percent are taken off.
DISCOUNTS = {10: 5, 50: 12}


@dataclass(frozen=True)
class Line:
    """One parcel of a manifest."""

    reference: str
    receiver: str
    parcel: Parcel


@dataclass(frozen=True)
class QuotedLine:
    """A line with its offer, or with the reason why there is none."""

    line: Line
    offer: Quote | None
    problem: str = ""


def read_lines(text: str) -> Iterator[Line]:
    """The parcels of a manifest; blank lines and ``#`` comments are skipped."""
    for row in text.splitlines():
        content = row.partition("#")[0].strip()
        if not content:
            continue
        fields = [field.strip() for field in content.split(SEPARATOR)]
        if len(fields) != FIELDS:
            raise ValueError(f"expected {FIELDS} fields: {row!r}")
        reference, receiver, weight, size, contents = fields
        yield Line(reference, receiver, parse_parcel(weight, size, contents))


def quote_lines(lines: Iterable[Line], sender: str) -> list[QuotedLine]:
    """An offer for each line that can be sent."""
    quoted: list[QuotedLine] = []
    for line in lines:
        try:
            offer = quote(line.parcel, sender, line.receiver)
        except TooHeavyError as problem:
            quoted.append(QuotedLine(line, None, str(problem)))
        else:
            quoted.append(QuotedLine(line, offer))
    return quoted


def total(quoted: Iterable[QuotedLine]) -> int:
    """What all offers come to, before any discount."""
    return sum(item.offer.total for item in quoted if item.offer is not None)


def discount(quoted: Iterable[QuotedLine]) -> int:
    """What is taken off for sending many parcels at once."""
    sent = [item for item in quoted if item.offer is not None]
    percent = max((p for least, p in DISCOUNTS.items() if len(sent) >= least), default=0)
    return percent_of(total(sent), percent)
