"""Make the vectors of new code, and the `Meaning` of a run: where [embed] is on.

Takes: the [embed] section, a repository with its index, the room whose store keeps the vectors.
Gives: `embed_new`, `open_meaning`, `drop_vectors`. Does not know: how text becomes a vector, or
what the signal is worth.

Code is cut where the index says that definitions begin and end, so a chunk is the start of one
function, class outline or header, under its own name. Content that has vectors is not embedded
again. Whole contents are written as they are done: what a killed run finished stays. The model's
module is loaded where one is asked, so that a verb with embeddings off loads none.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.errors import RepositoryError
from clean_room_agent.records.code import Span
from clean_room_agent.repo.files import MAX_FILE_BYTES
from clean_room_agent.repo.git import Repository
from clean_room_agent.retrieval.precision.units import Unit, cut_units
from clean_room_agent.retrieval.scope.embed import Meaning
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from clean_room_agent.store.vectors import BlobVectors, VectorStore, blob_key

if TYPE_CHECKING:
    from clean_room_agent.store.vectors import Vectors

# Raised whenever the same code would be cut or named in another way.
CUT = "2"
_CONTENTS_TOGETHER = 16
_QUERY_BATCH = 1


class TextEmbedder(Protocol):
    """What is asked of a model: see `llm.embedding.Embedder`. `key` names it by its bytes."""

    key: str

    @property
    def window(self) -> int: ...

    def fit(self, texts: Sequence[str], tokens: int) -> list[int]: ...

    def embed(self, texts: Sequence[str], batch: int) -> Vectors: ...


Progress = Callable[[str, int, int], None]
ReadContent = Callable[[FileRow], bytes | None]


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What one run embedded: contents, chunks, contents that changed under it; and all there is."""

    blobs: int
    chunks: int
    stale: int
    stored_blobs: int
    stored_chunks: int
    seconds: float


def embed_new(
    repository: Repository, home: Path, config: EmbedConfig, progress: Progress
) -> EmbedReport:
    """Embed every content of the index that has no vectors yet.

    `home` is the root whose room keeps the vectors; an export of a commit shares them.

    Raises: ConfigError for the model or the extra, StoreError for the store.
    """
    from clean_room_agent.llm.embedding import open_embedder

    def read(file: FileRow) -> bytes | None:
        try:
            data = repository.read_file(file.path, limit_bytes=MAX_FILE_BYTES)
        except RepositoryError:
            return None  # it is gone or changed since it was indexed; the next index sees it
        return data if repository.hash_bytes(data) == file.blob_id else None

    with CuratedReader(repository.root) as reader:
        return embed_contents(reader, read, home, config, open_embedder(config), progress)


def embed_contents(
    reader: CuratedReader,
    read: ReadContent,
    home: Path,
    config: EmbedConfig,
    embedder: TextEmbedder,
    progress: Progress,
) -> EmbedReport:
    """As `embed_new`, with the contents from wherever `read` has them; None = not there now."""
    started = time.monotonic()
    meaning = meaning_of(reader, home, config, embedder)
    wanted = meaning.store.missing(f for f in reader.read_all_files() if meaning.wants(f))
    cutter = _Cutter(reader, embedder, config)
    files = iter(wanted)
    done = chunks = stale = 0
    while part := list(islice(files, _CONTENTS_TOGETHER)):
        found = [(file, data) for file in part if (data := read(file)) is not None]
        made = cutter.embed(found)
        meaning.store.add(made)
        chunks += sum(len(blob.spans) for blob in made)
        stale += len(part) - len(found)
        done += len(part)
        progress("embed", done, len(wanted))
    seconds = time.monotonic() - started
    return EmbedReport(done - stale, chunks, stale, *meaning.store.count(), seconds)


def open_meaning(reader: CuratedReader, home: Path, config: EmbedConfig) -> Meaning | None:
    """What compares a task with the code of this index; None where [embed] is off."""
    if not config.enabled:
        return None
    from clean_room_agent.llm.embedding import open_embedder

    return meaning_of(reader, home, config, open_embedder(config))


