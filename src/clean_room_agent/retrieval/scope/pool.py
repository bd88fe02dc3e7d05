"""The files under consideration: loaded once, reachable by key and by content.

Takes: file rows. Gives: rows by key and keys by blob. Does not know: why a file is in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from clean_room_agent.store.curated_reader import CuratedReader, FileRow


class FilePool:
    """Grows as signals propose files; a file is read from the index once."""

    def __init__(self, reader: CuratedReader) -> None:
        self._reader = reader
        self._files: dict[int, FileRow] = {}
        self._by_blob: dict[int, list[int]] = {}

    def add(self, files: Iterable[FileRow]) -> None:
        for file in files:
            if file.file_pk not in self._files:
                self._files[file.file_pk] = file
                self._by_blob.setdefault(file.blob_pk, []).append(file.file_pk)

    def add_keys(self, keys: Iterable[int]) -> None:
        self.add(self._reader.read_files(key for key in keys if key not in self._files))

    def add_blobs(self, blob_pks: Iterable[int]) -> None:
        new = [blob_pk for blob_pk in blob_pks if blob_pk not in self._by_blob]
        self.add(self._reader.read_files_of_blobs(new))

    def spread(self, by_blob: dict[int, float]) -> dict[int, float]:
        """Values by content as values by file, for the files in the pool."""
        return {
            key: value for blob, value in by_blob.items() for key in self._by_blob.get(blob, ())
        }

    @property
    def files(self) -> dict[int, FileRow]:
        return self._files
