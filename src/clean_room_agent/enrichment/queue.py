"""Which files are described, in which order: what most others build on comes first.

Takes: the index, the contents that are described already. Gives: `Waiting` files, each with its
rank and the reason for it. Does not know: models, or what a description says.

Order (rule 6): files before tests, then by how many files import them, then by how many commits
touched them, then by path. A run keeps to it, and passes over what its budget has no room for. A
file without a known language, and an empty one, is not described.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Signal
from clean_room_agent.repo.languages import is_code
from clean_room_agent.store.curated_reader import CuratedReader, FileRow

CRITERION = "files before tests, then importing files, then commits, then path"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One file to describe. `rank` counts over all files that can be described."""

    file: FileRow
    rank: int
    signals: tuple[Signal, ...]

    @property
    def reason(self) -> str:
        told = ", ".join(f"{signal.name} {signal.value:.0f}" for signal in self.signals)
        return f"rank {self.rank} by {CRITERION}: {told}"


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits, best first, and how many contents can be described in all."""

    waiting: tuple[Waiting, ...]
    total: int


def read_queue(reader: CuratedReader, described: Set[BlobId]) -> Queue:
    """Rank every file that can be described; leave out described contents.

    Equal contents are one: the best ranked path stands for all of them.
    """
    files = [f for f in reader.read_all_files() if is_code(f.language) and f.line_count > 0]
    importers = reader.count_importers()
    churn = {row.file_pk: row.commits for row in reader.read_churn(f.file_pk for f in files)}
    files.sort(
        key=lambda f: (
            f.is_test,
            -importers.get(f.file_pk, 0),
            -churn.get(f.file_pk, 0),
            f.path,
        )
    )
    first: dict[BlobId, FileRow] = {}
    for file in files:
        first.setdefault(file.blob_id, file)
    waiting = [
        Waiting(
            file,
            rank,
            (
                Signal("imported_by", float(importers.get(file.file_pk, 0)), 1.0),
                Signal("commits", float(churn.get(file.file_pk, 0)), 0.001),
            ),
        )
        for rank, file in enumerate(first.values(), start=1)
        if file.blob_id not in described
    ]
    return Queue(tuple(waiting), len(first))
