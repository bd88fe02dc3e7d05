"""BM25 of the task's terms over units, with a unit's own name counted more than its body.

Takes: units and weighted terms. Gives: a score and its best terms for each unit. Does not know:
other signals.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.repo.tokens import name_tokens, split_word
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.precision.units import Unit
from clean_room_agent.retrieval.weights import GUESS_COVERAGE, GUESS_WORDS

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")
_K1 = 1.2
_B = 0.75
_NAME_WEIGHT = 4
_NOTED = Cap(3, "by score", "evidence in one line")


@dataclass(frozen=True, slots=True)
class UnitBags:
    """The task's terms in each unit, counted once for any weighting of these terms."""

    counts: Sequence[Mapping[str, int]]
    lengths: Sequence[int]

    def score(self, weights: Mapping[str, float]) -> list[tuple[float, str]]:
        """One (score, best terms) for each unit, in their order."""
        average = max(1.0, sum(self.lengths) / max(1, len(self.lengths)))
        holding = Counter(term for bag in self.counts for term in bag)
        total = len(self.counts)
        idf = {t: math.log1p((total - n + 0.5) / (n + 0.5)) for t, n in holding.items()}
        scores = []
        for bag, length in zip(self.counts, self.lengths, strict=True):
            norm = _K1 * (1 - _B + _B * length / average)
            parts = [
                (weights[term] * idf[term] * count * (_K1 + 1) / (count + norm), term)
                for term, count in bag.items()
                if term in weights
            ]
            note = " ".join(f"{t}:{v:.1f}" for v, t in _NOTED.first(parts, _largest))
            scores.append((math.fsum(value for value, _ in parts), note))
        return scores

    def covers_little(self, weights: Mapping[str, float]) -> bool:
        """Whether even the item that holds most of the terms holds few of them."""
        shares = [
            (math.fsum(weights[t] for t in bag if t in weights), len(bag)) for bag in self.counts
        ]
        held, words = max(shares, default=(0.0, 0))
        return words < GUESS_WORDS and held < GUESS_COVERAGE * math.fsum(weights.values())


def _largest(part: tuple[float, str]) -> tuple[float, str]:
    return (-part[0], part[1])


def count_terms(units: Sequence[Unit], terms: Mapping[str, float]) -> UnitBags:
    """Count the named terms in each unit."""
    known: dict[bytes, tuple[str, ...]] = {}
    bags = [_bag(unit, terms, known) for unit in units]
    return UnitBags([bag for bag, _ in bags], [length for _, length in bags])


def _bag(
    unit: Unit, weights: Mapping[str, float], known: dict[bytes, tuple[str, ...]]
) -> tuple[dict[str, int], int]:
    """The task's terms in a unit with their counts, and the unit's length in words.

    `known` remembers which of the task's terms a word holds; most words hold none.
    """
    words = _WORD.findall(unit.content)
    bag: dict[str, int] = {}
    for word, times in Counter(words).items():
        terms = known.get(word)
        if terms is None:
            split = split_word(word.decode("utf-8", "replace"))
            terms = known[word] = tuple(term for term in split if term in weights)
        for term in terms:
            bag[term] = bag.get(term, 0) + times
    for token in name_tokens([unit.name] if unit.ordinal is not None else []):
        if token in weights:
            bag[token] = bag.get(token, 0) + _NAME_WEIGHT
    return bag, len(words)
