"""A backend is opened by its name in the configuration, and loads only its own client."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports import open_transport
from tests.llm.transports.wiring import TRANSPORTS


@pytest.mark.parametrize("backend", TRANSPORTS)
def test_each_backend_over_http_is_opened_by_its_name(backend: str) -> None:
    transport = open_transport(backend, "http://127.0.0.1:8000")
    assert type(transport) is TRANSPORTS[backend]
    assert transport.name == backend
    transport.close()


@pytest.mark.parametrize("backend", TRANSPORTS)
def test_a_backend_over_http_needs_an_address(backend: str) -> None:
    with pytest.raises(ConfigError, match="http"):
        open_transport(backend, "")


@pytest.mark.reliability(90)
@pytest.mark.parametrize("backend", TRANSPORTS)
def test_each_backend_keeps_to_the_listed_hosts(backend: str) -> None:
    with pytest.raises(ConfigError, match="not on this machine"):
        open_transport(backend, "http://models.example:8000")
    open_transport(backend, "http://models.example:8000", allowed_hosts=("models.example",))


@pytest.mark.parametrize("backend", ["none", "", "OLLAMA", "scripted"])
def test_an_unknown_backend_is_named_with_what_there_is(backend: str) -> None:
    with pytest.raises(ConfigError, match="ollama, openai, vllm, llamacpp, gguf, hf"):
        open_transport(backend, "http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("backend", "module", "extra"),
    [("gguf", "xllamacpp", "llamacpp"), ("hf", "torch", "train")],
)
def test_a_missing_extra_is_named(
    backend: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what an import of a missing module meets
    with pytest.raises(ConfigError) as caught:
        open_transport(backend, "")
    assert f"clean-room-agent[{extra}]" in str(caught.value)


def test_opening_nothing_loads_no_client() -> None:
    code = (
        "import sys, clean_room_agent.llm.transports, clean_room_agent.llm.transports.endpoint;"
        "print(sorted({'httpx', 'httpcore', 'torch', 'xllamacpp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
