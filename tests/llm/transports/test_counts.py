"""Counts that a server makes up: what no log can hold as a number is refused on the wire."""

from __future__ import annotations

import sqlite3

import pytest

from clean_room_agent.llm.transports.faults import MOST_COUNT, count_of
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus

TOO_MANY = (MOST_COUNT + 1, 2**63, 10**30)


@pytest.mark.reliability(86)
@pytest.mark.parametrize("count", [*TOO_MANY, -1, True, 1.0, "7"])
def test_what_is_no_count_of_tokens_is_garbage(count: object) -> None:
    with pytest.raises(TransportError) as caught:
        count_of({"eval_count": count}, "eval_count")
    assert caught.value.status is ReplyStatus.GARBAGE


@pytest.mark.parametrize("count", [0, 1, MOST_COUNT])
def test_a_count_is_read(count: int) -> None:
    assert count_of({"eval_count": count}, "eval_count") == count
    assert count_of({}, "eval_count") is None


def test_control_such_a_count_does_not_fit_in_a_database() -> None:
    """Negative control: this is what logging it would do."""
    connection = sqlite3.connect(":memory:")
    try:
        with pytest.raises(OverflowError):
            connection.execute("SELECT ?", (2**63,))
        assert connection.execute("SELECT ?", (MOST_COUNT,)).fetchone() == (MOST_COUNT,)
    finally:
        connection.close()
