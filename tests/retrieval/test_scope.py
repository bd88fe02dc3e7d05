"""Each signal of the file stage alone, on a small repository."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import Candidate, Signal
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.resolve import MarkKind, Resolution, resolve_mentions
from clean_room_agent.retrieval.roles import role_of
from clean_room_agent.retrieval.scope import Proposed, propose_files
from clean_room_agent.store.curated_reader import CuratedReader, FileRow
from tests.retrieval.sample import build_sample
from tests.support.curated import build_curated


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def propose(reader: CuratedReader, task: str, **suspicious: object) -> Proposed:
    lines = {"src/pkg/printer.py": {2: 0.9, 1: 0.4}} if suspicious else {}
    return propose_files(resolve_mentions(parse_task(task), reader), reader, lines)


def find(proposed: Proposed, path: str) -> Candidate:
    return next(candidate for candidate in proposed.candidates if candidate.path == path)


def signals(proposed: Proposed, name: str) -> dict[str, Signal]:
    return {
        candidate.path: signal
        for candidate in proposed.candidates
        for signal in candidate.signals
        if signal.name == name
    }


def test_words_in_a_file_speak_for_it_with_the_words_as_evidence(reader: CuratedReader) -> None:
    whole = signals(propose(reader, "operand of a minus sign"), "text.whole")
    assert whole["src/pkg/parser.py"].value == 1.0
    assert "operand" in whole["src/pkg/parser.py"].evidence


def test_names_of_definitions_are_a_signal_of_their_own(reader: CuratedReader) -> None:
    names = signals(propose(reader, "unary parsing"), "text.names")
    assert "unary" in names["src/pkg/parser.py"].evidence
    assert "docs/parser.md" not in names


def test_words_of_the_path_count_in_the_fielded_score(reader: CuratedReader) -> None:
    fields = signals(propose(reader, "the printer"), "text.fields")
    assert fields["src/pkg/printer.py"].evidence.endswith("path printer:1.9") or (
        "path printer" in fields["src/pkg/printer.py"].evidence
    )


@pytest.mark.parametrize(
    ("task", "name", "path"),
    [
        ("see src/pkg/lexer.py", "mention.path", "src/pkg/lexer.py"),
        ("see pkg/lexer.py", "mention.path", "src/pkg/lexer.py"),
        ("see lexer.py", "mention.path", "src/pkg/lexer.py"),
        ("import pkg.lexer", "mention.module", "src/pkg/lexer.py"),
        ("use pkg.lexer.tokenize here", "mention.module", "src/pkg/lexer.py"),
        ("call `tokenize` twice", "mention.symbol", "src/pkg/lexer.py"),
        (
            'Boom\n  File "/x/site-packages/pkg/lexer.py", line 7, in tokenize',
            "mention.traceback",
            "src/pkg/lexer.py",
        ),
        ("tests/test_parser.py::test_unary_minus fails", "mention.test", "src/pkg/parser.py"),
        ("tests/test_parser.py::test_unary_minus fails", "mention.test", "tests/test_parser.py"),
    ],
    ids=str,
)
def test_a_mention_marks_its_file(reader: CuratedReader, task: str, name: str, path: str) -> None:
    assert path in signals(propose(reader, task), name)


def test_a_mention_of_many_files_marks_each_of_them_less(reader: CuratedReader) -> None:
    proposed = propose(reader, "look at parser.py and `parse_unary`")
    stem = signals(proposed, "mention.stem")
    assert set(stem) == {"src/pkg/parser.py", "src/vendor/parser.py"}
    resolution = resolve_mentions(parse_task("look at parser.py"), reader)
    assert {mark.spread for mark in resolution.marks} == {2}


def test_an_installed_path_of_another_package_marks_nothing(reader: CuratedReader) -> None:
    task = 'Boom\n  File "/x/site-packages/other/lexer.py", line 7, in tokenize'
    resolution = resolve_mentions(parse_task(task), reader)
    assert resolution.marks == ()
    assert resolution.analysis.unknown == ("/x/site-packages/other/lexer.py:7",)


def test_what_is_named_but_not_indexed_is_recorded_as_unknown(reader: CuratedReader) -> None:
    resolution = resolve_mentions(parse_task("see no/such.py and `NoSuchThing`"), reader)
    assert set(resolution.analysis.unknown) == {"no/such.py", "NoSuchThing"}
    assert resolution.analysis.targets == ()


def resolve(reader: CuratedReader, task: str) -> Resolution:
    return resolve_mentions(parse_task(task), reader)


def test_a_qualified_name_means_that_owner_only(tmp_path: Path) -> None:
    source = "".join(
        f"class {name}:\n    def __getitem__(self, n):\n        return n\n\n\n" for name in "ABC"
    )
    build_curated(tmp_path, {"a.py": source})
    with CuratedReader(tmp_path) as reader:
        for task in ("B.__getitem__ is wrong", "`m.B.__getitem__()` is wrong"):
            resolution = resolve(reader, task)
            assert resolution.analysis.targets == ("a.py::B.__getitem__",)
            assert resolution.analysis.unknown == ()


@pytest.mark.parametrize(
    ("task", "unknown"),
    [
        ("px.tokenize is slow", ()),
        ("call pkg_alias.tokenize() or list(x) or `str.join`", ()),
        ("it raises ValueError in os.path.join", ()),
        ("the package `pkg` and module `lexer`", ()),
        ("see no/such_file.py", ("no/such_file.py",)),
        ("see ast.py", ("ast.py",)),
        ("np.frobnicate fails", ("np.frobnicate",)),
    ],
)
def test_only_what_could_be_of_this_repository_is_unknown(
    reader: CuratedReader, task: str, unknown: tuple[str, ...]
) -> None:
    assert resolve(reader, task).analysis.unknown == unknown


@pytest.mark.parametrize(
    ("name", "line", "symbol", "kept"),
    [
        ("parse_atom", 17, "ExpressionParser.parse_atom", None),
        ("parse_atom", 20, "ExpressionParser.parse_atom", 20),
        ("gone", 17, None, None),
        ("<module>", 17, None, 17),
    ],
    ids=["other-line", "same-line", "other-version", "module"],
)
def test_the_function_of_a_frame_wins_over_its_line(
    reader: CuratedReader, name: str, line: int, symbol: str | None, kept: int | None
) -> None:
    frame = f'Boom\n  File "/x/pkg/parser.py", line {line}, in {name}\n'
    (mark,) = [m for m in resolve(reader, frame).marks if m.kind is MarkKind.TRACEBACK]
    assert (mark.symbol and mark.symbol.symbol.qualified_name) == symbol
    assert mark.line == kept


@pytest.mark.parametrize(
    "path", ["setup.cfg", "tox.ini", "pyproject.toml", "Makefile", ".editorconfig"]
)
def test_settings_are_configuration(path: str) -> None:
    row = FileRow(1, path, 1, BlobId("0"), 1, None, is_test=False, line_count=1)
    assert role_of(row) == "configuration"
    assert role_of(replace(row, path="NOTES.txt")) == "documentation"


def test_past_fixes_with_a_like_message_speak_for_their_source_files(
    reader: CuratedReader,
) -> None:
    proposed = propose(reader, "double negation")
    title = signals(proposed, "history.title")
    assert title["src/pkg/parser.py"].evidence == "like 'Fix double negation of operands'"
    assert "tests/test_parser.py" not in title
    assert "src/pkg/printer.py" not in title  # only a merge says so
    assert "src/pkg/parser.py" in signals(proposed, "history.best")


def test_like_tests_are_a_bridge_to_what_changes_with_them(reader: CuratedReader) -> None:
    bridge = signals(propose(reader, "unary minus operand"), "tests.cochange")
    assert bridge["src/pkg/parser.py"].evidence == "2 commits with tests/test_parser.py"


def test_a_seed_passes_weight_along_imports(reader: CuratedReader) -> None:
    rank = signals(propose(reader, "ExpressionParser minus"), "graph.pagerank")
    assert rank["src/pkg/lexer.py"].evidence == "linked with src/pkg/parser.py"


def test_files_changed_with_a_seed_are_candidates(reader: CuratedReader) -> None:
    together = signals(propose(reader, "ExpressionParser"), "history.cochange")
    assert "src/pkg/printer.py" in together


def test_recency_alone_makes_no_candidate(reader: CuratedReader) -> None:
    proposed = propose(reader, "zebra")
    assert "history.recent" not in {s.name for s in find(proposed, "src/pkg/unrelated.py").signals}
    for candidate in proposed.candidates:
        assert {signal.name for signal in candidate.signals} != {"history.recent"}


def test_suspicious_lines_speak_for_their_file(reader: CuratedReader) -> None:
    spectrum = signals(propose(reader, "it breaks", suspicious=True), "spectrum")
    assert spectrum["src/pkg/printer.py"].evidence == "line 2: 0.90"
    assert spectrum["src/pkg/printer.py"].weight > 1.0


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("tests/test_parser.py", "role.test"),
        ("docs/parser.md", "role.documentation"),
        ("src/vendor/parser.py", "role.vendored"),
    ],
)
def test_files_seldom_fixed_rank_lower_but_do_not_vanish(
    reader: CuratedReader, path: str, role: str
) -> None:
    found = find(propose(reader, "parser unary minus"), path)
    loss = next(signal for signal in found.signals if signal.name == role)
    assert loss.contribution < 0.0 < found.score
    assert found.score == pytest.approx(loss.value * (1.0 + loss.weight))


def test_every_value_is_a_share_and_every_signal_has_evidence(reader: CuratedReader) -> None:
    for candidate in propose(reader, "parser.py: double negation of `parse_unary`").candidates:
        for signal in candidate.signals:
            assert signal.name.startswith("role.") or 0.0 < signal.value <= 1.0
            assert signal.evidence


def test_a_word_that_nothing_holds_gives_no_candidate(reader: CuratedReader) -> None:
    assert propose(reader, "xyzzy").candidates == ()


def test_two_proposals_are_equal(reader: CuratedReader) -> None:
    task = "parser.py: double negation of `parse_unary`"
    assert replace(propose(reader, task)) == propose(reader, task)
