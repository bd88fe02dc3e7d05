"""Find the control tokens of models: text that a server may read as the border of a turn.

Takes: bytes. Gives: `Found` in order. Does not know: which model is asked.

A server renders a prompt into the model's chat template and many then cut the whole into tokens,
so `<|im_start|>` inside a file becomes the real token and opens a turn that nobody wrote. Framing
cannot help: the frame is text and the token is not. Code bytes are never altered, so an item that
holds one is left out whole. Only spellings that are tokens of the common families count; plain
tags such as `<s>`, `</s>` or `<think>` are ordinary markup and stay.
"""

from __future__ import annotations

import re

from clean_room_agent.redaction.found import Found

_HINTS = (b"<|", b"_turn>", b"INST]", b"SYS>>", b"\xef\xbd\x9c", b"<fim_")
_CONTROL = re.compile(
    # ChatML, Llama 3, Phi, Qwen and most others; DeepSeek with wide bars.
    rb"<\|[A-Za-z][A-Za-z0-9_ -]{1,40}\|>"
    rb"|<\xef\xbd\x9c[^<>\s]{2,80}\xef\xbd\x9c>"
    # Gemma, Llama 2 and Mistral, StarCoder.
    rb"|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|<fim_(?:prefix|suffix|middle|pad)>"
)


def control_spans(data: bytes) -> tuple[Found, ...]:
    """Return every control token in `data`; the kind is its spelling. Linear in its length."""
    if not any(hint in data for hint in _HINTS):
        return ()
    return tuple(
        Found(match[0].decode("utf-8", "backslashreplace"), match.start(), match.end())
        for match in _CONTROL.finditer(data)
    )
