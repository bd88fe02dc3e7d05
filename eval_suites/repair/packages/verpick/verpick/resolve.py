"""Picking one version of each package so that every range holds."""

from __future__ import annotations

from collections.abc import Mapping

from verpick.catalog import Catalog, normal_name
from verpick.ranges import Range, parse_range
from verpick.version import Version


class NoSolutionError(Exception):
    """No set of versions satisfies every range."""

    def __init__(self, package: str, allowed: Range) -> None:
        super().__init__(f"nothing fits {package} {allowed}")
        self.package = package


class Resolver:
    """Tries versions newest first and takes them back when they do not fit."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._deepest: NoSolutionError | None = None

    def resolve(self, wanted: Mapping[str, str]) -> dict[str, Version]:
        """A version for each wanted package and for all they need."""
        ranges = {normal_name(name): parse_range(text) for name, text in wanted.items()}
        self._deepest = None
        picked = self._search(ranges, {})
        if picked is None:
            assert self._deepest is not None
            raise self._deepest
        return dict(sorted(picked.items()))

    def _search(
        self, ranges: dict[str, Range], picked: dict[str, Version]
    ) -> dict[str, Version] | None:
        name = next((name for name in sorted(ranges) if name not in picked), None)
        if name is None:
            return picked
        candidates = self.catalog.candidates(name, ranges[name])
        if not candidates and self._deepest is None:
            self._deepest = NoSolutionError(name, ranges[name])
        for release in candidates:
            narrowed = merge_needs(ranges, release.needs)
            if not still_fits(narrowed, picked):
                continue
            found = self._search(narrowed, {**picked, name: release.version})
            if found is not None:
                return found
        if self._deepest is None:
            self._deepest = NoSolutionError(name, ranges[name])
        return None


def merge_needs(ranges: Mapping[str, Range], needs: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges after taking on more needs."""
    merged = dict(ranges)
    for name, need in needs.items():
        merged[name] = merged[name].both(need) if name in merged else need
    return merged


def still_fits(ranges: Mapping[str, Range], picked: Mapping[str, Version]) -> bool:
    """Whether everything picked so far lies in its range."""
    return all(ranges[name].allows(version) for name, version in picked.items())
