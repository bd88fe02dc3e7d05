"""What a person is told to do next is true, whole, and can be pasted."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from clean_room_agent.config.extras import install_hint
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.endpoint import check_endpoint
from clean_room_agent.records.spelling import counted
from tests.support.journey import Journey, new_journey
from tests.support.model_server import ModelServer


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_a_role_without_a_model_is_a_row_and_the_other_is_still_asked(journey: Journey) -> None:
    with ModelServer("ollama", models={"qwen3:4b": 40_960}) as server:
        words = ("models.backend=ollama", f"models.base_url={server.base_url}")
        own = [part for word in (*words, "reasoning.model=qwen3:4b") for part in ("-c", word)]
        done = journey.cra("models", *own)
        checked = journey.cra("doctor", *own)
        failed = journey.cra("solve", "x", "--test", "pytest -q", *own)
    assert done.code == 3
    rows = done.stdout.splitlines()
    assert any(row.startswith("coding") and "no model set" in row for row in rows)
    assert any(row.startswith("reasoning") and "40,960" in row for row in rows)
    assert "  [coding]" in rows and '  model = "qwen2.5-coder:3b"' in rows
    assert checked.code == 1 and "[coding] names no model" in checked.stdout
    assert "ollama pull" not in checked.stdout
    assert failed.code == 3
    hint = failed.stderr.split("next:", 1)[1].split("\n", 1)[1]
    assert tomllib.loads(hint) == {"coding": {"model": "qwen2.5-coder:3b"}}


@pytest.mark.parametrize(
    ("words", "told", "step"),
    [
        (("ask",), "give the question as one argument", "--help"),
        (("ask", "--file", "nope.md"), "cannot be read: no such file or directory", "--file takes"),
        (("ask", "what is it?", "--at", "nope"), "no commit is named 'nope'", "branch or tag"),
        (("why", "mony.py"), "no such path", "close: money.py"),
        (("why", "nope.xyz"), "no such path", "cra search"),
    ],
)
def test_a_mistake_is_answered_with_a_next_step(
    journey: Journey, words: tuple[str, ...], told: str, step: str
) -> None:
    if words[0] == "why":
        journey.ok("context", "`share` is wrong")
    done = journey.cra(*words)
    assert done.code == 2
    assert told in done.stderr and "Errno" not in done.stderr
    assert step in done.stderr.split("next:", 1)[1]


def test_the_exit_codes_have_a_document(journey: Journey) -> None:
    codes = journey.ok("help", "exit-codes")["exit_codes"]
    assert codes["130"] == "interrupted (Ctrl-C)"


def test_a_remote_host_is_told_both_keys_as_lines_to_paste() -> None:
    with pytest.raises(ConfigError) as caught:
        check_endpoint("http://models.example:8000", ())
    assert tomllib.loads(caught.value.hint.split("\n", 1)[1]) == {
        "allowed_hosts": ["models.example"],
        "consent": ["models.example"],
    }


def test_an_extra_is_told_for_a_checkout_too() -> None:
    assert "pip install -e '.[train]'" in install_hint("train")


def test_one_of_a_thing_is_not_several() -> None:
    assert [counted(n, "turn") for n in (0, 1, 1200)] == ["0 turns", "1 turn", "1,200 turns"]
