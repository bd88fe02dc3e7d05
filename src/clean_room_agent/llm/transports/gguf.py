"""A GGUF file run in this process by llama.cpp (extra `llamacpp`); no server to start.

Takes: requests whose `model` is the path of a GGUF file and whose `adapter` is "" or the path of
a LoRA adapter in GGUF. Gives: `GgufTransport`.
Does not know: other dialects, prompts as fragments, retries, or the log.

What must be known of it:
- the library opens a listener of its own with each model. It is a socket file in a folder that
  only this user may enter, and wants a random key; no port is opened.
- loading a model holds up every thread of this process, and neither `cancel` nor a timeout can
  interrupt it. A prompt is read in batches of `BATCH_TOKENS`: a cancelled call returns at once,
  but llama.cpp finishes the batch under way before it is free for the next call.
- a prompt is tokenized as llama.cpp does it for chats: text that spells a special token of the
  model becomes that token.
- native code reads the file. The header is checked first, but a forged file may still end this
  process: use files you trust.
"""

from __future__ import annotations

import importlib
import json
import queue
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import httpx

from clean_room_agent.config.extras import install_hint
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.digest import file_digest
from clean_room_agent.llm.transports.gguf_header import read_header
from clean_room_agent.llm.transports.watch import Watch
from clean_room_agent.llm.wire import Chunk, Final, ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import ReplyStatus

BATCH_TOKENS = 512
# Two roles may name two files; a third pushes out the one that was not used for longest.
MAX_LOADED = 2
# A model that is loaded only to count needs no window.
COUNTING_CONTEXT_TOKENS = 512
COUNT_SECONDS = 60.0
LONGEST_SOCKET_PATH = 100
# llama.cpp takes its largest 32-bit seed for "draw one at random".
SEEDS = 0xFFFF_FFFF
_NATIVE_ERRORS = (RuntimeError, ValueError, MemoryError, LookupError, ArithmeticError, OSError)


