"""Models are checked before any work, and calls tell how far they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.errors import ConfigError, ModelCallError
from clean_room_agent.llm.rooms import MIN_PROMPT_TOKENS
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import CallStage, ReplyStatus
from tests.llm.support import open_client, text_call

JUDGING = (CallStage.ANALYSIS, CallStage.SCOPE)
ALL = (*JUDGING, CallStage.IMPLEMENT)


class Served(ScriptedTransport):
    """Serves all models but one, which fails with a status; counts who asks."""

    def __init__(self, fails: str = "", status: ReplyStatus = ReplyStatus.CONNECT) -> None:
        super().__init__(lambda _request: "answer")
        self._fails, self._status = fails, status
        self.asked: list[str] = []

    def describe(self, model: str) -> ServedModel:
        self.asked.append(model)
        if model == self._fails:
            raise TransportError(self._status, f"{model} fails")
        return ServedModel(model, adapters=("scope",))


def test_each_model_that_is_needed_is_asked_about_once(tmp_path: Path) -> None:
    transport = Served()
    with open_client(tmp_path, transport) as opened:
        opened.client.require(ALL)
        opened.client.require(ALL)
    assert transport.asked == ["thinker", "coder"]
    assert transport.requests == []


@pytest.mark.reliability(84)
@pytest.mark.parametrize(
    ("status", "error"),
    [(ReplyStatus.CONNECT, ModelCallError), (ReplyStatus.UNKNOWN_MODEL, ConfigError)],
)
def test_a_model_that_cannot_be_used_is_an_error_where_it_is_needed(
    tmp_path: Path, status: ReplyStatus, error: type[Exception]
) -> None:
    with open_client(tmp_path, Served("coder", status)) as opened:
        with pytest.raises(error, match="coder fails"):
            opened.client.require(ALL)
        opened.client.require(JUDGING)


def test_a_role_without_a_model_is_said_before_a_server_is_asked(tmp_path: Path) -> None:
    transport = Served("thinker")
    with (
        open_client(tmp_path, transport, 'coding.model=""') as opened,
        pytest.raises(ConfigError, match=r"\[coding\] names no model"),
    ):
        opened.client.require(ALL)
    assert transport.asked == []


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_window_holds_an_answer_and_a_prompt(tmp_path: Path, beyond: int) -> None:
    transport = Served()
    words = (
        f"models.context_tokens={1000 + MIN_PROMPT_TOKENS + beyond}",
        "coding.max_output_tokens=1000",
        "reasoning.max_output_tokens=500",
    )
    with open_client(tmp_path, transport, *words) as opened:
        if beyond:
            opened.client.require(ALL)
            return
        with pytest.raises(ConfigError, match=r"models\.context_tokens = 3000") as caught:
            opened.client.require(ALL)
    assert "coding.max_output_tokens = 1000" in caught.value.message
    assert transport.asked == []


def test_an_adapter_that_is_not_served_is_an_error(tmp_path: Path) -> None:
    with (
        open_client(tmp_path / "other", Served(), 'adapters.scope="other"') as opened,
        pytest.raises(ConfigError, match="the adapter other is not served"),
    ):
        opened.client.require(JUDGING)
    with open_client(tmp_path / "same", Served(), 'adapters.scope="scope"') as opened:
        opened.client.require(JUDGING)


def test_calls_are_counted_as_they_end_and_not_as_they_are_tried(tmp_path: Path) -> None:
    told: list[tuple[CallStage, int, int]] = []
    tried: list[str] = []

    def answer(request: WireRequest) -> str:
        tried.append(request.prompt)
        if tried.count("b") == 1 and request.prompt == "b":
            raise TransportError(ReplyStatus.THROTTLED, "later", retry_after=0.01)
        return "answer"

    with open_client(tmp_path, answer, "models.parallel=1") as opened:
        opened.client.progress = lambda stage, done, total: told.append((stage, done, total))
        opened.client.ask_many([text_call(text) for text in "abc"])
    assert len(tried) == 4
    assert list(dict.fromkeys(told)) == [(CallStage.SCOPE, done, 3) for done in range(4)]
