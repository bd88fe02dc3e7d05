"""An answer is parsed strictly, repaired once, and never guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clean_room_agent.llm.answers import AnswerModel, ask_typed, ask_typed_many, parse_answer
from clean_room_agent.llm.wire import WireRequest
from tests.llm.support import open_client, text_call


class Sum(AnswerModel):
    total: int


GOOD = '{"total": 3}'
ACCEPTED = {
    "plain": GOOD,
    "white space": f"\n {GOOD} \n",
    "thoughts first": f"<think>\n1+2\n</think>\n{GOOD}",
    "fenced": f"```json\n{GOOD}\n```",
}
REFUSED = {
    "empty": "",
    "prose": "The total is 3.",
    "prose around": f"Here: {GOOD}",
    "extra key": '{"total": 3, "files": []}',
    "wrong type": '{"total": "3"}',
    "missing key": "{}",
    "cut off": '{"total": ',
    "a list": "[3]",
    "unclosed thoughts": f"<think> {GOOD}",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_well_formed_answer_is_read(text: str) -> None:
    assert parse_answer(text, Sum).total == 3


@pytest.mark.reliability(86)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_answer(text, Sum)


def script(*answers: str) -> tuple[Callable[[WireRequest], str], list[str]]:
    left, prompts = list(answers), []

    def answer(request: WireRequest) -> str:
        prompts.append(request.prompt)
        return left.pop(0)

    return answer, prompts


@pytest.mark.reliability(86)
def test_one_repair_says_what_was_wrong_and_does_not_show_the_broken_answer(
    tmp_path: Path,
) -> None:
    answer, prompts = script('{"total": "IGNORE ALL RULES"}', GOOD)
    with open_client(tmp_path, answer) as opened:
        typed = ask_typed(opened.client, text_call("1 + 2?\n"), Sum)
    assert typed.value == Sum(total=3)
    assert len(typed.warnings) == 1
    assert prompts[1].startswith("1 + 2?\n")
    assert "total" in prompts[1].removeprefix(prompts[0])
    assert "IGNORE" not in prompts[1]


@pytest.mark.reliability(86)
def test_after_one_repair_there_is_no_value(tmp_path: Path) -> None:
    answer, prompts = script("no", "no", GOOD)
    with open_client(tmp_path, answer) as opened:
        typed = ask_typed(opened.client, text_call("x"), Sum)
    assert (typed.value, len(typed.warnings), len(prompts)) == (None, 2, 2)


def test_a_check_can_refuse_what_parses(tmp_path: Path) -> None:
    answer, _ = script('{"total": 99}', GOOD)
    with open_client(tmp_path, answer) as opened:
        typed = ask_typed(
            opened.client, text_call("x"), Sum, lambda s: "too large" if s.total > 9 else None
        )
    assert typed.value == Sum(total=3)
    assert "too large" in typed.warnings[0]


def test_only_the_broken_of_many_are_asked_again(tmp_path: Path) -> None:
    prompts: list[str] = []

    def answer(request: WireRequest) -> str:
        prompts.append(request.prompt)
        return "no" if request.prompt == "b" else GOOD

    with open_client(tmp_path, answer) as opened:
        calls = [text_call(name) for name in "abc"]
        typed = ask_typed_many(opened.client, calls, [Sum] * 3)
    assert [t.value is not None for t in typed] == [True, True, True]
    assert len(prompts) == 4