class _Engine(Protocol):
    """The part of `xllamacpp.Server` that is used. Bytes in, bytes out; True ends the answer."""

    listening_address: str

    def handle_chat_completions(self, prompt: bytes, callback: Callable[[bytes], bool]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Key:
    """What makes a loaded model another one."""

    model: Path
    adapter: Path | None
    context_tokens: int
    digest: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    engine: _Engine
    folder: Path
    secret: str


class GgufTransport:
    """Runs GGUF files; each (model, adapter, context) is loaded once, two at most are kept.

    Raises: ConfigError where the extra `llamacpp` is not installed. `threads` is 0 for as many as
    llama.cpp finds right.
    """

    def __init__(self, *, threads: int = 0) -> None:
        try:
            self._library = importlib.import_module("xllamacpp")
        except ImportError as error:
            raise ConfigError(
                "the backend gguf needs a package that is not installed",
                where=str(error),
                hint=install_hint("llamacpp"),
            ) from error
        self._threads = threads
        self._loaded: dict[_Key, _Loaded] = {}
        self._loading = threading.Lock()
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        return "gguf"

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        watch = Watch(request.timeouts, cancel, self._closed)
        watch.sending()
        key = self._key(request.model, request.adapter, request.context_tokens, watch.check)
        body = json.dumps(_body(request)).encode()
        loaded = self._load(key)
        watch.check()
        yield from _Answer(loaded.engine, body, watch, key.digest, request.model).chunks()

    def describe(self, model: str) -> ServedModel:
        path = Path(model)
        header = read_header(path)
        return ServedModel(
            name=model,
            context_tokens=header.context_tokens,
            digest=file_digest(path),
            detail=f"{header.architecture} {header.name}".strip(),
        )

    def count_tokens(self, model: str, text: str) -> int | None:
        """Count as the model's own tokenizer does; loads the model where it is not loaded."""
        loaded = self._any_loaded(Path(model))
        if loaded is None:
            loaded = self._load(self._key(model, "", COUNTING_CONTEXT_TOKENS))
        socket = httpx.HTTPTransport(uds=str(loaded.folder / "llama.sock"))
        with httpx.Client(transport=socket, timeout=COUNT_SECONDS, trust_env=False) as client:
            try:
                reply = client.post(
                    "http://localhost/tokenize",
                    json={"content": text, "add_special": False},
                    headers={"Authorization": f"Bearer {loaded.secret}"},
                )
                reply.raise_for_status()
                return len(reply.json()["tokens"])
            except (httpx.HTTPError, ValueError, LookupError) as error:
                raise TransportError(
                    ReplyStatus.SERVER_ERROR, f"llama.cpp did not count: {error}"
                ) from error

    def close(self) -> None:
        self._closed.set()
        with self._loading:
            for key in list(self._loaded):
                self._drop(key)

    def _key(
        self,
        model: str,
        adapter: str,
        context_tokens: int,
        pause: Callable[[], None] | None = None,
    ) -> _Key:
        path = Path(model)
        header = read_header(path)
        if header.kind != "model":
            raise TransportError(ReplyStatus.REFUSED, f"{path} holds a {header.kind}, no model")
        if header.context_tokens is not None and context_tokens > header.context_tokens:
            raise TransportError(
                ReplyStatus.CONTEXT,
                f"{path} was trained for {header.context_tokens} tokens, not {context_tokens}",
            )
        digest = file_digest(path, pause)
        if not adapter:
            return _Key(path, None, context_tokens, digest)
        extra = read_header(Path(adapter))
        if extra.kind != "adapter" or extra.architecture != header.architecture:
            raise TransportError(
                ReplyStatus.REFUSED, f"{adapter} is no adapter for a {header.architecture} model"
            )
        both = f"{digest}+{file_digest(Path(adapter), pause)}"
        return _Key(path, Path(adapter), context_tokens, both)

    def _any_loaded(self, model: Path) -> _Loaded | None:
        with self._loading:
            digest = file_digest(model) if model.is_file() else ""
            for key, loaded in self._loaded.items():
                if key.model == model and key.digest.partition("+")[0] == digest:
                    return loaded
        return None

    def _load(self, key: _Key) -> _Loaded:
        with self._loading:
            if self._closed.is_set():
                raise TransportError(ReplyStatus.CANCELLED, "the transport is closed")
            loaded = self._loaded.pop(key, None)
            if loaded is None:
                while len(self._loaded) >= MAX_LOADED:
                    self._drop(self._least_useful())
                loaded = self._start(key)
            self._loaded[key] = loaded
            return loaded

    def _least_useful(self) -> _Key:
        """A model that only counts goes first, then the one not used for longest."""
        counting = (key for key in self._loaded if key.context_tokens == COUNTING_CONTEXT_TOKENS)
        return next(counting, next(iter(self._loaded)))

    def _drop(self, key: _Key) -> None:
        """Forget a model; its memory is given back when the last call that uses it has ended."""
        shutil.rmtree(self._loaded.pop(key).folder, ignore_errors=True)

    def _start(self, key: _Key) -> _Loaded:
        folder = Path(tempfile.mkdtemp(prefix="cra-"))
        listener = folder / "llama.sock"
        secret = secrets.token_hex(32)
        try:
            if len(str(listener).encode()) > LONGEST_SOCKET_PATH:
                raise ConfigError(
                    "the path of the temporary folder is too long for a socket",
                    where=str(folder),
                    hint="set TMPDIR to a short path",
                )
            engine = self._library.Server(self._params(key, listener, secret))
        except (ConfigError, *_NATIVE_ERRORS) as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, ConfigError):
                raise
            raise TransportError(
                ReplyStatus.REFUSED, f"llama.cpp could not load {_named(key)}: {error}"
            ) from error
        return _Loaded(cast(_Engine, engine), folder, secret)

    def _params(self, key: _Key, listener: Path, secret: str) -> object:
        params = self._library.CommonParams()
        params.model.path = str(key.model)
        if key.adapter is not None:
            params.lora_adapters = [
                self._library.CommonAdapterLoraInfo(str(key.adapter), 1.0),
            ]
        params.n_ctx = key.context_tokens
        params.n_batch = BATCH_TOKENS
        params.n_parallel = 1
        params.fit_params = False
        if self._threads:
            params.cpuparams.n_threads = self._threads
            params.cpuparams_batch.n_threads = self._threads
        params.hostnames = [str(listener)]
        params.api_keys = [secret]
        params.n_threads_http = 2
        params.ui = False
        params.endpoint_slots = False
        params.warmup = False
        params.verbosity = -1
        return params


