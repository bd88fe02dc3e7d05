"""Vectors are made for new content only, of ranges that are the file's own, and can be lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="numpy is not installed; the extra `embed` brings it")

from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.pipeline.embedding import EmbedReport, embed_contents, meaning_of
from clean_room_agent.store.connect import Role, database_path
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from clean_room_agent.store.vectors import VectorHit
from tests.indexing.support import index
from tests.support.git import GitRepo
from tests.support.processes import Voice
from tests.support.processes import child as child_of
from tests.support.word_embedder import WordEmbedder

CONFIG = EmbedConfig(enabled=True, chunk_tokens=24)
LONG = "def long(value):\n" + "".join(f"    value += alpha_{n} + beta\n" for n in range(60))
FILES = {
    "app/money.py": "import os\n\n\nclass Purse:\n    '''Holds coins.'''\n\n    def pay(self):\n"
    "        return self.coins - sum\n\n\ndef share(total, people):\n    return total // people\n",
    "app/long.py": LONG + "\n\ndef short(value):\n    return gamma(value)\n",
    "app/copy.py": LONG + "\n\ndef short(value):\n    return gamma(value)\n",
    "tests/test_money.py": "def test_share():\n    assert share(4, 2) == 2\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[GitRepo]:
    made = GitRepo(tmp_path / "repo")
    (made.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    made.commit(FILES, "start")
    yield made


def silent(_phase: str, _done: int, _total: int) -> None:
    return None


def embed(
    root: Path, embedder: WordEmbedder | None = None, config: EmbedConfig = CONFIG
) -> tuple[EmbedReport, WordEmbedder]:
    embedder = embedder or WordEmbedder()
    index(root)
    with CuratedReader(root) as reader:

        def read(file: FileRow) -> bytes | None:
            place = root / file.path
            return place.read_bytes() if place.is_file() else None

        return embed_contents(reader, read, root, config, embedder, silent), embedder


def hits(root: Path, text: str, config: EmbedConfig = CONFIG) -> dict[str, VectorHit]:
    with CuratedReader(root) as reader:
        meaning = meaning_of(reader, root, config, WordEmbedder())
        found = meaning.store.search(meaning.vector_of(text), reader.read_all_files())
    return {hit.file.path: hit for hit in found}


def test_content_is_embedded_once_whatever_its_paths(repo: GitRepo) -> None:
    first, _ = embed(repo.root)
    assert (first.blobs, first.stored_blobs) == (2, 2)
    assert first.chunks == first.stored_chunks
    assert set(hits(repo.root, "coins")) == {"app/money.py", "app/long.py", "app/copy.py"}
    again, embedder = embed(repo.root)
    assert (again.blobs, again.chunks, embedder.texts) == (0, 0, [])
    assert again.stored_chunks == first.stored_chunks


def test_only_what_changed_is_embedded_and_a_branch_switch_finds_what_was(repo: GitRepo) -> None:
    embed(repo.root)
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"app/money.py": "def spend(coins):\n    return coins - 1\n"}, "other")
    report, embedder = embed(repo.root)
    assert (report.blobs, report.chunks) == (1, 1)
    assert [text.strip() for text in embedder.texts] == [
        "spend\ndef spend(coins):\n    return coins - 1"
    ]
    repo.git("checkout", "-q", "-")
    back, _ = embed(repo.root)
    assert back.blobs == 0
    assert "app/money.py" in hits(repo.root, "Purse")


def test_a_chunk_is_the_start_of_an_item_under_its_name_and_its_range_is_its_bytes(
    repo: GitRepo,
) -> None:
    _, embedder = embed(repo.root)
    assert "Purse\nclass Purse:\n" in {text[:19] for text in embedder.texts}
    for name in ("money", "long"):
        found = hits(repo.root, f"{name} value coins")[f"app/{name}.py"]
        data = (repo.root / f"app/{name}.py").read_bytes()
        chunk = data[found.span.start_byte : found.span.end_byte].decode()
        assert any(text.endswith(chunk) for text in embedder.texts)
        assert found.span.start_line == data[: found.span.start_byte].count(b"\n") + 1
        whole = chunk.rstrip("\n").count("\n")
        assert found.span.end_line == found.span.start_line + whole


def test_more_chunks_of_a_long_item_are_embedded_where_it_is_asked(repo: GitRepo) -> None:
    one, embedder = embed(repo.root)
    longest = [text for text in embedder.texts if text.startswith("long\n")]
    assert len(longest) == 1
    assert longest[0].endswith("\n")  # cut at a line
    assert "alpha_59" not in longest[0]
    more = EmbedConfig(enabled=True, chunk_tokens=24, item_chunks=100)
    all_of_it, embedder = embed(repo.root, config=more)
    pieces = [text.removeprefix("long\n") for text in embedder.texts if text.startswith("long\n")]
    assert "".join(pieces).rstrip() == LONG.rstrip()
    assert all_of_it.chunks > one.chunks


def test_names_and_lines_longer_than_a_chunk_and_bytes_that_are_no_text(repo: GitRepo) -> None:
    name = "_".join(["very"] * 60)
    words = " + ".join(f"word{chr(97 + n % 26)}" for n in range(200))
    files = {
        "app/name.py": f"def {name}(x):\n    return x\n",
        "app/line.py": f"def wide(worda):\n    return {words}\n",
        "app/bytes.py": b"# caf\xe9\ndef latin(x):\n    return '\xff\xfe'\n",
        "app/empty.py": "",
    }
    for path, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (repo.root / path).write_bytes(data)
    report, embedder = embed(repo.root)
    assert report.stored_blobs == 6
    # The name does not push its own code out of the chunk.
    assert not any(text.startswith(f"{name}\n") for text in embedder.texts)
    assert any(text.startswith("def very_very") for text in embedder.texts)
    assert all(embedder.fit([text], CONFIG.chunk_tokens) == [len(text)] for text in embedder.texts)


def test_lost_vectors_are_made_again(repo: GitRepo) -> None:
    before, _ = embed(repo.root)
    scores = {path: hit.score for path, hit in hits(repo.root, "share people").items()}
    for path in database_path(Role.VECTORS, repo.root).parent.glob("vectors.sqlite*"):
        path.unlink()
    assert hits(repo.root, "share people") == {}
    after, _ = embed(repo.root)
    assert after.chunks == before.chunks
    assert {path: hit.score for path, hit in hits(repo.root, "share people").items()} == scores


def test_content_that_is_gone_under_the_run_is_left_for_the_next_one(repo: GitRepo) -> None:
    index(repo.root)
    embedder = WordEmbedder()
    with CuratedReader(repo.root) as reader:
        gone = embed_contents(
            reader,
            lambda file: None if "money" in file.path else (repo.root / file.path).read_bytes(),
            repo.root,
            CONFIG,
            embedder,
            silent,
        )
    assert (gone.blobs, gone.stale) == (1, 1)
    later, _ = embed(repo.root)
    assert (later.blobs, later.stale) == (1, 0)


def test_a_killed_run_keeps_what_it_finished_and_the_next_makes_the_rest(repo: GitRepo) -> None:
    many = {f"app/m{n}.py": f"def item_{chr(97 + n % 26)}{n}():\n    pass\n" for n in range(60)}
    repo.commit(many, "many")
    index(repo.root)

    def work(voice: Voice) -> None:
        with CuratedReader(repo.root) as reader:

            def tell(_phase: str, done: int, _total: int) -> None:
                voice.say(str(done))
                voice.wait()  # until the parent kills it

            def read(file: FileRow) -> bytes:
                return (repo.root / file.path).read_bytes()

            embed_contents(reader, read, repo.root, CONFIG, WordEmbedder(), tell)
        os.abort()

    with child_of(work) as child:
        done = int(child.read_line())
        child.kill()
        assert child.wait().killed
    assert 0 < done < 60
    report, embedder = embed(repo.root)
    assert (report.blobs, report.stored_blobs) == (62 - done, 62)
    assert len(embedder.texts) == report.chunks
