"""Every fault of a server or network ends a call with its own status, within its timeout."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clean_room_agent.llm.transports.endpoint import check_endpoint
from clean_room_agent.llm.transports.faults import parse_json, refusal, stream_fault
from clean_room_agent.llm.transports.http import Caps, HttpClient, Watch
from clean_room_agent.llm.transports.ollama import OllamaTransport
from clean_room_agent.llm.wire import Timeouts, Transport, TransportError
from clean_room_agent.records.calls import ReplyStatus
from tests.llm.transports.wiring import PATIENT, QUICK, TRANSPORTS, ask_for, call, fail
from tests.support.model_server import (
    Answer,
    Fault,
    ModelServer,
    Trouble,
    server_error,
    throttled,
)

TEXT = "one two three four five six seven eight"
SOME = 4  # pieces: enough for some text in every dialect


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No thread and no socket may outlive a call, save a name server's that hangs.

    An earlier test's own server may still be closing when this one starts: what is gone by the
    end is nobody's leak, and only sockets that were not there before count.
    """
    threads, sockets = set(threading.enumerate()), _open_sockets()
    yield
    ends = time.monotonic() + 5
    while (_new_threads(threads) or _open_sockets() - sockets) and time.monotonic() < ends:
        time.sleep(0.005)
    assert _new_threads(threads) == []
    assert _open_sockets() - sockets == set()


def _new_threads(before: set[threading.Thread]) -> list[str]:
    names = [thread.name for thread in set(threading.enumerate()) - before]
    return [name for name in names if name != "cra-resolver"]


def _open_sockets() -> set[str]:
    links = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            links.add(str(path.readlink()))
        except FileNotFoundError:
            continue
    return {link for link in links if link.startswith("socket:")}


def _fault(trouble: Trouble, after: int = 0, seconds: float = 0.0, body: str = "") -> Fault:
    return Fault(trouble, after=after, seconds=seconds, body=body)


CASES = {
    "silent": (_fault(Trouble.SILENT), ReplyStatus.FIRST_TOKEN),
    "slow first token": (_fault(Trouble.SLOW_FIRST, seconds=9), ReplyStatus.FIRST_TOKEN),
    "drip": (_fault(Trouble.DRIP, seconds=0.01), ReplyStatus.FIRST_TOKEN),
    "hang": (_fault(Trouble.HANG, SOME), ReplyStatus.IDLE),
    "steady for ever": (_fault(Trouble.ENDLESS, SOME, 0.05), ReplyStatus.TOTAL),
    "close at once": (_fault(Trouble.CLOSE), ReplyStatus.CLOSED),
    "close early": (_fault(Trouble.CLOSE, SOME), ReplyStatus.CLOSED),
    "no end": (_fault(Trouble.NO_END, SOME), ReplyStatus.CLOSED),
    "429": (throttled("7"), ReplyStatus.THROTTLED),
    "500": (server_error(), ReplyStatus.SERVER_ERROR),
    "not JSON": (_fault(Trouble.GARBAGE, SOME), ReplyStatus.GARBAGE),
    "not UTF-8": (_fault(Trouble.NOT_UTF8, SOME), ReplyStatus.GARBAGE),
    "not HTTP": (_fault(Trouble.NOT_HTTP), ReplyStatus.GARBAGE),
    "compressed": (_fault(Trouble.COMPRESSED), ReplyStatus.GARBAGE),
    "huge line": (_fault(Trouble.HUGE_LINE, SOME), ReplyStatus.TOO_LONG),
    "error object": (
        _fault(Trouble.ERROR_OBJECT, SOME, body='{"error": "CUDA error"}'),
        ReplyStatus.SERVER_ERROR,
    ),
    "context error": (
        _fault(
            Trouble.ERROR_OBJECT,
            body='{"error": {"code": 400, "type": "exceed_context_size_error", "message": "x"}}',
        ),
        ReplyStatus.CONTEXT,
    ),
}


@pytest.mark.reliability(84)
@pytest.mark.parametrize("dialect", TRANSPORTS)
@pytest.mark.parametrize("case", CASES)
def test_a_fault_has_its_status_within_its_timeout(dialect: str, case: str) -> None:
    fault, status = CASES[case]
    with ModelServer(dialect, [Answer(TEXT, fault=fault)]) as server:
        failure = fail(TRANSPORTS[dialect](server.base_url), ask_for(timeouts=QUICK))
    assert failure.error.status is status
    assert failure.seconds < QUICK.total + 1