class _Answer:
    """One answer: llama.cpp runs in a thread and hands over its events, which are read here."""

    def __init__(self, engine: _Engine, body: bytes, watch: Watch, digest: str, model: str) -> None:
        self._engine = engine
        self._body = body
        self._watch = watch
        self._digest = digest
        self._model = model
        self._events: queue.SimpleQueue[bytes | TransportError | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._finish = ""
        self._usage: dict[str, object] = {}

    def chunks(self) -> Iterator[Chunk]:
        threading.Thread(target=self._run, name="cra-gguf", daemon=True).start()
        try:
            while (event := self._next()) is not None:
                text = self._read(event)
                if text:
                    self._watch.token()
                    yield Chunk(text)
        finally:
            self._stop.set()
        if not self._finish:
            raise TransportError(ReplyStatus.CLOSED, "llama.cpp ended before its last chunk")
        yield Chunk(final=self._final())

    def _run(self) -> None:
        try:
            self._engine.handle_chat_completions(self._body, self._receive)
        except _NATIVE_ERRORS as error:
            self._events.put(TransportError(ReplyStatus.REFUSED, f"llama.cpp refused: {error}"))
        finally:
            self._events.put(None)

    def _receive(self, event: bytes) -> bool:
        self._events.put(event)
        return self._stop.is_set()

    def _next(self) -> bytes | None:
        while True:
            self._watch.check()
            try:
                event = self._events.get(timeout=self._watch.slice() + 0.001)
            except queue.Empty:
                continue
            if isinstance(event, TransportError):
                raise event
            return event

    def _read(self, event: bytes) -> str:
        """Take one event apart; return its text. What a model thinks is no part of the answer."""
        try:
            message = json.loads(event)
            if "error" in message:
                raise _refusal(message["error"])
            self._usage = message.get("usage") or self._usage
            text = ""
            for choice in message["choices"]:
                self._finish = choice.get("finish_reason") or self._finish
                if choice["delta"].get("reasoning_content"):
                    self._watch.token()
                text += choice["delta"].get("content") or ""
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise TransportError(
                ReplyStatus.GARBAGE, f"llama.cpp gave an event that cannot be read: {error}"
            ) from error
        return text

    def _final(self) -> Final:
        prompt, output = self._usage.get("prompt_tokens"), self._usage.get("completion_tokens")
        return Final(
            finish_reason=self._finish,
            prompt_tokens=prompt if isinstance(prompt, int) else None,
            output_tokens=output if isinstance(output, int) else None,
            model=self._model,
            digest=self._digest,
        )


def _body(request: WireRequest) -> dict[str, object]:
    """Say everything that decides the answer: llama.cpp has sampling defaults of its own.

    The prompt cache is off, for a cached start changes the last digits of what is computed.
    """
    sampling = request.sampling
    body: dict[str, object] = {
        "messages": [{"role": "user", "content": request.prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "return_progress": True,
        "max_tokens": sampling.max_output_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 0,
        "min_p": 0.0,
        "seed": sampling.seed % SEEDS,
        "cache_prompt": False,
        "chat_template_kwargs": {"enable_thinking": request.think},
    }
    if request.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": dict(request.schema)},
        }
    return body


def _refusal(error: dict[str, object]) -> TransportError:
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return TransportError(ReplyStatus.CONTEXT, message)
    status = ReplyStatus.REFUSED if error.get("code") == 400 else ReplyStatus.SERVER_ERROR
    return TransportError(status, message)


def _named(key: _Key) -> str:
    return f"{key.model} with {key.adapter}" if key.adapter else str(key.model)
