"""A model server on loopback that says what a test tells it to, and fails as it is told.

Takes: a dialect ("ollama", "openai", "vllm", "llamacpp") and the answers, as a list or as a
function of the request. Gives: `base_url`, every request it got, and each fault that a real server
or network can show. It is a real HTTP server with threads, so other processes can call it too.
Does not know: anything of the code under test.

    with ModelServer("ollama", [Answer("hello")]) as server:
        ... call server.base_url ...
    assert server.chats[0]["options"]["num_ctx"] == 8192

A request with a field that the real server does not document is answered with 400, and leaving
the block fails; `violations` holds them.
"""

from __future__ import annotations

import json
import re
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from tests.support.model_shapes import SHAPES

JSON = "application/json"


class Trouble(StrEnum):
    """What may go wrong; `after` counts the pieces of the answer that are sent before."""

    SLOW_FIRST = "slow_first"  # waits `seconds` after the headers, then goes on
    SILENT = "silent"  # accepts the request and never says anything
    HANG = "hang"
    DRIP = "drip"  # one byte each `seconds`
    CLOSE = "close"  # drops the connection
    NO_END = "no_end"  # ends the body properly, without its last object
    STATUS = "status"  # answers `code` with `body` and `headers`
    GARBAGE = "garbage"
    NOT_UTF8 = "not_utf8"
    NOT_HTTP = "not_http"
    ENDLESS = "endless"  # repeats a piece for ever, `seconds` apart
    HUGE_LINE = "huge_line"
    ERROR_OBJECT = "error_object"  # `body` is the error inside the stream
    COMPRESSED = "compressed"


@dataclass(frozen=True)
class Fault:
    """One trouble and its details."""

    trouble: Trouble
    after: int = 0
    seconds: float = 0.0
    code: int = 500
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def throttled(retry_after: str) -> Fault:
    """429, with the wish to be asked later."""
    body = '{"error": "too many requests"}'
    return Fault(Trouble.STATUS, code=429, body=body, headers={"Retry-After": retry_after})


def server_error() -> Fault:
    """500, as from a server whose model crashed."""
    return Fault(Trouble.STATUS, code=500, body='{"error": "llama runner process has died"}')


def redirect(location: str) -> Fault:
    """302 to somewhere else."""
    return Fault(Trouble.STATUS, code=302, headers={"Location": location})


@dataclass(frozen=True)
class Answer:
    """What to say. Counts are computed where they are None; `model` "" is the name asked for."""

    text: str = ""
    thinking: str = ""
    finish: str = "stop"
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    model: str = ""
    piece_characters: int = 8
    fault: Fault | None = None


def count_words(text: str) -> int:
    """Count as this server does: words and marks."""
    return len(re.findall(r"\w+|[^\w\s]", text))


Answering = Callable[[dict[str, Any]], Answer]


