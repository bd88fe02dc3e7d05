"""Versions and ranges."""

from __future__ import annotations

import pytest

from verpick.ranges import parse_range
from verpick.version import Version, VersionError, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3", Version(1, 2, 3)),
        ("v2", Version(2)),
        ("0.4", Version(0, 4)),
        ("1.0.0-rc.1", Version(1, 0, 0, ("rc", "1"))),
    ],
)
def test_parse_version(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "1.2.3.4", "1.x", "a", "1.0-", "1.0-a..b"])
def test_bad_versions(text: str) -> None:
    with pytest.raises(VersionError):
        parse_version(text)


def test_versions_print_in_full() -> None:
    assert str(parse_version("1.2")) == "1.2.0"
    assert str(parse_version("1.0.0-rc.1")) == "1.0.0-rc.1"


def test_order() -> None:
    texts = [
        "0.9.9",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.2.0",
        "1.10.0",
    ]
    versions = [parse_version(text) for text in texts]
    assert sorted(versions, reverse=True) == versions[::-1]


def test_pre_release_numbers_come_before_words() -> None:
    assert parse_version("1.0.0-1") < parse_version("1.0.0-alpha")


def test_release_is_not_before_its_pre_release() -> None:
    assert not parse_version("1.0.0") < parse_version("1.0.0-rc.1")
    assert not parse_version("1.0.0") < parse_version("1.0.0")


def test_is_stable() -> None:
    assert parse_version("1.0.0").is_stable
    assert not parse_version("0.9.0").is_stable
    assert not parse_version("2.0.0-rc.1").is_stable


@pytest.mark.parametrize(
    ("part", "text"), [("major", "2.0.0"), ("minor", "1.3.0"), ("patch", "1.2.4")]
)
def test_bump(part: str, text: str) -> None:
    assert str(Version(1, 2, 3).bump(part)) == text


def test_bump_of_a_pre_release() -> None:
    assert str(parse_version("1.2.0-rc.1").bump("patch")) == "1.2.0"


def test_bump_of_an_unknown_part() -> None:
    with pytest.raises(VersionError, match="no such part"):
        Version(1).bump("build")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", ["1.2.0", "1.9.9"], ["1.1.9", "2.0.0"]),
        ("^0.3.1", ["0.3.1", "0.3.9"], ["0.3.0", "0.4.0"]),
        ("^0.0.4", ["0.0.4"], ["0.0.3", "0.0.5"]),
        ("~1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5.0"]),
        ("~1.4", ["1.4.0", "1.4.7"], ["1.5.0"]),
        ("~1", ["1.0.0", "1.8.0"], ["2.0.0"]),
        ("1.4.*", ["1.4.0", "1.4.9"], ["1.3.9", "1.5.0"]),
        ("1.*", ["1.0.0", "1.9.0"], ["0.9.0", "2.0.0"]),
        (">= 1, < 2", ["1.0.0", "1.9.9"], ["0.9.0", "2.0.0"]),
        (">1.0", ["1.0.1"], ["1.0.0"]),
        ("<=1.5", ["1.5.0", "0.1.0"], ["1.5.1"]),
        ("!=1.5", ["1.4.0", "1.6.0"], ["1.5.0"]),
        ("1.5", ["1.5.0"], ["1.5.1"]),
        ("", ["0.0.1", "9.0.0"], ["9.0.0-rc.1"]),
    ],
)
def test_ranges(text: str, inside: list[str], outside: list[str]) -> None:
    allowed = parse_range(text)
    assert [item for item in inside if not allowed.allows(parse_version(item))] == []
    assert [item for item in outside if allowed.allows(parse_version(item))] == []


def test_pre_releases_when_asked_for() -> None:
    allowed = parse_range(">=1.0.0-beta")
    assert allowed.allows(parse_version("1.0.0-rc.1"))
    assert not allowed.allows(parse_version("1.0.0-alpha"))


def test_best_is_the_newest() -> None:
    versions = [parse_version(text) for text in ("1.9.0", "1.10.0", "2.0.0", "1.11.0-rc.1")]
    assert str(parse_range("^1").best(versions)) == "1.10.0"
    assert parse_range("^3").best(versions) is None


def test_both_keeps_each_comparator_once() -> None:
    assert str(parse_range(">=1,<3").both(parse_range("<3,!=2"))) == ">=1.0.0,<3.0.0,!=2.0.0"


def test_full_wildcard_is_refused() -> None:
    with pytest.raises(VersionError, match="left open"):
        parse_range("1.2.3.*")
