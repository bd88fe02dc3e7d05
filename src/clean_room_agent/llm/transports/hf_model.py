"""A checkpoint loaded by transformers, with PEFT adapters that are switched, not reloaded.

Takes: checked folders. Gives: `Libraries`, `LoadedModel`, and `Draw`, how one token is chosen.
Does not know: requests, timeouts, or streams.
"""

from __future__ import annotations

import importlib
import os
import secrets
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clean_room_agent.config.extras import install_hint
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.hf_checkpoint import Checkpoint, check_fit
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus, Sampling

# Adapters of one base that stay in memory; they are small beside it.
MAX_ADAPTERS = 8
# A prompt is read in slices, so that a call can be cancelled while it is.
SLICE_TOKENS = 512
# Blanks between the parts of JSON are a choice that a weak model makes until its tokens run out.
COMPACT = {"whitespace_flexible": False}


@dataclass(frozen=True, slots=True)
class Libraries:
    """What the extra `train` brings, imported at first use: torch alone takes seconds."""

    torch: Any
    transformers: Any
    peft: Any
    llguidance: Any
    masks: Any
    guidance: Any

    @classmethod
    def load(cls) -> Libraries:
        """Raises: ConfigError where one is not installed."""
        # Read once by the libraries, when they are imported: nothing here asks a network.
        os.environ["HF_HUB_OFFLINE"] = "1"
        names = (
            "torch", "transformers", "peft", "llguidance", "llguidance.numpy", "llguidance.hf"
        )  # fmt: skip
        try:
            found = {name: importlib.import_module(name) for name in names}
        except ImportError as error:
            raise ConfigError(
                "the backend hf needs packages that are not installed",
                where=str(error),
                hint=install_hint("train"),
            ) from error
        found["transformers"].utils.logging.disable_progress_bar()
        return cls(
            torch=found["torch"],
            transformers=found["transformers"],
            peft=found["peft"],
            llguidance=found["llguidance"],
            masks=found["llguidance.numpy"],
            guidance=found["llguidance.hf"],
        )


