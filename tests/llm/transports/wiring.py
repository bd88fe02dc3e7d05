"""Requests and readers for the tests of the HTTP transports.

Takes: a transport class and a server. Gives: requests, answers and the fault of a failed call.
Does not know: what any test expects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from clean_room_agent.llm.transports.llamacpp import LlamaCppTransport
from clean_room_agent.llm.transports.ollama import OllamaTransport
from clean_room_agent.llm.transports.openai import OpenAITransport
from clean_room_agent.llm.transports.vllm import VllmTransport
from clean_room_agent.llm.wire import (
    Timeouts,
    Transport,
    TransportError,
    WireReply,
    WireRequest,
    complete,
)
from clean_room_agent.records.calls import Sampling

TRANSPORTS = {
    "ollama": OllamaTransport,
    "openai": OpenAITransport,
    "vllm": VllmTransport,
    "llamacpp": LlamaCppTransport,
}
QUICK = Timeouts(connect=0.3, first_token=0.3, idle=0.3, total=0.8)
PATIENT = Timeouts(connect=5, first_token=5, idle=5, total=5)


def ask_for(
    prompt: str = "say hello",
    *,
    timeouts: Timeouts = PATIENT,
    model: str = "tiny",
    adapter: str = "",
    think: bool = False,
    schema: Mapping[str, object] | None = None,
    context_tokens: int = 4096,
    output_tokens: int = 64,
) -> WireRequest:
    sampling = Sampling(temperature=0.2, top_p=0.9, seed=7, max_output_tokens=output_tokens)
    return WireRequest(model, prompt, sampling, context_tokens, timeouts, schema, adapter, think)


def call(transport: Transport, request: WireRequest) -> WireReply:
    return complete(transport, request, threading.Event())


@dataclass(frozen=True)
class Failure:
    error: TransportError
    seconds: float


def fail(transport: Transport, request: WireRequest) -> Failure:
    """Make a call that must fail, and say how long it took to."""
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        call(transport, request)
    return Failure(caught.value, time.monotonic() - started)
