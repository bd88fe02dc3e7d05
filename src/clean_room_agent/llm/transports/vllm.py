"""vLLM: adapters are models of their own, and the server counts tokens.

Takes: a `WireRequest`. Gives: the answer as chunks.
Does not know: the shape of the stream (`openai`), how adapters are trained or loaded.

An adapter is a LoRA module that was given to the server by name (`--lora-modules NAME=PATH`); a
request with an adapter sends that name as its model. An unknown name is answered with 404.
"""

from __future__ import annotations

from clean_room_agent.llm.transports.faults import count_of, garbage, object_of, text_of
from clean_room_agent.llm.transports.http import Watch
from clean_room_agent.llm.transports.openai import OpenAITransport, entry_detail, served_length
from clean_room_agent.llm.wire import ServedModel, WireRequest


class VllmTransport(OpenAITransport):
    """Calls models and LoRA modules of one vLLM server."""

    name = "vllm"

    def describe(self, model: str) -> ServedModel:
        """Read the served length and the LoRA modules of a model. Raises: TransportError.

        A LoRA module has no length of its own: its parent's is given.
        """
        watch = self._ask_watch()
        entry = self._listed(model, watch)
        parent = text_of(entry, "parent")
        length = served_length(entry)
        if length is None and parent:
            length = served_length(self._listed(parent, watch))
        adapters = tuple(
            text_of(other, "id")
            for other in self._models(watch)
            if text_of(other, "parent") == model
        )
        return ServedModel(model, length, adapters=adapters, detail=entry_detail(entry))

    def count_tokens(self, model: str, text: str) -> int | None:
        """Count with the model's tokenizer, no template and no start token added."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        answer = object_of(self._client.ask("/tokenize", self._ask_watch(), body), "a count")
        count = count_of(answer, "count")
        if count is None:
            raise garbage('a count of tokens without "count"')
        return count

    def _own_fields(self, request: WireRequest, watch: Watch) -> dict[str, object]:
        del watch  # an unknown name is answered with 404: no list is needed first
        return {
            "model": request.adapter or request.model,
            "chat_template_kwargs": {"enable_thinking": request.think},
        }
