"""The llama.cpp dialect against a real llama.cpp server with a tiny model of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from clean_room_agent.llm.transports.llamacpp import LlamaCppTransport
from clean_room_agent.llm.transports.openai import OpenAITransport
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import ask_for, call, fail
from tests.support import tiny_model
from tests.support.real_server import running

KEY = "sk-canary"


@dataclass(frozen=True)
class Real:
    url: str
    adapter: str

    @property
    def transport(self) -> LlamaCppTransport:
        return LlamaCppTransport(self.url, api_key=KEY)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    tiny = tiny_model.cached(tmp_path_factory.getbasetemp())
    with running(tiny.gguf, adapters=[tiny.adapter], context=512, api_key=KEY) as server:
        yield Real(server.address, tiny.adapter.stem)


def test_an_adapter_holds_for_its_own_request_only(real: Real) -> None:
    base, adapted, again = (
        call(real.transport, ask_for("def f(x):", adapter=adapter)).text
        for adapter in ("", real.adapter, "")
    )
    assert base == again != adapted


def test_an_adapter_that_the_server_applies_to_all_is_switched_off_for_the_base(
    real: Real,
) -> None:
    """A server applies what it has loaded to each request that does not say otherwise."""
    plain = OpenAITransport(real.url, api_key=KEY)  # says nothing of adapters
    base = call(real.transport, ask_for("def f(x):")).text
    assert call(plain, ask_for("def f(x):")).text == base
    _apply_to_all(real, 1.0)
    try:
        assert call(plain, ask_for("def f(x):")).text != base
        assert call(real.transport, ask_for("def f(x):")).text == base
    finally:
        _apply_to_all(real, 0.0)


def _apply_to_all(real: Real, scale: float) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    body = [{"id": 0, "scale": scale}]
    answer = httpx.post(f"{real.url}/lora-adapters", json=body, headers=headers)
    assert answer.status_code == 200


def test_a_schema_binds_the_answer_and_the_end_is_told(real: Real) -> None:
    schema = {
        "type": "object",
        "properties": {"keep": {"type": "boolean"}},
        "required": ["keep"],
        "additionalProperties": False,
    }
    reply = call(real.transport, ask_for("keep?", schema=schema))
    assert reply.text.replace(" ", "").replace("\n", "") in ('{"keep":true}', '{"keep":false}')
    assert (reply.final.finish_reason, reply.final.model) == ("stop", "tiny")
    assert reply.final.output_tokens is not None
    cut = call(real.transport, ask_for("def f(x):", output_tokens=8)).final
    assert (cut.finish_reason, cut.output_tokens) == ("length", 8)


@pytest.mark.reliability(85)
def test_the_prompt_is_counted_whole_also_when_it_is_cached(real: Real) -> None:
    prompt = "def f(x):\n    return x + 1\n" * 5
    counts = [call(real.transport, ask_for(prompt)).final.prompt_tokens for _ in range(2)]
    own = real.transport.count_tokens("tiny", prompt)
    assert own is not None
    assert counts[0] == counts[1]
    assert counts[0] is not None
    assert own < counts[0] < own + 20  # the template adds a few


@pytest.mark.reliability(85)
def test_the_window_of_a_slot_is_told_and_kept(real: Real) -> None:
    assert real.transport.describe("tiny").context_tokens == 512
    error = fail(real.transport, ask_for("one two three " * 300)).error
    assert error.status is ReplyStatus.CONTEXT


def test_unknown_names_and_wrong_keys_are_told_apart(real: Real) -> None:
    unknown = fail(real.transport, ask_for(model="huge")).error
    assert unknown.status is ReplyStatus.UNKNOWN_MODEL
    wrong = fail(LlamaCppTransport(real.url, api_key="sk-other"), ask_for()).error
    assert wrong.status is ReplyStatus.REFUSED
    assert "api_key_variable" in wrong.message


def test_the_plain_protocol_is_enough_for_the_base_model(real: Real) -> None:
    plain = OpenAITransport(real.url, api_key=KEY)
    assert call(plain, ask_for("def f(x):", output_tokens=8)).final.output_tokens == 8
