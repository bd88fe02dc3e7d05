"""Read what a client sends on stdin, line by line, with a bound; end the reading at will.

Takes: descriptor 0. Gives: `Wire`: a text stream that ends when the client goes away or `close` is
called. Does not know: what a line says.

A blocking read of stdin cannot be ended from outside, so a thread that nobody waits for reads it
and passes whole lines on. A line over the bound is not kept: one short line that is no JSON stands
for it, which is answered as such. Descriptor 0 is empty from then on for us and our children.
"""

from __future__ import annotations

import fcntl
import io
import os
import socket
import threading

MAX_LINE_BYTES = 4 * 1024 * 1024
TOO_LONG = f"a message of more than {MAX_LINE_BYTES} bytes was not read\n".encode()
_BLOCK_BYTES = 65_536


class Wire:
    """The lines of stdin."""

    def __init__(self) -> None:
        self._stdin = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
        self._there, self._here = socket.socketpair()
        self.lines = io.TextIOWrapper(
            self._here.makefile("rb"), encoding="utf-8", errors="replace", newline="\n"
        )
        threading.Thread(target=self._pass_on, name="stdin", daemon=True).start()

    def close(self) -> None:
        """End the stream of lines."""
        try:
            self._there.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself

    def _pass_on(self) -> None:
        kept = bytearray()
        is_too_long = False
        try:
            while block := os.read(self._stdin, _BLOCK_BYTES):
                *ends, rest = block.split(b"\n")
                for end in ends:
                    kept += end
                    self._send(TOO_LONG if _over(is_too_long, kept) else bytes(kept) + b"\n")
                    kept.clear()
                    is_too_long = False
                kept += rest
                is_too_long = _over(is_too_long, kept)
                if is_too_long:
                    kept.clear()
        except OSError:
            return  # the other end was closed, or stdin cannot be read: both end the stream
        finally:
            self.close()

    def _send(self, line: bytes) -> None:
        self._there.sendall(line)


def _over(was_too_long: bool, kept: bytearray) -> bool:
    return was_too_long or len(kept) > MAX_LINE_BYTES
