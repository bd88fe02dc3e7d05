"""Receipts in plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parcelquote.manifest import QuotedLine, discount, total
from parcelquote.quotes import Quote
from parcelquote.units import format_price, format_weight

WIDTH = 40


def row(label: str, cents: int) -> str:
    """A label on the left and a price on the right."""
    price = format_price(cents)
    return label[: WIDTH - len(price) - 1].ljust(WIDTH - len(price)) + price


def quote_rows(offer: Quote) -> Iterator[str]:
    """The rows of one offer: the base, then each surcharge."""
    yield row(f"  {offer.zone.name.lower()} parcel", offer.base)
    for extra in offer.extras:
        yield row(f"  {extra.reason}", extra.cents)


def receipt(quoted: Iterable[QuotedLine]) -> str:
    """A receipt over a whole manifest."""
    items = list(quoted)
    rows: list[str] = []
    for item in items:
        weight = format_weight(item.line.parcel.billable_grams)
        rows.append(f"{item.line.reference}, {weight}")
        if item.offer is None:
            rows.append(f"  not sent: {item.problem}")
        else:
            rows.extend(quote_rows(item.offer))
    rows.append("-" * WIDTH)
    saved = discount(items)
    if saved:
        rows.append(row("discount", -saved))
    rows.append(row("total", total(items) - saved))
    return "\n".join(rows)
