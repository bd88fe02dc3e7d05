"""Comparators such as ``>=1.2``, and ranges made of several."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from verpick.version import Version, VersionError, fill_numbers, parse_numbers, parse_version

TESTS: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@dataclass(frozen=True)
class Comparator:
    """One comparison with a fixed version."""

    symbol: str
    version: Version

    def __str__(self) -> str:
        return f"{self.symbol}{self.version}"

    def allows(self, version: Version) -> bool:
        """Whether a version passes."""
        return TESTS[self.symbol](version, self.version)


@dataclass(frozen=True)
class Range:
    """Comparators that must all pass; pre-releases need to be asked for."""

    comparators: tuple[Comparator, ...] = ()

    def __str__(self) -> str:
        return ",".join(str(comparator) for comparator in self.comparators) or "*"

    @property
    def wants_pre(self) -> bool:
        """Whether any comparator names a pre-release."""
        return any(comparator.version.pre for comparator in self.comparators)

    def allows(self, version: Version) -> bool:
        """Whether a version lies in the range."""
        if version.pre and not self.wants_pre:
            return False
        return all(comparator.allows(version) for comparator in self.comparators)

    def both(self, other: Range) -> Range:
        """The range of what both allow."""
        extra = tuple(c for c in other.comparators if c not in self.comparators)
        return Range(self.comparators + extra)

    def best(self, versions: Iterable[Version]) -> Version | None:
        """The newest version that the range allows."""
        return max((version for version in versions if self.allows(version)), default=None)


def caret_limit(version: Version) -> Version:
    """The first version that changes the leftmost number that is not zero."""
    if version.major > 0:
        return Version(version.major + 1)
    if version.minor > 0:
        return Version(0, version.minor + 1)
    return Version(0, 0, version.patch + 1)


def tilde_limit(text: str) -> Version:
    """The first version past the last-but-one number that was written."""
    numbers = parse_numbers(text.partition("-")[0])
    if len(numbers) == 1:
        return Version(numbers[0] + 1)
    return Version(numbers[0], numbers[1] + 1)


def parse_part(part: str) -> list[Comparator]:
    """The comparators that one comma-separated part stands for."""
    if part in ("", "*"):
        return []
    if part.startswith("^"):
        low = parse_version(part[1:])
        return [Comparator(">=", low), Comparator("<", caret_limit(low))]
    if part.startswith("~"):
        low = parse_version(part[1:])
        return [Comparator(">=", low), Comparator("<", tilde_limit(part[1:]))]
    if part.endswith(".*"):
        stem = part[:-2]
        return [Comparator(">=", parse_version(stem)), Comparator("<", wildcard_limit(stem))]
    for symbol in TESTS:
        if part.startswith(symbol):
            return [Comparator(symbol, parse_version(part[len(symbol) :]))]
    return [Comparator("=", parse_version(part))]


def wildcard_limit(stem: str) -> Version:
    """The first version that no longer starts with a stem."""
    numbers = parse_numbers(stem)
    if len(numbers) > 2:
        raise VersionError(f"nothing left open: {stem}.*")
    numbers[-1] += 1
    return Version(*fill_numbers(numbers))


def parse_range(text: str) -> Range:
    """Read a range; an empty one allows every release."""
    comparators: list[Comparator] = []
    for part in text.split(","):
        comparators.extend(parse_part(part.strip().replace(" ", "")))
    return Range(tuple(comparators))
