"""A logged run's answers and counts come back exactly, and nothing that was never logged."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.config import load_config
from clean_room_agent.errors import ConfigError, ModelCallError
from clean_room_agent.llm.client import Call
from clean_room_agent.llm.counters import CalibratedCounter
from clean_room_agent.llm.opening import open_models
from clean_room_agent.llm.replaying import Recording, read_recording
from clean_room_agent.llm.transports.scripted import RecordedTransport, ScriptedTransport
from clean_room_agent.llm.wire import ServedModel, Timeouts, TransportError, WireRequest, complete
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.calls import CallStage, ModelChoice, Prompt, ReplyStatus, Sampling
from clean_room_agent.records.context import Fragment, FragmentKind
from clean_room_agent.records.task import RunId
from clean_room_agent.store.raw import RawLog
from clean_room_agent.store.raw_reader import RawReader
from tests.store import call_samples, samples
from tests.store.call_samples import a_choice, a_reply, a_request
from tests.store.samples import RUN

TIMEOUTS = Timeouts(1, 1, 1, 1)
CHOICE = a_choice(CallStage.SCOPE)


def wire(prompt: str, *, model: str = "reasoning:1b", seed: int = 1) -> WireRequest:
    return WireRequest(model, prompt, Sampling(0.0, 0.95, seed, 512), 8192, TIMEOUTS)


def ask(transport: RecordedTransport, request: WireRequest) -> str:
    return complete(transport, request, threading.Event()).text


def recording_of(repo: Path, *run_ids: str, faults: bool = False) -> Recording:
    with RawReader(repo) as reader:
        return read_recording(reader, run_ids or (RUN,), faults=faults)


def note(content: bytes) -> list[Fragment]:
    return [Fragment(FragmentKind.NOTE, content, 3, template="n/1")]


def log_call(raw: RawLog, request_id: str, content: bytes, *statuses: ReplyStatus) -> None:
    raw.append_requests([a_request(request_id, CallStage.SCOPE, note(content), "")])
    for number, status in enumerate(statuses, start=1):
        raw.append_reply(a_reply(request_id, number, status, text=f"{request_id}.{number}"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        log_call(raw, "q-1", b"one", ReplyStatus.OK)
        log_call(raw, "q-2", b"two", ReplyStatus.CLOSED, ReplyStatus.OK)
        log_call(raw, "q-3", b"three", ReplyStatus.CONNECT, ReplyStatus.CONNECT)
        log_call(raw, "q-4", b"four", ReplyStatus.CANCELLED)
        log_call(raw, "q-5", b"five")
        log_call(raw, "q-6", b"caf\xe9", ReplyStatus.OK)
    return tmp_path


def test_an_answer_is_given_to_an_equal_request_as_often_as_it_was_logged(repo: Path) -> None:
    recording = recording_of(repo)
    transport = RecordedTransport(recording.answers, recording.served)
    assert ask(transport, wire("one")) == "q-1.1"
    assert transport.reused == 1
    with pytest.raises(TransportError) as raised:
        ask(transport, wire("one"))
    assert raised.value.status is ReplyStatus.DIVERGED


@pytest.mark.parametrize(
    "request_",
    [wire("none of them"), wire("one", seed=2), wire("one", model="other")],
    ids=["prompt", "seed", "model"],
)
def test_another_request_diverges(repo: Path, request_: WireRequest) -> None:
    recording = recording_of(repo)
    with pytest.raises(TransportError) as raised:
        ask(RecordedTransport(recording.answers, recording.served), request_)
    assert raised.value.status is ReplyStatus.DIVERGED


def test_a_prompt_that_is_no_utf8_is_known_by_what_crossed_the_wire(repo: Path) -> None:
    recording = recording_of(repo)
    transport = RecordedTransport(recording.answers, recording.served)
    assert ask(transport, wire(b"caf\xe9".decode("utf-8", "replace"))) == "q-6.1"


def test_a_replay_fails_and_is_tried_again_as_the_run_was(repo: Path) -> None:
    recording = recording_of(repo, faults=True)
    transport = RecordedTransport(recording.answers, recording.served)
    with pytest.raises(TransportError) as raised:
        ask(transport, wire("two"))
    assert raised.value.status is ReplyStatus.CLOSED
    assert ask(transport, wire("two")) == "q-2.2"
    for _ in range(2):
        with pytest.raises(TransportError) as raised:
            ask(transport, wire("three"))
        assert raised.value.status is ReplyStatus.CONNECT


def test_a_resumed_run_reuses_answers_only_and_asks_the_rest_live(repo: Path) -> None:
    recording = recording_of(repo)
    live = ScriptedTransport(lambda request: f"live {request.prompt}")
    transport = RecordedTransport(recording.answers, recording.served, live)
    said = [ask(transport, wire(prompt)) for prompt in ("one", "two", "three", "four", "five")]
    assert said == ["q-1.1", "q-2.2", "live three", "live four", "live five"]
    assert (transport.reused, len(live.requests)) == (2, 3)


def test_an_answer_that_two_runs_hold_counts_once(repo: Path) -> None:
    """The second run reused the answer of the first, and logged it as its own."""
    with RawLog(repo) as raw:
        raw.append_run(samples.a_run("r-2"))
        again = a_request("q-7", CallStage.SCOPE, note(b"one"), "")
        own = a_request("q-8", CallStage.SCOPE, note(b"new"), "")
        for request in (again, own):
            raw.append_requests([replace(request, run_id=RunId("r-2"))])
            raw.append_reply(a_reply(request.request_id, text="again"))
    recording = recording_of(repo, "r-2", RUN)
    by_prompt = [record.prompt_sha256 for record in recording.answers]
    assert len(by_prompt) == len(set(by_prompt)) == 4


def recording_with(name: str, counts: dict[str, dict[str, int]] | None = None) -> Recording:
    return Recording((), {}, {CHOICE.model: name}, counts or {})


def test_counters_are_those_of_the_logged_run() -> None:
    calibrated = recording_with("calibrated:1.317").counter(CHOICE)
    assert calibrated is not None
    assert calibrated.name == "calibrated:1.317"
    assert calibrated.count(b"def add(a, b):") == CalibratedCounter(1.317).count(b"def add(a, b):")
    bound = recording_with("upper-bound/1").counter(CHOICE)
    assert isinstance(bound, UpperBoundCounter)
    assert Recording((), {}, {}).counter(CHOICE) is None


def test_the_name_of_a_calibrated_counter_says_all_of_it() -> None:
    """A factor that the name would round must not count otherwise than the name says."""
    text = b"x_y " * 5000
    learned = CalibratedCounter(1.00049)
    named = recording_with(learned.name).counter(CHOICE)
    assert named is not None
    assert named.count(text) == learned.count(text)


def test_counts_of_a_server_are_looked_up_and_an_unknown_text_is_a_divergence() -> None:
    counts = {"server:m": {hashlib.sha256(b"known").hexdigest(): 7}}
    counter = recording_with("server:m", counts).counter(CHOICE)
    assert counter is not None
    assert (counter.count(b"known"), counter.count(b"")) == (7, 0)
    with pytest.raises(ModelCallError, match="never counted"):
        counter.count(b"unknown")


def test_a_live_server_counts_itself() -> None:
    assert recording_with("server:m").counter(CHOICE, live=True) is None
    assert recording_with("calibrated:1.000").counter(CHOICE, live=True) is not None


def test_a_tokenizer_file_must_be_the_one_of_the_run(tmp_path: Path) -> None:
    recording = recording_with("tokenizer:0123456789ab")
    with pytest.raises(ConfigError, match="no tokenizer is configured"):
        recording.counter(CHOICE)
    path = tmp_path / "tokenizer.json"
    path.write_text(
        '{"version": "1.0", "added_tokens": [], "model":'
        ' {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}'
    )
    with pytest.raises(ConfigError, match="not the one of the logged run"):
        recording.counter(replace(CHOICE, tokenizer=str(path)))


class Counting(ScriptedTransport):
    """Counts bytes, as a server with a tokenizer endpoint would count tokens."""

    def count_tokens(self, model: str, text: str) -> int | None:
        return len(text.encode())


def test_what_a_server_counted_is_logged_at_the_end_and_replays_without_it(tmp_path: Path) -> None:
    """Also of texts that no prompt ever showed."""
    settings = ('models.backend="ollama"', 'coding.model="m"', 'reasoning.model="m"')
    config = load_config(tmp_path, overrides=settings, environment={}).config
    with RawLog(tmp_path) as raw:
        raw.append_run(samples.a_run())
        raw.append_task(samples.a_task())
        client = open_models(
            config, raw, RUN, {}, transport=lambda _router: Counting(lambda _request: "yes")
        )
        assert client is not None
        counter = client.counter(CallStage.SCOPE)
        assert (counter.name, counter.count(b"never shown")) == ("server:m", 11)
        shown = Fragment(FragmentKind.NOTE, b"shown", counter.count(b"shown"), template="n/1")
        client.ask(Call(CallStage.SCOPE, Prompt((shown,))))
        client.close()
    recording = recording_of(tmp_path)
    choice: ModelChoice = client.choice(CallStage.SCOPE)
    replayed = recording.counter(choice)
    assert replayed is not None
    assert [replayed.count(text) for text in (b"never shown", b"shown")] == [11, 5]
    assert recording.served == {"m": ServedModel("m", None, "scripted")}


def test_the_sample_calls_can_be_recorded(tmp_path: Path) -> None:
    with RawLog(tmp_path) as raw:
        call_samples.append_everything(raw)
    recording = recording_of(tmp_path, faults=True)
    assert len(recording.answers) == 4
    assert recording.counters == {
        "reasoning:1b": "calibrated:1.000",
        "coding:1b": "calibrated:1.000",
    }
