"""What is described, in which order, and what a prompt shows of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clean_room_agent.enrichment.describe import SaidDescription
from clean_room_agent.enrichment.promote import choose_promotions
from clean_room_agent.enrichment.queue import Waiting, read_queue
from clean_room_agent.enrichment.room import build_room
from clean_room_agent.errors import UsageError
from clean_room_agent.llm.answers import parse_answer
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.answers import Description, Enrichment
from clean_room_agent.records.code import BlobId, EdgeKind
from clean_room_agent.records.context import ContextPackage, Detail, FragmentKind, Verdict
from clean_room_agent.records.task import RunId
from clean_room_agent.store.curated_reader import CuratedReader
from tests.support.curated import Commit, CuratedRepo, Edge, build_curated

COUNTER = UpperBoundCounter()
LONG = '"""Work."""\n\n\nclass Worker:\n    """Works."""\n\n    def run(self, task):\n' + (
    "        task.step()\n" * 400
)
FILES = {
    "core.py": "def base():\n    return 1\n",
    "often.py": "X = 1\n",
    "once.py": "Y = 1\n",
    "same.py": "Y = 1\n",
    "empty.py": "",
    "notes.txt": "not a program\n",
    "test_core.py": "import core\n",
    "long.py": LONG,
}


@pytest.fixture
def curated(tmp_path: Path) -> CuratedRepo:
    commits = [Commit("change", ["often.py"])] * 3 + [Commit("change", ["once.py"])]
    edges = [
        Edge(EdgeKind.IMPORT, "often.py", "core.py"),
        Edge(EdgeKind.IMPORT, "once.py", "core.py"),
        Edge(EdgeKind.IMPORT, "core.py", "test_core.py"),
        Edge(EdgeKind.IMPORT, "often.py", "test_core.py"),
        Edge(EdgeKind.IMPORT, "once.py", "test_core.py"),
    ]
    return build_curated(tmp_path, FILES, commits=commits, edges=edges)


def waiting_for(curated: CuratedRepo, path: str) -> tuple[Waiting, list]:
    with CuratedReader(curated.root) as reader:
        (found,) = [w for w in read_queue(reader, set()).waiting if w.file.path == path]
        return found, [row.symbol for row in reader.read_definitions(found.file.file_pk)]


def test_what_most_others_import_comes_first_then_what_changes_most_and_tests_last(
    curated: CuratedRepo,
) -> None:
    with CuratedReader(curated.root) as reader:
        queue = read_queue(reader, set())
    assert [w.file.path for w in queue.waiting] == [
        "core.py", "often.py", "once.py", "long.py", "test_core.py",
    ]  # fmt: skip
    assert "imported_by 2" in queue.waiting[0].reason
    assert queue.total == 5


def test_a_described_content_waits_no_more_and_equal_contents_are_one(curated: CuratedRepo) -> None:
    with CuratedReader(curated.root) as reader:
        first = read_queue(reader, set()).waiting[2]
        assert first.file.path == "once.py"  # `same.py` holds the same bytes
        left = read_queue(reader, {first.file.blob_id})
    assert [w.rank for w in left.waiting] == [1, 2, 4, 5]


def room_of(curated: CuratedRepo, path: str, budget: int) -> ContextPackage | str:
    waiting, symbols = waiting_for(curated, path)
    data = curated.files[path]
    return build_room(waiting, data, symbols, counter=COUNTER, budget_tokens=budget)


def test_a_file_that_fits_is_shown_whole_by_one_decision(curated: CuratedRepo) -> None:
    package = room_of(curated, "core.py", 10_000)
    assert isinstance(package, ContextPackage)
    (code,) = [f for f in package.fragments if f.kind is FragmentKind.CODE]
    assert code.content == curated.files["core.py"] and code.detail is Detail.FULL
    (decision,) = package.decisions
    assert decision.verdict is Verdict.INCLUDED and decision.judge == "enrich/1"
    assert "rank 1" in decision.reason
    assert package.fragments[0].kind is FragmentKind.INSTRUCTION


def test_a_file_that_does_not_fit_is_shown_as_whole_headers_as_they_stand_in_it(
    curated: CuratedRepo,
) -> None:
    """The scripted index gives only the name as signature, which is a part of each header."""
    whole = room_of(curated, "long.py", 100_000)
    assert isinstance(whole, ContextPackage)
    package = room_of(curated, "long.py", whole.tokens - 1)
    assert isinstance(package, ContextPackage)
    pieces = [f for f in package.fragments if f.kind is FragmentKind.CODE]
    assert [f.content for f in pieces] == [b'class Worker:\n    """Works."""', b"def run"]
    for piece in pieces:
        assert piece.span is not None and piece.detail is Detail.SIGNATURE
        data = curated.files["long.py"]
        assert data[piece.span.start_byte : piece.span.end_byte] == piece.content
        assert data.count(b"\n", 0, piece.span.start_byte) + 1 == piece.span.start_line
    assert package.tokens <= package.budget_tokens


def test_docstrings_leave_before_headers_do(tmp_path: Path) -> None:
    told = "x" * 4000
    text = f'class Worker:\n    """{told}"""\n\n    def run(self):\n        """{told}"""\n'
    made = build_curated(tmp_path, {"told.py": text})
    package = room_of(made, "told.py", 1200)
    assert isinstance(package, ContextPackage)
    pieces = [f.content for f in package.fragments if f.kind is FragmentKind.CODE]
    assert [piece.split()[-1] for piece in pieces] == [b"Worker", b"run"]
    # The control: where there is room, the docstrings are shown.
    whole = room_of(made, "told.py", 8800)
    assert isinstance(whole, ContextPackage) and whole.tokens > 1200


def test_a_file_whose_outline_does_not_fit_is_left_out_with_the_reason(
    curated: CuratedRepo,
) -> None:
    refused = room_of(curated, "long.py", 60)
    assert isinstance(refused, str) and "nothing is cut" in refused


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"purpose": "x", "concepts": "y", "relations": []}',
        '{"purpose": "x", "concepts": [], "relations": [], "more": 1}',
        '{"purpose": "' + "x" * 400 + '", "concepts": [], "relations": []}',
        '{"purpose": "x", "concepts": ["' + "y" * 90 + '"], "relations": []}',
        '{"purpose": "x", "concepts": ' + str(["y"] * 9).replace("'", '"') + ', "relations": []}',
    ],
    ids=["empty", "wrong type", "extra key", "long purpose", "long phrase", "many phrases"],
)
def test_a_description_is_bounded_and_strict(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_answer(text, SaidDescription)


def enrichment(name: str, blob_id: BlobId, path: str = "core.py") -> Enrichment:
    description = Description("p", (), ())
    return Enrichment(name, RunId("r-1"), "q-1", path, blob_id, "m", description)


def test_the_newest_description_of_each_present_content_is_promoted_once(
    curated: CuratedRepo,
) -> None:
    with CuratedReader(curated.root) as reader:
        files = reader.read_all_files()
    core = next(f.blob_id for f in files if f.path == "core.py")
    every = [enrichment("n-1", core), enrichment("n-2", core), enrichment("n-3", BlobId("gone"))]
    chosen, rule = choose_promotions(every, set(), files, ())
    assert [one.enrichment_id for one in chosen] == ["n-2"] and rule == "manual: all"
    assert choose_promotions(every, {"n-2"}, files, ())[0] == []
    chosen, rule = choose_promotions(every, set(), files, ("core.py",))
    assert [one.enrichment_id for one in chosen] == ["n-2"] and rule == "manual: core.py"


@pytest.mark.parametrize("path", ["once.py", "nowhere.py"])
def test_a_path_without_a_description_is_refused(curated: CuratedRepo, path: str) -> None:
    with CuratedReader(curated.root) as reader:
        files = reader.read_all_files()
    core = next(f.blob_id for f in files if f.path == "core.py")
    with pytest.raises(UsageError, match=path):
        choose_promotions([enrichment("n-1", core)], set(), files, ("core.py", path))
