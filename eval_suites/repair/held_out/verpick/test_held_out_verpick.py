"""Checks that a solver does not see: the same promises on other values."""

from __future__ import annotations

import pytest
from verpick.catalog import Catalog
from verpick.lock import compare
from verpick.ranges import parse_range
from verpick.resolve import NoSolutionError, Resolver
from verpick.version import Version, parse_version


def test_order_of_releases_and_candidates() -> None:
    texts = ["2.0.0-a", "2.0.0-b", "2.0.0", "2.0.1-a", "2.0.1"]
    versions = [parse_version(text) for text in texts]
    for index, version in enumerate(versions):
        assert [version < other for other in versions] == [
            index < position for position in range(len(versions))
        ]


@pytest.mark.parametrize(
    ("text", "after"), [("3.0.0-a", "3.0.0"), ("0.0.9", "0.0.10"), ("1.1.1-b.2", "1.1.1")]
)
def test_patch_bump(text: str, after: str) -> None:
    assert str(parse_version(text).bump("patch")) == after


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("^0.0.7", "0.0.8"),
        ("^0.7.0", "0.8.0"),
        ("^7.7.7", "8.0.0"),
        ("~3.7", "3.8.0"),
        ("~5.0.3", "5.1.0"),
        ("~4", "5.0.0"),
        ("3.*", "4.0.0"),
        ("3.9.*", "3.10.0"),
        ("12.10.*", "12.11.0"),
    ],
)
def test_upper_limits(text: str, limit: str) -> None:
    comparators = parse_range(text).comparators
    assert [(c.symbol, str(c.version)) for c in comparators[1:]] == [("<", limit)]


def test_outdated_only_when_newer_exists() -> None:
    catalog = Catalog()
    catalog.add("a", "1.0")
    catalog.add("a", "1.1")
    catalog.add("a", "1.2", withdrawn=True)
    assert catalog.outdated([("a", Version(1, 1))]) == {}
    assert catalog.outdated([("a", Version(1, 3))]) == {}
    assert catalog.outdated([("a", Version(1))]) == {"a": Version(1, 1)}


def test_withdrawn_even_if_named_exactly() -> None:
    catalog = Catalog()
    catalog.add("a", "1.0")
    catalog.add("a", "1.2", withdrawn=True)
    with pytest.raises(NoSolutionError):
        Resolver(catalog).resolve({"a": "1.2"})


def test_later_needs_bind_earlier_picks() -> None:
    catalog = Catalog()
    for version in ("1.0", "1.1", "2.0", "3.0"):
        catalog.add("base", version)
    catalog.add("mid", "1.0", "base <3")
    catalog.add("top", "1.0", "base !=2", "mid *")
    picked = Resolver(catalog).resolve({"base": "*", "top": "*"})
    assert str(picked["base"]) == "1.1.0"


@pytest.mark.parametrize(
    ("before", "after", "breaking"),
    [
        ("0.1.0", "0.1.5", False),
        ("0.1.0", "0.2.0", True),
        ("1.1.0", "1.2.0", False),
        ("1.9.0", "2.9.0", True),
        ("0.9.0", "1.0.0", True),
    ],
)
def test_breaking(before: str, after: str, breaking: bool) -> None:
    (change,) = compare({"x": parse_version(before)}, {"x": parse_version(after)})
    assert change.is_breaking is breaking


def test_kinds() -> None:
    assert [c.kind for c in compare({}, {"x": Version(1)})] == ["added"]
    assert [c.kind for c in compare({"x": Version(1)}, {})] == ["removed"]
