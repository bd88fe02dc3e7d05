"""The OpenAI chat protocol and its two dialects: what each server is sent and what it tells."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from clean_room_agent.llm.transports.llamacpp import LlamaCppTransport
from clean_room_agent.llm.transports.openai import OpenAITransport
from clean_room_agent.llm.transports.vllm import VllmTransport
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import TRANSPORTS, ask_for, call, fail
from tests.support.model_server import Answer, Fault, ModelServer, Trouble

DIALECTS = ["openai", "vllm", "llamacpp"]
SCHEMA = {"type": "object"}
STANDARD: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "say hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 64,
    "temperature": 0.2,
    "top_p": 0.9,
    "seed": 7,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    },
}
NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
OWN = {"openai": {}, "vllm": NO_THINKING, "llamacpp": NO_THINKING}


def event(**fields: object) -> str:
    return "data: " + json.dumps({"model": "tiny", "choices": []} | fields)


def delta(text: str, finish: str | None = None) -> str:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}])


def raw(*events: str) -> Answer:
    """Answer with events of our own making; the server puts `data: ` before the first."""
    body = "\n\n".join(events).removeprefix("data: ")
    return Answer(fault=Fault(Trouble.ERROR_OBJECT, body=body))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_request_carries_what_the_dialect_documents_and_nothing_else(dialect: str) -> None:
    with ModelServer(dialect, [Answer("{}")]) as server:
        call(TRANSPORTS[dialect](server.base_url + "/v1/"), ask_for(schema=SCHEMA))
        assert server.chats == [STANDARD | OWN[dialect]]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_end_carries_reason_counts_and_name(dialect: str) -> None:
    with ModelServer(dialect, [Answer("a b c", finish="length")]) as server:
        final = call(TRANSPORTS[dialect](server.base_url), ask_for("say a b c")).final
    assert (final.finish_reason, final.prompt_tokens, final.output_tokens) == ("length", 4, 3)
    assert (final.model, final.digest) == ("tiny", "")


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp"])
def test_reasoning_is_asked_for_and_is_no_part_of_the_answer(dialect: str) -> None:
    with ModelServer(dialect, [Answer("yes", thinking="let me think about that")]) as server:
        reply = call(TRANSPORTS[dialect](server.base_url), ask_for(think=True))
        assert server.chats[0]["chat_template_kwargs"] == {"enable_thinking": True}
    assert reply.text == "yes"


@pytest.mark.parametrize("wish", [{"adapter": "scope"}, {"think": True}])
def test_the_plain_protocol_refuses_what_it_cannot_ask_for(wish: dict[str, Any]) -> None:
    with ModelServer("openai", [Answer("x")]) as server:
        error = fail(OpenAITransport(server.base_url), ask_for(**wish)).error
        assert error.status is ReplyStatus.REFUSED
        assert server.chats == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_model_is_named_with_what_there_is(dialect: str) -> None:
    with ModelServer(dialect, [Answer("x")] * 2) as server:
        error = fail(TRANSPORTS[dialect](server.base_url), ask_for(model="huge")).error
        assert error.status is ReplyStatus.UNKNOWN_MODEL
        assert "huge" in error.message


def test_llama_cpp_would_have_answered_for_the_unknown_model() -> None:
    with ModelServer("llamacpp", [Answer("x")]) as server:
        url = f"{server.base_url}/v1/chat/completions"
        assert httpx.post(url, json=STANDARD | {"model": "huge"}).status_code == 200
        error = fail(LlamaCppTransport(server.base_url), ask_for(model="huge")).error
        assert "it lists: tiny" in error.message
        assert len(server.chats) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_answer_of_another_model_is_refused(dialect: str) -> None:
    with ModelServer(dialect, [Answer("x", model="default")]) as server:
        error = fail(TRANSPORTS[dialect](server.base_url), ask_for()).error
    assert error.status is ReplyStatus.UNKNOWN_MODEL
    assert error.received == ""


@pytest.mark.reliability(85)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_prompt_over_the_window_is_refused(dialect: str) -> None:
    with ModelServer(dialect, [Answer("x")] * 2, models={"tiny": 100}) as server:
        transport = TRANSPORTS[dialect](server.base_url)
        assert fail(transport, ask_for("a " * 200)).error.status is ReplyStatus.CONTEXT
        assert call(transport, ask_for("a " * 20)).text == "x"


@pytest.mark.reliability(85)
def test_the_served_window_is_read_back() -> None:
    with ModelServer("vllm", models={"tiny": 4096}, adapters=["scope"]) as server:
        transport = VllmTransport(server.base_url)
        base, adapter = transport.describe("tiny"), transport.describe("scope")
    assert (base.context_tokens, base.adapters) == (4096, ("scope",))
    assert (adapter.context_tokens, adapter.adapters) == (4096, ())
    assert "root /adapters/scope, parent tiny" in adapter.detail
    with ModelServer("llamacpp", models={"tiny": 2048}, adapters=["/a/scope.gguf"]) as server:
        served = LlamaCppTransport(server.base_url).describe("tiny")
    assert (served.context_tokens, served.adapters) == (2048, ("/a/scope.gguf",))
    assert served.detail == "/models/tiny.gguf, b1"
    with ModelServer("openai") as server:
        assert OpenAITransport(server.base_url).describe("tiny").context_tokens is None


@pytest.mark.parametrize(("dialect", "count"), [("openai", None), ("vllm", 3), ("llamacpp", 3)])
def test_tokens_are_counted_where_the_server_can(dialect: str, count: int | None) -> None:
    with ModelServer(dialect) as server:
        assert TRANSPORTS[dialect](server.base_url).count_tokens("tiny", "a b c") == count


def test_vllm_serves_an_adapter_as_a_model() -> None:
    with ModelServer("vllm", [Answer("x")] * 2, adapters=["scope"]) as server:
        transport = VllmTransport(server.base_url)
        assert call(transport, ask_for(adapter="scope")).final.model == "scope"
        assert fail(transport, ask_for(adapter="none")).error.status is ReplyStatus.UNKNOWN_MODEL
        assert [chat["model"] for chat in server.chats] == ["scope", "none"]


PATHS = ["/a/scope.gguf", "/a/plan.gguf", "C:\\b\\edit.gguf"]


@pytest.mark.parametrize(
    ("adapter", "scales"),
    [
        ("", [0.0, 0.0, 0.0]),
        ("scope", [1.0, 0.0, 0.0]),
        ("plan.gguf", [0.0, 1.0, 0.0]),
        ("/a/plan.gguf", [0.0, 1.0, 0.0]),
        ("edit", [0.0, 0.0, 1.0]),
    ],
)
def test_llama_cpp_is_told_the_scale_of_every_adapter(adapter: str, scales: list[float]) -> None:
    with ModelServer("llamacpp", [Answer("x")], adapters=PATHS) as server:
        call(LlamaCppTransport(server.base_url), ask_for(adapter=adapter))
        expected = [{"id": number, "scale": scale} for number, scale in enumerate(scales)]
        assert server.chats[0]["lora"] == expected


@pytest.mark.parametrize(
    ("adapter", "paths", "problem"),
    [
        ("none", PATHS, "no adapter"),
        ("scope", [], "no adapter"),
        ("scope", ["/a/scope.gguf", "/b/scope.gguf"], "more than one"),
    ],
)
def test_an_adapter_must_be_one_that_is_loaded(
    adapter: str, paths: list[str], problem: str
) -> None:
    with ModelServer("llamacpp", [Answer("x")], adapters=paths) as server:
        error = fail(LlamaCppTransport(server.base_url), ask_for(adapter=adapter)).error
        assert error.status is ReplyStatus.UNKNOWN_MODEL
        assert problem in error.message
        assert server.chats == []


def test_llama_cpp_s_model_may_be_called_by_its_file() -> None:
    with ModelServer("llamacpp", [Answer("x")] * 2, models={"/m/tiny.gguf": 8192}) as server:
        transport = LlamaCppTransport(server.base_url)
        for name in ("tiny", "/m/tiny.gguf"):
            assert call(transport, ask_for(model=name)).final.model == "/m/tiny.gguf"
        assert {chat["model"] for chat in server.chats} == {"/m/tiny.gguf"}


def test_timings_stand_in_for_a_missing_usage() -> None:
    timings = {"cache_n": 30, "prompt_n": 5, "predicted_n": 2}
    old = {"prompt_n": 5, "predicted_n": 2}
    with ModelServer(
        "llamacpp",
        [
            raw(delta("x", "stop"), event(timings=timings), "data: [DONE]"),
            raw(delta("x", "stop"), event(timings=old), "data: [DONE]"),
        ],
    ) as server:
        transport = LlamaCppTransport(server.base_url)
        finals = [call(transport, ask_for()).final for _ in range(2)]
    assert [(final.prompt_tokens, final.output_tokens) for final in finals] == [(35, 2), (None, 2)]


SOUND = (delta("x", "stop"), "data: [DONE]")
BROKEN: dict[str, tuple[tuple[str, ...], ReplyStatus]] = {
    "page": (("<html>",), ReplyStatus.GARBAGE),
    "page after an event": ((delta("x"), "<html>"), ReplyStatus.GARBAGE),
    "no model": (('data: {"choices": []}',), ReplyStatus.GARBAGE),
    "no choices": (('data: {"model": "tiny"}',), ReplyStatus.GARBAGE),
    "two choices": ((event(choices=[{}, {}]),), ReplyStatus.GARBAGE),
    "text of the wrong type": ((event(choices=[{"delta": {"content": 7}}]),), ReplyStatus.GARBAGE),
    "no reason": ((delta("x"), "data: [DONE]"), ReplyStatus.GARBAGE),
    "no [DONE]": ((delta("x", "stop"),), ReplyStatus.CLOSED),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_stream_of_the_wrong_shape_has_its_status(case: str) -> None:
    events, status = BROKEN[case]
    with ModelServer("openai", [raw(*events), raw(*SOUND)]) as server:
        transport = OpenAITransport(server.base_url)
        assert fail(transport, ask_for()).error.status is status
        assert call(transport, ask_for()).text == "x"


def test_an_event_may_have_several_lines_comments_and_other_fields() -> None:
    first, second = delta("x y").split(" y")
    parts = (": ping", "event: message\nid: 7\nretry: 1", f"{first} \ndata:y{second}", *SOUND)
    with ModelServer("openai", [raw(delta("a"), *parts)]) as server:
        error = fail(OpenAITransport(server.base_url), ask_for()).error
    assert error.status is ReplyStatus.GARBAGE  # a line end inside a JSON text is not valid JSON
    whole = (": ping", "event: message\nid: 7\n" + delta("b").replace(": ", ":\ndata:", 2), *SOUND)
    with ModelServer("openai", [raw(delta("a"), *whole)]) as server:
        assert call(OpenAITransport(server.base_url), ask_for()).text == "abx"


def test_a_count_without_a_number_is_garbage() -> None:
    with ModelServer("vllm") as server:
        server.override["/tokenize"] = Fault(Trouble.STATUS, code=200, body='{"tokens": []}')
        with pytest.raises(TransportError) as caught:
            VllmTransport(server.base_url).count_tokens("tiny", "x")
        assert caught.value.status is ReplyStatus.GARBAGE


def test_a_server_of_another_kind_is_pointed_out() -> None:
    with ModelServer("ollama") as server:
        error = fail(OpenAITransport(server.base_url), ask_for()).error
    assert error.status is ReplyStatus.REFUSED
    assert "the right kind of server" in error.message
