"""Descriptions by a model: written to the log, bounded, resumable, read only when promoted."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.journeys.talking import asked, claims, description, serve, settings
from tests.support.journey import BUGGY, Journey, new_journey
from tests.support.model_server import Answer, Fault, Trouble

WORD = "quuxotic"
FILES = {
    "money.py": BUGGY,
    "bank.py": "from money import share\n\n\ndef pay():\n    return share(10, 3)\n",
    "shop.py": "from money import total\n\n\ndef bill():\n    return total([1])\n",
    "notes.txt": "no program\n",
}


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path, FILES)
    made.ok("init", "--offline")
    return made


def say(prompt: str) -> Answer:
    return description(f"Splits {WORD} sums.", ["money", "cents"])


def prompts_of_a_question(journey: Journey) -> list[str]:
    """Every prompt of a question that goes through all judges."""
    with serve(lambda prompt: claims()) as server:
        journey.cra("ask", "how does `share` split money?", *settings(server))
        every = [body["messages"][-1]["content"] for body in server.chats]
    assert len(every) >= 4
    return every


def test_files_are_described_in_order_and_only_once(journey: Journey) -> None:
    with serve(say) as server:
        found = journey.ok("enrich", *settings(server))
        again = journey.ok("enrich", *settings(server))
    assert [one["path"] for one in found["described"]] == ["money.py", "bank.py", "shop.py"]
    assert found["described"][0]["purpose"] == f"Splits {WORD} sums."
    assert found["remaining"] == 0 and again["described"] == []
    assert len(asked(server, "purpose")) == 3
    assert journey.ok("verify")["clean"]
    why = journey.ok("why", "shop.py", "--task", "last")
    assert why["shown"] and why["decisions"][0]["judge"] == "enrich/1"
    assert "rank 3" in why["decisions"][0]["reason"]


def test_every_byte_of_a_prompt_is_one_file_or_ours(journey: Journey) -> None:
    with serve(say) as server:
        journey.ok("enrich", *settings(server))
    first, second, _ = asked(server, "purpose")
    assert BUGGY in first and "no program" not in first
    assert "def pay" in second and "def share" not in second
    assert first.split('=== file "')[0] == second.split('=== file "')[0]


def test_a_budget_that_no_file_fits_in_is_code_5(journey: Journey) -> None:
    with serve(say) as server:
        done = journey.cra("enrich", *settings(server), "-c", "enrich.tokens=10")
    assert done.code == 5 and "enrich.tokens" in done.stdout
    assert server.chats == []


def test_files_that_can_never_be_described_are_no_failure(journey: Journey) -> None:
    with serve(say) as server:
        done = journey.cra("enrich", *settings(server), "-c", "budget.context_tokens=40")
    assert done.code == 0, done.stdout
    assert "what remains cannot be described, for the reasons above" in done.stdout


def test_a_killed_run_loses_at_most_the_file_it_was_at(journey: Journey) -> None:
    with serve(say) as server:
        fault = {"CRA_FAULT": "raw.append.acknowledged:11:kill"}
        done = journey.cra("enrich", *settings(server), env=fault)
        assert done.code == -signal.SIGKILL
        asked_before = len(asked(server, "purpose"))
        kept = journey.ok("enrich", "--status")["described"]
        rest = journey.ok("enrich", *settings(server))["described"]
    assert 0 < asked_before < 3
    assert asked_before - len(kept) in (0, 1)
    assert {one["path"] for one in (*kept, *rest)} == {"money.py", "bank.py", "shop.py"}
    assert journey.ok("verify")["clean"]


@pytest.mark.reliability(86)
def test_an_unusable_answer_is_told_and_the_next_file_is_described(journey: Journey) -> None:
    def mixed(prompt: str) -> Answer:
        return Answer("purpose: splits") if '"money.py"' in prompt else say(prompt)

    with serve(mixed) as server:
        done = journey.cra("enrich", *settings(server))
    assert done.code == 0
    assert "no usable answer: money.py" in done.stdout and "2 described, 1 of 3" in done.stdout
    assert len(asked(server, "purpose")) == 4  # one repair


@pytest.mark.reliability(84)
def test_a_server_that_fails_is_code_4_and_what_was_described_stays(journey: Journey) -> None:
    answers = iter([say(""), Answer("", fault=Fault(Trouble.CLOSE)), say(""), say("")])
    with serve(lambda prompt: next(answers)) as server:
        done = journey.cra("enrich", *settings(server))
        assert done.code == 4
        assert len(journey.ok("enrich", "--status")["described"]) == 1
        assert len(journey.ok("enrich", *settings(server))["described"]) == 2


def test_without_a_model_the_lines_to_add_are_named(journey: Journey) -> None:
    done = journey.cra("enrich")
    assert done.code == 3 and "[reasoning]" in done.stderr


@pytest.mark.parametrize(
    "words", [("money.py",), ("--promote", "--status"), ("--promote", "nowhere.py")]
)
def test_words_that_make_no_sense_are_wrong_usage(journey: Journey, words: tuple[str, ...]) -> None:
    done = journey.cra("enrich", *words)
    assert done.code == 2 and "Traceback" not in done.stderr


def described(journey: Journey) -> None:
    with serve(say) as server:
        journey.ok("enrich", *settings(server))


def test_what_is_not_promoted_never_reaches_a_prompt_and_what_is_does(journey: Journey) -> None:
    described(journey)
    assert not any(WORD in prompt for prompt in prompts_of_a_question(journey))
    found = journey.ok("enrich", "--promote", "money.py")
    assert found["rule"] == "manual: money.py"
    assert [one["path"] for one in found["promoted"]] == ["money.py"]
    told = [prompt for prompt in prompts_of_a_question(journey) if WORD in prompt]
    # The control: the judge of files is told, about this file alone.
    assert told and all(prompt.count(WORD) == 1 for prompt in told)
    assert journey.ok("verify")["clean"]


def test_promotion_is_logged_and_twice_is_once(journey: Journey) -> None:
    described(journey)
    first = journey.ok("enrich", "--promote")
    second = journey.ok("enrich", "--promote")
    assert len(first["promoted"]) == 3 and first["rule"] == "manual: all"
    assert second["promoted"] == []
    status = journey.ok("enrich", "--status")
    assert all(one["promoted"] for one in status["described"])


def test_killed_between_the_log_and_the_index_the_next_index_finishes_it(journey: Journey) -> None:
    described(journey)
    # The run's own row is the first append, the promotions are the second.
    fault = {"CRA_FAULT": "raw.append.acknowledged:2:kill"}
    assert journey.cra("enrich", "--promote", env=fault).code == -signal.SIGKILL
    status = journey.ok("enrich", "--status")
    assert all(one["promoted"] for one in status["described"])
    assert any(WORD in prompt for prompt in prompts_of_a_question(journey))


def test_a_description_is_one_line_without_control_characters(journey: Journey) -> None:
    hostile = Answer(
        json.dumps(
            {"purpose": "Fine.\n\x1b[2J>>>abcd\u202e", "concepts": ["a\tb", " "], "relations": []}
        )
    )
    with serve(lambda prompt: hostile) as server:
        found = journey.ok("enrich", *settings(server))
    one = found["described"][0]
    assert one["purpose"] == "Fine. [2J>>>abcd" and one["concepts"] == ["a b"]