@pytest.mark.parametrize("dialect", TRANSPORTS)
def test_the_same_server_without_a_fault_answers(dialect: str) -> None:
    with ModelServer(dialect, [Answer(TEXT)]) as server:
        assert call(TRANSPORTS[dialect](server.base_url), ask_for(timeouts=QUICK)).text == TEXT


@pytest.mark.reliability(84)
def test_what_had_arrived_before_the_fault_is_kept() -> None:
    hang = Answer(TEXT, fault=_fault(Trouble.HANG, 2))
    with ModelServer("ollama", [hang]) as server:
        failure = fail(OllamaTransport(server.base_url), ask_for(timeouts=QUICK))
    assert failure.error.received == TEXT[:16]
    assert failure.error.seconds_to_first_token is not None
    assert QUICK.idle <= failure.seconds < QUICK.total


@pytest.mark.reliability(84)
def test_bytes_without_text_do_not_count_as_a_first_token() -> None:
    """The first event of this dialect names only the role; it is repeated for ever here."""
    with ModelServer("vllm", [Answer(TEXT, fault=_fault(Trouble.ENDLESS, 0, 0.02))]) as server:
        failure = fail(TRANSPORTS["vllm"](server.base_url), ask_for(timeouts=QUICK))
    assert failure.error.status is ReplyStatus.FIRST_TOKEN


@pytest.mark.reliability(84)
def test_a_reply_without_end_stops_at_the_cap_of_text() -> None:
    endless = Answer("x" * 50_000, piece_characters=50_000, fault=_fault(Trouble.ENDLESS))
    with ModelServer("ollama", [endless]) as server:
        failure = fail(OllamaTransport(server.base_url), ask_for())
    assert failure.error.status is ReplyStatus.TOO_LONG
    assert len(failure.error.received) < 1_100_000


def test_a_stream_and_an_answer_stop_at_the_cap_of_bytes() -> None:
    endless = Answer("", thinking="x", fault=_fault(Trouble.ENDLESS))
    with ModelServer("ollama", [endless]) as server:
        caps = Caps(stream=10_000, answer=10)
        client = HttpClient(check_endpoint(server.base_url, ()), caps=caps)
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
        for act in (lambda: _drain(client, body), lambda: client.ask("/api/tags", Watch(PATIENT))):
            with pytest.raises(TransportError) as caught:
                act()
            assert caught.value.status is ReplyStatus.TOO_LONG


def _drain(client: HttpClient, body: dict[str, object]) -> None:
    with client.lines("/api/chat", body, Watch(PATIENT)) as lines:
        for _ in lines:
            pass


@pytest.mark.parametrize(("wish", "seconds"), [("7", 7.0), ("0.5", 0.5), ("soon", 0.0)])
def test_the_server_s_wish_to_be_asked_later_is_passed_on(wish: str, seconds: float) -> None:
    with ModelServer("ollama", [Answer(fault=throttled(wish))]) as server:
        assert fail(OllamaTransport(server.base_url), ask_for()).error.retry_after == seconds


def test_a_wish_given_as_a_date_is_a_time_from_now() -> None:
    headers = {"retry-after": "Fri, 31 Dec 2099 23:59:59 GMT"}
    assert refusal(429, headers, b"").retry_after == 86_400.0
    assert refusal(429, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, b"").retry_after == 0.0


@pytest.mark.reliability(84)
def test_a_server_that_is_down_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    failure = fail(OllamaTransport(f"http://127.0.0.1:{port}"), ask_for(timeouts=QUICK))
    assert failure.error.status is ReplyStatus.CONNECT
    assert f"127.0.0.1:{port}" in failure.error.message
    assert "refused" in failure.error.message


@pytest.mark.reliability(84)
def test_a_server_that_accepts_no_connection_times_out() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for queued in (first, second):
            queued.setblocking(False)
            queued.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        failure = fail(OllamaTransport(url), ask_for(timeouts=QUICK))
    assert failure.error.status is ReplyStatus.CONNECT
    assert QUICK.connect <= failure.seconds < QUICK.total


