"""Weights in grams, sizes in centimetres, prices in cents."""

from __future__ import annotations

GRAMS_PER_KILO = 1000
CENTS_PER_EURO = 100


def parse_weight(text: str) -> int:
    """Turn ``2.5 kg`` or ``800 g`` into grams."""
    cleaned = text.strip().lower().replace(" ", "")
    if cleaned.endswith("kg"):
        return round(float(cleaned.removesuffix("kg")) * GRAMS_PER_KILO)
    if cleaned.endswith("g"):
        return int(cleaned.removesuffix("g"))
    raise ValueError(f"weight without a unit: {text!r}")


def parse_size(text: str) -> tuple[int, int, int]:
    """Turn ``40x30x20`` into three lengths, longest first."""
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) != 3 or min(sides) <= 0:
        raise ValueError(f"not a size: {text!r}")
    longest, middle, shortest = sorted(sides, reverse=True)
    return (longest, middle, shortest)


def format_weight(grams: int) -> str:
    """Write grams below a kilo, kilos with one decimal from there."""
    if grams < GRAMS_PER_KILO:
        return f"{grams} g"
    return f"{grams / GRAMS_PER_KILO:.1f} kg"


def format_price(cents: int) -> str:
    """Write a price such as ``12.40``; refunds are negative."""
    sign = "-" if cents < 0 else ""
    euros, rest = divmod(abs(cents), CENTS_PER_EURO)
    return f"{sign}{euros}.{rest:02d}"


def percent_of(cents: int, percent: int) -> int:
    """A percentage of a price, halves rounded up."""
    return (cents * percent + 50) // 100
