"""Ollama through its native route, which is the only one that obeys `num_ctx`.

Takes: a `WireRequest`. Gives: the answer as chunks, with the digest of the model that gave it.
Does not know: prompts as fragments, retries, or the log.

Ollama cuts a prompt that is too long and says nothing, unless told `truncate: false` and
`shift: false`; both are sent with every call. In Ollama an adapter is a model of its own, made by
`ollama create` from a Modelfile with FROM and ADAPTER: a request with an adapter calls the model
of that name. What a model thinks (`message.thinking`) is not part of its answer.

`prompt_eval_count` counts the whole prompt, cached parts included, save in early 0.30 servers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clean_room_agent.llm.transports.faults import (
    count_of,
    excerpt,
    garbage,
    list_of,
    object_of,
    parse_json,
    stream_fault,
    text_of,
)
from clean_room_agent.llm.transports.http import ASK_SECONDS, HttpTransport, Watch
from clean_room_agent.llm.wire import Chunk, Final, ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import ReplyStatus

# A task pauses for tests between two calls; loading a model again would cost more than the pause.
KEEP_ALIVE = "10m"
# A tag can be pulled anew while we run. The list is one small request, but the server reads its
# manifests from disk for it, so it is asked at most this often: a digest in the log is never older.
TAGS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Tags:
    """The models of a server with their digests, and when they were read."""

    digests: Mapping[str, str]
    read_at: float


class OllamaTransport(HttpTransport):
    """Calls models of one Ollama server. Safe for calls from several threads at once."""

    name = "ollama"

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        allowed_hosts: tuple[str, ...] = (),
        ask_seconds: float = ASK_SECONDS,
        tags_seconds: float = TAGS_SECONDS,
    ) -> None:
        super().__init__(
            base_url, api_key=api_key, allowed_hosts=allowed_hosts, ask_seconds=ask_seconds
        )
        self._tags_seconds = tags_seconds
        self._tags: _Tags | None = None

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        """Yield the answer as it arrives. Raises: TransportError."""
        watch = self._watch(request.timeouts, cancel)
        called = request.adapter or request.model
        digest = self._digest(called, watch)
        final: Final | None = None
        with self._client.lines("/api/chat", _body(request, called), watch) as lines:
            for line in lines:
                if not line.strip():
                    continue
                fields = self._fields(line)
                _check_name(called, text_of(fields, "model"))
                text = _answer_text(fields, watch)
                if fields.get("done") is True:
                    final = _final(fields, digest)
                    break
                if text:
                    yield Chunk(text)
        if final is None:
            raise TransportError(ReplyStatus.CLOSED, "the stream ended before its last object")
        yield Chunk(text, final)

    def describe(self, model: str) -> ServedModel:
        """Read digest, trained context and parameters. Raises: TransportError."""
        self._tags = None  # a person who asks wants the state of now
        watch = self._ask_watch()
        digest = self._digest(model, watch)
        shown = object_of(self._client.ask("/api/show", watch, {"model": model}), "a description")
        details = object_of(shown.get("details") or {}, "details")
        words = [text_of(details, n) for n in ("family", "parameter_size", "quantization_level")]
        parameters = "; ".join(
            " ".join(x.split()) for x in text_of(shown, "parameters").split("\n")
        )
        return ServedModel(
            name=model,
            context_tokens=_trained_context(shown),
            digest=digest,
            detail=", ".join(part for part in [" ".join(filter(None, words)), parameters] if part),
        )

    def count_tokens(self, model: str, text: str) -> int | None:
        """Return None: Ollama has no route that counts."""
        del model, text
        return None

    def installed(self) -> tuple[str, ...]:
        """Return the names of the models that the server holds. Raises: TransportError."""
        answer = object_of(self._client.ask("/api/tags", self._ask_watch()), "a list of models")
        entries = list_of(answer.get("models"), "a list of models")
        return tuple(text_of(object_of(entry, "a model"), "name") for entry in entries)

    def _fields(self, line: str) -> Mapping[str, object]:
        secret = self._client.secret
        fields = object_of(parse_json(line, secret=secret), "a line")
        if "error" in fields:
            raise stream_fault(fields["error"], secret=secret)
        return fields

    def _digest(self, model: str, watch: Watch) -> str:
        tags = self._tags
        known = _full_name(model)
        old = tags is None or time.monotonic() - tags.read_at > self._tags_seconds
        if tags is None or old or known not in tags.digests:
            tags = self._tags = self._read_tags(watch)
        if known not in tags.digests:
            raise TransportError(
                ReplyStatus.UNKNOWN_MODEL,
                f"Ollama has no model {excerpt(model)}; run: ollama pull {excerpt(model)}",
            )
        return tags.digests[known]

    def _read_tags(self, watch: Watch) -> _Tags:
        at = time.monotonic()
        answer = object_of(self._client.ask("/api/tags", watch), "a list of models")
        digests = {}
        for entry in list_of(answer.get("models"), "a list of models"):
            fields = object_of(entry, "a model")
            digests[_full_name(text_of(fields, "name"))] = text_of(fields, "digest")
        return _Tags(digests, at)


def _body(request: WireRequest, called: str) -> dict[str, object]:
    sampling = request.sampling
    body: dict[str, object] = {
        "model": called,
        "messages": [{"role": "user", "content": request.prompt}],
        "stream": True,
        "think": request.think,
        "truncate": False,
        "shift": False,
        "keep_alive": KEEP_ALIVE,
        "options": {
            "num_ctx": request.context_tokens,
            "num_predict": sampling.max_output_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        },
    }
    if request.schema is not None:
        body["format"] = dict(request.schema)
    return body


def _answer_text(fields: Mapping[str, object], watch: Watch) -> str:
    """Return the new text; a thought shows life but is not text."""
    message = object_of(fields.get("message") or {}, "a message")
    text = text_of(message, "content")
    if text or text_of(message, "thinking"):
        watch.token()
    return text


def _final(fields: Mapping[str, object], digest: str) -> Final:
    reason = text_of(fields, "done_reason")
    if not reason:
        raise garbage('a last object without "done_reason"')
    return Final(
        finish_reason=reason,
        prompt_tokens=count_of(fields, "prompt_eval_count"),
        output_tokens=count_of(fields, "eval_count"),
        model=text_of(fields, "model"),
        digest=digest,
    )


def _check_name(called: str, answered: str) -> None:
    if not answered:
        raise garbage('a line without "model"')
    if _full_name(answered) != _full_name(called):
        raise TransportError(
            ReplyStatus.UNKNOWN_MODEL,
            f"asked for {excerpt(called)}, the server answered with {excerpt(answered)}",
        )


def _full_name(name: str) -> str:
    """Write a model's name as the server lists it: with its tag, without regard to case."""
    last = name.rpartition("/")[2]
    return (name if ":" in last else f"{name}:latest").casefold()


def _trained_context(shown: Mapping[str, object]) -> int | None:
    info = object_of(shown.get("model_info") or {}, "model_info")
    for key in info:
        if key.endswith(".context_length"):
            return count_of(info, key)
    return None
