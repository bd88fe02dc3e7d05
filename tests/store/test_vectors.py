"""The store of vectors: by content, by cosine, filtered, checked, and shared by threads."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("numpy", reason="numpy is not installed; the extra `embed` brings it")
import numpy as np

from clean_room_agent.errors import StoreError, VectorError
from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.curated_reader import FileRow
from clean_room_agent.store.vectors import (
    BlobVectors,
    VectorFilter,
    VectorStore,
    blob_key,
)
from tests.support.processes import Voice
from tests.support.processes import child as child_of

if TYPE_CHECKING:
    from clean_room_agent.store.vectors import Vectors

SIZE = 4


def file(path: str, blob: str = "", *, language: str = "python", is_test: bool = False) -> FileRow:
    blob_id = BlobId(blob or path.replace("/", "-"))
    return FileRow(1, path, 1, blob_id, 10, language, is_test, 1)


def blob(of: FileRow, *rows: list[float]) -> BlobVectors:
    spans = tuple(Span(10 * n, 10 * n + 10, n + 1, n + 1) for n in range(len(rows)))
    vectors = np.array(rows, np.float32).reshape(-1, SIZE)
    return BlobVectors(blob_key(of), spans, vectors)


def axis(place: int, length: float = 1.0) -> list[float]:
    return [length if index == place else 0.0 for index in range(SIZE)]


def query(*values: float) -> Vectors:
    return np.array(values, np.float32)


@pytest.fixture
def store(tmp_path: Path) -> VectorStore:
    return VectorStore(tmp_path, "way-1")


def test_only_contents_without_vectors_are_missing_and_each_once(store: VectorStore) -> None:
    a, same, b = file("a.py", "one"), file("copy.py", "one"), file("b.py", "two")
    assert store.missing([a, same, b]) == [a, b]
    store.add([blob(a, axis(0))])
    assert store.missing([a, same, b]) == [b]
    other_language = file("one.js", "one", language="javascript")
    assert store.missing([other_language]) == [other_language]


def test_a_content_without_chunks_is_done_and_never_found(store: VectorStore) -> None:
    empty = file("empty.py")
    store.add([BlobVectors(blob_key(empty), (), np.zeros((0, SIZE), np.float32))])
    assert store.missing([empty]) == []
    assert store.search(query(1, 0, 0, 0), [empty]) == []
    assert store.count() == (1, 0)


def test_the_nearest_file_is_first_whatever_the_lengths(store: VectorStore) -> None:
    near, far, middle = file("near.py"), file("far.py"), file("middle.py")
    store.add([blob(far, axis(1, 9.0)), blob(near, axis(0, 0.1)), blob(middle, [1, 1, 0, 0])])
    hits = store.search(query(5, 0, 0, 0), [far, near, middle])
    assert [hit.file.path for hit in hits] == ["near.py", "middle.py", "far.py"]
    assert [round(hit.score, 4) for hit in hits] == [1.0, 0.7071, 0.0]


def test_a_file_counts_by_its_best_chunks_and_says_where_the_best_is(store: VectorStore) -> None:
    both = file("both.py")
    store.add([blob(both, axis(1), axis(0), axis(2))])
    one = store.search(query(1, 0, 0, 0), [both])[0]
    assert (one.score, one.span.start_line) == (1.0, 2)
    two = store.search(query(1, 0, 0, 0), [both], best=2)[0]
    assert two.score == pytest.approx(0.5)
    assert store.search(query(1, 0, 0, 0), [both], best=9)[0].score == pytest.approx(1 / 3)


def test_filters_decide_which_files_are_compared(store: VectorStore) -> None:
    files = [
        file("src/a.py"),
        file("src/b.js", language="javascript"),
        file("tests/test_a.py", is_test=True),
        file("srcs/c.py"),
    ]
    store.add([blob(one, axis(0)) for one in files])

    def paths(filters: VectorFilter) -> set[str]:
        return {hit.file.path for hit in store.search(query(1, 0, 0, 0), files, filters=filters)}

    assert len(paths(VectorFilter())) == 4
    assert paths(VectorFilter(path_prefix="src/")) == {"src/a.py", "src/b.js"}
    assert paths(VectorFilter(language="javascript")) == {"src/b.js"}
    assert paths(VectorFilter(is_test=True)) == {"tests/test_a.py"}
    assert paths(VectorFilter(path_prefix="src/", language="python", is_test=False)) == {"src/a.py"}


def test_one_content_at_two_paths_is_found_at_both(store: VectorStore) -> None:
    a, b = file("a.py", "one"), file("b.py", "one")
    store.add([blob(a, axis(0))])
    assert [hit.file.path for hit in store.search(query(1, 0, 0, 0), [b, a])] == ["a.py", "b.py"]


BAD = {
    "not a number": ([float("nan"), 0, 0, 0], "zero or not finite"),
    "infinite": ([float("inf"), 0, 0, 0], "zero or not finite"),
    "zero": ([0, 0, 0, 0], "zero or not finite"),
}


@pytest.mark.parametrize(("row", "message"), BAD.values(), ids=BAD.keys())
def test_a_vector_that_has_no_direction_is_refused_and_nothing_is_written(
    store: VectorStore, row: list[float], message: str
) -> None:
    with pytest.raises(VectorError, match=message) as caught:
        store.add([blob(file("good.py"), axis(0)), blob(file("bad.py"), row)])
    assert (caught.value.exit_code, caught.value.code) == (6, "vectors")
    assert store.count() == (0, 0)
    store.add([blob(file("good.py"), axis(0))])
    with pytest.raises(VectorError, match=message):
        store.search(query(*row), [file("good.py")])


def test_another_dimension_is_refused(store: VectorStore) -> None:
    store.add([blob(file("a.py"), axis(0))])
    wide = BlobVectors(blob_key(file("b.py")), (Span(0, 1, 1, 1),), np.ones((1, 5), np.float32))
    with pytest.raises(VectorError, match="4 numbers, not 5"):
        store.add([wide])
    with pytest.raises(VectorError, match="of 5 and of 4"):
        store.add([blob(file("c.py"), axis(0)), wide])
    with pytest.raises(VectorError, match="4 numbers, not 3"):
        store.search(query(1, 0, 0), [file("a.py")])
    assert store.count() == (1, 1)


def test_as_many_vectors_as_chunks(store: VectorStore) -> None:
    short = BlobVectors(blob_key(file("a.py")), (), np.ones((1, SIZE), np.float32))
    with pytest.raises(VectorError, match="0 chunks have 1 vectors"):
        store.add([short])
    flat = BlobVectors(blob_key(file("a.py")), (), np.ones(SIZE, np.float32))
    with pytest.raises(VectorError, match="no rows of numbers"):
        store.add([flat])


def test_another_way_to_make_vectors_sees_none_of_these(store: VectorStore, tmp_path: Path) -> None:
    one = file("a.py")
    store.add([blob(one, axis(0))])
    other = VectorStore(tmp_path, "way-2")
    assert other.missing([one]) == [one]
    assert other.search(query(1, 0, 0, 0, 0), [one]) == []
    assert other.count() == (0, 0)


def test_what_is_not_kept_is_dropped_with_its_vectors(store: VectorStore, tmp_path: Path) -> None:
    kept, gone = file("kept.py"), file("gone.py")
    store.add([blob(kept, axis(0)), blob(gone, axis(1), axis(2))])
    VectorStore(tmp_path, "way-2").add([blob(kept, axis(3))])
    keys = [blob_key(kept), blob_key(file("new.py"))]
    assert store.count_others(keys) == 2
    assert store.retain(keys) == 2
    assert store.count() == (1, 1)
    assert store.missing([kept, gone]) == [gone]
    assert store.retain(keys) == 0
    with closing(sqlite3.connect(database_path(Role.VECTORS, tmp_path))) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (1,)
        assert connection.execute("SELECT digest FROM embedders").fetchall() == [("way-1",)]


def test_the_same_content_from_two_writers_is_kept_once(store: VectorStore) -> None:
    one = file("a.py")
    store.add([blob(one, axis(0))])
    store.add([blob(one, axis(1)), blob(file("b.py"), axis(1))])
    assert store.count() == (2, 2)
    assert store.search(query(1, 0, 0, 0), [one])[0].score == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE vectors SET vector = x'00'", "has not 16 bytes"),
        ("UPDATE vectors SET vector = zeroblob(16)", "zero or not finite"),
        ("UPDATE vectors SET vector = x'0000c07f000000000000000000000000'", "zero or not finite"),
    ],
)
def test_a_damaged_vector_is_named_and_the_way_out(
    store: VectorStore, tmp_path: Path, change: str, message: str
) -> None:
    store.add([blob(file("a.py"), axis(0))])
    with closing(sqlite3.connect(database_path(Role.VECTORS, tmp_path))) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(VectorError, match=message) as caught:
        store.search(query(1, 0, 0, 0), [file("a.py")])
    assert "delete the file" in caught.value.hint


def test_a_foreign_file_is_refused_as_in_the_other_stores(store: VectorStore) -> None:
    path = database_path(Role.VECTORS, store.repo_path)
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE vectors (a)")
        connection.commit()
    with pytest.raises(StoreError, match="not a vectors database"):
        store.missing([file("a.py")])


def test_readers_and_writers_in_threads_see_whole_contents(store: VectorStore) -> None:
    files = [file(f"{n}.py") for n in range(40)]
    chunks = [axis(0), axis(1), axis(2)]
    begin = threading.Barrier(6)
    written = threading.Event()

    def write(part: list[FileRow]) -> None:
        begin.wait()
        for one in part:
            store.add([blob(one, *chunks)])

    def read() -> list[int]:
        begin.wait()
        seen = []
        while True:
            last = written.is_set()
            hits = store.search(query(1, 1, 1, 0), files, best=3)
            assert all(hit.score == pytest.approx(3**-0.5) for hit in hits)
            seen.append(len(hits))
            if last:
                return seen

    with ThreadPoolExecutor(6) as pool:
        # Two writers write the same half, so that they meet.
        writers = [pool.submit(write, files[:20]), pool.submit(write, files[20:])]
        writers.append(pool.submit(write, files[:20]))
        readers = [pool.submit(read) for _ in range(3)]
        for writer in writers:
            writer.result()
        written.set()
        found = [reader.result() for reader in readers]
    assert all(seen == sorted(seen) and seen[-1] == 40 for seen in found)
    assert store.count() == (40, 120)


def test_what_a_killed_writer_had_written_stays(store: VectorStore) -> None:
    def write(voice: Voice) -> None:
        for number in range(1000):
            store.add([blob(file(f"{number}.py"), axis(0), axis(1))])
            voice.say(str(number))
        os.abort()

    with child_of(write) as child:
        while child.read_line() != "5":
            pass
        child.kill()
        assert child.wait().killed
    blobs, vectors = store.count()
    assert blobs >= 6
    assert vectors == 2 * blobs
    store.add([blob(file("after.py"), axis(0))])
    assert store.count() == (blobs + 1, vectors + 1)