def drop_vectors(reader: CuratedReader, home: Path, config: EmbedConfig, *, dry_run: bool) -> int:
    """Drop the vectors of contents that the index does not keep; say how many (would) go."""
    from clean_room_agent.llm.embedding import open_embedder

    store = meaning_of(reader, home, config, open_embedder(config)).store
    keys = reader.read_blob_keys()
    return store.count_others(keys) if dry_run else store.retain(keys)


def meaning_of(
    reader: CuratedReader, home: Path, config: EmbedConfig, embedder: TextEmbedder
) -> Meaning:
    """The store that this embedder's vectors of this index are in, and how it reads a task.

    The digest covers all that decides which ranges there are and what their vectors hold.
    """
    way = (embedder.key, CUT, reader.read_meta()["format"], config.chunk_tokens, config.item_chunks)
    digest = hashlib.sha256("\n".join(map(str, way)).encode("ascii")).hexdigest()

    def vector_of(text: str) -> Vectors:
        start = text[: embedder.fit([text], embedder.window)[0]]
        row: Vectors = embedder.embed([start], _QUERY_BATCH)[0]
        return row

    return Meaning(VectorStore(home, digest), vector_of, config.all_files)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk to be: its text with the item's name above it, and its range."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts contents into chunks that fit, and embeds those of several contents together."""

    reader: CuratedReader
    embedder: TextEmbedder
    config: EmbedConfig

    def embed(self, files: Sequence[tuple[FileRow, bytes]]) -> list[BlobVectors]:
        cut = [(file, self._pieces(file, data)) for file, data in files]
        texts = [piece.text for _, pieces in cut for piece in pieces]
        rows = self.embedder.embed(texts, self.config.batch)
        made, first = [], 0
        for file, pieces in cut:
            end = first + len(pieces)
            spans = tuple(piece.span for piece in pieces)
            made.append(BlobVectors(blob_key(file), spans, rows[first:end]))
            first = end
        return made

    def _pieces(self, file: FileRow, data: bytes) -> list[_Piece]:
        symbols = self.reader.read_definitions(file.file_pk)
        units = cut_units(file, symbols, self.reader.read_import_lines(file.blob_pk), data)
        rests = [(unit, 0) for unit in units]
        found: list[_Piece] = []
        for _ in range(self.config.item_chunks):
            rests = [pair for pair in rests if pair[0].content[pair[1] :].strip()]
            rests = list(self._cut(rests, found))
        return sorted(found, key=lambda piece: piece.span.start_byte)

    def _cut(
        self, rests: Sequence[tuple[Unit, int]], found: list[_Piece]
    ) -> Iterator[tuple[Unit, int]]:
        """Cut one chunk off each rest; gives what is left, by its offset in the item.

        A name that takes more than half of a chunk is left out of its text.
        """
        most = self.config.chunk_tokens
        names = [f"{unit.name}\n" for unit, _ in rests]
        short = self.embedder.fit(names, most // 2)
        names = [name if fit == len(name) else "" for name, fit in zip(names, short, strict=True)]
        texts = [unit.content[at:].decode("utf-8", "surrogateescape") for unit, at in rests]
        fits = self.embedder.fit([a + b for a, b in zip(names, texts, strict=True)], most)
        for (unit, offset), name, text, fit in zip(rests, names, texts, fits, strict=True):
            head = _whole_lines(text, max(1, fit - len(name)))
            size = len(head.encode("utf-8", "surrogateescape"))
            found.append(_Piece(name + head, _part(unit, offset, size)))
            yield unit, offset + size


def _whole_lines(text: str, characters: int) -> str:
    """The first characters of a text, back to the last line end among them where there is one."""
    if characters >= len(text):
        return text
    return text[: text.rfind("\n", 0, characters) + 1 or characters]


def _part(unit: Unit, offset: int, size: int) -> Span:
    before, part = unit.content[:offset], unit.content[offset : offset + size]
    first = unit.span.start_line + before.count(b"\n")
    last = first + part.rstrip(b"\n").count(b"\n")
    start = unit.span.start_byte + offset
    return Span(start, start + size, first, last)
