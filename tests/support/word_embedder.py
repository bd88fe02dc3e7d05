"""An embedder without a model, for tests of what stands around one: words are directions.

Takes: texts. Gives: `WordEmbedder`, which `pipeline.embedding` takes where a model would stand.
Does not know: meaning; two texts are near when they share words,
with or without an s at the end. A token is a word.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clean_room_agent.store.vectors import Vectors

_WORD = re.compile(r"[A-Za-z]+")


class WordEmbedder:
    """Counts what it was asked for: `texts` holds every text that became a vector."""

    def __init__(self, dimension: int = 512, window: int = 64) -> None:
        self.key = f"words-{dimension}"
        self.texts: list[str] = []
        self._dimension = dimension
        self._window = window

    @property
    def window(self) -> int:
        return self._window

    def fit(self, texts: Sequence[str], tokens: int) -> list[int]:
        most = min(tokens, self._window)
        found = []
        for text in texts:
            ends = [match.end() for match in _WORD.finditer(text)]
            found.append(len(text) if len(ends) <= most else ends[most - 1])
        return found

    def embed(self, texts: Sequence[str], batch: int) -> Vectors:
        self.texts += texts
        rows = np.full((len(texts), self._dimension), 0.01, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in _WORD.findall(text.lower()):
                row[zlib.crc32(word.rstrip("s").encode()) % self._dimension] += 1.0
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
