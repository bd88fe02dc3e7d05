"""Frames on the channel between a program and its parent: four bytes of length, then the data.

Takes: bytes as they come. Gives: whole frames. Does not know: what a frame means.
"""

from __future__ import annotations

import struct

LENGTH = struct.Struct(">I")


def pack_frame(data: bytes) -> bytes:
    return LENGTH.pack(len(data)) + data


class FrameReader:
    """Cuts a byte stream into frames; `overflowed` once a frame claims more than `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pending = bytearray()
        self.overflowed = False

    def feed(self, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        self._pending += data
        start = 0
        while not self.overflowed and len(self._pending) - start >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._pending, start)
            if size > self._limit_bytes:
                self.overflowed = True
                break
            end = start + LENGTH.size + size
            if end > len(self._pending):
                break
            frames.append(bytes(self._pending[start + LENGTH.size : end]))
            start = end
        del self._pending[:start]
        return frames
