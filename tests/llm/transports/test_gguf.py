"""A real GGUF model in this process: streamed, bound to a schema, counted, cancelled, refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tokenizers import Tokenizer

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.digest import file_digest
from clean_room_agent.llm.transports.gguf import GgufTransport
from clean_room_agent.llm.wire import Timeouts, TransportError, WireReply, WireRequest, complete
from clean_room_agent.records.calls import ReplyStatus, Sampling
from tests.support import tiny_model
from tests.support.tiny_model import TinyModel

PATIENT = Timeouts(connect=10, first_token=60, idle=60, total=120)
SCHEMA = {
    "type": "object",
    "properties": {
        "keep": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
        "why": {"type": "string", "maxLength": 40},
    },
    "required": ["keep", "why"],
    "additionalProperties": False,
}
CODE = "def area(width, height):\n    return width * height\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    return tiny_model.cached(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def transport() -> Iterator[GgufTransport]:
    made = GgufTransport(threads=1)
    yield made
    made.close()


def _request(tiny: TinyModel, prompt: str = CODE, **changes: object) -> WireRequest:
    made = WireRequest(
        model=str(tiny.gguf),
        prompt=prompt,
        sampling=Sampling(temperature=0.8, top_p=0.95, seed=1, max_output_tokens=200),
        context_tokens=8192,
        timeouts=PATIENT,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def _endless(tiny: TinyModel) -> WireRequest:
    """With its adapter the model writes one word for ever: under a second of it here."""
    return _request(tiny, adapter=str(tiny.adapter), sampling=Sampling(0.0, 1.0, 1, 3000))


def _ask(transport: GgufTransport, request: WireRequest) -> WireReply:
    return complete(transport, request, threading.Event())


def _failure(transport: GgufTransport, request: WireRequest) -> TransportError:
    with pytest.raises(TransportError) as caught:
        _ask(transport, request)
    return caught.value


def test_an_answer_satisfies_its_schema_and_says_what_made_it(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    reply = _ask(transport, _request(tiny, schema=SCHEMA))
    answer = json.loads(reply.text)
    assert set(answer) == {"keep", "why"}
    assert set(answer["keep"]) <= {"a", "b"}
    assert reply.final.finish_reason == "stop"
    assert reply.final.model == str(tiny.gguf)
    assert reply.final.digest == hashlib.sha256(tiny.gguf.read_bytes()).hexdigest()
    assert reply.final.output_tokens is not None
    assert 0 < reply.seconds_to_first_token <= reply.seconds
    with pytest.raises(json.JSONDecodeError):
        json.loads(_ask(transport, _request(tiny)).text)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    first = _ask(transport, _request(tiny)).text
    other = _request(tiny, sampling=Sampling(0.8, 0.95, 2, 200))
    assert _ask(transport, other).text != first
    assert _ask(transport, _request(tiny)).text == first


def test_the_answer_arrives_in_pieces_and_stops_at_its_limit(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    request = _request(tiny, sampling=Sampling(0.0, 1.0, 1, 25))
    chunks = list(transport.stream(request, threading.Event()))
    assert len([chunk for chunk in chunks if chunk.text]) == 25
    assert chunks[-1].final is not None
    assert chunks[-1].final.finish_reason == "length"
    assert chunks[-1].final.output_tokens == 25


def test_an_adapter_changes_the_answer_and_the_digest(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    greedy = _request(tiny, sampling=Sampling(0.0, 1.0, 1, 5))
    plain = _ask(transport, greedy)
    adapted = _ask(transport, replace(greedy, adapter=str(tiny.adapter)))
    assert adapted.text == tiny_model.ADAPTER_WORD * 5
    assert plain.text != adapted.text
    assert adapted.final.digest == f"{plain.final.digest}+{file_digest(tiny.adapter)}"
    assert _ask(transport, greedy).text == plain.text


def test_tokens_are_counted_as_the_model_counts_them(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    tokenizer = Tokenizer.from_file(str(tiny.tokenizer))
    for text in (CODE, Path(__file__).read_text("utf-8")[:9000], "naïve 数\r\n\t\n\n  x=1"):
        counted = transport.count_tokens(str(tiny.gguf), text)
        assert counted == len(tokenizer.encode(text).ids)
        reply = _ask(transport, _request(tiny, text, sampling=Sampling(0.0, 1.0, 1, 1)))
        assert reply.final.prompt_tokens is not None
        assert reply.final.prompt_tokens - counted == tiny_model.TEMPLATE_TOKENS


def test_describe_reads_the_file_and_loads_nothing(tiny: TinyModel) -> None:
    served = GgufTransport().describe(str(tiny.gguf))
    assert served.context_tokens == tiny_model.CONTEXT_TOKENS
    assert served.digest == hashlib.sha256(tiny.gguf.read_bytes()).hexdigest()
    assert served.detail == "qwen2 tiny"


def test_a_prompt_or_window_that_does_not_fit_is_refused(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    long = _failure(transport, _request(tiny, "x = 1\n" * 5000, context_tokens=2048))
    assert long.status is ReplyStatus.CONTEXT
    assert "2048" in long.message
    wide = _failure(transport, _request(tiny, context_tokens=tiny_model.CONTEXT_TOKENS + 1))
    assert wide.status is ReplyStatus.CONTEXT


def test_what_cannot_be_asked_is_refused_and_the_model_goes_on(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    for bad in (_request(tiny, "a\udc80b"), _request(tiny, schema={"type": "nosuch"})):
        assert _failure(transport, bad).status is ReplyStatus.REFUSED
    assert _ask(transport, _request(tiny)).text


def test_a_cancelled_call_ends_at_once_and_the_next_one_is_answered(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    cancel = threading.Event()
    endless = _endless(tiny)
    with pytest.raises(TransportError) as caught:
        for chunk in transport.stream(endless, cancel):
            assert chunk.final is None
            cancel.set()
            since = time.monotonic()
    assert caught.value.status is ReplyStatus.CANCELLED
    assert time.monotonic() - since < 1.0
    started = time.process_time()
    _ask(transport, replace(endless, sampling=Sampling(0.0, 1.0, 1, 1)))
    after_cancelling = time.process_time() - started
    started = time.process_time()
    _ask(transport, endless)
    assert after_cancelling < (time.process_time() - started) / 2


def test_a_call_is_cancelled_while_its_prompt_is_read(
    transport: GgufTransport, tiny: TinyModel
) -> None:
    deep = _request(tiny, "x = 1\n" * 1350, sampling=Sampling(0.0, 1.0, 1, 1))
    started = time.process_time()
    _ask(transport, deep)
    whole = time.process_time() - started
    cancel = threading.Event()
    started = time.process_time()
    threading.Thread(target=_set_after_work, args=(cancel, started + whole / 5)).start()
    with pytest.raises(TransportError) as caught:
        complete(transport, deep, cancel)
    assert caught.value.status is ReplyStatus.CANCELLED
    assert caught.value.seconds_to_first_token is None
    assert _ask(transport, _request(tiny, "x", sampling=Sampling(0.0, 1.0, 1, 1))).final
    assert time.process_time() - started < whole * 0.9


def _set_after_work(event: threading.Event, processor_seconds: float) -> None:
    """Count work and not time: other programs run on the machine of a test."""
    while time.process_time() < processor_seconds:
        time.sleep(0.002)
    event.set()


def test_closing_ends_the_call_under_way_and_takes_no_other(tiny: TinyModel) -> None:
    transport = GgufTransport(threads=1)
    with pytest.raises(TransportError) as caught:
        for _ in transport.stream(_endless(tiny), threading.Event()):
            transport.close()
    assert caught.value.status is ReplyStatus.CANCELLED
    assert _failure(transport, _request(tiny)).status is ReplyStatus.CANCELLED


def test_two_models_at_most_stay_loaded(tiny: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mkdtemp(prefix="cra-two-", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    transport = GgufTransport(threads=1)
    try:
        transport.count_tokens(str(tiny.gguf), "x")
        first = _ask(transport, _request(tiny, context_tokens=1024)).text
        for context in (2048, 3072, 4096):
            _ask(transport, _request(tiny, context_tokens=context))
            assert len(list(place.iterdir())) == 2
        assert _ask(transport, _request(tiny, context_tokens=1024)).text == first
    finally:
        transport.close()
        assert list(place.iterdir()) == []
        place.rmdir()


def test_a_call_that_takes_too_long_ends(transport: GgufTransport, tiny: TinyModel) -> None:
    endless = _endless(tiny)
    _ask(transport, replace(endless, sampling=Sampling(0.0, 1.0, 1, 1)))
    endless = replace(endless, sampling=Sampling(0.0, 1.0, 1, 8000))
    late = _failure(transport, replace(endless, timeouts=Timeouts(1, 10, 10, 0.15)))
    assert late.status is ReplyStatus.TOTAL
    slow = replace(endless, prompt="x = 1\n" * 1300)
    unborn = _failure(transport, replace(slow, timeouts=Timeouts(1, 0.02, 10, 10)))
    assert unborn.status is ReplyStatus.FIRST_TOKEN


def test_several_threads_may_ask_one_model(transport: GgufTransport, tiny: TinyModel) -> None:
    alone = [_ask(transport, _request(tiny, f"{CODE}# {n}")).text for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        asked = [_request(tiny, f"{CODE}# {n}") for n in range(4)]
        together = list(pool.map(lambda request: _ask(transport, request).text, asked))
    assert together == alone


def test_files_that_are_no_model_are_refused(
    transport: GgufTransport, tiny: TinyModel, tmp_path: Path
) -> None:
    whole = tiny.gguf.read_bytes()
    forged = {
        "other.gguf": b"PK\x03\x04" + whole[4:],
        "empty.gguf": b"",
        "short.gguf": whole[:100],
        "cut.gguf": whole[: len(whole) // 2],
        "long-string.gguf": whole[:24] + struct.pack("<Q", 1 << 60) + whole[32:],
        "many-keys.gguf": whole[:16] + struct.pack("<Q", 1 << 60) + whole[24:],
        "version.gguf": whole[:4] + struct.pack("<I", 99) + whole[8:],
    }
    for name, data in forged.items():
        (tmp_path / name).write_bytes(data)
        failure = _failure(transport, _request(tiny, model=str(tmp_path / name)))
        assert failure.status is ReplyStatus.REFUSED, name
    for model, adapter in ((tiny.adapter, ""), (tiny.gguf, str(tiny.gguf))):
        failure = _failure(transport, _request(tiny, model=str(model), adapter=adapter))
        assert failure.status is ReplyStatus.REFUSED
    missing = _failure(transport, _request(tiny, model=str(tmp_path / "none.gguf")))
    assert missing.status is ReplyStatus.UNKNOWN_MODEL


def test_a_changed_file_is_loaded_again(tmp_path: Path) -> None:
    transport = GgufTransport(threads=1)
    made = tiny_model.make(tmp_path / "one", seed=1)
    other = tiny_model.make(tmp_path / "two", seed=2)
    before = _ask(transport, _request(made))
    other.gguf.replace(made.gguf)
    after = _ask(transport, _request(made))
    transport.close()
    assert before.final.digest != after.final.digest
    assert before.text != after.text


def test_no_port_is_opened_and_the_socket_is_private(tmp_path: Path, tiny: TinyModel) -> None:
    probe = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from clean_room_agent.llm.transports.gguf import GgufTransport\n"
        "transport = GgufTransport(threads=1)\n"
        "transport.count_tokens(sys.argv[1], 'x')\n"
        "print(Path('/proc/net/tcp').read_text().count(' 0A ') , flush=True)\n"
        "input()\n"
        "transport.close()\n"
    )
    folder = Path(tempfile.mkdtemp(prefix="cra-probe-", dir="/tmp"))
    ports = Path("/proc/net/tcp")
    process = subprocess.Popen(
        [sys.executable, "-c", probe, str(tiny.gguf)],
        env={"TMPDIR": str(folder), "PATH": "/usr/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        assert ports.is_file()
        assert _listening_ports(process.pid) == []
        (place,) = folder.glob("cra-*")
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        socket = httpx.HTTPTransport(uds=str(place / "llama.sock"))
        with httpx.Client(transport=socket) as stranger:
            denied = stranger.post("http://localhost/tokenize", json={"content": "x"})
        assert denied.status_code == 401
        process.communicate("\n", timeout=20)
        assert process.returncode == 0
        assert list(folder.iterdir()) == []
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _listening_ports(pid: int) -> list[str]:
    """Local addresses of the TCP sockets on which a process listens."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = []
    for table in ("tcp", "tcp6"):
        lines = Path(f"/proc/net/{table}").read_text("utf-8").splitlines()[1:]
        rows += [line.split() for line in lines]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


def test_the_listening_ports_of_a_process_are_seen_where_there_are_some(tiny: TinyModel) -> None:
    from tests.support import real_server

    with real_server.running(tiny.gguf) as server:
        assert len(_listening_ports(server.pid)) == 1


def test_without_the_library_the_extra_is_named() -> None:
    probe = (
        "import sys\n"
        "sys.modules['xllamacpp'] = None\n"
        "from clean_room_agent.errors import ConfigError\n"
        "from clean_room_agent.llm.transports.gguf import GgufTransport\n"
        "try:\n"
        "    GgufTransport()\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60
    )
    assert "clean-room-agent[llamacpp]" in done.stdout


def test_a_long_temporary_folder_is_named(
    tmp_path: Path, tiny: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(ConfigError, match="TMPDIR"):
        _ask(GgufTransport(threads=1), _request(tiny))
