"""A document nested deeper than can be walked is redacted as the text that it is."""

from __future__ import annotations

import json

import pytest

from clean_room_agent.redaction import Redactor
from tests.support.canaries import canaries

SECRET = next(canary.secret for canary in canaries(5) if canary.kind == "github-token")
HERE = Redactor(b"a" * 32)


def nested(depth: int, inner: str) -> str:
    return "[" * depth + inner + "]" * depth


@pytest.mark.reliability(91)
@pytest.mark.reliability(86)
@pytest.mark.parametrize("depth", [3, 300, 700, 900, 5000])
def test_any_depth_is_redacted(depth: int) -> None:
    clean = HERE.column(nested(depth, json.dumps(f"\\ {SECRET}")))
    assert SECRET not in clean
    assert "[secret:github-token:" in clean
    assert clean.startswith("[" * depth)


def walk(value: object) -> object:
    return [walk(item) for item in value] if isinstance(value, list) else value


def test_control_a_walk_over_what_json_reads_does_not_come_to_its_end() -> None:
    """Negative control: the reader of JSON goes deeper than a function that calls itself."""
    document = json.loads(nested(700, "1"))
    with pytest.raises(RecursionError):
        walk(document)
    assert walk(json.loads(nested(3, "1"))) == [[[1]]]
