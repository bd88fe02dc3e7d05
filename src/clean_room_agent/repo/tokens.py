"""Split text into the tokens that search compares: the same for indexed text and for queries.

Takes: text, or bytes of source code. Gives: lower-case tokens. Does not know: what is searched.

An identifier gives its parts (camelCase, snake_case and digits are borders) and, where it has
more than one part, itself in lower case. One-letter parts say nothing and are dropped; a
one-letter *name* is kept where the caller says so (`S`, `Q` and `F` are names in some
repositories). Every pattern here is linear: no nested repetition, no backtracking over words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

# Repeats beyond this add under 4 % to any BM25 with k1 <= 2, and cost space in data tables.
MAX_REPEATS = 48
# No person searches for a longer word; such words are hashes or encoded data.
MAX_WORD_LENGTH = 100

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W0-9A-Za-z_]+")
_WORD_BYTES = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or byte == ord("_") else ord(" ")
    for byte in range(256)
)
_BLANK = ord(" ")
_CACHE_LIMIT = 200_000


def split_word(word: str) -> tuple[str, ...]:
    """Give the tokens of one word: its parts of two letters or more, then the word itself."""
    if len(word) > MAX_WORD_LENGTH:
        return ()
    whole = word.lower().strip("_")
    parts = [part.lower() for part in _PART.findall(word) if len(part) > 1]
    if len(whole) > 1 and parts != [whole]:
        parts.append(whole)
    return tuple(parts)


def search_tokens(text: str, *, keep_letters: bool = True) -> list[str]:
    """Give the tokens of a query, a path or prose, in order and with repeats.

    With `keep_letters`, an upper-case letter that stands alone is kept as a possible name
    (all but `A` and `I`, which are English words).
    """
    tokens: list[str] = []
    for word in _WORD.findall(text):
        if len(word) == 1:
            if keep_letters and "B" <= word <= "Z" and word != "I":
                tokens.append(word.lower())
        else:
            tokens.extend(split_word(word))
    return tokens


def path_tokens(path: str) -> list[str]:
    """Give the tokens of a repository path; undecodable bytes are borders."""
    return search_tokens(path.encode("utf-8", "replace").decode("utf-8"))


def count_words(text: bytes) -> dict[bytes, int]:
    """Count the words of UTF-8 bytes, in order of first occurrence."""
    return Counter(text.translate(_WORD_BYTES).split())


def is_word_byte(byte: int) -> bool:
    """Whether a byte belongs to a word (all of those above 0x7f may)."""
    return _WORD_BYTES[byte] != _BLANK


class WordCounter:
    """Counts tokens of many texts; remembers of each distinct word what was found out once.

    `telling` picks the words that a caller of `learn` wants to hear of.
    """

    def __init__(
        self, telling: Callable[[Iterable[bytes]], Collection[bytes]] = lambda _words: ()
    ) -> None:
        self._telling = telling
        self._splits: dict[bytes, tuple[str, ...]] = {}
        self._numbers: set[bytes] = set()
        self._told: set[bytes] = set()

    def count(self, text: bytes, *, numbers: bool, skip: frozenset[bytes]) -> dict[str, int]:
        """Count the tokens of UTF-8 bytes, as `tokens` does."""
        words = count_words(text)
        self.learn(words)
        return self.tokens(words, numbers=numbers, skip=skip)

    def learn(self, words: Mapping[bytes, int]) -> set[bytes]:
        """Take in counted words, before they are given to `tokens`; gives the telling ones."""
        if len(self._splits) > _CACHE_LIMIT:
            self._splits.clear()
            self._numbers.clear()
            self._told.clear()
        # Set operations on views would copy what is known, for every text.
        new = [word for word in words if word not in self._splits]
        for word in new:
            self._splits[word] = _split_bytes(word)
        self._numbers.update(word for word in new if word[:1].isdigit())
        self._told.update(self._telling(new))
        return self._told.intersection(words)

    def tokens(
        self, words: dict[bytes, int], *, numbers: bool, skip: frozenset[bytes]
    ) -> dict[str, int]:
        """Count the tokens of learnt words, in order of first occurrence.

        `numbers` keeps words that begin with a digit (prose); `skip` names words to leave out
        (a language's keywords).
        """
        for word in skip:
            words.pop(word, None)
        if not numbers:
            for word in self._numbers.intersection(words):
                del words[word]
        counts: dict[str, int] = {}
        known, counted = self._splits, counts.get
        for word, times in words.items():
            for token in known[word]:
                counts[token] = counted(token, 0) + times
        return counts


def join_counts(counts: Mapping[str, int]) -> str:
    """Write counted tokens as text, each repeated as often as it counts (`MAX_REPEATS`)."""
    once = [token for token, times in counts.items() if times == 1]
    more = [
        f"{token} " * (times if times < MAX_REPEATS else MAX_REPEATS)
        for token, times in counts.items()
        if times > 1
    ]
    return "".join(more) + " ".join(once)


def name_tokens(names: Iterable[str]) -> list[str]:
    """Give the tokens of defined names; a one-letter name stands for itself."""
    tokens: list[str] = []
    for name in names:
        tokens.extend(split_word(name) or ((name.lower(),) if len(name) == 1 else ()))
    return tokens


def _split_bytes(word: bytes) -> tuple[str, ...]:
    if word.isascii():
        text = word.decode("ascii")
        if (text.islower() and text.isalpha()) or text.isdigit():  # most are one part: no search
            return (text,) if 1 < len(text) <= MAX_WORD_LENGTH else ()
        return split_word(text)
    # Bytes above 0x7f were all taken for letters; Unicode decides which of them are.
    text = word.decode("utf-8", "replace")
    return tuple(token for part in _WORD.findall(text) for token in split_word(part))
