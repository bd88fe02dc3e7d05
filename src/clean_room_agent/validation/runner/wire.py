"""The runner's end of the channel: frames in, signed frames out.

Takes: a descriptor and a key. Gives: `Wire`. Does not know: what is said.

Each frame out carries a keyed digest over its number and payload, so that code under test cannot
forge one by finding the descriptor, nor replay one by watching `os.write`. The functions used are
bound when the wire is opened. NOT guarded: code that walks this process's frames and closures for
the key. The canary and the scan of the diff are for that.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

DIGEST_BYTES = 16


class Wire(NamedTuple):
    """`send` a record; `receive` the next one, or None at the end of the channel."""

    send: Callable[[Any], None]
    receive: Callable[[], Any]
    close: Callable[[], None]
    fileno: int


def read_frame(fd: int) -> bytes | None:
    """Return the next frame's payload, or None at the end."""
    head = _read_exactly(fd, 4)
    return None if head is None else _read_exactly(fd, struct.unpack(">I", head)[0])


def _read_exactly(fd: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def open_wire(fd: int, key: bytes) -> Wire:
    """Open the wire for this process only: a forked child's `send` does nothing."""
    number = 0
    owner = os.getpid()
    write, getpid, dumps, blake = os.write, os.getpid, json.dumps, hashlib.blake2b
    pack = struct.pack

    def send(record: Any) -> None:
        nonlocal number
        if getpid() != owner:
            return
        payload = dumps(record, separators=(",", ":")).encode("ascii")
        digest = blake(pack(">Q", number) + payload, key=key, digest_size=DIGEST_BYTES).digest()
        number += 1
        rest = memoryview(pack(">I", len(digest) + len(payload)) + digest + payload)
        while rest:
            rest = rest[write(fd, rest) :]

    def receive() -> Any:
        frame = read_frame(fd)
        return None if frame is None else json.loads(frame)

    def close() -> None:
        os.close(fd)

    return Wire(send, receive, close, fd)
