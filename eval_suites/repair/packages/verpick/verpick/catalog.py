"""Which versions exist, and what each of them needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from verpick.ranges import Range, parse_range
from verpick.version import Version, parse_version


class UnknownPackageError(LookupError):
    """The catalogue has no package of that name."""


@dataclass(frozen=True)
class Release:
    """One version of a package and its requirements."""

    name: str
    version: Version
    needs: dict[str, Range] = field(default_factory=dict)
    withdrawn: bool = False


def normal_name(name: str) -> str:
    """Names compare without regard to case, underscores and dashes."""
    return name.strip().lower().replace("_", "-")


class Catalog:
    """All releases of all packages."""

    def __init__(self) -> None:
        self._releases: dict[str, dict[Version, Release]] = {}

    def add(self, name: str, version: str, *needs: str, withdrawn: bool = False) -> Release:
        """Add a release; needs are written ``name range``."""
        parsed: dict[str, Range] = {}
        for need in needs:
            needed, _, range_text = need.strip().partition(" ")
            parsed[normal_name(needed)] = parse_range(range_text)
        release = Release(normal_name(name), parse_version(version), parsed, withdrawn)
        self._releases.setdefault(release.name, {})[release.version] = release
        return release

    def find(self, name: str, version: Version) -> Release:
        """One release."""
        return self._of(name)[version]

    def _of(self, name: str) -> dict[Version, Release]:
        try:
            return self._releases[normal_name(name)]
        except KeyError:
            raise UnknownPackageError(name) from None

    def candidates(self, name: str, allowed: Range) -> list[Release]:
        """The releases in a range, newest first, withdrawn ones left out."""
        found = [
            release
            for version, release in self._of(name).items()
            if allowed.allows(version) and not release.withdrawn
        ]
        return sorted(found, key=lambda release: release.version, reverse=True)

    def outdated(self, picked: Iterable[tuple[str, Version]]) -> dict[str, Version]:
        """For each pick that is not the newest stable release, that release."""
        newer: dict[str, Version] = {}
        for name, version in picked:
            stable = [r.version for r in self.candidates(name, Range()) if r.version.is_stable]
            if stable and stable[0] > version:
                newer[normal_name(name)] = stable[0]
        return newer