class LoadedTokenizer:
    """The tokenizer of a checkpoint and its chat template."""

    def __init__(self, libraries: Libraries, checkpoint: Checkpoint) -> None:
        self._folder = checkpoint.folder
        try:
            self.raw = libraries.transformers.AutoTokenizer.from_pretrained(
                str(checkpoint.folder), local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unusable(checkpoint.folder, error) from error
        added = getattr(self.raw, "added_tokens_encoder", {})
        self._special = [token for token in (*self.raw.all_special_tokens, *added) if token]

    def count(self, text: str) -> int:
        """Count tokens; text that spells a special token is only text."""
        return len(self._plain(text))

    def prompt(self, text: str) -> list[int]:
        """Lay a prompt out as the one message of a user.

        Text of the prompt that spells a special token stays text: a file of the repository must
        not be able to end the message it stands in.
        """
        if not any(token in text for token in self._special):
            return self._marked(self._rendered(text))
        mark = secrets.token_hex(16)
        before, *after = self._rendered(mark).split(mark)
        if len(after) != 1:
            raise TransportError(
                ReplyStatus.REFUSED, f"the chat template of {self._folder} repeats the message"
            )
        return [*self._marked(before), *self._plain(text), *self._marked(after[0])]

    def text(self, ids: list[int]) -> str:
        decoded: str = self.raw.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded

    def _rendered(self, text: str) -> str:
        # transformers renders templates in jinja's immutable sandbox.
        if not self.raw.chat_template:
            raise TransportError(ReplyStatus.REFUSED, f"{self._folder} has no chat template")
        errors = importlib.import_module("jinja2").TemplateError
        try:
            rendered: str = self.raw.apply_chat_template(
                [{"role": "user", "content": text}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
            )
        except (errors, ValueError, TypeError) as error:
            raise TransportError(
                ReplyStatus.REFUSED, f"the chat template of {self._folder} failed: {error}"
            ) from error
        return rendered

    def _marked(self, text: str) -> list[int]:
        return self._encode(text, split_special_tokens=False)

    def _plain(self, text: str) -> list[int]:
        return self._encode(text, split_special_tokens=True)

    def _encode(self, text: str, *, split_special_tokens: bool) -> list[int]:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TransportError(
                ReplyStatus.REFUSED, f"the prompt holds what is no text: {error.reason}"
            ) from error
        ids: list[int] = self.raw(
            text, add_special_tokens=False, split_special_tokens=split_special_tokens
        )["input_ids"]
        return ids


class LoadedModel:
    """A base model in memory. Only the holder of `busy` may use it, and not if it is `broken`."""

    def __init__(
        self,
        libraries: Libraries,
        checkpoint: Checkpoint,
        tokenizer: LoadedTokenizer,
        device: str,
    ) -> None:
        self.busy = threading.Lock()
        self.broken = False
        self.tokenizer = tokenizer
        self._libraries = libraries
        self._device = device
        try:
            self._model = libraries.transformers.AutoModelForCausalLM.from_pretrained(
                str(checkpoint.folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="auto",
            ).to(device)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise _unusable(checkpoint.folder, error) from error
        self._model.eval()
        self._shapes = {
            name: tuple(weight.shape)
            for name, weight in self._model.named_parameters(remove_duplicate=False)
        }
        self._peft: Any = None
        self._adapters: dict[str, str] = {}
        self._guide: Any = None
        self.vocabulary: int = self._model.config.get_text_config().vocab_size
        self.ends = self._end_tokens()

    def using(self, adapter: Checkpoint | None) -> AbstractContextManager[Any]:
        """Put an adapter in force, or none, for the length of the context."""
        if adapter is None:
            plain: AbstractContextManager[Any] = (
                nullcontext() if self._peft is None else self._peft.disable_adapter()
            )
            return plain
        name = self._adapters.pop(adapter.digest, None)
        if name is None:
            name = self._add(adapter)
        self._adapters[adapter.digest] = name
        self._peft.set_adapter(name)
        return nullcontext()

    def matcher(self, schema: Mapping[str, object]) -> Any:
        """Make a fresh guard that admits only tokens of answers that satisfy a schema."""
        library = self._libraries.llguidance
        if self._guide is None:
            self._guide = self._libraries.guidance.from_tokenizer(
                self.tokenizer.raw, n_vocab=self.vocabulary, eos_token=sorted(self.ends)
            )
        try:
            grammar = library.LLMatcher.grammar_from_json_schema(dict(schema), overrides=COMPACT)
            matcher = library.LLMatcher(self._guide, grammar)
        except ValueError as error:
            raise TransportError(
                ReplyStatus.REFUSED, f"the schema cannot be enforced: {error}"
            ) from error
        if matcher.is_error():
            raise TransportError(
                ReplyStatus.REFUSED, f"the schema cannot be enforced: {matcher.get_error()}"
            )
        return matcher

    def read(self, ids: list[int], state: Any, pause: Callable[[], None]) -> tuple[Any, Any]:
        """Feed tokens; return the logits after the last one, and what the model remembers."""
        torch = self._libraries.torch
        model = self._peft or self._model
        logits = None
        try:
            with torch.inference_mode():
                for start in range(0, len(ids), SLICE_TOKENS):
                    pause()
                    part = torch.tensor([ids[start : start + SLICE_TOKENS]], device=self._device)
                    output = model(
                        input_ids=part, past_key_values=state, use_cache=True, logits_to_keep=1
                    )
                    state, logits = output.past_key_values, output.logits[0, -1]
        except RuntimeError as error:
            raise TransportError(
                ReplyStatus.SERVER_ERROR, f"torch failed: {str(error).splitlines()[0]}"
            ) from error
        return logits, state

    def draw(self, sampling: Sampling) -> Draw:
        return Draw(self._libraries, sampling)

    def _add(self, adapter: Checkpoint) -> str:
        check_fit(adapter, self._shapes)
        while len(self._adapters) >= MAX_ADAPTERS:
            self._peft.delete_adapter(self._adapters.pop(next(iter(self._adapters))))
        name = f"adapter-{adapter.digest[:16]}-{secrets.token_hex(4)}"
        # From here on layers of the base may be wrapped: a failure leaves it unusable.
        self.broken = True
        try:
            self._wrap(str(adapter.folder), name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise _unusable(adapter.folder, error) from error
        self._peft.eval()
        loaded = self._libraries.peft.get_peft_model_state_dict(
            self._peft, adapter_name=name, save_embedding_layers=False
        )
        if {key: tuple(tensor.shape) for key, tensor in loaded.items()} != adapter.shapes:
            raise TransportError(
                ReplyStatus.REFUSED,
                f"{adapter.folder} is refused: its configuration and its weights do not agree",
            )
        self.broken = False
        return name

    def _wrap(self, folder: str, name: str) -> None:
        options = {"is_trainable": False, "local_files_only": True}
        with warnings.catch_warnings():
            # What peft warns of, a part without weights, is refused by the caller.
            warnings.simplefilter("ignore")
            if self._peft is None:
                self._peft = self._libraries.peft.PeftModel.from_pretrained(
                    self._model, folder, adapter_name=name, **options
                )
            else:
                self._peft.load_adapter(folder, adapter_name=name, **options)

    def _end_tokens(self) -> frozenset[int]:
        told = self._model.generation_config.eos_token_id
        found = {told} if isinstance(told, int) else set(told or ())
        if self.tokenizer.raw.eos_token_id is not None:
            found.add(int(self.tokenizer.raw.eos_token_id))
        return frozenset(found)


class Draw:
    """Chooses tokens: greedy at temperature 0, else from the likeliest, with a seed of its own."""

    def __init__(self, libraries: Libraries, sampling: Sampling) -> None:
        self._libraries = libraries
        self._sampling = sampling
        # On the processor, so that a seed means the same on every device.
        self._source = libraries.torch.Generator(device="cpu")
        self._source.manual_seed(sampling.seed)

    def token(self, logits: Any, matcher: Any) -> int:
        """Choose one token that the matcher, if there is one, admits."""
        torch = self._libraries.torch
        values = logits.float().cpu()
        if not bool(torch.isfinite(values).all()):
            raise TransportError(
                ReplyStatus.SERVER_ERROR, "the model computed values that are no numbers"
            )
        if matcher is not None:
            values = self._admitted(values, matcher)
        if self._sampling.temperature == 0:
            return int(values.argmax())
        shares = torch.softmax(values / self._sampling.temperature, dim=-1)
        if self._sampling.top_p < 1:
            ordered, order = shares.sort(descending=True)
            # The token that reaches the share is kept, so one always is.
            ordered[ordered.cumsum(0) - ordered >= self._sampling.top_p] = 0
            shares = torch.zeros_like(shares).scatter(0, order, ordered)
        return int(torch.multinomial(shares, 1, generator=self._source))

    def _admitted(self, values: Any, matcher: Any) -> Any:
        masks = self._libraries.masks
        plain = values.numpy().copy()
        mask = masks.allocate_token_bitmask(1, plain.shape[0])
        masks.fill_next_token_bitmask(matcher, mask)
        masks.apply_token_bitmask_inplace(plain, mask)
        return self._libraries.torch.from_numpy(plain)


def _unusable(folder: Path, error: Exception) -> TransportError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return TransportError(ReplyStatus.REFUSED, f"{folder} cannot be loaded: {first}")
