"""What a name is defined as, in an index and in a real repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreError
from clean_room_agent.retrieval.lookup import Found, Limits, look_up, near_names, near_paths
from clean_room_agent.store.curated_reader import CuratedReader
from tests.retrieval.sample import FILES, build_sample
from tests.support.journey import Journey, new_journey

LEDGER = """\
from money import split


class Ledger:
    rate = 1

    @property
    def total(self):
        return split(self.rate)

    def add(self, amount):
        return self.total + amount


class Loud(Ledger):
    pass
"""
MONEY = "def split(amount):\n    return amount\n\n\nBASE = split(2)\n"
TESTS = "from money import split\n\n\ndef test_split():\n    assert split(1) == 1\n"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CuratedReader]:
    build_sample(tmp_path)
    with CuratedReader(tmp_path) as opened:
        yield opened


def find(reader: CuratedReader, subject: str, definitions: int = 5) -> Found:
    return look_up(
        subject,
        reader=reader,
        read_source=lambda path, _: FILES[path].encode(),
        limits=Limits(definitions, 5),
    )


@pytest.mark.parametrize(
    "subject",
    [
        "ExpressionParser.parse_unary",
        "pkg.parser.ExpressionParser.parse_unary",
        "src.pkg.parser.ExpressionParser.parse_unary",
        "src/pkg/parser.py::ExpressionParser.parse_unary",
        "ExpressionParser::parse_unary",
    ],
)
def test_a_whole_name_finds_its_definition_with_the_lines_as_they_stand(
    reader: CuratedReader, subject: str
) -> None:
    found = find(reader, subject)
    assert found.is_exact
    (definition,) = found.definitions
    place = definition.place
    assert (place.path, place.name) == ("src/pkg/parser.py", "ExpressionParser.parse_unary")
    lines = FILES[place.path].splitlines(keepends=True)
    assert definition.text.decode() == "".join(
        lines[place.start_line - 1 : place.end_line]
    ).removesuffix("\n")
    assert definition.text.startswith(b"    def parse_unary")
    assert definition.chunk_id.startswith(reader.read_file(place.path).blob_id)  # type: ignore[union-attr]


def test_a_bare_name_finds_all_and_says_which_are_not_shown(reader: CuratedReader) -> None:
    found = find(reader, "parse_unary", definitions=1)
    assert len(found.definitions) == len(found.others) == 1
    paths = {found.definitions[0].place.path, found.others[0].path}
    assert paths == {"src/pkg/parser.py", "src/vendor/parser.py"}


def test_an_unknown_whole_is_answered_with_its_last_part_and_says_so(reader: CuratedReader) -> None:
    found = find(reader, "np.tokenize")
    assert not found.is_exact
    assert [d.place.path for d in found.definitions] == ["src/pkg/lexer.py"]
    inside = find(reader, "src/pkg/parser.py::Wrong.parse_atom")
    assert not inside.is_exact
    assert [d.place.name for d in inside.definitions] == ["ExpressionParser.parse_atom"]
    for nothing in ("no_such", "src/pkg/parser.py::no_such", "/etc/passwd", "..", "", ".", "::"):
        found = find(reader, nothing)
        assert (found.definitions, found.others, found.outline) == ((), (), ()), nothing
    assert near_names("pkg.tokenise", reader) == ["tokenize"]


def test_a_path_that_is_not_indexed_is_answered_with_paths(reader: CuratedReader) -> None:
    assert near_paths("parser.py", reader) == ["src/pkg/parser.py", "src/vendor/parser.py"]
    assert near_paths("src/pkg/parsers.py", reader)[0] == "src/pkg/parser.py"
    assert near_paths("tokenise", reader) == []
    # `py` is the end of a file's name: what is spelled like it is no answer.
    assert near_names("nothing_here.py", reader) == []


def test_the_path_of_a_file_gives_its_outline(reader: CuratedReader) -> None:
    names = [place.name for place in find(reader, "src/pkg/parser.py").outline]
    assert names[:2] == ["ExpressionParser", "ExpressionParser.parse_unary"]


def test_other_bytes_than_the_indexed_ones_are_refused(reader: CuratedReader) -> None:
    with pytest.raises(StoreError, match="changed after it was indexed"):
        look_up("tokenize", reader=reader, read_source=lambda *_: b"other\n", limits=Limits(1, 1))


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    files = {"ledger.py": LEDGER, "money.py": MONEY, "test_money.py": TESTS}
    made = new_journey(tmp_path, files)
    made.ok("init", "--offline")
    return made


def test_relations_name_code_before_tests_and_the_module_level(journey: Journey) -> None:
    (split,) = journey.ok("symbol", "money.split")["definitions"]
    callers = [(p["path"], p["name"]) for p in split["callers"]["places"]]
    assert callers[-1] == ("test_money.py", "test_split")
    assert ("ledger.py", "Ledger.total") in callers[:-1]
    # The call that makes BASE stands in no function.
    assert "money.py" in [path for path, _ in callers]
    (ledger,) = journey.ok("symbol", "Ledger")["definitions"]
    assert [p["name"] for p in ledger["subclasses"]["places"]] == ["Loud"]
    assert [p["name"] for p in ledger["members"]] == ["Ledger.total", "Ledger.add"]
    (loud,) = journey.ok("symbol", "Loud")["definitions"]
    assert [p["name"] for p in loud["bases"]["places"]] == ["Ledger"]


def test_the_verb_prints_numbers_and_says_what_it_does_not_show(journey: Journey) -> None:
    whole = journey.cra("symbol", "Ledger.total")
    assert "     7 |     @property\n     8 |     def total(self):\n" in whole.stdout
    cut = journey.cra("symbol", "Ledger", "--max-lines", "2")
    assert (
        "     4 | class Ledger:\n     5 |     rate = 1\n       | 7 lines more: 6-12" in cut.stdout
    )
    assert "ledger.py:11-12 method Ledger.add" in cut.stdout
    assert (
        journey.ok("symbol", "Ledger", "--max-lines", "2")["definitions"][0]["lines_not_shown"] == 7
    )
    unknown = journey.cra("symbol", "Leger")
    assert unknown.code == 2
    assert "spelled much like it: Ledger" in unknown.stderr
    assert journey.cra("symbol", " ").code == 2
    assert [run["verb"] for run in journey.ok("runs", "--verb", "symbol")["runs"]]
    assert journey.cra("verify").code == 0


def test_a_path_without_the_name_says_what_is_at_it(tmp_path: Path) -> None:
    made = new_journey(tmp_path, {"src/money.py": MONEY, "src/data.lock": "locked = 1\n"})
    made.ok("init", "--offline")
    told = {
        "src/money.py::no_such": "src/money.py defines no no_such",
        "src/data.lock": "src/data.lock defines no names",
        "src": "src is a directory; ask for a file",
        "src/": "src is a directory; ask for a file",
        "money.py": "spelled much like it: src/money.py; ",
        "no_such": "nothing in the index is called 'no_such'",
    }
    for name, message in told.items():
        done = made.cra("symbol", name)
        assert done.code == 2, name
        assert message in done.stderr, done.stderr
