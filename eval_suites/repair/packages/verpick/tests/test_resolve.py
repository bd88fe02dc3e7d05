"""Picking versions, and comparing picks."""

from __future__ import annotations

import pytest

from verpick.catalog import Catalog, UnknownPackageError
from verpick.lock import compare, read_lock, write_lock
from verpick.ranges import parse_range
from verpick.resolve import NoSolutionError, Resolver
from verpick.version import Version, parse_version


@pytest.fixture
def catalog() -> Catalog:
    """A web framework, its parts, and a plugin that wants old ones."""
    catalog = Catalog()
    catalog.add("frame", "1.0", "Router ^1", "render >=1")
    catalog.add("frame", "2.0", "router ^2", "render >=2")
    catalog.add("frame", "2.1.0-rc.1", "router ^2")
    catalog.add("router", "1.4")
    catalog.add("router", "1.5")
    catalog.add("router", "2.0")
    catalog.add("router", "2.1", withdrawn=True)
    catalog.add("render", "1.0")
    catalog.add("render", "2.0")
    catalog.add("Plug_In", "0.9", "router ~1.4.0")
    catalog.add("loner", "0.1.0")
    return catalog


def picks(catalog: Catalog, **wanted: str) -> dict[str, str]:
    """A resolution with versions as text."""
    resolved = Resolver(catalog).resolve(wanted)
    return {name: str(version) for name, version in resolved.items()}


def test_newest_first(catalog: Catalog) -> None:
    assert picks(catalog, frame="*") == {"frame": "2.0.0", "render": "2.0.0", "router": "2.0.0"}


def test_backtracks_to_what_fits(catalog: Catalog) -> None:
    assert picks(catalog, frame="*", plug_in="*") == {
        "frame": "1.0.0",
        "plug-in": "0.9.0",
        "render": "2.0.0",
        "router": "1.4.0",
    }


def test_an_earlier_pick_is_taken_back(catalog: Catalog) -> None:
    catalog.add("shell", "1.0", "router ^1")
    assert picks(catalog, router="*", shell="*") == {"router": "1.5.0", "shell": "1.0.0"}


def test_pre_release_on_request(catalog: Catalog) -> None:
    assert picks(catalog, frame=">=2.1.0-rc.1")["frame"] == "2.1.0-rc.1"


def test_withdrawn_releases_are_not_picked(catalog: Catalog) -> None:
    assert picks(catalog, router="^2") == {"router": "2.0.0"}


def test_no_solution_names_the_package(catalog: Catalog) -> None:
    with pytest.raises(NoSolutionError, match="nothing fits router"):
        Resolver(catalog).resolve({"frame": "^2", "plug-in": "*"})


def test_no_release_in_range(catalog: Catalog) -> None:
    with pytest.raises(NoSolutionError) as caught:
        Resolver(catalog).resolve({"render": "^7"})
    assert caught.value.package == "render"


def test_unknown_package(catalog: Catalog) -> None:
    with pytest.raises(UnknownPackageError):
        Resolver(catalog).resolve({"ghost": "*"})


def test_nothing_wanted(catalog: Catalog) -> None:
    assert picks(catalog) == {}


def test_names_compare_loosely(catalog: Catalog) -> None:
    assert catalog.find("plug_in", Version(0, 9)).name == "plug-in"


def test_candidates_come_newest_first(catalog: Catalog) -> None:
    found = catalog.candidates("router", parse_range(">=1"))
    assert [str(release.version) for release in found] == ["2.0.0", "1.5.0", "1.4.0"]


def test_outdated(catalog: Catalog) -> None:
    picked = {"frame": Version(1), "router": Version(2), "loner": Version(0, 1)}
    assert catalog.outdated(picked.items()) == {"frame": Version(2)}


def test_lock_round_trip() -> None:
    picked = {"b": parse_version("1.0.0-rc.1"), "a": Version(2)}
    text = write_lock(picked)
    assert text == "a==2.0.0\nb==1.0.0-rc.1\n"
    assert read_lock("# picked\n\n" + text) == picked


def test_compare_names_each_change() -> None:
    before = {"a": Version(1), "b": Version(1), "c": Version(1), "e": Version(3)}
    after = {"a": Version(1, 1), "c": Version(1), "d": Version(1), "e": Version(2)}
    changes = [(change.name, change.kind, change.is_breaking) for change in compare(before, after)]
    assert changes == [
        ("a", "upgraded", False),
        ("b", "removed", True),
        ("d", "added", False),
        ("e", "downgraded", True),
    ]


def test_minor_change_before_one_is_breaking() -> None:
    (change,) = compare({"a": Version(0, 1)}, {"a": Version(0, 2)})
    assert change.is_breaking
    (change,) = compare({"a": Version(0, 1)}, {"a": Version(0, 1, 5)})
    assert not change.is_breaking
