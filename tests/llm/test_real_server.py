"""Our transports against a real llama.cpp server, over a real socket, with a tiny real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tokenizers import Tokenizer

from clean_room_agent.llm.transports.gguf import GgufTransport
from clean_room_agent.llm.transports.llamacpp import LlamaCppTransport
from clean_room_agent.llm.transports.openai import OpenAITransport
from clean_room_agent.llm.wire import Timeouts, TransportError, WireReply, WireRequest, complete
from clean_room_agent.records.calls import ReplyStatus, Sampling
from tests.support import real_server, tiny_model
from tests.support.real_server import RealServer
from tests.support.tiny_model import TinyModel

SLOT_TOKENS = 8192
SOURCES = Path(__file__).parents[2] / "src" / "clean_room_agent"
PATIENT = Timeouts(connect=10, first_token=60, idle=60, total=120)
SCHEMA = {
    "type": "object",
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "path": {"enum": ["a.py", "b.py"]},
                    "keep": {"type": "boolean"},
                },
                "required": ["path", "keep"],
                "additionalProperties": False,
            },
        },
        "why": {"type": "string", "maxLength": 40},
    },
    "required": ["files", "why"],
    "additionalProperties": False,
}
CODE = "def area(width, height):\n    return width * height\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    return tiny_model.cached(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def server(tiny: TinyModel) -> Iterator[RealServer]:
    with real_server.running(
        tiny.gguf, adapters=[tiny.adapter], context=SLOT_TOKENS, slots=2
    ) as running:
        yield running


@pytest.fixture(scope="module")
def transport(server: RealServer) -> Iterator[LlamaCppTransport]:
    made = LlamaCppTransport(server.address)
    yield made
    made.close()


def _request(prompt: str = CODE, **changes: object) -> WireRequest:
    made = WireRequest(
        model="tiny",
        prompt=prompt,
        sampling=Sampling(temperature=0.8, top_p=0.95, seed=1, max_output_tokens=200),
        context_tokens=SLOT_TOKENS,
        timeouts=PATIENT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def _greedy(tokens: int) -> Sampling:
    return Sampling(temperature=0.0, top_p=1.0, seed=1, max_output_tokens=tokens)


def _ask(transport: LlamaCppTransport | OpenAITransport, request: WireRequest) -> WireReply:
    return complete(transport, request, threading.Event())


def _failure(transport: LlamaCppTransport, request: WireRequest) -> TransportError:
    with pytest.raises(TransportError) as caught:
        _ask(transport, request)
    return caught.value


def _is_valid(text: str) -> bool:
    answer = json.loads(text)
    files = answer.pop("files")
    return (
        set(answer) == {"why"}
        and len(answer["why"]) <= 40
        and 1 <= len(files) <= 3
        and all(set(file) == {"path", "keep"} for file in files)
        and all(file["path"] in ("a.py", "b.py") for file in files)
        and all(isinstance(file["keep"], bool) for file in files)
    )


@pytest.mark.parametrize("dialect", [LlamaCppTransport, OpenAITransport])
def test_answers_satisfy_their_schema_whatever_the_seed(
    server: RealServer, dialect: type[OpenAITransport]
) -> None:
    transport = dialect(server.address)
    for seed in range(1, 6):
        sampling = Sampling(1.0, 1.0, seed, 400)
        reply = _ask(transport, _request(schema=SCHEMA, sampling=sampling))
        assert _is_valid(reply.text)
        assert reply.final.finish_reason == "stop"
    with pytest.raises(json.JSONDecodeError):
        json.loads(_ask(transport, _request()).text)
    transport.close()


def test_the_server_is_quick_enough_for_tests(server: RealServer) -> None:
    body = {"messages": [{"role": "user", "content": CODE}], "max_tokens": 400, "temperature": 0}
    wrapped = {"type": "json_schema", "json_schema": {"name": "a", "strict": True}}
    wrapped["json_schema"]["schema"] = {"type": "string", "minLength": 300}  # type: ignore[index]
    for extra in ({}, {"response_format": wrapped}):
        told = [
            httpx.post(f"{server.address}/v1/chat/completions", json=body | extra).json()["timings"]
            for _ in range(3)
        ]
        assert min(timings["predicted_n"] for timings in told) > 30
        assert max(timings["predicted_per_second"] for timings in told) > 1000


def test_the_servers_count_is_ours_plus_the_template(
    transport: LlamaCppTransport, tiny: TinyModel
) -> None:
    tokenizer = Tokenizer.from_file(str(tiny.tokenizer))
    texts = [path.read_text("utf-8")[:7000] for path in sorted(SOURCES.glob("*.py"))]
    for text in [*texts, "", "\n\n\t x\r\n", "naïve 数字 🙂", "12345 3.14e-10"]:
        ours = len(tokenizer.encode(text, add_special_tokens=False).ids)
        assert transport.count_tokens("tiny", text) == ours
        reply = _ask(transport, _request(text, sampling=_greedy(1)))
        assert reply.final.prompt_tokens == ours + tiny_model.TEMPLATE_TOKENS


def test_a_special_token_spelled_in_a_prompt_becomes_one(transport: LlamaCppTransport) -> None:
    """Why prompts of this kind of server cannot rely on the template's own marks."""
    plain = _ask(transport, _request("a<|im_e nd|>b", sampling=_greedy(1)))
    spelled = _ask(transport, _request("a<|im_end|>b", sampling=_greedy(1)))
    assert plain.final.prompt_tokens is not None
    assert spelled.final.prompt_tokens == 3 + tiny_model.TEMPLATE_TOKENS
    assert plain.final.prompt_tokens > spelled.final.prompt_tokens


