"""Any server that speaks the OpenAI chat protocol, with one small subclass per dialect.

Takes: a `WireRequest`. Gives: the answer as chunks.
Does not know: prompts as fragments, retries, or the log.

Servers ignore fields that they do not know, so this class sends only what the protocol itself
defines; `vllm` and `llamacpp` add their own. Some servers answer any model name with the one they
have: the list of models is read before each call, and the name in the reply is compared. Reasoning
text (`reasoning_content`, `reasoning`) is not part of the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

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

SCHEMA_NAME = "answer"
_SHOWN_MODELS = 8


class OpenAITransport(HttpTransport):
    """Calls models of one server. Safe for calls from several threads at once.

    A base URL may end in `/v1` or not. There is no standard way to ask for an adapter or for
    thinking, so a request for either is refused rather than sent without it.
    """

    name = "openai"

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        allowed_hosts: tuple[str, ...] = (),
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        base = base_url.rstrip("/").removesuffix("/v1")
        super().__init__(
            base, api_key=api_key, allowed_hosts=allowed_hosts, ask_seconds=ask_seconds
        )

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        """Yield the answer as it arrives. Raises: TransportError."""
        watch = self._watch(request.timeouts, cancel)
        body = _standard_body(request) | self._own_fields(request, watch)
        ending = _Ending()
        with self._client.lines("/v1/chat/completions", body, watch) as lines:
            for data in _events(lines):
                if data == "[DONE]":
                    ending.done = True
                    break
                fields = self._event_fields(data, str(body["model"]))
                ending.read(fields)
                text = _delta_text(fields, ending, watch)
                if text:
                    yield Chunk(text)
        yield Chunk(final=ending.final())

    def describe(self, model: str) -> ServedModel:
        """Read what the list of models says. Raises: TransportError."""
        entry = self._listed(model, self._ask_watch())
        return ServedModel(
            name=model, context_tokens=served_length(entry), detail=entry_detail(entry)
        )

    def count_tokens(self, model: str, text: str) -> int | None:
        """Return None: the protocol has no route that counts."""
        del model, text
        return None

    def _own_fields(self, request: WireRequest, watch: Watch) -> dict[str, object]:
        """Return the fields that only this kind of server knows, after asking it what it must."""
        for wish, wanted in (("adapter", bool(request.adapter)), ("thinking", request.think)):
            if wanted:
                raise TransportError(
                    ReplyStatus.REFUSED,
                    f'backend "openai" cannot ask for {wish}; use "vllm" or "llamacpp"',
                )
        return {"model": text_of(self._listed(request.model, watch), "id")}

    def _models(self, watch: Watch) -> list[Mapping[str, object]]:
        answer = object_of(self._client.ask("/v1/models", watch), "a list of models")
        return [object_of(entry, "a model") for entry in list_of(answer.get("data"), "models")]

    def _listed(self, model: str, watch: Watch) -> Mapping[str, object]:
        """Find a model in the server's list. Raises: TransportError (`unknown_model`)."""
        models = self._models(watch)
        for entry in models:
            if model == text_of(entry, "id") or model in _aliases(entry):
                return entry
        names = ", ".join(excerpt(text_of(entry, "id")) for entry in models[:_SHOWN_MODELS])
        raise TransportError(
            ReplyStatus.UNKNOWN_MODEL,
            f"the server has no model {excerpt(model)}; it lists: {names or 'none'}",
        )

    def _event_fields(self, data: str, called: str) -> Mapping[str, object]:
        secret = self._client.secret
        fields = object_of(parse_json(data, secret=secret), "an event")
        if fields.get("error") is not None:
            raise stream_fault(fields["error"], secret=secret)
        answered = text_of(fields, "model")
        if not answered:
            raise garbage('an event without "model"')
        if answered != called and not self._same_model(called, answered):
            raise TransportError(
                ReplyStatus.UNKNOWN_MODEL,
                f"asked for {excerpt(called)}, the server answered with {excerpt(answered)}",
            )
        return fields

    def _same_model(self, called: str, answered: str) -> bool:
        """Tell whether two different names are one model to this kind of server."""
        del called, answered
        return False


class _Ending:
    """Collects what the last events of a stream tell."""

    def __init__(self) -> None:
        self.done = False
        self.finish_reason = ""
        self._model = ""
        self._prompt: int | None = None
        self._output: int | None = None

    def read(self, fields: Mapping[str, object]) -> None:
        """Take the counts of an event; `timings` of llama.cpp stand in for a missing `usage`."""
        self._model = text_of(fields, "model") or self._model
        usage = object_of(fields.get("usage") or {}, "usage")
        timings = object_of(fields.get("timings") or {}, "timings")
        prompt = count_of(usage, "prompt_tokens")
        if prompt is None and "cache_n" in timings:
            # prompt_n leaves out what was cached: alone it would look like a cut prompt.
            prompt = (count_of(timings, "prompt_n") or 0) + (count_of(timings, "cache_n") or 0)
        output = count_of(usage, "completion_tokens")
        output = count_of(timings, "predicted_n") if output is None else output
        self._prompt = self._prompt if prompt is None else prompt
        self._output = self._output if output is None else output

    def final(self) -> Final:
        """Return the end of the stream. Raises: TransportError when there was none."""
        if not self.done:
            raise TransportError(ReplyStatus.CLOSED, "the stream ended before [DONE]")
        if not self.finish_reason:
            raise garbage("an end without finish_reason")
        return Final(self.finish_reason, self._prompt, self._output, self._model)


def _standard_body(request: WireRequest) -> dict[str, object]:
    sampling = request.sampling
    body: dict[str, object] = {
        "model": request.model,
        "messages": [{"role": "user", "content": request.prompt}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": sampling.max_output_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
    }
    if request.schema is not None:
        schema = {"name": SCHEMA_NAME, "schema": dict(request.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _events(lines: Iterator[str]) -> Iterator[str]:
    """Join the data lines of each server-sent event; comments and other fields carry no text."""
    data: list[str] = []
    for line in lines:
        if not line and data:
            yield "\n".join(data)
            data = []
        name, colon, value = line.partition(":")
        if name == "data" and colon:
            data.append(value.removeprefix(" "))
        elif name not in ("", "event", "id", "retry"):
            raise garbage("a line that is no part of an event stream", line)
    if data:
        yield "\n".join(data)


def _delta_text(fields: Mapping[str, object], ending: _Ending, watch: Watch) -> str:
    """Return the new text of an event; reasoning shows life but is not text."""
    choices = list_of(fields.get("choices"), "choices")
    if not choices:
        return ""
    if len(choices) > 1:
        raise garbage("more than one choice")
    choice = object_of(choices[0], "a choice")
    delta = object_of(choice.get("delta") or {}, "a delta")
    ending.finish_reason = text_of(choice, "finish_reason") or ending.finish_reason
    text = text_of(delta, "content")
    if text or text_of(delta, "reasoning_content") or text_of(delta, "reasoning"):
        watch.token()
    return text


def served_length(entry: Mapping[str, object]) -> int | None:
    """Return the longest prompt and answer a listed model takes, where the list says it."""
    return count_of(entry, "max_model_len")


def entry_detail(entry: Mapping[str, object]) -> str:
    """Return what else the list says of a model."""
    return ", ".join(
        f"{name} {excerpt(text_of(entry, name))}"
        for name in ("owned_by", "root", "parent")
        if text_of(entry, name)
    )


def _aliases(entry: Mapping[str, object]) -> list[object]:
    return list_of(entry.get("aliases") or [], "aliases")
