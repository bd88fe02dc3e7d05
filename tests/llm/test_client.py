"""Every call is logged before it is sent and before it is read; budgets and cuts are refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.errors import BudgetError, ConfigError, ModelCallError
from clean_room_agent.llm.client import Call
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import Chunk, Final, ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import CallStage, ReplyStatus
from clean_room_agent.store.raw_reader import RawReader
from tests.llm.support import RUN, open_client, text_call, text_prompt


class Faulty(ScriptedTransport):
    """Fails with the given statuses, one try each, then answers."""

    def __init__(self, *statuses: ReplyStatus, prompt_tokens: int | None = None) -> None:
        super().__init__(lambda _request: "answer")
        self._left = list(statuses)
        self._prompt_tokens = prompt_tokens

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        self.requests.append(request)
        if self._left:
            raise TransportError(self._left.pop(0), "as told", retry_after=0.01)
        yield Chunk("answer")
        yield Chunk(final=Final("stop", self._prompt_tokens, 2, "coder", "d1"))


def test_a_request_is_in_the_log_before_it_is_sent(tmp_path: Path) -> None:
    seen = []

    def answer(_request: WireRequest) -> str:
        with RawReader(tmp_path) as reader:
            logged = reader.read_requests(run_id=RUN)
            seen.append((len(logged), len(reader.read_prompt_fragments(logged[0].request_id))))
        return "yes"

    with open_client(tmp_path, answer) as opened:
        reply = opened.client.ask(text_call("well?"))
    assert seen == [(1, 1)]
    assert (reply.text, reply.complete) == ("yes", True)


def test_the_log_holds_the_exact_bytes_the_choice_and_the_answer(tmp_path: Path) -> None:
    transport = ScriptedTransport(lambda _request: "said")
    with open_client(tmp_path, transport) as opened:
        reply = opened.client.ask(text_call("the exact words\n"))
        with opened.read() as reader:
            request = reader.read_request(reply.request_id)
            assert reader.read_blob(request.prompt_sha256) == b"the exact words\n"
            (logged,) = reader.read_replies(reply.request_id)
    assert transport.requests[0].prompt == "the exact words\n"
    assert request.choice["model"] == "thinker"
    assert (logged.reply.status, logged.reply.text) == (ReplyStatus.OK, "said")
    assert logged.reply.digest == "scripted"


@pytest.mark.reliability(85)
def test_a_prompt_over_the_window_is_refused_before_sending(tmp_path: Path) -> None:
    transport = ScriptedTransport(lambda _request: "said")
    small = ("models.context_tokens=5000", "reasoning.max_output_tokens=1000")
    with open_client(tmp_path, transport, *small) as opened:
        room = opened.client.prompt_tokens(CallStage.SCOPE)
        assert room == 5000 - 1000 - 64
        with pytest.raises(BudgetError, match="does not fit"):
            opened.client.ask(Call(CallStage.SCOPE, text_prompt("x", room + 1)))
        assert transport.requests == []
        opened.client.ask(Call(CallStage.SCOPE, text_prompt("x", room)))
        with opened.read() as reader:
            statuses = [
                r.reply.status
                for q in reader.read_requests(run_id=RUN)
                for r in reader.read_replies(q.request_id)
            ]
    assert statuses == [ReplyStatus.CONTEXT, ReplyStatus.OK]
    assert len(transport.requests) == 1


@pytest.mark.reliability(85)
def test_a_window_served_smaller_than_configured_is_an_error(tmp_path: Path) -> None:
    served = ScriptedTransport(lambda _request: "said", context_tokens=4096)
    with open_client(tmp_path, served) as opened, pytest.raises(ConfigError, match="4,096"):
        opened.client.ask(text_call("x"))
    assert served.requests == []


@pytest.mark.reliability(85)
def test_a_server_count_that_shows_a_cut_prompt_fails_the_call(tmp_path: Path) -> None:
    cut, whole = Faulty(prompt_tokens=100), Faulty(prompt_tokens=900)
    call = Call(CallStage.SCOPE, text_prompt("word " * 1000, 1000))
    with open_client(tmp_path / "cut", cut) as opened:
        with pytest.raises(ModelCallError, match="cut the prompt"):
            opened.client.ask(call)
        with opened.read() as reader:
            (request,) = reader.read_requests(run_id=RUN)
            (logged,) = reader.read_replies(request.request_id)
        assert (logged.reply.status, logged.reply.text) == (ReplyStatus.TRUNCATED, "answer")
    with open_client(tmp_path / "whole", whole) as opened:
        assert opened.client.ask(call).text == "answer"


@pytest.mark.reliability(84)
def test_a_passing_fault_is_tried_again_and_each_try_is_logged(tmp_path: Path) -> None:
    transport = Faulty(ReplyStatus.THROTTLED, ReplyStatus.SERVER_ERROR)
    with open_client(tmp_path, transport) as opened:
        reply = opened.client.ask(text_call("x"))
        with opened.read() as reader:
            tries = [r.reply for r in reader.read_replies(reply.request_id)]
    assert [t.status for t in tries] == ["throttled", "server_error", "ok"]
    assert [t.try_number for t in tries] == [1, 2, 3]


@pytest.mark.reliability(84)
@pytest.mark.parametrize(
    ("statuses", "tries"),
    [
        ([ReplyStatus.CONNECT] * 9, 3),
        ([ReplyStatus.REFUSED] * 9, 1),
        ([ReplyStatus.GARBAGE] * 9, 1),
        ([ReplyStatus.TOTAL] * 9, 1),
    ],
    ids=["passing faults until the tries are used up", "refused", "garbage", "out of time"],
)
def test_tries_are_bounded_and_only_for_passing_faults(
    tmp_path: Path, statuses: list[ReplyStatus], tries: int
) -> None:
    transport = Faulty(*statuses)
    with open_client(tmp_path, transport) as opened, pytest.raises(ModelCallError) as raised:
        opened.client.ask(text_call("x"))
    assert len(transport.requests) == tries
    assert raised.value.exit_code == 4
    assert str(statuses[0]) in raised.value.message


@pytest.mark.parametrize("limit", [1, 4])
def test_as_many_calls_are_in_flight_as_the_limit_allows_and_never_more(
    tmp_path: Path, limit: int
) -> None:
    lock, most, now = threading.Lock(), 0, 0
    full = threading.Barrier(limit, timeout=20)

    def answer(request: WireRequest) -> str:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        full.wait()  # passes only when `limit` calls stand here together
        with lock:
            now -= 1
        return request.prompt

    with open_client(tmp_path, answer, f"models.parallel={limit}") as opened:
        replies = opened.client.ask_many([text_call(str(n)) for n in range(8)])
    assert [reply.text for reply in replies] == [str(n) for n in range(8)]
    assert most == limit


@pytest.mark.reliability(84)
def test_one_failed_call_of_many_leaves_the_others_answered_and_logged(tmp_path: Path) -> None:
    def answer(request: WireRequest) -> str:
        if request.prompt == "2":
            raise TransportError(ReplyStatus.REFUSED, "no")
        return "fine"

    with open_client(tmp_path, answer) as opened:
        with pytest.raises(ModelCallError, match="refused"):
            opened.client.ask_many([text_call(str(n)) for n in range(4)])
        with opened.read() as reader:
            statuses = [
                reader.read_replies(q.request_id)[0].reply.status
                for q in reader.read_requests(run_id=RUN)
            ]
    assert statuses == ["ok", "ok", "refused", "ok"]


class Hanging(ScriptedTransport):
    """Sends nothing until it is cancelled."""

    def __init__(self) -> None:
        super().__init__(lambda _request: "")
        self.hangs = threading.Event()

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        self.hangs.set()
        cancel.wait(30)
        raise TransportError(ReplyStatus.CANCELLED, "cancelled")
        yield Chunk()


def test_an_interruption_cancels_and_logs_what_was_in_flight(tmp_path: Path) -> None:
    import _thread

    transport = Hanging()

    def interrupt() -> None:
        transport.hangs.wait(20)
        _thread.interrupt_main()

    started = time.monotonic()
    with open_client(tmp_path, transport) as opened:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            opened.client.ask(text_call("x"))
        thread.join()
        with opened.read() as reader:
            (request,) = reader.read_requests(run_id=RUN)
            assert reader.read_replies(request.request_id)[0].reply.status == "cancelled"
    assert time.monotonic() - started < 15


@pytest.mark.reliability(89)
def test_the_served_model_is_logged_once_and_a_changed_digest_is_flagged(tmp_path: Path) -> None:
    digests = iter(["d1", "d1", "d2"])

    class Changing(ScriptedTransport):
        def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
            yield Chunk("a", Final("stop", None, 1, "thinker", next(digests)))

        def describe(self, model: str) -> ServedModel:
            return ServedModel(model, 32_768, "d1")

    with open_client(tmp_path, Changing(lambda _request: "")) as opened:
        for _ in range(2):
            opened.client.ask(text_call("x"))
        with opened.read() as reader:
            assert reader.read_events(kind="model.digest_changed") == ()
        opened.client.ask(text_call("x"))
        with opened.read() as reader:
            (changed,) = reader.read_events(kind="model.digest_changed")
            (served,) = reader.read_events(kind="model.served")
    assert (changed.data["before"], changed.data["now"]) == ("d1", "d2")
    assert served.data["served"]["digest"] == "d1"  # type: ignore[index]