class ModelServer:
    """Serves until the block ends. `models` maps names to their window; digests may be changed."""

    def __init__(
        self,
        dialect: str,
        answer: Iterable[Answer] | Answering = (),
        *,
        models: Mapping[str, int] | None = None,
        adapters: Iterable[str] = (),
        count: Callable[[str], int] = count_words,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.dialect = dialect
        self.models = dict(models or {"tiny": 8192})
        self.digests = {name: f"sha256:{name}" for name in self.models}
        self.adapters = list(adapters)
        self.count = count
        self.chats: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.violations: list[str] = []
        self.hung_up = threading.Event()
        self.stopping = threading.Event()
        self.override: dict[str, Fault] = {}  # faults of other routes, by path
        self._answer = answer if callable(answer) else _one_by_one(answer)
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.model_server = self
        self._scheme = "https" if tls else "http"
        if tls:
            self._http.socket = tls.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if error is None:
            assert self.violations == []

    def next_answer(self, body: dict[str, Any]) -> Answer:
        """Record a chat and decide what to say to it."""
        self.chats.append(body)
        return self._answer(body)

    def check(self, path: str, body: dict[str, Any]) -> str:
        """Return what is wrong with the request's shape, or ""."""
        try:
            SHAPES[self.dialect, path].model_validate(body)
        except ValidationError as error:
            problem = f"{path}: {error.errors(include_url=False, include_input=False)}"
            self.violations.append(problem)
            return problem
        return ""


def _one_by_one(answers: Iterable[Answer]) -> Answering:
    rest = iter(list(answers))  # a list iterator gives each answer once, also to many threads
    return lambda body: next(rest)


class _Server(ThreadingHTTPServer):
    model_server: ModelServer
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address  # a client that hangs up is what many tests are about


class _GoneError(Exception):
    """The client has hung up, or the server stops."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def setup(self) -> None:
        super().setup()
        self.close_connection = True

    def do_GET(self) -> None:
        self._serve("GET", {})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["content-length"]))
        self._serve("POST", json.loads(data))

    def _serve(self, method: str, body: dict[str, Any]) -> None:
        self.close_connection = True
        known = self.server.model_server
        known.calls.append((method, self.path))
        known.headers.append({name.lower(): value for name, value in self.headers.items()})
        try:
            self._route(known, method, body)
        except (_GoneError, BrokenPipeError, ConnectionResetError):
            known.hung_up.set()

    def _route(self, known: ModelServer, method: str, body: dict[str, Any]) -> None:
        if fault := known.override.get(self.path):
            self._misbehave_early(fault)
            return
        route = _ROUTES.get((known.dialect, method, self.path))
        if self.path == _CHAT[known.dialect] and method == "POST":
            self._chat(known, body)
        elif route is None:
            self.send(404, '{"detail": "Not Found"}')
        elif method == "POST" and (problem := known.check(self.path, body)):
            self.send(400, json.dumps({"error": problem}))
        else:
            self.send(*route(known, body))

    def _chat(self, known: ModelServer, body: dict[str, Any]) -> None:
        if problem := known.check(self.path, body):
            self.send(400, json.dumps({"error": problem}))
            return
        answer = known.next_answer(body)
        if answer.fault is None and (refused := _refuse(known, body)):
            self.send(*refused)
        elif answer.fault is not None and answer.fault.trouble in _EARLY:
            self._misbehave_early(answer.fault)
        else:
            self._stream(known, body, answer)

    def _stream(self, known: ModelServer, body: dict[str, Any], answer: Answer) -> None:
        fault = answer.fault or Fault(Trouble.SLOW_FIRST)
        self._head({"Transfer-Encoding": "chunked", "Content-Type": "text/plain"})
        if fault.trouble is Trouble.SLOW_FIRST:
            self.pause(fault.seconds)
        pieces = list(_pieces(known, body, answer))
        bad = fault.trouble not in (Trouble.SLOW_FIRST, Trouble.DRIP)
        for piece in pieces[: fault.after] if bad else pieces:
            self._piece(piece, fault.seconds if fault.trouble is Trouble.DRIP else 0.0)
        if bad and not self._misbehave(known, body, answer, fault):
            return
        self.wfile.write(b"0\r\n\r\n")

    def _misbehave(
        self, known: ModelServer, body: dict[str, Any], answer: Answer, fault: Fault
    ) -> bool:
        """Do the trouble in the middle of a stream; tell whether the body still ends properly."""
        mark = "" if known.dialect == "ollama" else "data: "
        if fault.trouble is Trouble.HANG:
            self.pause(3600)
        elif fault.trouble is Trouble.GARBAGE:
            self._piece(f"{mark}{{not json\n\n".encode())
        elif fault.trouble is Trouble.NOT_UTF8:
            self._piece(mark.encode() + b'{"x": "\xff\xfe"}\n\n')
        elif fault.trouble is Trouble.HUGE_LINE:
            for _ in range(40):
                self._piece(b"x" * (1 << 16))
        elif fault.trouble is Trouble.ERROR_OBJECT:
            self._piece(f"{mark}{fault.body}\n\n".encode())
        elif fault.trouble is Trouble.ENDLESS:
            piece = list(_pieces(known, body, answer))[fault.after]
            while True:
                self.pause(fault.seconds)
                self._piece(piece)
        return fault.trouble is not Trouble.CLOSE

    def _misbehave_early(self, fault: Fault) -> None:
        if fault.trouble is Trouble.SILENT:
            self.pause(3600)
        elif fault.trouble is Trouble.NOT_HTTP:
            self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
        elif fault.trouble is Trouble.COMPRESSED:
            self.send(200, "{}", {"Content-Encoding": "gzip"})
        elif fault.trouble is Trouble.DRIP:
            self._head({"Transfer-Encoding": "chunked"})
            while True:
                self._piece(b" ", fault.seconds)
        else:
            self.send(fault.code, fault.body, fault.headers)

    def send(self, code: int, body: str, headers: Mapping[str, str] | None = None) -> None:
        data = body.encode()
        every = {"Content-Length": str(len(data)), "Content-Type": JSON} | dict(headers or {})
        self._head(every, code)
        self.wfile.write(data)

    def _head(self, headers: Mapping[str, str], code: int = 200) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _piece(self, data: bytes, drip_seconds: float = 0.0) -> None:
        """Send one chunk, or one chunk for each byte."""
        for part in (data,) if not drip_seconds else (data[i : i + 1] for i in range(len(data))):
            self.pause(drip_seconds)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def pause(self, seconds: float) -> None:
        """Wait, but notice at once when the client hangs up or the server stops."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.02))
            if readable or self.server.model_server.stopping.is_set():
                raise _GoneError


_EARLY = frozenset({Trouble.SILENT, Trouble.STATUS, Trouble.NOT_HTTP, Trouble.COMPRESSED})
_CHAT = {
    "ollama": "/api/chat",
    "openai": "/v1/chat/completions",
    "vllm": "/v1/chat/completions",
    "llamacpp": "/v1/chat/completions",
}
Reply = tuple[int, str]


def _prompt(body: dict[str, Any]) -> str:
    return "\n".join(message["content"] for message in body["messages"])


def _refuse(known: ModelServer, body: dict[str, Any]) -> Reply | None:
    """Answer an unknown model or a prompt that is too long as the real server does."""
    name = body["model"]
    served = {*known.models, *(f"{model}:latest" for model in known.models)}
    if known.dialect == "ollama":
        if name not in served:
            return 404, json.dumps({"error": f"model '{name}' not found"})
        too_long = known.count(_prompt(body)) > body.get("options", {}).get("num_ctx", 4096)
        if too_long and body.get("truncate", True) is False:
            return 400, '{"error": "the input length exceeds the context length"}'
        return None
    if known.dialect == "llamacpp":
        window = min(known.models.values())  # any name is answered by the one model
        if known.count(_prompt(body)) > window:
            kind = {"code": 400, "type": "exceed_context_size_error", "message": "too large"}
            return 400, json.dumps({"error": kind})
        return None
    if name not in {*known.models, *known.adapters}:
        problem = {"message": f"The model `{name}` does not exist.", "type": "NotFoundError"}
        return 404, json.dumps({"error": problem})
    window = known.models.get(name, min(known.models.values()))
    if known.count(_prompt(body)) + body.get("max_tokens", 0) > window:
        problem = {"message": f"This model's maximum context length is {window} tokens."}
        return 400, json.dumps({"error": problem})
    return None


def _pieces(known: ModelServer, body: dict[str, Any], answer: Answer) -> Iterator[bytes]:
    step = answer.piece_characters
    thoughts = [answer.thinking[i : i + step] for i in range(0, len(answer.thinking), step)]
    texts = [answer.text[i : i + step] for i in range(0, len(answer.text), step)]
    prompt, output = answer.prompt_tokens, answer.output_tokens
    counted = replace(
        answer,
        model=answer.model or body["model"],
        prompt_tokens=_counted(known, body) if prompt is None else prompt,
        output_tokens=known.count(answer.text) if output is None else output,
    )
    write = _ollama_pieces if known.dialect == "ollama" else _openai_pieces
    yield from write(counted, thoughts, texts)


def _counted(known: ModelServer, body: dict[str, Any]) -> int:
    """Count the prompt; Ollama without `truncate: false` has cut it before."""
    count = known.count(_prompt(body))
    return min(count, body.get("options", {}).get("num_ctx", count))


def _ollama_pieces(answer: Answer, thoughts: list[str], texts: list[str]) -> Iterator[bytes]:
    head = {"model": answer.model, "created_at": "2026-01-01T00:00:00Z"}

    def line(content: str, more: dict[str, Any], **rest: Any) -> bytes:
        message = {"role": "assistant", "content": content} | more
        return json.dumps(head | {"message": message} | rest).encode() + b"\n"

    for thought in thoughts:
        yield line("", {"thinking": thought}, done=False)
    for text in texts:
        yield line(text, {}, done=False)
    yield line(
        "",
        {},
        done=True,
        done_reason=answer.finish,
        total_duration=1,
        prompt_eval_count=answer.prompt_tokens,
        eval_count=answer.output_tokens,
    )


def _openai_pieces(answer: Answer, thoughts: list[str], texts: list[str]) -> Iterator[bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": answer.model}

    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps(head | {'choices': [choice]})}\n\n".encode()

    yield event({"role": "assistant", "content": None})
    for thought in thoughts:
        yield event({"reasoning_content": thought})
    yield b": still here\n\n"
    for text in texts:
        yield event({"content": text})
    yield event({}, answer.finish)
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.output_tokens}
    yield f"data: {json.dumps(head | {'choices': [], 'usage': usage})}\n\n".encode()
    yield b"data: [DONE]\n\n"


