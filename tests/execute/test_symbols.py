"""Whole-symbol answers: exactly the bytes shown are replaced, or nothing is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.execute.implement import Proposal, propose_edit
from clean_room_agent.execute.symbols import (
    SymbolEdit,
    SymbolsAnswer,
    pieces_of,
    resolve_symbols,
)
from tests.execute.support import CALC, apply_all, material_of, room

LONG_DOC = "x" * 1_300
CLASSES = f'''import functools


@functools.cache
def table(n):
    return n - 1


class Shop:
    """{LONG_DOC}"""

    open = True

    @property
    def size(self):
        return 0

    @staticmethod
    def price(n):
        return n - 1
'''.encode()
FIXED = "def add(a, b):\n    return a + b"


def edits(**codes: str) -> dict[str, object]:
    return {"edits": [{"symbol": k, "code": v} for k, v in codes.items()], "summary": "s"}


def propose(
    root: Path, answer: object, files: dict[str, bytes], *, whole: bool = False
) -> Proposal:
    with room(root, material_of(files, whole=whole), answer, style="symbols") as opened:
        return propose_edit(opened.client, opened.material, seed_offset=0)


def ids(files: dict[str, bytes]) -> dict[str, str]:
    return {piece.symbol: key for key, piece in pieces_of(material_of(files)).items()}


def test_the_pieces_of_a_package_have_ids_that_the_prompt_lists_and_the_schema_closes(
    tmp_path: Path,
) -> None:
    material = material_of({"calc.py": CALC, "shop.py": CLASSES})
    with room(tmp_path, material, edits(s2=FIXED), style="symbols") as opened:
        propose_edit(opened.client, opened.material, seed_offset=0)
        request = opened.transport.requests[0]
    assert 's2: "calc.py", line 4, "add"\n' in request.prompt
    assert 's5: "shop.py", line 4, "table"\n' in request.prompt
    assert request.schema is not None
    assert str(request.schema).count("'s8'") == 1
    assert "'s9'" not in str(request.schema)


def test_a_function_is_replaced_whole_and_its_neighbours_stay(tmp_path: Path) -> None:
    found = propose(tmp_path, edits(s2=f"\n\n{FIXED}\n\n\n".lstrip()), {"calc.py": CALC})
    after = apply_all({"calc.py": CALC}, found.replacements)["calc.py"]
    assert after == CALC.replace(b"return a - b", b"return a + b", 1)


def test_decorated_functions_methods_and_class_heads_are_replaced_with_their_decorators(
    tmp_path: Path,
) -> None:
    files = {"shop.py": CLASSES}
    key = ids(files)
    new = {
        key["table"]: "@functools.lru_cache\ndef table(n):\n    return n + 1",
        key["Shop.size"]: "    @property\n    def size(self):\n        return 1",
        key["Shop.price"]: "    @staticmethod\n    def price(n):\n        return n + 1",
        key["Shop"]: 'class Shop:\n    """Short."""\n\n    open = False',
    }
    found = propose(tmp_path, edits(**new), files)
    assert found.problem == ""
    after = apply_all(files, found.replacements)["shop.py"].decode()
    expected = (
        CLASSES.decode()
        .replace("functools.cache", "functools.lru_cache")
        .replace("n - 1", "n + 1")
        .replace("return 0", "return 1")
        .replace(LONG_DOC, "Short.")
        .replace("open = True", "open = False")
    )
    assert after == expected
    ast.parse(after)


def test_several_files_change_together_or_not_at_all(tmp_path: Path) -> None:
    files = {"calc.py": CALC, "two.py": CALC}
    both = propose(tmp_path / "a", edits(s2=FIXED, s5=FIXED), files)
    assert {r.path for r in both.replacements} == {"calc.py", "two.py"}
    half = propose(tmp_path / "b", edits(s2=FIXED, s5=""), files)
    assert half.replacements == ()
    assert half.problem == "s5 in two.py: the new text is empty"


BAD = {
    "unknown-id": edits(s99=FIXED),
    "path-as-id": edits(**{"../calc.py": FIXED}),
    "two-texts": {
        "edits": [{"symbol": "s2", "code": FIXED}, {"symbol": "s2", "code": "x"}],
        "summary": "",
    },
    "extra-key": {**edits(s2=FIXED), "shell": "ls"},
    "blocks-instead": {"edits": [{"path": "calc.py", "search": "a", "replace": "b"}]},
}


@pytest.mark.reliability(86)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_what_is_no_answer_of_this_form_is_refused_after_one_repair(
    tmp_path: Path, bad: object
) -> None:
    with room(tmp_path, material_of(), bad, style="symbols") as opened:
        found = propose_edit(opened.client, opened.material, seed_offset=0)
        assert len(opened.prompts) == 2
    assert (found.replacements, found.no_change) == ((), False)
    assert found.warnings[-1].endswith(f": unusable answer: {found.problem}")


LAZY = {
    "dots": "def add(a, b):\n    x = a + b\n    ...\n    return x",
    "comment": "def add(a, b):\n    # ... existing code ...\n    return a + b",
    "rest": "def add(a, b):\n    # rest of the function here\n    return a + b",
    "ellipsis-sign": "def add(a, b):\n    x = 1\n    \u2026\n    return a + b",
    "your-code": "def add(a, b):\n    # your code here\n    return a + b",
}


@pytest.mark.reliability(27)
@pytest.mark.parametrize("code", LAZY.values(), ids=LAZY.keys())
def test_code_that_leaves_parts_out_is_refused(tmp_path: Path, code: str) -> None:
    found = propose(tmp_path, edits(s2=code), {"calc.py": CALC})
    assert "leaves code out" in found.problem
    assert found.replacements == ()


def test_a_method_without_its_indentation_is_refused_and_told_what_it_is(tmp_path: Path) -> None:
    files = {"shop.py": CLASSES}
    code = "@property\ndef size(self):\n    return 1"
    found = propose(tmp_path, edits(**{ids(files)["Shop.size"]: code}), files)
    assert "indented by '', in the file by '    '" in found.problem
    assert found.replacements == ()


@pytest.mark.reliability(26)
def test_the_same_text_again_is_no_change(tmp_path: Path) -> None:
    same = edits(s2="def add(a, b):\n    return a - b\n\n")
    found = propose(tmp_path, same, {"calc.py": CALC})
    assert (found.no_change, found.problem, found.replacements) == (True, "", ())


@pytest.mark.reliability(24)
def test_a_whole_file_keeps_its_mark_its_line_ends_and_its_missing_final_newline(
    tmp_path: Path,
) -> None:
    base = b"\xef\xbb\xbfone\r\n\ttwo\r\nthree"
    found = propose(tmp_path, edits(s1="1\n\t2\n3\n"), {"a.txt": base}, whole=True)
    after = apply_all({"a.txt": base}, found.replacements)["a.txt"]
    assert after == b"\xef\xbb\xbf1\r\n\t2\r\n3"
    assert "line ends" in found.warnings[0]


@pytest.mark.reliability(25)
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    found = propose(tmp_path, edits(s1="x"), {"a.txt": b"caf\xe9\n"}, whole=True)
    assert "a.txt is not UTF-8 (byte 3)" in found.problem


@pytest.mark.reliability(29)
def test_a_large_file_is_not_shrunk_to_a_stub(tmp_path: Path) -> None:
    base = b"value = 1\n" * 400
    found = propose(tmp_path, edits(s1="value = 2\n"), {"a.txt": base}, whole=True)
    assert "removes" in found.problem


def test_a_package_without_code_asks_for_nothing(tmp_path: Path) -> None:
    with room(tmp_path, material_of({}), edits(s1="x"), style="symbols") as opened:
        found = propose_edit(opened.client, opened.material, seed_offset=0)
        assert opened.prompts == []
    assert "shows no code" in found.problem
    assert found.request_id == ""


NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.data(), st.booleans())
def test_bytes_outside_the_piece_are_never_touched(
    names: list[str], data: st.DataObject, crlf: bool
) -> None:
    line_end = "\r\n" if crlf else "\n"
    bodies = [f"def f_{name}():{line_end}\treturn '{name}'{line_end}" for name in names]
    files = {"m.py": f"{line_end}{line_end}".join(bodies).encode()}
    material = material_of(files)
    pieces = pieces_of(material)
    key = data.draw(st.sampled_from(sorted(pieces)))
    piece = pieces[key]
    assert piece.span is not None
    answer = SymbolsAnswer(
        edits=(SymbolEdit(symbol=key, code="def g():\n\treturn 'new'\n\n"),), summary=""
    )
    found = resolve_symbols(answer, pieces, files)
    assert found.problems == ()
    after = apply_all(files, found.replacements)["m.py"]
    start, end = piece.span.start_byte, piece.span.end_byte
    assert after.startswith(files["m.py"][:start])
    assert after.endswith(files["m.py"][end:])
    assert after.count(b"\r\n") == (after.count(b"\n") if crlf else 0)
