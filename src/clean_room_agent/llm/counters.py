"""Count a prompt's tokens as its model will: exactly where its tokenizer is at hand.

Takes: a `tokenizer.json`, a server's own endpoint, or what servers counted before. Gives:
`TokenCounter`s, each with a name that goes into the log beside every number.
Does not know: prompts, budgets, or which model is chosen.

Without a tokenizer the stated upper bound of `prompts.tokens` is scaled by the largest ratio that
this model's server ever reported, with a margin: learned, still an upper bound, and logged.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from clean_room_agent.errors import ConfigError
from clean_room_agent.prompts.tokens import UpperBoundCounter

CALIBRATED = "calibrated:"
# Below this size a chat template's own tokens would dominate the ratio.
LEARN_FROM_TOKENS = 200
# Fewer observations than this may raise the bound, never lower it.
LOWER_AFTER = 8
MARGIN = 1.05
NEWEST = 200
CACHED_TEXTS = 20_000
# Of the upper bound, a real tokenizer needs at least this share on any text seen so far.
LEAST_SHARE = 0.25


class TokenizerCounter:
    """Exact, from a `tokenizer.json`; special tokens of a chat template are not counted."""

    def __init__(self, path: Path) -> None:
        self._tokenizer, digest = _load_tokenizer(path)
        self.name = f"tokenizer:{digest}"

    def count(self, data: bytes) -> int:
        text = data.decode("utf-8", "replace")
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


class ServerCounter:
    """Exact, by asking the server; each text once."""

    def __init__(self, ask: Callable[[str], int], model: str) -> None:
        self.name = f"server:{model}"
        self._count = lru_cache(maxsize=CACHED_TEXTS)(ask)

    def count(self, data: bytes) -> int:
        return self._count(data.decode("utf-8", "replace")) if data else 0


class CalibratedCounter:
    """The upper bound times a learned factor. Sums of parts are never below the whole."""

    def __init__(self, factor: float) -> None:
        # What the name says is what is used: a replay knows only the name.
        self.factor = float(f"{factor:.3f}")
        self.name = f"{CALIBRATED}{self.factor:.3f}"
        self._base = UpperBoundCounter()

    def count(self, data: bytes) -> int:
        return math.ceil(self._base.count(data) * self.factor)


Observation = tuple[int, str, int]


def learn_factor(observations: Sequence[Observation]) -> float:
    """Return the factor that would have covered every one of the newest observations.

    Each is (our count, the counter's name, the server's count), oldest first.
    """
    ratios = [
        server / (ours / factor_of(name))
        for ours, name, server in observations[-NEWEST:]
        if ours >= LEARN_FROM_TOKENS and factor_of(name) > 0
    ]
    if not ratios:
        return 1.0
    factor = max(ratios) * MARGIN
    return factor if len(ratios) >= LOWER_AFTER else max(1.0, factor)


def factor_of(name: str) -> float:
    """Return the factor that a counter of this name used; 0 for one that is no bound."""
    if name.startswith(CALIBRATED):
        return float(name.removeprefix(CALIBRATED))
    return 1.0 if name == UpperBoundCounter().name else 0.0


def least_count(ours: int, name: str) -> int:
    """Return the fewest prompt tokens a server can honestly report for what we counted.

    An exact counter leaves no slack but for joined tokens at the seams of fragments.
    """
    factor = factor_of(name)
    share = 0.97 if factor == 0 else LEAST_SHARE / factor
    return math.floor(ours * share) - 8


@lru_cache(maxsize=4)
def _load_tokenizer(path: Path) -> tuple[Any, str]:
    from tokenizers import Tokenizer

    try:
        data = path.read_bytes()
        return Tokenizer.from_buffer(data), hashlib.sha256(data).hexdigest()[:12]
    except OSError as error:
        raise ConfigError(
            f"the tokenizer cannot be read: {error.strerror}", where=str(path)
        ) from error
    except ValueError as error:
        raise ConfigError(f"not a tokenizer.json: {error}", where=str(path)) from error
