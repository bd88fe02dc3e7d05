"""Money as whole cents: parsing, formatting, rounding and splitting."""

from __future__ import annotations

from collections.abc import Sequence

CENTS_PER_UNIT = 100


def parse_amount(text: str) -> int:
    """Turn a decimal such as ``1,204.50`` or ``-3`` into cents."""
    cleaned = text.strip().replace(",", "")
    negative = cleaned.startswith("-")
    digits = cleaned.lstrip("+-")
    whole, _, fraction = digits.partition(".")
    if not whole.isdigit() or len(fraction) > 2:
        raise ValueError(f"not an amount: {text!r}")
    cents = int(whole) * CENTS_PER_UNIT + int(fraction.ljust(2, "0") or "0")
    return -cents if negative else cents


def format_amount(cents: int) -> str:
    """Write cents as a decimal with thousands separators."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), CENTS_PER_UNIT)
    return f"{sign}{whole:,}.{rest:02d}"


def scale(cents: int, numerator: int, denominator: int) -> int:
    """Multiply cents by a fraction, rounding halves away from zero."""
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    product = abs(cents * numerator)
    rounded = (2 * product + denominator) // (2 * denominator)
    return rounded if cents * numerator >= 0 else -rounded


def split(cents: int, weights: Sequence[int]) -> list[int]:
    """Divide cents by weight so that the parts add up exactly.

    Cents left over after rounding down go to the earliest parts.
    """
    total = sum(weights)
    if total <= 0:
        raise ValueError("weights must add up to something positive")
    parts = [cents * weight // total for weight in weights]
    left_over = cents - sum(parts)
    for index in range(left_over):
        parts[index] += 1
    return parts
