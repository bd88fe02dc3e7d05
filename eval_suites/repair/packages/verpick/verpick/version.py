"""Versions of three numbers and an optional pre-release."""

from __future__ import annotations

import functools
from dataclasses import dataclass


class VersionError(ValueError):
    """Text is not a version."""


@functools.total_ordering
@dataclass(frozen=True)
class Version:
    """A version such as 1.4.0 or 2.0.0-rc.1."""

    major: int
    minor: int = 0
    patch: int = 0
    pre: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return f"{text}-{'.'.join(self.pre)}" if self.pre else text

    def __lt__(self, other: Version) -> bool:
        if self.release != other.release:
            return self.release < other.release
        if not self.pre or not other.pre:
            return bool(self.pre) and not other.pre
        return pre_key(self.pre) < pre_key(other.pre)

    @property
    def release(self) -> tuple[int, int, int]:
        """The three numbers."""
        return (self.major, self.minor, self.patch)

    @property
    def is_stable(self) -> bool:
        """Whether it is a full release from 1.0.0 on."""
        return self.major >= 1 and not self.pre

    def bump(self, part: str) -> Version:
        """The next version; a pre-release becomes the release it leads to."""
        if part == "major":
            return Version(self.major + 1)
        if part == "minor":
            return Version(self.major, self.minor + 1)
        if part != "patch":
            raise VersionError(f"no such part: {part!r}")
        if self.pre:
            return Version(self.major, self.minor, self.patch)
        return Version(self.major, self.minor, self.patch + 1)


def pre_key(pre: tuple[str, ...]) -> list[tuple[bool, int, str]]:
    """Sort key of a pre-release: numbers before words, numbers by value."""
    return [(False, int(p), "") if p.isdigit() else (True, 0, p) for p in pre]


def parse_numbers(text: str) -> list[int]:
    """One to three numbers separated by points."""
    parts = text.split(".")
    if len(parts) > 3 or not all(part.isdigit() for part in parts):
        raise VersionError(f"not a version: {text!r}")
    return [int(part) for part in parts]


def fill_numbers(numbers: list[int]) -> tuple[int, int, int]:
    """Three numbers, with zero for each that was left out."""
    major, minor, patch = (numbers + [0, 0])[:3]
    return (major, minor, patch)


def parse_version(text: str) -> Version:
    """Read a version; missing numbers are zero, a leading ``v`` is ignored."""
    cleaned = text.strip().removeprefix("v")
    numbers_text, dash, pre_text = cleaned.partition("-")
    if dash and not all(pre_text.split(".")):
        raise VersionError(f"empty pre-release: {text!r}")
    pre = tuple(pre_text.split(".")) if dash else ()
    major, minor, patch = fill_numbers(parse_numbers(numbers_text))
    return Version(major, minor, patch, pre)
