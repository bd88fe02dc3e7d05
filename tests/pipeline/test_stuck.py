"""The four patterns of going in circles, and what is none."""

from __future__ import annotations

import pytest

from clean_room_agent.pipeline.stuck import Move, find_stuck


def edit(action: str, failing: int = 1, observation: str = "assert 1 == 2") -> Move:
    return Move(action, observation, failing, is_error=False)


def error(observation: str, action: str = "unusable") -> Move:
    return Move(action, observation, None, is_error=True)


@pytest.mark.parametrize(
    ("moves", "reason"),
    [
        ([edit("a"), edit("b"), edit("b")], "the same action gave the same result 2 times"),
        ([edit("a"), edit("b"), edit("a"), edit("b")], "two actions alternate"),
        ([error("no json")] * 3, "the same error came 3 times"),
        ([error("no json", a) for a in ("x", "y", "z")], "the same error came 3 times"),
        ([edit(a) for a in "abcd"], "no fewer tests fail after 4 further edits"),
        ([edit("a", 1), *(edit(a, 2) for a in "bcde")], "no fewer tests fail after 4 further"),
    ],
)
def test_a_circle_is_named(moves: list[Move], reason: str) -> None:
    assert find_stuck(moves, failing_before=1).startswith(reason)


@pytest.mark.parametrize(
    "moves",
    [
        [],
        [edit("a"), edit("a", observation="another failure")],
        [edit("a"), edit("b"), edit("a")],
        [edit("a"), edit("b"), edit("a"), edit("c", 0)],
        [error("no json")] * 2,
        [error("no json"), error("no such file"), error("no json")],
        [edit(a) for a in "abc"],
        [edit("a", 2), edit("b", 2), edit("c", 2), edit("d", 1)],
    ],
)
def test_other_turns_are_no_circle(moves: list[Move]) -> None:
    assert find_stuck(moves, failing_before=3 if any(m.failing == 2 for m in moves) else 1) == ""
