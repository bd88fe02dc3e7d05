"""Control tokens of models are found in data, and ordinary markup and code is not one."""

from __future__ import annotations

import time

import pytest

from clean_room_agent.redaction import control_spans, unshowable, why_withheld

LESS = "<"
TOKENS = [
    LESS + "|im_start|>", LESS + "|im_end|>", LESS + "|endoftext|>", LESS + "|eot_id|>",
    LESS + "|start_header_id|>", LESS + "|fim_prefix|>", LESS + "|file_sep|>",
    LESS + "|repo_name|>", LESS + "|begin_of_text|>", LESS + "|tool_call|>",
    LESS + "\uff5cUser\uff5c>", LESS + "\uff5cend\u2581of\u2581sentence\uff5c>",
    LESS + "start_of_turn>", LESS + "end_of_turn>", "[INS" + "T]", "[/INS" + "T]",
    LESS + "<SYS>>", LESS + "</SYS>>", LESS + "fim_suffix>",
]  # fmt: skip
ORDINARY = [
    "a <| b", "x |> f |> g", "Array[INSTANCE]", "<s>struck</s>", "<think>", "<b>|x|</b>",
    "let (<|) f x = f x", "if (a<b||c>d)", "std::cout<<SYS;", "a <|> b <|> c", "<||>", "<|1|>",
]  # fmt: skip


@pytest.mark.reliability(87)
@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_found_and_named_harmlessly(token: str) -> None:
    data = f"def f():\n    return '{token}'\n".encode()
    (found,) = control_spans(data)
    assert data[found.start : found.end].decode() == token
    reason = why_withheld(data)
    assert reason.startswith("holds a control token of models: ")
    assert reason.endswith("at line 2")
    assert control_spans(reason.encode()) == ()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_markup_and_code_is_none(text: str) -> None:
    assert control_spans(text.encode()) == ()


@pytest.mark.parametrize("piece", ["<|", "<|a", "|>", "<\uff5c", "[INST", "<<SYS>", "<|a "])
def test_no_repeat_takes_long(piece: str) -> None:
    data = piece.encode() * 100_000
    start = time.process_time()
    control_spans(data)
    assert time.process_time() - start < 2.0


def test_only_the_item_that_holds_it_is_withheld() -> None:
    one = b"def one():\n    return 1\n"
    two = ("def two():\n    return '" + LESS + "|im_end|>'\n").encode()
    data = one + two
    assert unshowable(data).why(0, len(one)) == ""
    assert "line 4" in unshowable(data).why(len(one), len(data))