def _tags(known: ModelServer, body: dict[str, Any]) -> Reply:
    models = [
        {"name": name if ":" in name else f"{name}:latest", "digest": known.digests[name]}
        for name in known.models
    ]
    return 200, json.dumps({"models": models})


def _show(known: ModelServer, body: dict[str, Any]) -> Reply:
    window = known.models.get(body["model"].removesuffix(":latest"))
    if window is None:
        return 404, json.dumps({"error": f"model '{body['model']}' not found"})
    return 200, json.dumps(
        {
            "parameters": 'stop    "<|im_end|>"\nnum_ctx    4096',
            "details": {"family": "qwen2", "parameter_size": "1M", "quantization_level": "F16"},
            "model_info": {"general.architecture": "qwen2", "qwen2.context_length": window},
        }
    )


def _models(known: ModelServer, body: dict[str, Any]) -> Reply:
    data: list[dict[str, Any]] = []
    for name, window in known.models.items():
        entry: dict[str, Any] = {"id": name, "object": "model", "owned_by": known.dialect}
        if known.dialect == "vllm":
            entry |= {"root": f"/models/{name}", "parent": None, "max_model_len": window}
        data.append(entry)
    if known.dialect == "vllm":
        parent = next(iter(known.models))
        extra = {"object": "model", "owned_by": "vllm", "parent": parent, "max_model_len": None}
        data += [{"id": name, "root": f"/adapters/{name}"} | extra for name in known.adapters]
    return 200, json.dumps({"object": "list", "data": data})