def test_a_prompt_that_does_not_fit_is_refused_and_never_cut(
    transport: LlamaCppTransport, tiny: TinyModel
) -> None:
    tokenizer = Tokenizer.from_file(str(tiny.tokenizer))
    line = "value = [1, 2]\n"
    each = len(tokenizer.encode(line).ids)
    fitting = line * ((SLOT_TOKENS - tiny_model.TEMPLATE_TOKENS - 1) // each)
    reply = _ask(transport, _request(fitting, sampling=_greedy(1)))
    counted = len(tokenizer.encode(fitting).ids)
    assert reply.final.prompt_tokens == counted + tiny_model.TEMPLATE_TOKENS
    failure = _failure(transport, _request(fitting + line * 2, sampling=_greedy(1)))
    assert failure.status is ReplyStatus.CONTEXT


def test_an_answer_that_fills_the_window_says_that_it_was_cut(
    transport: LlamaCppTransport, tiny: TinyModel
) -> None:
    long = "x = 1\n" * 1300
    request = _request(long, adapter=str(tiny.adapter), sampling=_greedy(4000))
    reply = _ask(transport, request)
    assert reply.final.finish_reason == "length"
    assert reply.final.prompt_tokens is not None
    assert reply.final.output_tokens is not None
    assert reply.final.output_tokens < 4000
    assert abs(reply.final.prompt_tokens + reply.final.output_tokens - SLOT_TOKENS) <= 2


def test_an_adapter_is_chosen_per_request(transport: LlamaCppTransport, tiny: TinyModel) -> None:
    plain = _request(sampling=_greedy(5))
    adapted = replace(plain, adapter=str(tiny.adapter))
    word = tiny_model.ADAPTER_WORD * 5
    answers = [_ask(transport, request).text for request in (plain, adapted, plain, adapted)]
    assert answers[1] == answers[3] == word
    assert answers[0] == answers[2] != word


def test_requests_of_several_threads_do_not_mix(
    transport: LlamaCppTransport, tiny: TinyModel
) -> None:
    asked = [
        _request(f"# {n}\n{CODE}", adapter=str(tiny.adapter) if n % 2 else "", sampling=_greedy(40))
        for n in range(8)
    ]
    alone = [_ask(transport, request).text for request in asked]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda request: _ask(transport, request).text, asked))
    word = tiny_model.ADAPTER_WORD * 40
    for number, (one, other) in enumerate(zip(alone, together, strict=True)):
        assert (one == word) == (other == word) == bool(number % 2)
    assert all(_is_valid(text) for text in _together_with_schema(transport))


def _together_with_schema(transport: LlamaCppTransport) -> list[str]:
    asked = [
        _request(f"# {n}", schema=SCHEMA, sampling=Sampling(1.0, 1.0, n, 400)) for n in range(6)
    ]
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(lambda request: _ask(transport, request).text, asked))


def test_a_cancelled_answer_frees_its_slot(transport: LlamaCppTransport, tiny: TinyModel) -> None:
    cancel = threading.Event()
    endless = _request(adapter=str(tiny.adapter), sampling=_greedy(6000))
    with pytest.raises(TransportError) as caught:
        for _ in transport.stream(endless, cancel):
            cancel.set()
            since = time.monotonic()
    assert caught.value.status is ReplyStatus.CANCELLED
    assert time.monotonic() - since < 1
    assert _ask(transport, _request(sampling=_greedy(5))).seconds < 1


def test_what_the_server_tells_of_its_model(transport: LlamaCppTransport, tiny: TinyModel) -> None:
    served = transport.describe("tiny")
    assert served.context_tokens == SLOT_TOKENS
    assert served.adapters == (str(tiny.adapter),)
    assert str(tiny.gguf) in served.detail
    with pytest.raises(TransportError) as caught:
        transport.describe("another")
    assert caught.value.status is ReplyStatus.UNKNOWN_MODEL


def test_a_key_is_asked_for_where_one_is_set(tiny: TinyModel) -> None:
    with real_server.running(tiny.gguf, api_key="right") as locked:
        wrong = LlamaCppTransport(locked.address, api_key="wrong")
        assert _failure(wrong, _request()).status is ReplyStatus.REFUSED
        right = LlamaCppTransport(locked.address, api_key="right")
        assert _ask(right, _request()).text


def test_in_process_and_served_give_the_same_greedy_answer(
    transport: LlamaCppTransport, tiny: TinyModel
) -> None:
    local = GgufTransport(threads=1)
    for adapter in ("", str(tiny.adapter)):
        request = _request(adapter=adapter, schema=SCHEMA, sampling=_greedy(300))
        served = _ask(transport, request)
        here = complete(local, replace(request, model=str(tiny.gguf)), threading.Event())
        assert here.text == served.text
        assert here.final.prompt_tokens == served.final.prompt_tokens
        assert here.final.output_tokens == served.final.output_tokens
    local.close()


def test_the_server_stays_small_and_dies_with_its_test(tiny: TinyModel) -> None:
    with real_server.running(tiny.gguf) as running:
        memory = running.memory()
        pid = running.pid
    assert memory < 200_000_000
    assert not Path(f"/proc/{pid}").exists()


def test_the_server_ends_when_its_starter_is_killed(tiny: TinyModel) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support import real_server\n"
        "with real_server.running(Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(tiny.gguf)],
        cwd=real_server.ROOT,
        env={**os.environ, "PYTHONPATH": str(real_server.ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert _is_running(pid)
        starter.kill()
    until = time.monotonic() + 20
    while _is_running(pid):
        assert time.monotonic() < until, "the server outlived its starter"
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
