"""The model-free token counter: an upper bound, linear, additive from above."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.prompts.tokens import UpperBoundCounter

count = UpperBoundCounter().count


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (b"", 0),
        (b"word", 1),
        (b"words", 2),
        (b"2026", 4),
        (b"a b", 2),
        (b"x = 1", 4),
        (b"HTTPServer", 4),
        (b"\n\n\n", 1),
        (b"        return", 3),
        (b"========", 2),
        ("é".encode(), 2),
    ],
    ids=repr,
)
def test_pieces_cost_what_a_poor_vocabulary_needs(text: bytes, tokens: int) -> None:
    assert count(text) == tokens


def test_the_name_says_that_it_is_a_bound() -> None:
    assert UpperBoundCounter().name == "upper-bound/1"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_the_sum_of_the_parts_is_never_below_the_whole(left: bytes, right: bytes) -> None:
    assert count(left + right) <= count(left) + count(right)


@given(st.text(alphabet="aB1_ .\n\t(=", max_size=80))
def test_no_text_costs_more_than_its_bytes(text: str) -> None:
    assert count(text.encode()) <= len(text.encode())


def test_known_counts_of_a_real_tokenizer_are_not_exceeded() -> None:
    # Counts of a 150k byte-level BPE vocabulary for code, taken once by hand.
    samples = {
        b"def add(a, b):\n    return a + b\n": 13,
        b"for (int i = 0; i < n; i++) {\n": 14,
        b"The quick brown fox jumps over the lazy dog": 9,
    }
    for text, tokens in samples.items():
        assert count(text) >= tokens