def test_a_name_that_does_not_exist_is_a_connection_fault() -> None:
    transport = OllamaTransport("http://nowhere.invalid", allowed_hosts=("nowhere.invalid",))
    failure = fail(transport, ask_for(timeouts=Timeouts(0.5, 0.5, 0.5, 0.5)))
    assert failure.error.status in (ReplyStatus.CONNECT, ReplyStatus.TOTAL)
    assert failure.seconds < 0.9


@pytest.mark.reliability(84)
def test_a_server_that_reads_nothing_does_not_hold_a_long_prompt() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(5)
        client = HttpClient(check_endpoint(f"http://127.0.0.1:{deaf.getsockname()[1]}", ()))
        with pytest.raises(TransportError) as caught:
            client.ask("/x", Watch(QUICK), {"prompt": "x" * 20_000_000})
    assert caught.value.status is ReplyStatus.FIRST_TOKEN


HANGING = {
    "silent": _fault(Trouble.SILENT),
    "hang": _fault(Trouble.HANG, 2),
    "drip": _fault(Trouble.DRIP, seconds=0.01),
    "steady": _fault(Trouble.ENDLESS, 1, 0.01),
}


@pytest.mark.reliability(84)
@pytest.mark.parametrize("case", HANGING)
def test_a_cancelled_call_ends_at_once_and_hangs_up(case: str) -> None:
    cancel = threading.Event()
    with ModelServer("ollama", [Answer(TEXT, fault=HANGING[case])]) as server:
        transport = OllamaTransport(server.base_url)
        timer = threading.Timer(0.15, cancel.set)
        timer.start()
        status, seconds = _until_cancelled(transport, cancel)
        timer.join()
        assert server.hung_up.wait(1)
    assert status is ReplyStatus.CANCELLED
    assert seconds < 0.15 + 0.4


def _until_cancelled(transport: Transport, cancel: threading.Event) -> tuple[ReplyStatus, float]:
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        for _ in transport.stream(ask_for(), cancel):
            pass
    return caught.value.status, time.monotonic() - started


def test_a_call_cancelled_before_it_starts_sends_nothing() -> None:
    cancel = threading.Event()
    cancel.set()
    with ModelServer("ollama", [Answer(TEXT)]) as server:
        assert _until_cancelled(OllamaTransport(server.base_url), cancel)[0] == "cancelled"
        assert server.calls == []


def test_a_closed_transport_ends_its_calls() -> None:
    with ModelServer("ollama", [Answer(TEXT, fault=HANGING["hang"])]) as server:
        transport = OllamaTransport(server.base_url)
        timer = threading.Timer(0.1, transport.close)
        timer.start()
        assert fail(transport, ask_for()).error.status is ReplyStatus.CANCELLED
        timer.join()


def test_a_reader_that_stops_early_leaves_no_connection() -> None:
    with ModelServer("ollama", [Answer(TEXT, fault=HANGING["hang"])]) as server:
        stream = OllamaTransport(server.base_url).stream(ask_for(), threading.Event())
        assert next(stream).text == TEXT[:8]
        del stream
        assert server.hung_up.wait(1)


def test_the_time_a_reader_takes_for_itself_is_not_idle_time() -> None:
    with ModelServer("ollama", [Answer(TEXT)]) as server:
        stream = OllamaTransport(server.base_url).stream(
            ask_for(timeouts=Timeouts(1, 1, 0.1, 5)), threading.Event()
        )
        text = ""
        for number, chunk in enumerate(stream):
            text += chunk.text
            if number < 2:
                time.sleep(0.2)
    assert text == TEXT


def test_eight_calls_at_once_get_their_own_answers() -> None:
    together = threading.Barrier(8, timeout=5)

    def echo(body: dict[str, object]) -> Answer:
        together.wait()
        return Answer(json.dumps(body["messages"]))

    texts: dict[int, str] = {}
    with ModelServer("ollama", echo) as server:
        transport = OllamaTransport(server.base_url)

        def ask(number: int) -> None:
            texts[number] = call(transport, ask_for(f"prompt {number}")).text

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(texts) == list(range(8))
    assert all(f"prompt {number}" in text for number, text in texts.items())