def _tokenize(known: ModelServer, body: dict[str, Any]) -> Reply:
    count = known.count(body.get("content", body.get("prompt", "")))
    return 200, json.dumps({"count": count, "tokens": list(range(count))})


def _props(known: ModelServer, body: dict[str, Any]) -> Reply:
    window = min(known.models.values())
    props = {"model_path": "/models/tiny.gguf", "total_slots": 1, "build_info": "b1"}
    return 200, json.dumps({"default_generation_settings": {"n_ctx": window}} | props)


def _lora_adapters(known: ModelServer, body: dict[str, Any]) -> Reply:
    listed = [
        {"id": number, "path": path, "scale": 1.0} for number, path in enumerate(known.adapters)
    ]
    return 200, json.dumps(listed)


_ROUTES: dict[tuple[str, str, str], Callable[[ModelServer, dict[str, Any]], Reply]] = {
    ("ollama", "GET", "/api/tags"): _tags,
    ("ollama", "POST", "/api/show"): _show,
    ("openai", "GET", "/v1/models"): _models,
    ("vllm", "GET", "/v1/models"): _models,
    ("vllm", "POST", "/tokenize"): _tokenize,
    ("llamacpp", "GET", "/v1/models"): _models,
    ("llamacpp", "POST", "/tokenize"): _tokenize,
    ("llamacpp", "GET", "/props"): _props,
    ("llamacpp", "GET", "/lora-adapters"): _lora_adapters,
}
