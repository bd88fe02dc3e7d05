"""Values take one canonical form in the log, and names of files survive it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.errors import ConfigError
from clean_room_agent.records.attempt import TestOutcome
from clean_room_agent.records.code import Span
from clean_room_agent.store import faults
from clean_room_agent.store.chain import canonical_row
from clean_room_agent.store.values import from_json, json_text, path_bytes, path_text, text

SCALARS = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()


def test_json_is_canonical() -> None:
    assert json_text({"b": (1, 2.5), "a": None, "é": "\udcff"}) == (
        '{"a":null,"b":[1,2.5],"\\u00e9":"\\udcff"}'
    )


def test_records_sets_and_enums_have_a_json_form() -> None:
    value = {"span": Span(0, 1, 2, 3), "set": {"b", "a"}, "o": TestOutcome.PASSED, "p": Path("x")}
    assert from_json(json_text(value)) == {
        "span": {"start_byte": 0, "end_byte": 1, "start_line": 2, "end_line": 3},
        "set": ["a", "b"],
        "o": "passed",
        "p": "x",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_text(value)


@given(st.binary(min_size=1).filter(lambda data: b"\0" not in data))
def test_any_name_of_a_file_survives(name: bytes) -> None:
    path = os.fsdecode(name)
    assert path_bytes(path) == name
    assert path_text(name) == path
    assert from_json(json_text({"path": path}))["path"] == path
    text(path).encode()


@given(st.lists(SCALARS), st.lists(SCALARS))
def test_different_rows_have_different_canonical_forms(one: list, two: list) -> None:
    kinds = [[(type(v), repr(v)) for v in row] for row in (one, two)]
    assert (canonical_row(one) == canonical_row(two)) == (kinds[0] == kinds[1])


@pytest.mark.parametrize("wrong", ["x", "x:1", "x:one:kill", ":1:kill", "x:1:nonsense"])
def test_a_wrong_fault_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="bad fault"):
        faults.arm(wrong)


def test_a_fault_strikes_once_at_its_passage() -> None:
    faults.arm("here:2:enospc")
    try:
        faults.fault_point("here")
        faults.fault_point("there")
        with pytest.raises(OSError, match="fault at here"):
            faults.fault_point("here")
        faults.fault_point("here")
    finally:
        faults.arm(None)
