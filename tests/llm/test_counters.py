"""Counts are exact where a tokenizer is at hand, else a bound that is learned and named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.counters import (
    CalibratedCounter,
    TokenizerCounter,
    learn_factor,
    least_count,
)
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.records.calls import CallStage
from tests.llm.support import open_client

WORDS = {"[UNK]": 0, "one": 1, "two": 2, "three": 3}


def tokenizer_file(path: Path) -> Path:
    document = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "truncation": None,
        "padding": None,
        "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "[UNK]"},
    }
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_a_tokenizer_file_counts_exactly_and_is_named_by_its_hash(tmp_path: Path) -> None:
    counter = TokenizerCounter(tokenizer_file(tmp_path / "tokenizer.json"))
    assert [counter.count(text) for text in (b"", b"one", b"one two three")] == [0, 1, 3]
    assert counter.name.startswith("tokenizer:")


@pytest.mark.parametrize("content", ["{}", "not json"])
def test_what_is_no_tokenizer_is_a_configuration_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content, "utf-8")
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        TokenizerCounter(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        TokenizerCounter(tmp_path / "absent.json")


def test_the_factor_covers_every_observation_with_a_margin() -> None:
    assert learn_factor([]) == 1.0
    seen = [(1000, "upper-bound/1", 700)] * 10
    assert learn_factor(seen) == pytest.approx(0.735)
    assert learn_factor([*seen, (1000, "upper-bound/1", 1200)]) == pytest.approx(1.26)


def test_few_observations_never_lower_the_bound_and_small_prompts_teach_nothing() -> None:
    assert learn_factor([(1000, "upper-bound/1", 500)] * 3) == 1.0
    assert learn_factor([(10, "upper-bound/1", 90)] * 10) == 1.0


def test_observations_under_an_earlier_factor_are_read_back_to_the_bound() -> None:
    calibrated = [(735, "calibrated:0.735", 700)] * 10
    assert learn_factor(calibrated) == pytest.approx(0.735)


def test_exact_counts_of_other_counters_do_not_calibrate() -> None:
    assert learn_factor([(1000, "tokenizer:abc", 2000)] * 10) == 1.0


def test_a_calibrated_counter_scales_and_says_by_how_much() -> None:
    assert CalibratedCounter(2.0).count(b"x = 1\n") == 2 * CalibratedCounter(1.0).count(b"x = 1\n")
    assert CalibratedCounter(0.7351).name == "calibrated:0.735"


@pytest.mark.parametrize(
    ("name", "least"), [("tokenizer:x", 962), ("upper-bound/1", 242), ("calibrated:0.500", 492)]
)
def test_the_least_honest_count_is_tight_only_for_exact_counters(name: str, least: int) -> None:
    assert least_count(1000, name) == least


def test_a_client_learns_from_what_the_server_counted_before(tmp_path: Path) -> None:
    counts = {"coder": ((1000, "upper-bound/1", 600),) * 8}
    with open_client(tmp_path, lambda _request: "", counts=counts) as opened:
        assert opened.client.counter(CallStage.IMPLEMENT).name == "calibrated:0.630"
        assert opened.client.counter(CallStage.SCOPE).name == "calibrated:1.000"


def test_a_server_that_counts_is_asked_once_for_each_text(tmp_path: Path) -> None:
    asked: list[str] = []

    class Counting(ScriptedTransport):
        def count_tokens(self, model: str, text: str) -> int | None:
            asked.append(text)
            return len(text.split())

    with open_client(tmp_path, Counting(lambda _request: "")) as opened:
        counter = opened.client.counter(CallStage.IMPLEMENT)
        assert [counter.count(b"a b c"), counter.count(b"a b c")] == [3, 3]
    assert counter.name == "server:coder"
    assert asked.count("a b c") == 1
