"""Ollama's native route: what is sent, what is read back, and which model it was."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from clean_room_agent.llm.transports.ollama import OllamaTransport
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import ask_for, call, fail
from tests.support.model_server import Answer, Fault, ModelServer, Trouble


def raw(line: dict[str, object] | str) -> Answer:
    """Answer with one line of our own making."""
    body = line if isinstance(line, str) else json.dumps(line)
    return Answer(fault=Fault(Trouble.ERROR_OBJECT, body=body))


def test_a_request_carries_everything_the_server_must_obey() -> None:
    schema = {"type": "object", "properties": {"paths": {"type": "array"}}}
    with ModelServer("ollama", [Answer("{}")]) as server:
        call(OllamaTransport(server.base_url), ask_for("héllo \U0001f600", schema=schema))
        assert server.chats == [
            {
                "model": "tiny",
                "messages": [{"role": "user", "content": "héllo \U0001f600"}],
                "stream": True,
                "think": False,
                "truncate": False,
                "shift": False,
                "keep_alive": "10m",
                "options": {
                    "num_ctx": 4096,
                    "num_predict": 64,
                    "temperature": 0.2,
                    "top_p": 0.9,
                    "seed": 7,
                },
                "format": schema,
            }
        ]
        assert "authorization" not in server.headers[-1]


def test_a_field_that_the_real_server_would_drop_is_noticed() -> None:
    with ModelServer("ollama", [Answer("x")]) as server:
        body = {"model": "tiny", "messages": [], "num_ctx": 8192}
        assert httpx.post(f"{server.base_url}/api/chat", json=body).status_code == 400
        assert "num_ctx" in server.violations[0]
        server.violations.clear()


def test_the_end_carries_counts_reason_name_and_digest() -> None:
    with ModelServer("ollama", [Answer("a b c", finish="length")]) as server:
        final = call(OllamaTransport(server.base_url), ask_for("say a b c")).final
    assert (final.finish_reason, final.prompt_tokens, final.output_tokens) == ("length", 4, 3)
    assert (final.model, final.digest) == ("tiny", "sha256:tiny")


def test_thoughts_are_no_part_of_the_answer() -> None:
    answer = Answer("yes", thinking="let me think about that")
    with ModelServer("ollama", [answer]) as server:
        reply = call(OllamaTransport(server.base_url), ask_for(think=True))
        assert server.chats[0]["think"] is True
    assert reply.text == "yes"


def test_an_adapter_is_called_as_the_model_it_is() -> None:
    models = {"tiny": 8192, "tiny-scope": 8192}
    with ModelServer("ollama", [Answer("x")], models=models) as server:
        final = call(OllamaTransport(server.base_url), ask_for(adapter="tiny-scope")).final
        assert server.chats[0]["model"] == "tiny-scope"
    assert final.digest == "sha256:tiny-scope"


@pytest.mark.reliability(89)
def test_a_digest_that_changed_under_its_tag_is_recorded_with_the_call() -> None:
    with ModelServer("ollama", [Answer("x")] * 4) as server:
        transport = OllamaTransport(server.base_url, tags_seconds=0.05)
        digests = [call(transport, ask_for()).final.digest for _ in range(2)]
        server.digests["tiny"] = "sha256:other"
        time.sleep(0.06)
        digests.append(call(transport, ask_for()).final.digest)
        assert digests == ["sha256:tiny", "sha256:tiny", "sha256:other"]
        lazy = OllamaTransport(server.base_url)
        call(lazy, ask_for())
        server.digests["tiny"] = "sha256:third"
        assert lazy.describe("tiny").digest == "sha256:third"
        assert server.calls.count(("GET", "/api/tags")) >= 4


def test_the_list_of_models_is_not_read_for_each_call() -> None:
    with ModelServer("ollama", [Answer("x")] * 5) as server:
        transport = OllamaTransport(server.base_url)
        for _ in range(5):
            call(transport, ask_for())
        assert server.calls.count(("GET", "/api/tags")) == 1


def test_a_model_is_described_by_what_the_server_says() -> None:
    with ModelServer("ollama") as server:
        served = OllamaTransport(server.base_url).describe("tiny:latest")
    assert (served.context_tokens, served.digest) == (8192, "sha256:tiny")
    assert served.detail == 'qwen2 1M F16, stop "<|im_end|>"; num_ctx 4096'


@pytest.mark.parametrize("act", ["describe", "call"])
def test_a_model_that_is_not_there_can_be_pulled(act: str) -> None:
    with ModelServer("ollama") as server:
        transport = OllamaTransport(server.base_url)
        with pytest.raises(TransportError, match="ollama pull qwen3:4b") as caught:
            if act == "describe":
                transport.describe("qwen3:4b")
            else:
                call(transport, ask_for(model="qwen3:4b"))
        assert caught.value.status is ReplyStatus.UNKNOWN_MODEL
        assert server.chats == []


def test_a_model_that_is_removed_between_two_calls_is_unknown() -> None:
    with ModelServer("ollama", [Answer("x")] * 2) as server:
        transport = OllamaTransport(server.base_url)
        call(transport, ask_for())
        server.models.clear()
        assert fail(transport, ask_for()).error.status is ReplyStatus.UNKNOWN_MODEL


@pytest.mark.reliability(85)
def test_a_prompt_over_the_window_is_refused_and_not_cut() -> None:
    with ModelServer("ollama", [Answer("x")] * 2) as server:
        failure = fail(OllamaTransport(server.base_url), ask_for("a " * 50, context_tokens=20))
        assert failure.error.status is ReplyStatus.CONTEXT
        body = server.chats[0]
        del body["truncate"]
        cut = httpx.post(f"{server.base_url}/api/chat", json=body)
        last = json.loads(cut.text.splitlines()[-1])
        assert (cut.status_code, last["prompt_eval_count"]) == (200, 20)  # without it: silence


@pytest.mark.reliability(85)
def test_a_count_that_shows_a_cut_prompt_reaches_the_caller() -> None:
    with ModelServer("ollama", [Answer("x", prompt_tokens=20)]) as server:
        reply = call(OllamaTransport(server.base_url), ask_for("a " * 50))
    assert reply.final.prompt_tokens == 20


def test_the_answer_of_another_model_is_refused() -> None:
    with ModelServer("ollama", [Answer("x", model="huge")]) as server:
        error = fail(OllamaTransport(server.base_url), ask_for()).error
    assert error.status is ReplyStatus.UNKNOWN_MODEL
    assert "huge" in error.message


END = {"model": "tiny", "message": {"content": ""}, "done": True, "done_reason": "stop"}
BROKEN: dict[str, dict[str, object] | str] = {
    "not an object": "[1]",
    "no model": {"message": {"content": "x"}},
    "half a character": '{"model": "tiny", "message": {"content": "\\ud800"}}',
    "text of the wrong type": {"model": "tiny", "message": {"content": 7}},
    "message of the wrong type": {"model": "tiny", "message": "x"},
    "no reason": END | {"done_reason": ""},
    "count of the wrong type": END | {"eval_count": "7"},
    "negative count": END | {"prompt_eval_count": -1},
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_line_of_the_wrong_shape_is_garbage(case: str) -> None:
    with ModelServer("ollama", [raw(BROKEN[case]), raw(END)]) as server:
        transport = OllamaTransport(server.base_url)
        assert fail(transport, ask_for()).error.status is ReplyStatus.GARBAGE
        assert call(transport, ask_for()).final.prompt_tokens is None  # the sound line passes


def test_a_list_of_models_of_the_wrong_shape_is_garbage() -> None:
    with ModelServer("ollama") as server:
        server.override["/api/tags"] = Fault(Trouble.STATUS, code=200, body='{"models": {}}')
        assert fail(OllamaTransport(server.base_url), ask_for()).error.status == "garbage"


def test_a_hanging_description_ends() -> None:
    with ModelServer("ollama") as server:
        server.override["/api/tags"] = Fault(Trouble.DRIP, seconds=0.01)
        transport = OllamaTransport(server.base_url, ask_seconds=0.2)
        started = time.monotonic()
        with pytest.raises(TransportError) as caught:
            transport.describe("tiny")
        assert caught.value.status in (ReplyStatus.FIRST_TOKEN, ReplyStatus.TOTAL)
        assert time.monotonic() - started < 0.5


def test_there_is_no_door_for_counting() -> None:
    assert OllamaTransport("http://127.0.0.1:1").count_tokens("tiny", "a b") is None


def test_a_prompt_that_is_no_text_is_refused_before_it_is_sent() -> None:
    with ModelServer("ollama") as server:
        stream = OllamaTransport(server.base_url).stream(ask_for("\ud800"), threading.Event())
        with pytest.raises(TransportError) as caught:
            next(stream)
        assert caught.value.status is ReplyStatus.REFUSED
        assert server.chats == []
