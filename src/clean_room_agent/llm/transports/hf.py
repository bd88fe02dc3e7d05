"""A local checkpoint run in this process by transformers (extra `train`).

Takes: requests whose `model` is a checkpoint folder and whose `adapter` is "" or the folder of a
PEFT LoRA adapter. Gives: `HfTransport`.
Does not know: other dialects, how a model is trained, retries, or the log.

What must be known of it:
- nothing is fetched and no code of a folder is run; see `hf_checkpoint` for what is refused.
- one call at a time uses a model; the others wait, within their own time limits.
- an answer can be cancelled between two tokens, and a prompt between two slices of
  `hf_model.SLICE_TOKENS`. Loading a model cannot: its time is seen when it has ended.
- the prompt and the tokens set aside for the answer must fit the window together.
- thinking is not supported: a request that asks for it is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clean_room_agent.llm.transports.hf_checkpoint import CheckedFolders, Checkpoint
from clean_room_agent.llm.transports.hf_model import Libraries, LoadedModel, LoadedTokenizer
from clean_room_agent.llm.transports.watch import Watch
from clean_room_agent.llm.wire import Chunk, Final, ServedModel, TransportError, WireRequest
from clean_room_agent.records.calls import ReplyStatus

# Two roles may name two folders; a third pushes out the one that was not used for longest.
MAX_LOADED = 2
# What a decoder writes for bytes that are no whole character yet.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class HfTransport:
    """Runs checkpoints; each base is loaded once, two at most are kept, adapters are switched.

    Raises: ConfigError where the extra `train` is not installed. `device` is "" for a GPU where
    there is one; `threads` is 0 for as many as torch finds right.
    """

    def __init__(self, *, device: str = "", threads: int = 0) -> None:
        self._libraries = Libraries.load()
        torch = self._libraries.torch
        if threads:
            torch.set_num_threads(threads)
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._folders = CheckedFolders()
        self._tokenizers: dict[tuple[Path, str], LoadedTokenizer] = {}
        self._models: dict[tuple[Path, str], LoadedModel] = {}
        self._loading = threading.Lock()
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        return "hf"

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        watch = Watch(request.timeouts, cancel, self._closed)
        watch.sending()
        if request.think:
            raise TransportError(ReplyStatus.REFUSED, "the backend hf cannot let a model think")
        checkpoint = self._folders.model(Path(request.model), watch.check)
        adapter = None
        if request.adapter:
            adapter = self._folders.adapter(Path(request.adapter), watch.check)
        ids = self._tokenizer(checkpoint).prompt(request.prompt)
        _check_window(request, checkpoint, len(ids))
        model = self._model(checkpoint)
        while not model.busy.acquire(timeout=watch.slice() + 0.001):
            watch.check()
        try:
            digest = checkpoint.digest + (f"+{adapter.digest}" if adapter else "")
            with model.using(adapter):
                yield from _Answer(model, request, watch, digest).chunks(ids)
        finally:
            model.busy.release()

    def describe(self, model: str) -> ServedModel:
        checkpoint = self._folders.model(Path(model))
        return ServedModel(
            name=model,
            context_tokens=checkpoint.context_tokens,
            digest=checkpoint.digest,
            detail=str(checkpoint.config.get("model_type", "")),
        )

    def count_tokens(self, model: str, text: str) -> int | None:
        """Count with the checkpoint's tokenizer; the weights are not loaded."""
        return self._tokenizer(self._folders.model(Path(model))).count(text)

    def close(self) -> None:
        self._closed.set()
        with self._loading:
            self._models.clear()
            self._tokenizers.clear()

    def _tokenizer(self, checkpoint: Checkpoint) -> LoadedTokenizer:
        key = (checkpoint.folder, checkpoint.digest)
        with self._loading:
            if key not in self._tokenizers:
                self._tokenizers[key] = LoadedTokenizer(self._libraries, checkpoint)
            return self._tokenizers[key]

    def _model(self, checkpoint: Checkpoint) -> LoadedModel:
        tokenizer = self._tokenizer(checkpoint)
        key = (checkpoint.folder, checkpoint.digest)
        with self._loading:
            model = self._models.pop(key, None)
            if model is None or model.broken:
                while len(self._models) >= MAX_LOADED:
                    self._models.pop(next(iter(self._models)))
                model = LoadedModel(self._libraries, checkpoint, tokenizer, self._device)
            self._models[key] = model
            return model


class _Answer:
    """One answer, token by token."""

    def __init__(self, model: LoadedModel, request: WireRequest, watch: Watch, digest: str) -> None:
        self._model = model
        self._request = request
        self._watch = watch
        self._digest = digest
        self._draw = model.draw(request.sampling)
        self._matcher = None if request.schema is None else model.matcher(request.schema)
        self._written: list[int] = []
        self._from = 0
        self._told = 0

    def chunks(self, prompt: list[int]) -> Iterator[Chunk]:
        logits, state = self._model.read(prompt, None, self._watch.check)
        drawn, finish = 0, "length"
        while drawn < self._request.sampling.max_output_tokens:
            token = self._draw.token(logits, self._matcher)
            drawn += 1
            if token in self._model.ends:
                finish = "stop"
                break
            self._tell_guard(token)
            self._watch.token()
            self._written.append(token)
            if text := self._news():
                yield Chunk(text)
            if self._matcher is not None and self._matcher.is_stopped():
                finish = "stop"
                break
            self._watch.check()
            if drawn < self._request.sampling.max_output_tokens:
                logits, state = self._model.read([token], state, self._watch.check)
        if text := self._news(last=True):
            yield Chunk(text)
        yield Chunk(final=self._final(finish, len(prompt), drawn))

    def _tell_guard(self, token: int) -> None:
        matcher: Any = self._matcher
        if matcher is not None and not matcher.consume_token(token):
            raise TransportError(
                ReplyStatus.SERVER_ERROR, f"the schema's guard failed: {matcher.get_error()}"
            )

    def _news(self, *, last: bool = False) -> str:
        """Return text not given yet, up to the last whole character.

        A few tokens before it are decoded with it: what a token spells can depend on them.
        """
        tokenizer = self._model.tokenizer
        old = tokenizer.text(self._written[self._from : self._told])
        new = tokenizer.text(self._written[self._from :])
        if len(new) <= len(old) or (new.endswith(REPLACEMENT) and not last):
            return ""
        self._from, self._told = self._told, len(self._written)
        return new[len(old) :]

    def _final(self, finish: str, prompt: int, output: int) -> Final:
        return Final(finish, prompt, output, self._request.model, self._digest)


def _check_window(request: WireRequest, checkpoint: Checkpoint, prompt: int) -> None:
    limit = checkpoint.context_tokens
    if limit is not None and request.context_tokens > limit:
        raise TransportError(
            ReplyStatus.CONTEXT,
            f"{request.model} was made for {limit} tokens, not {request.context_tokens}",
        )
    wanted = prompt + request.sampling.max_output_tokens
    if wanted > request.context_tokens:
        raise TransportError(
            ReplyStatus.CONTEXT,
            f"the prompt has {prompt} tokens and {request.sampling.max_output_tokens} are set"
            f" aside for the answer; the window has {request.context_tokens}",
        )
