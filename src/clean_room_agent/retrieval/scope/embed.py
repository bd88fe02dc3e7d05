"""How near a file's code stands to the task in an embedding space: one declared signal.

Takes: a text, a `Meaning` (how it becomes a vector, the store of code vectors), the reader. Gives:
`Nearness`: files for the pool, and a measure. Does not know: models, or what a measure weighs.

It is measured only where [embed] is on, and it never judges: it proposes files and adds to scores
like any other signal, with the lines that it found nearest as its evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clean_room_agent.records.spelling import counted
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope.measure import Measure
from clean_room_agent.retrieval.scope.pool import FilePool
from clean_room_agent.retrieval.weights import EMBED_BEST_CHUNKS, EMBED_FILES
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from clean_room_agent.store.vectors import VectorHit, VectorStore

if TYPE_CHECKING:
    from clean_room_agent.store.vectors import Vectors

SIGNAL = "embed.cosine"
# The batch in which a text was embedded shows in the last digits of its vector; not in these.
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Meaning:
    """What compares a task with code: how a text becomes a vector, and the vectors of the code.

    `all_files` is the setting: without it only source files have vectors.
    """

    store: VectorStore
    vector_of: Callable[[str], Vectors]
    all_files: bool = False

    def wants(self, file: FileRow) -> bool:
        """Whether a file is to have vectors."""
        return self.all_files or not role_of(file)


class Nearness:
    """The files whose code is nearest to a text; without a `Meaning` there are none."""

    def __init__(self, text: str, meaning: Meaning | None, reader: CuratedReader) -> None:
        self._hits: dict[int, VectorHit] = {}
        self._is_on = meaning is not None
        self.warnings: tuple[str, ...] = ()
        if meaning is None:
            return
        files = [file for file in reader.read_all_files() if meaning.wants(file)]
        hits = meaning.store.search(meaning.vector_of(text), files, best=EMBED_BEST_CHUNKS)
        self._hits = {hit.file.file_pk: hit for hit in hits}
        if away := len(meaning.store.missing(files)):
            self.warnings = (f"{counted(away, 'content')} without vectors yet: cra index",)

    def fill(self, pool: FilePool) -> None:
        """Load the nearest files."""
        nearest = Cap(EMBED_FILES, "by cosine", "bounded pool")
        pool.add_keys(nearest.best({key: hit.score for key, hit in self._hits.items()}))

    def measure(self, pool: FilePool) -> list[Measure]:
        """One measure of the files in the pool: by how much the cosine passes a middling file's.

        The files of one repository are all alike: what they share tells nothing.
        """
        if not self._is_on:
            return []
        scores = {key: round(hit.score, _DIGITS) for key, hit in self._hits.items()}
        middle = sorted(scores.values())[(len(scores) - 1) // 2] if scores else 0.0
        values = {key: score - middle for key, score in scores.items() if key in pool.files}

        def explain(key: int) -> str:
            span = self._hits[key].span
            lines = f"{span.start_line}-{span.end_line}"
            return f"cosine {scores[key]:.{_DIGITS}f}, nearest at lines {lines}"

        positive = {key: value for key, value in values.items() if value > 0.0}
        return [Measure(SIGNAL, positive, explain)]