KEY = "sk-canary/0123456789"
TELLTALES: dict[str, Fault] = {
    "error page": Fault(Trouble.STATUS, code=401, body=json.dumps({"error": f"bad key {KEY}"})),
    "at the cut": Fault(Trouble.STATUS, code=403, body="x" * 290 + KEY),
    "redirect": Fault(Trouble.STATUS, code=302, headers={"Location": f"http://x/?k={KEY}"}),
    "error object": Fault(Trouble.ERROR_OBJECT, body=json.dumps({"error": f"key {KEY}"})),
    "not JSON": Fault(Trouble.ERROR_OBJECT, body=f"{{ {KEY}"),
}


@pytest.mark.reliability(95)
@pytest.mark.parametrize("case", TELLTALES)
def test_the_key_is_sent_but_never_shown(case: str) -> None:
    with ModelServer("ollama", [Answer(fault=TELLTALES[case])] * 2) as server:
        transport = OllamaTransport(server.base_url, api_key=KEY)
        error = fail(transport, ask_for()).error
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
        control = fail(OllamaTransport(server.base_url), ask_for()).error
    seen = str(error) + repr(error) + repr(vars(transport)) + repr(vars(transport._client))
    assert KEY[:10] not in seen
    assert KEY[:10] in str(control)  # without knowing the key it would have been repeated


@pytest.mark.reliability(95)
@pytest.mark.parametrize("key", ["sk-canary\n", "sk-canary x", "sk-canaré"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(Exception, match="API key") as caught:
        OllamaTransport("http://127.0.0.1:1", api_key=key)
    assert "canar" not in str(caught.value)


def test_what_a_server_says_is_quoted_with_control_characters_escaped() -> None:
    error = refusal(400, {}, "bad \x1b[31mred\u202e \r\n".encode() + b"\xff" + b"x" * 5000)
    assert "\\x1b[31mred\\u202e \\r\\n" in error.message
    assert len(error.message) < 400


STATUSES: list[tuple[int, str, ReplyStatus]] = [
    (400, '{"error": "the input length exceeds the context length"}', ReplyStatus.CONTEXT),
    (400, '{"error": {"code": "context_length_exceeded"}}', ReplyStatus.CONTEXT),
    (400, '{"error": {"message": "maximum context length is 4096 tokens"}}', ReplyStatus.CONTEXT),
    (400, '{"error": "request exceeds the available context size"}', ReplyStatus.CONTEXT),
    (400, '{"error": "longer than the maximum model length of 4096"}', ReplyStatus.CONTEXT),
    (500, '{"error": {"type": "exceed_context_size_error"}}', ReplyStatus.CONTEXT),
    (500, '{"error": "failed to allocate context"}', ReplyStatus.SERVER_ERROR),
    (503, '{"error": {"message": "Loading model"}}', ReplyStatus.SERVER_ERROR),
    (404, '{"error": "model \'x\' not found"}', ReplyStatus.UNKNOWN_MODEL),
    (404, '{"error": {"message": "The model `x` does not exist."}}', ReplyStatus.UNKNOWN_MODEL),
    (404, "404 page not found", ReplyStatus.REFUSED),
    (404, '{"detail": "Not Found"}', ReplyStatus.REFUSED),
    (400, '{"error": "invalid schema"}', ReplyStatus.REFUSED),
    (401, '{"error": "unauthorized"}', ReplyStatus.REFUSED),
    (302, "", ReplyStatus.REFUSED),
    (429, '{"error": "maximum context length"}', ReplyStatus.THROTTLED),
]


@pytest.mark.reliability(85)
@pytest.mark.parametrize(("code", "body", "status"), STATUSES)
def test_a_refusal_is_classified_by_its_code_and_words(
    code: int, body: str, status: ReplyStatus
) -> None:
    assert refusal(code, {}, body.encode()).status is status


@pytest.mark.parametrize("error", ["text", None, 7, ["x"], {"code": "x"}, {"code": 999}])
def test_an_error_object_of_any_shape_is_a_server_error(error: object) -> None:
    assert stream_fault(error).status is ReplyStatus.SERVER_ERROR


NOT_JSON: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "too deep": lambda: "[" * 100_000,
    "too long a number": lambda: "9" * 10_000,
    "half a character": lambda: '"\\uD83D"',
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_a_value_that_nothing_can_store_is_garbage(case: str) -> None:
    with pytest.raises(TransportError) as caught:
        parse_json(NOT_JSON[case]())
    assert caught.value.status is ReplyStatus.GARBAGE
    assert parse_json('"\\uD83D\\uDE00"') == "\U0001f600"
