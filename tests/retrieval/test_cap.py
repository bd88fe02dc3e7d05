"""Caps are ordered by a stated criterion (curation rule 6)."""

from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.retrieval.cap import Cap


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 10)), st.integers(0, 5))
def test_rule_6_what_is_kept_is_never_worse_than_what_is_left(
    scores: dict[str, float], limit: int
) -> None:
    kept = Cap(limit, "by score", "test").best(scores)
    left = [score for key, score in scores.items() if key not in kept]
    assert len(kept) == min(limit, len(scores))
    assert not left or not kept or min(kept.values()) >= max(left) - 1e-8


def test_rule_6_what_a_cap_left_out_is_told_with_number_order_and_reason() -> None:
    cap = Cap(400, "by score", "bounded log")
    assert cap.describe(458, "candidates") == (
        "58 candidates beyond the first 400 by score (bounded log)"
    )
    assert cap.describe(400, "candidates") == ""


def test_the_order_of_the_input_does_not_matter() -> None:
    cap = Cap(2, "by score", "test")
    assert cap.best({"a": 1.0, "b": 1.0, "c": 1.0}) == cap.best({"c": 1.0, "b": 1.0, "a": 1.0})
    assert cap.first(["ccc", "a", "bb"], lambda word: (len(word),)) == ["a", "bb"]
