"""Hold the bytes of the files that may be shown, each proven to be what the index parsed.

Takes: a function that reads a path. Gives: bytes whose git object id is the indexed one. Does not
know: where the bytes come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from clean_room_agent.errors import StoreError
from clean_room_agent.records.code import BlobId, Span

ReadSource = Callable[[str, BlobId], bytes]


class Sources:
    """Reads each file once.

    Raises: `StoreError` where the bytes are not the indexed content, so that a stored range
    never cuts another text than the one it was made for.
    """

    def __init__(self, read_source: ReadSource) -> None:
        self._read_source = read_source
        self._data: dict[tuple[str, BlobId], bytes] = {}

    def read(self, path: str, blob_id: BlobId) -> bytes:
        key = (path, blob_id)
        if key not in self._data:
            data = self._read_source(path, blob_id)
            if git_blob_id(data, blob_id) != blob_id:
                raise StoreError(
                    "the file changed after it was indexed", where=path, hint="cra index"
                )
            self._data[key] = data
        return self._data[key]

    def slice(self, path: str, blob_id: BlobId, span: Span) -> bytes:
        data = self.read(path, blob_id)
        if not 0 <= span.start_byte <= span.end_byte <= len(data):
            raise StoreError(
                f"the index holds a range outside the file: {span}",
                where=path,
                hint="cra index --full",
            )
        return data[span.start_byte : span.end_byte]


def git_blob_id(data: bytes, like: BlobId) -> BlobId:
    """The git object id of the bytes, in the hash that `like` is written in."""
    header = b"blob %d\x00" % len(data)
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return BlobId(algorithm(header + data, usedforsecurity=False).hexdigest())


def whole_span(data: bytes) -> Span:
    """The span of all bytes; a file without a last line end counts its last line."""
    lines = data.count(b"\n") + (0 if data.endswith(b"\n") or not data else 1)
    return Span(0, len(data), 1, max(1, lines))
