"""Frame a piece of content so that nothing inside it can end the frame (curation rule 5).

Takes: a label, fields, content. Gives: the bytes before and after, and the reverse for checking.
Does not know: what the content is.

A frame opens with one ASCII line that states the content's length and a fence, and closes with a
line that repeats the fence. The fence is made from a hash of the content, so that the same content
always gives the same bytes, and it is made longer until the content does not hold it. A reader
that counts needs only the length; one that searches finds the fence once. It is a word of a few
letters, because a frame is paid for in tokens and digits are dear. Field values are JSON strings
in ASCII: control characters, bidi marks and line breaks of a path are spelled out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_OPEN = re.compile(rb"<<<(?P<label>[a-z-]+) (?P<fields>[^\n]*?) ?len=(?P<n>\d+) (?P<f>[a-z]+)\n")
_FENCE_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """The bytes to put before and after a content."""

    opening: bytes
    closing: bytes


def make_frame(label: str, fields: dict[str, str | int], content: bytes) -> Frame:
    """Build the frame of one content. Deterministic: same arguments, same bytes."""
    fence = _fence(content)
    shown = "".join(f"{key}={json.dumps(value)} " for key, value in fields.items())
    opening = f"<<<{label} {shown}len={len(content)} {fence}\n".encode("ascii")
    line_end = b"" if content.endswith(b"\n") else b"\n"
    return Frame(opening, line_end + f">>>{fence}\n".encode("ascii"))


def _fence(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    letters = _letters(digest)
    length = _FENCE_LETTERS
    while letters[:length].encode("ascii") in content:
        length += 1
        if length > len(letters):
            digest = hashlib.sha256(digest).digest()
            letters += _letters(digest)
    return letters[:length]


def _letters(digest: bytes) -> str:
    """One lower-case letter for each byte."""
    return "".join(chr(ord("a") + byte % 26) for byte in digest)


def json_line(value: Mapping[str, object]) -> bytes:
    """Spell data as one line of JSON: what does not print is escaped, so nothing can end it.

    Letters of every language stay as they are; line breaks, control and bidi marks, invisible
    tags and undecodable bytes become escapes.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    return text.encode("utf-8") + b"\n"


def file_header(path: str) -> bytes:
    """Return the line above the pieces of a file; the path is ASCII, so it stays one line."""
    return f"=== file {json.dumps(path)}\n".encode("ascii")


def split_frames(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield label and content of each frame in order, trusting lengths alone.

    Raises: `ValueError` where the bytes are not a sequence of frames with plain lines between.
    """
    position = 0
    while position < len(data):
        found = _OPEN.match(data, position)
        if found is None:
            end = data.find(b"\n", position)
            position = len(data) if end < 0 else end + 1
            continue
        start, size = found.end(), int(found["n"])
        content = data[start : start + size]
        closing = (b"" if content.endswith(b"\n") else b"\n") + b">>>" + found["f"] + b"\n"
        if data[start + size : start + size + len(closing)] != closing:
            raise ValueError(f"frame at byte {position} is not closed where its length says")
        yield found["label"].decode("ascii"), content
        position = start + size + len(closing)
