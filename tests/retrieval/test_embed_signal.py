"""Embeddings are one signal more where they are on, and nothing at all where they are off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="numpy is not installed; the extra `embed` brings it")

from clean_room_agent.config.schema import EmbedConfig
from clean_room_agent.pipeline.embedding import embed_contents, meaning_of
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.context import Signal
from clean_room_agent.retrieval import retrieve
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.judge import RankedJudge
from clean_room_agent.retrieval.resolve import resolve_mentions
from clean_room_agent.retrieval.scope import Proposed, propose_files
from clean_room_agent.retrieval.scope.embed import SIGNAL, Meaning
from clean_room_agent.retrieval.search import SearchFilter, search
from clean_room_agent.retrieval.weights import SCOPE_WEIGHTS
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from tests.retrieval.sample import build_sample
from tests.support.curated import CuratedRepo
from tests.support.word_embedder import WordEmbedder

CONFIG = EmbedConfig(enabled=True)


@pytest.fixture
def repo(tmp_path: Path) -> CuratedRepo:
    return build_sample(tmp_path)


@pytest.fixture
def reader(repo: CuratedRepo) -> Iterator[CuratedReader]:
    with CuratedReader(repo.root) as opened:
        yield opened


def silent(_phase: str, _done: int, _total: int) -> None:
    return None


def embedded(repo: CuratedRepo, reader: CuratedReader, config: EmbedConfig = CONFIG) -> Meaning:
    embedder = WordEmbedder()

    def read(file: FileRow) -> bytes:
        return repo.read_source(file.path, file.blob_id)

    embed_contents(reader, read, repo.root, config, embedder, silent)
    return meaning_of(reader, repo.root, config, embedder)


def propose(reader: CuratedReader, task: str, meaning: Meaning | None) -> Proposed:
    return propose_files(resolve_mentions(parse_task(task), reader), reader, {}, meaning)


def signals(proposed: Proposed) -> dict[str, Signal]:
    return {c.path: s for c in proposed.candidates for s in c.signals if s.name == SIGNAL}


def test_the_nearest_code_speaks_for_its_file_and_is_the_evidence(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    task = "def tokenize: give the tokens of a text, return re.findall"
    found = signals(propose(reader, task, embedded(repo, reader)))
    best = found["src/pkg/lexer.py"]
    assert (best.value, best.weight) == (1.0, SCOPE_WEIGHTS[SIGNAL])
    assert best.evidence.startswith("cosine 0.")
    lines = repo.files["src/pkg/lexer.py"].decode().splitlines()
    first = int(best.evidence.rpartition(" ")[2].partition("-")[0])
    assert lines[first - 1] == "def tokenize(text):"


def test_it_proposes_a_file_that_no_other_signal_proposes(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    task = "something about zebras"  # no word of the index
    assert "src/pkg/unrelated.py" not in propose(reader, task, None).files
    with_meaning = propose(reader, task, embedded(repo, reader))
    assert "src/pkg/unrelated.py" in with_meaning.files
    assert "src/pkg/unrelated.py" in signals(with_meaning)


def test_off_is_the_ranking_as_it_is_with_vectors_in_the_store_or_without(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    task = "a unary minus loses its operand"
    before = propose(reader, task, None)
    on = propose(reader, task, embedded(repo, reader))
    assert propose(reader, task, None) == before
    assert SIGNAL in {s.name for c in on.candidates for s in c.signals}
    assert SIGNAL not in {s.name for c in before.candidates for s in c.signals}
    # The control: with the signal, the scores are others.
    assert [c.score for c in on.candidates] != [c.score for c in before.candidates]


def test_only_source_files_have_vectors_unless_all_are_asked_for(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    task = "unary minus operand"
    assert set(signals(propose(reader, task, embedded(repo, reader)))) <= {
        path for path in repo.files if path.startswith("src/pkg/")
    }
    every = EmbedConfig(enabled=True, all_files=True)
    assert "tests/test_parser.py" in signals(propose(reader, task, embedded(repo, reader, every)))


def test_content_without_vectors_is_said_and_not_made_up(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    meaning = embedded(repo, reader)
    assert propose(reader, "unary minus", meaning).warnings == ()
    gone = {file.path: file for file in reader.read_all_files()}["src/pkg/parser.py"]
    meaning.store.retain(key for key in reader.read_blob_keys() if key[0] != gone.blob_id)
    proposed = propose(reader, "unary minus", meaning)
    assert proposed.warnings == ("1 content without vectors yet: cra index",)
    assert "src/pkg/parser.py" not in signals(proposed)


def test_the_signal_is_in_the_decisions_of_a_package_and_of_a_search(
    repo: CuratedRepo, reader: CuratedReader
) -> None:
    meaning = embedded(repo, reader)
    package = retrieve(
        "cut text into tokens",
        reader=reader,
        read_source=repo.read_source,
        budget_tokens=4_000,
        judge=RankedJudge(),
        counter=UpperBoundCounter(),
        meaning=meaning,
    )
    scope = next(stage for stage in package.stages if stage.name == "scope")
    logged = {d.candidate.path: d.candidate.signals for d in scope.decisions}
    assert SIGNAL in {signal.name for signal in logged["src/pkg/lexer.py"]}
    hits = search(
        "cut text into tokens",
        reader=reader,
        read_source=repo.read_source,
        top_k=3,
        filters=SearchFilter(),
        meaning=meaning,
    )
    assert hits[0].path == "src/pkg/lexer.py"
