"""Tokens are the same for what is indexed and what is asked, and cost linear time."""

from __future__ import annotations

import time

import pytest

from clean_room_agent.repo.tokens import (
    MAX_REPEATS,
    WordCounter,
    join_counts,
    search_tokens,
    split_word,
)

WORDS = {
    "parseHTTPResponse": ("parse", "http", "response", "parsehttpresponse"),
    "snake_case_name": ("snake", "case", "name", "snake_case_name"),
    "utf8": ("utf", "utf8"),
    "__init__": ("init",),
    "x": (),
    "Größe": ("gr", "öß", "größe"),
    "a" * 101: (),
}


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word[:20])
def test_a_word_gives_its_parts_and_itself(word: str) -> None:
    assert split_word(word) == WORDS[word]


def test_a_lone_capital_is_kept_as_a_name_but_not_a_and_i() -> None:
    assert search_tokens("I call S on A") == ["call", "s", "on"]
    assert search_tokens("I call S on A", keep_letters=False) == ["call", "on"]


def test_counted_tokens_are_those_of_a_query() -> None:
    text = "readFile open_file Größe naïve"
    counts = WordCounter().count(text.encode(), numbers=True, skip=frozenset())
    assert sorted(join_counts(counts).split()) == sorted(search_tokens(text))


def test_repeats_are_capped() -> None:
    assert join_counts({"alpha": 10**9}).split() == ["alpha"] * MAX_REPEATS


@pytest.mark.reliability(case=80)
@pytest.mark.parametrize("text", ["a" * 200_000, "aA" * 100_000, "_" * 200_000, "a_" * 100_000])
def test_hostile_words_cost_linear_time(text: str) -> None:
    started = time.process_time()
    search_tokens(text)
    WordCounter().count(text.encode(), numbers=True, skip=frozenset())
    assert time.process_time() - started < 2.0
