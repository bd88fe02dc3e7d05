"""Find what looks like a secret in bytes.

Takes: bytes of any kind (source, output, a log). Gives: `Found` in order, never overlapping;
`telling_words` and `may_hold_secret`, which rule a hit out at a fraction of the cost.
Does not know: files, or what is done about a hit.

Policy. A token with a service's own prefix, a key block, a signed token and a login in an address
count by their shape. A value that only its name makes suspicious must also look random: 16 bytes
or more (12 with both cases and digits, 24 of hexadecimal), letters and digits, high entropy, no
words, no placeholder. So a password that is a plain word is not found by its look: nothing tells
it from text. A miss costs a leak, a false hit one item that is not shown, with the reason logged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from clean_room_agent.redaction import rules
from clean_room_agent.redaction.found import Found, disjoint

_LEAST_ENTROPY = 3.2
_LEAST_HEX_ENTROPY = 2.8
_LEAST_BYTES = 16
_LEAST_HEX_BYTES = 24
_LEAST_MIXED_BYTES = 12
_SHORTEST = 12  # no rule matches less


def secret_spans(data: bytes) -> tuple[Found, ...]:
    """Return every place in `data` that looks like a secret. Linear in its length."""
    if len(data) < _SHORTEST:
        return ()
    lowered = data.lower()
    found = [*_tokens(data), *_keys(data), *_addresses(data)]
    found += [*_bearers(data, lowered), *_assigned(data, lowered)]
    return disjoint(found) if found else ()


def telling_words(words: Iterable[bytes]) -> frozenset[bytes]:
    """Of the words of a text (runs of letters, digits, `_` and bytes above 0x7f), those that hold
    a word of the rules. What `may_hold_secret` is given; a word need be looked at only once."""
    known = list(words)
    text = b" ".join(known)
    lowered = text.lower()
    cased = [part for part, _ in rules.CASED_PARTS if part in text]
    lower = [part for part, _ in rules.LOWER_PARTS if part in lowered]
    lower += [part for part in rules.BEARER_PARTS if part in lowered]
    if not cased and not lower:
        return frozenset()
    return frozenset(
        word
        for word in known
        if any(part in word for part in cased) or any(part in word.lower() for part in lower)
    )


def may_hold_secret(data: bytes, telling: Iterable[bytes]) -> bool:
    """Whether `secret_spans(data)` can find anything; False is certain, True is not.

    `telling` holds those words of `data` that are `telling_words`: whoever counted the words
    spares a search of the whole for every word of the rules.
    """
    if rules.URL_HINT in data and rules.URL_PASSWORD.search(data) is not None:
        return True
    text = b" ".join(telling)
    if not text:
        return False
    lowered, whole = text.lower(), data.lower()
    return (
        any(part in text and hint in data for part, hint in rules.CASED_PARTS)
        or any(part in lowered and word in whole for part, word in rules.LOWER_PARTS)
        or any(True for _ in _bearers(data, whole))
    )


def is_random(value: bytes) -> bool:
    """Whether a value looks drawn by chance: no word, no placeholder, many different characters."""
    digits = any(byte in b"0123456789" for byte in value)
    upper, lower = value != value.lower(), value != value.upper()
    if not digits or not (upper or lower):
        return False
    if len(value) < (_LEAST_MIXED_BYTES if upper and lower else _LEAST_BYTES):
        return False
    if rules.PLACEHOLDER.search(value):
        return False
    if _reads_as_words(value):
        return False
    if not value.lower().strip(b"0123456789abcdef"):
        return len(value) >= _LEAST_HEX_BYTES and _entropy(value) >= _LEAST_HEX_ENTROPY
    return _entropy(value) >= _LEAST_ENTROPY


def _reads_as_words(value: bytes) -> bool:
    """Whether all parts of a value are words or numbers, or most of several are long words."""
    parts = rules.PART_BORDER.split(value)
    wordy = [part for part in parts if rules.WORDY.fullmatch(part)]
    long = [part for part in wordy if len(part) > 3 and part.isalpha()]
    return len(wordy) == len(parts) or (len(parts) > 3 and 2 * len(long) >= len(parts))


def _entropy(value: bytes) -> float:
    """Bits for each byte, by how often each occurs."""
    total = len(value)
    return -math.fsum(n / total * math.log2(n / total) for n in Counter(value).values())


def _tokens(data: bytes) -> Iterator[Found]:
    hinted = [rule for hint, rule in rules.HINTED if hint in data]
    for rule in dict.fromkeys(hinted):
        for match in rule.pattern().finditer(data):
            value = match[0]
            if rule.is_loose and not (
                is_random(value)
                and value.lower() != value
                and any(b in value for b in b"0123456789")
            ):
                continue
            if b"EXAMPLE" not in value:
                yield Found(rule.kind, match.start(), match.end())


def _keys(data: bytes) -> Iterator[Found]:
    """Key blocks, also those whose begin or end an output limit has cut off."""
    if rules.KEY_HINT not in data:
        return
    done = 0
    for match in rules.KEY_BEGIN.finditer(data):
        if match.start() < done:
            continue
        body = rules.KEY_BODY.match(data, match.end())
        stop = body.end() if body else match.end()
        # The body takes in the dashes of the end line.
        end = rules.KEY_END.search(data, match.end(), min(len(data), stop + 60))
        # What lies before `done` is settled either way: no byte is read twice.
        done = end.end() if end else stop
        if _holds_key(data[match.end() : end.start() if end else stop]):
            yield Found("private-key", match.start(), done)
    for match in rules.KEY_END.finditer(data):
        if match.start() >= done:
            start = _begin_of_tail(data, match.start(), done)
            if _holds_key(data[start : match.start()]):
                yield Found("private-key", start, match.end())
            done = match.end()


_KEY_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


def _holds_key(body: bytes) -> bool:
    """Whether there is enough base64 in one run, line ends left out."""
    longest = max((len(line) for line in body.replace(b"\\n", b"\n").split()), default=0)
    return longest >= rules.KEY_LEAST_CHARACTERS and any(byte in body for byte in b"0123456789+/")


def _begin_of_tail(data: bytes, end: int, least: int) -> int:
    """Return where the run of base64 lines before `end` begins."""
    floor = max(least, end - rules.KEY_MOST_BYTES)
    kept = data[floor:end].rstrip(_KEY_LETTERS + b"\r\n\\")
    return floor + len(kept)


def _addresses(data: bytes) -> Iterator[Found]:
    if rules.URL_HINT in data:
        for match in rules.URL_PASSWORD.finditer(data):
            user, password, host = match.groups()
            shared = password == user or rules.COMMON_PASSWORD.fullmatch(password)
            if not (
                shared
                or password.startswith(b"%")
                or rules.PLACEHOLDER.search(password)
                or rules.RESERVED_HOST.fullmatch(host)
            ):
                yield Found("url-password", match.start(2), match.end(2))
    if rules.NETRC_HINT in data:
        for match in rules.NETRC.finditer(data):
            # A host has a dot, a dash or a digit; "machine learning" is prose.
            is_host = any(byte in b".-:0123456789" for byte in match[1])
            if is_host and not rules.COMMON_PASSWORD.fullmatch(match[2]):
                yield Found("netrc-password", match.start(2), match.end(2))


def _bearers(data: bytes, lowered: bytes) -> Iterator[Found]:
    if rules.BEARER_HINTS[0] in lowered or rules.BEARER_HINTS[1] in lowered:
        for match in rules.BEARER.finditer(data):
            if is_random(match[1]):
                yield Found("authorization", match.start(1), match.end(1))


def _assigned(data: bytes, lowered: bytes) -> Iterator[Found]:
    """Values that look random and are given to a name that says secret."""
    for word in rules.NAME_WORDS:
        at = lowered.find(word)
        while at >= 0:
            at += len(word)
            is_public = b"public" in lowered[max(0, at - len(word) - 10) : at]
            for pattern in () if is_public else rules.ASSIGNMENTS:
                match = pattern.match(data, at)
                if match is None or rules.HARMLESS_NAME.search(match["rest"]):
                    continue
                if is_random(match["value"]):
                    yield Found("assigned", match.start("value"), match.end("value"))
            at = lowered.find(word, at)
