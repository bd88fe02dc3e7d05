"""The llama.cpp server: one model, adapters chosen per request, window shared between slots.

Takes: a `WireRequest`. Gives: the answer as chunks.
Does not know: the shape of the stream (`openai`), how adapters are trained or loaded.

Adapters are files given to the server at start (`--lora PATH`). They stay at scale 1 unless a
request says otherwise, whatever the start options promise, and an empty list does not clear them:
each request therefore names every adapter with its scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath

from clean_room_agent.llm.transports.faults import (
    count_of,
    excerpt,
    garbage,
    list_of,
    object_of,
    text_of,
)
from clean_room_agent.llm.transports.http import Watch
from clean_room_agent.llm.transports.openai import OpenAITransport
from clean_room_agent.llm.wire import ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import ReplyStatus


class LlamaCppTransport(OpenAITransport):
    """Calls the model of one llama.cpp server.

    The model's name is the server's `--alias`, or the path or file name of its GGUF file. An
    adapter is named by its path, its file name, or its file name without `.gguf`.
    """

    name = "llamacpp"

    def describe(self, model: str) -> ServedModel:
        """Read the window of one slot, the file and the adapters. Raises: TransportError."""
        watch = self._ask_watch()
        self._listed(model, watch)
        props = object_of(self._client.ask("/props", watch), "properties")
        settings = object_of(props.get("default_generation_settings") or {}, "settings")
        paths = tuple(path for _, path in self._adapters(watch))
        detail = ", ".join(
            excerpt(text_of(props, name))
            for name in ("model_path", "build_info")
            if text_of(props, name)
        )
        return ServedModel(model, count_of(settings, "n_ctx"), adapters=paths, detail=detail)

    def count_tokens(self, model: str, text: str) -> int | None:
        """Count with the server's tokenizer; it has one model, so the name is not sent."""
        del model
        answer = self._client.ask("/tokenize", self._ask_watch(), {"content": text})
        return len(list_of(object_of(answer, "a count").get("tokens"), "tokens"))

    def _own_fields(self, request: WireRequest, watch: Watch) -> dict[str, object]:
        fields: dict[str, object] = {
            "model": text_of(self._listed(request.model, watch), "id"),
            "chat_template_kwargs": {"enable_thinking": request.think},
        }
        adapters = self._adapters(watch)
        chosen = _choose(request.adapter, adapters) if request.adapter else None
        if adapters:
            fields["lora"] = [
                {"id": number, "scale": 1.0 if number == chosen else 0.0} for number, _ in adapters
            ]
        return fields

    def _adapters(self, watch: Watch) -> list[tuple[int, str]]:
        answer = list_of(self._client.ask("/lora-adapters", watch), "a list of adapters")
        return [_adapter(object_of(entry, "an adapter")) for entry in answer]

    def _listed(self, model: str, watch: Watch) -> Mapping[str, object]:
        """Find the model; a server without an alias lists the path of its file."""
        models = self._models(watch)
        for entry in models:
            if self._same_model(model, text_of(entry, "id")):
                return entry
        return super()._listed(model, watch)

    def _same_model(self, called: str, answered: str) -> bool:
        return called in _names(answered)


def _adapter(fields: Mapping[str, object]) -> tuple[int, str]:
    number = count_of(fields, "id")
    if number is None:
        raise garbage('an adapter without "id"')
    return number, text_of(fields, "path")


def _choose(wanted: str, adapters: list[tuple[int, str]]) -> int:
    found = [number for number, path in adapters if wanted in _names(path)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(excerpt(path) for _, path in adapters) or "none"
    problem = "more than one adapter" if found else "no adapter"
    raise TransportError(
        ReplyStatus.UNKNOWN_MODEL, f"the server has {problem} {excerpt(wanted)}; loaded: {listed}"
    )


def _names(path: str) -> frozenset[str]:
    """Return what a person may call a file that the server names by its path."""
    file = PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name
    return frozenset({path, file, file.removesuffix(".gguf")})
