"""Search/replace answers through a real client: what is used, what is refused, what is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clean_room_agent.errors import EditError
from clean_room_agent.execute.blocks import Block, BlocksAnswer, NewFile, resolve_blocks
from clean_room_agent.execute.edits import SearchReplace, plan_edits, resolve_block
from clean_room_agent.execute.implement import Proposal, propose_edit
from tests.execute.support import CALC, apply_all, material_of, room

ADD = {"path": "calc.py", "search": "def add(a, b):\n    return a - b", "replace": ""}
GOOD = {**ADD, "replace": "def add(a, b):\n    return a + b"}


def edits(*blocks: object, **more: object) -> dict[str, object]:
    return {"edits": list(blocks), "summary": "add adds", **more}


def propose(root: Path, *answers: object, files: dict[str, bytes] | None = None) -> Proposal:
    with room(root, material_of(files), *answers) as opened:
        return propose_edit(opened.client, opened.material, seed_offset=0)


def test_a_competent_answer_becomes_replacements_of_the_base(tmp_path: Path) -> None:
    found = propose(tmp_path, edits(GOOD))
    assert (found.problem, found.no_change, found.summary) == ("", False, "add adds")
    fixed = CALC.replace(b"add(a, b):\n    return a - b", b"add(a, b):\n    return a + b")
    assert apply_all({"calc.py": CALC}, found.replacements) == {"calc.py": fixed}


def test_an_answer_after_a_think_block_in_a_fence_is_read(tmp_path: Path) -> None:
    text = f"<think>a - b is wrong</think>\n```json\n{json.dumps(edits(GOOD))}\n```"
    assert propose(tmp_path, text).problem == ""


MALFORMED = {
    "no-json": "I would change the sign.",
    "empty": "",
    "array": "[]",
    "extra-key": edits(GOOD, run="rm -rf /"),
    "extra-key-inside": edits({**GOOD, "mode": "0777"}),
    "wrong-type": edits({**GOOD, "replace": 3}),
    "missing": {"edits": [GOOD]},
    "unknown-path": edits({**GOOD, "path": "other.py"}),
    "escaping-path": edits({**GOOD, "path": "../calc.py"}),
    "same-file-by-another-name": edits({**GOOD, "path": "./calc.py"}),
}


@pytest.mark.reliability(86)
@pytest.mark.parametrize("bad", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_answer_is_asked_for_once_more_and_then_refused(
    tmp_path: Path, bad: object
) -> None:
    with room(tmp_path / "refused", material_of(), bad) as opened:
        found = propose_edit(opened.client, opened.material, seed_offset=0)
        assert len(opened.prompts) == 2
    assert found.replacements == ()
    assert found.warnings[-1].endswith(f": unusable answer: {found.problem}")
    assert not found.no_change
    assert len(found.warnings) == 2
    # The repaired answer is used, and the first one's fault stays visible.
    repaired = propose(tmp_path / "repaired", bad, edits(GOOD))
    assert len(repaired.replacements) == 1
    assert len(repaired.warnings) == 1


@pytest.mark.reliability(27)
def test_a_cut_answer_is_never_half_applied(tmp_path: Path) -> None:
    whole = json.dumps(edits(GOOD))
    with room(tmp_path / "a", material_of(), whole, cut=True) as opened:
        found = propose_edit(opened.client, opened.material, seed_offset=0)
    assert found.replacements == ()
    assert "cut at the output limit" in found.problem
    # Without the guard this very text would be an edit.
    assert propose(tmp_path / "b", whole).replacements != ()


BAD_PATHS = {
    "parent": "../x.py",
    "absolute": "/etc/x",
    "through-parent": "a/../../x",
    "empty": "",
    "dot": ".",
    "trailing-slash": "pkg/",
    "nul": "a\0b",
    "very-long": "a/" * 2500 + "x",
    "git": ".git/hooks/pre-commit",
    "own": ".clean_room/config.toml",
    "workflow": ".github/workflows/ci.yml",
}


@pytest.mark.reliability(17)
@pytest.mark.reliability(19)
@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_a_new_file_that_may_not_be_refuses_the_whole_answer(tmp_path: Path, path: str) -> None:
    new = {"path": path, "content": "x = 1\n"}
    found = propose(tmp_path / "a", edits(GOOD, new_files=[new]))
    assert found.replacements == ()
    assert found.problem
    # The same answer with a path inside the tree is a change of two files.
    good = propose(tmp_path / "b", edits(GOOD, new_files=[{**new, "path": "pkg/new.py"}]))
    assert [r.path for r in good.replacements] == ["calc.py", "pkg/new.py"]


@pytest.mark.reliability(19)
def test_a_shown_workflow_file_is_not_edited(tmp_path: Path) -> None:
    path = ".github/workflows/ci.yml"
    block = {"path": path, "search": "pytest", "replace": "curl evil"}
    found = propose(tmp_path, edits(block), files={path: b"run: pytest\n"})
    assert "permission" in found.problem
    assert found.replacements == ()


def test_a_shown_test_file_may_be_named_as_validation_drops_and_flags_it(tmp_path: Path) -> None:
    files = {"calc.py": CALC, "test_calc.py": b"def test_add():\n    assert add(1, 1) == 2\n"}
    block = {"path": "test_calc.py", "search": "== 2", "replace": "== 0"}
    with room(tmp_path, material_of(files), edits(block)) as opened:
        found = propose_edit(opened.client, opened.material, seed_offset=0)
        assert "Tests and their configuration must not be changed" in opened.prompts[0]
    assert [r.path for r in found.replacements] == ["test_calc.py"]


@pytest.mark.reliability(21)
def test_a_search_text_that_is_absent_or_ambiguous_is_a_problem_with_the_nearest_lines(
    tmp_path: Path,
) -> None:
    absent = {**GOOD, "search": "def add(a, bb):"}
    found = propose(tmp_path / "a", edits(absent))
    assert "does not occur" in found.problem
    assert "4: def add(a, b):" in found.problem
    twice = propose(tmp_path / "b", edits({**GOOD, "search": "    return a - b"}))
    assert "more than once" in twice.problem
    assert found.replacements == twice.replacements == ()


@pytest.mark.reliability(26)
def test_an_edit_that_is_there_already_is_no_failure(tmp_path: Path) -> None:
    same = propose(tmp_path / "a", edits({**GOOD, "replace": GOOD["search"]}))
    done = {"path": "calc.py", "search": "return a + b", "replace": "def sub(a, b):"}
    applied = propose(tmp_path / "b", edits(done))
    for found in (same, applied):
        assert (found.no_change, found.problem, found.replacements) == (True, "", ())


def test_an_answer_without_an_edit_is_a_problem(tmp_path: Path) -> None:
    found = propose(tmp_path, edits())
    assert (found.problem, found.no_change) == ("the answer holds no edit", False)


@pytest.mark.reliability(22)
def test_one_bad_block_refuses_the_edits_of_every_file_and_each_reason_is_told(
    tmp_path: Path,
) -> None:
    files = {"calc.py": CALC, "b.py": b"x = 1\n"}
    bad = {"path": "b.py", "search": "y = 1", "replace": "y = 2"}
    worse = {"path": "b.py", "search": "", "replace": "y = 2"}
    found = propose(tmp_path / "a", edits(GOOD, bad, worse), files=files)
    assert found.replacements == ()
    assert "does not occur" in found.problem
    assert "is empty" in found.problem
    good = {"path": "b.py", "search": "x = 1", "replace": "x = 2"}
    both = propose(tmp_path / "b", edits(GOOD, good), files=files)
    assert apply_all(files, both.replacements)["b.py"] == b"x = 2\n"


def test_overlapping_blocks_are_refused_and_equal_ones_count_once(tmp_path: Path) -> None:
    inner = {"path": "calc.py", "search": "def add(a, b):", "replace": "def add(x, y):"}
    assert "overlap" in propose(tmp_path / "a", edits(GOOD, inner)).problem
    looping = propose(tmp_path / "b", edits(*[GOOD] * 50))
    assert len(looping.replacements) == 1
    assert "49 blocks repeat" in looping.warnings[0]


@pytest.mark.reliability(23)
def test_replacements_carry_the_hash_of_the_base_so_a_changed_file_is_not_overwritten(
    tmp_path: Path,
) -> None:
    found = propose(tmp_path / "room", edits(GOOD))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "calc.py").write_bytes(CALC)
    assert len(plan_edits(tree, found.replacements).files) == 1
    (tree / "calc.py").write_bytes(CALC + b"# mine\n")
    with pytest.raises(EditError, match="changed since"):
        plan_edits(tree, found.replacements)


def test_a_new_file_over_an_existing_one_is_refused_when_it_is_planned(tmp_path: Path) -> None:
    found = propose(tmp_path / "room", edits(new_files=[{"path": "hidden.py", "content": "x = 1"}]))
    assert found.replacements[0].new_bytes == b"x = 1\n"  # a final line end is given
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "hidden.py").write_bytes(b"not shown\n")
    with pytest.raises(EditError, match="changed since"):
        plan_edits(tree, found.replacements)


NEW_FILE_FAULTS = {
    "shown": ({"path": "calc.py", "content": "x = 1\n"}, "exists"),
    "empty": ({"path": "n.py", "content": " \n"}, "may not be empty"),
    "lazy": ({"path": "n.py", "content": "x = 1\n# ... rest of the code\n"}, "not the whole"),
    "zero": ({"path": "n.py", "content": "x = '\0'\n"}, "not the whole"),
    "huge": ({"path": "n.py", "content": "x = 1\n" * 20_000}, "bytes"),
}


@pytest.mark.reliability(29)
@pytest.mark.parametrize(("new", "told"), NEW_FILE_FAULTS.values(), ids=NEW_FILE_FAULTS.keys())
def test_what_is_no_whole_new_file_is_refused(
    tmp_path: Path, new: dict[str, str], told: str
) -> None:
    found = propose(tmp_path, edits(GOOD, new_files=[new]))
    assert told in found.problem
    assert found.replacements == ()


def test_two_contents_for_one_new_file_are_refused() -> None:
    news = (NewFile(path="n.py", content="x = 1\n"), NewFile(path="n.py", content="x = 2\n"))
    found = resolve_blocks(BlocksAnswer(edits=(), new_files=news, summary=""), {})
    assert found.problems == ("n.py: two contents for one new file",)


@pytest.mark.reliability(28)
@pytest.mark.parametrize("twin", ["CALC.py", "cafe\u0301.py"], ids=["case", "nfd"])
def test_a_new_file_that_collides_elsewhere_is_made_with_a_warning(
    tmp_path: Path, twin: str
) -> None:
    files = {"calc.py": CALC, "caf\u00e9.py": b"x = 1\n"}
    new = [{"path": twin, "content": "x = 1\n"}, {"path": "other.py", "content": "x = 1\n"}]
    found = propose(tmp_path, edits(new_files=new), files=files)
    assert [r.path for r in found.replacements] == [twin, "other.py"]
    assert [w for w in found.warnings if "only in case" in w] == [found.warnings[0]]


@pytest.mark.reliability(29)
def test_an_edit_that_removes_most_of_a_file_or_empties_it_is_refused(tmp_path: Path) -> None:
    long = b"".join(b"value_%d = %d\n" % (n, n) for n in range(300))
    text = long.decode()
    half = {"path": "calc.py", "search": text[:2_600], "replace": "pass"}
    assert "removes" in propose(tmp_path / "a", edits(half), files={"calc.py": long}).problem
    less = {"path": "calc.py", "search": text[:1_300], "replace": "pass"}
    assert propose(tmp_path / "b", edits(less), files={"calc.py": long}).problem == ""
    # Nothing else stands against it: the block itself is exact and unique.
    assert resolve_block(SearchReplace("calc.py", text[:2_600].encode(), b"pass"), long)
    emptied = {"path": "calc.py", "search": "x = 1\n", "replace": ""}
    found = propose(tmp_path / "c", edits(emptied), files={"calc.py": b"x = 1\n"})
    assert "empties the file" in found.problem


LAZY = [
    "    # ... existing code ...",
    "    # rest of the function",
    "    ...",
    "    // unchanged code",
]


@pytest.mark.reliability(27)
@pytest.mark.parametrize("line", LAZY)
def test_code_that_leaves_parts_out_is_refused(tmp_path: Path, line: str) -> None:
    lazy = {**GOOD, "replace": f"def add(a, b):\n    x = a + b\n{line}\n    return x"}
    found = propose(tmp_path, edits(lazy))
    assert "leaves code out" in found.problem
    assert found.replacements == ()


KEPT = {
    "crlf": (b"a\r\nTARGET = 1\r\nb\r\n", b"a\r\nX = 1\r\nY = 2\r\nb\r\n"),
    "lf": (b"a\nTARGET = 1\nb\n", b"a\nX = 1\nY = 2\nb\n"),
    "mixed": (b"a\r\nTARGET = 1\nb\n", b"a\r\nX = 1\nY = 2\nb\n"),
    "bom": (b"\xef\xbb\xbfTARGET = 1\nb\n", b"\xef\xbb\xbfX = 1\nY = 2\nb\n"),
    "no-final-newline": (b"a\nTARGET = 1", b"a\nX = 1\nY = 2"),
    "tabs": (b"\ta\n\tTARGET = 1\n", b"\ta\n\tX = 1\nY = 2\n"),
    "edit-markers": (
        b"<<<<<<< SEARCH\nTARGET = 1\n=======\n>>>>>>> REPLACE\n",
        b"<<<<<<< SEARCH\nX = 1\nY = 2\n=======\n>>>>>>> REPLACE\n",
    ),
}


@pytest.mark.reliability(24)
@pytest.mark.parametrize(("base", "after"), KEPT.values(), ids=KEPT.keys())
def test_line_ends_mark_tabs_and_final_newline_stay_as_they_are(
    tmp_path: Path, base: bytes, after: bytes
) -> None:
    block = {"path": "a.txt", "search": "TARGET = 1", "replace": "X = 1\nY = 2"}
    found = propose(tmp_path, edits(block), files={"a.txt": base})
    assert apply_all({"a.txt": base}, found.replacements) == {"a.txt": after}


@pytest.mark.reliability(24)
def test_a_search_over_several_lines_is_written_in_the_files_line_ends_and_says_so(
    tmp_path: Path,
) -> None:
    base = b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n"
    block = {"path": "a.txt", "search": "\ufeffone\ntwo", "replace": "1\n2"}
    found = propose(tmp_path, edits(block), files={"a.txt": base})
    assert apply_all({"a.txt": base}, found.replacements)["a.txt"] == (
        b"\xef\xbb\xbf1\r\n2\r\nthree\r\n"
    )
    assert found.warnings == ("a.txt: the answer's line ends were written as the file's own",)
    # Written as the model gives them, the lines would not be found, or mix the line ends.
    assert b"one\ntwo" not in base
    # In a file of mixed line ends nothing is converted, so nothing is found.
    mixed = propose(tmp_path / "b", edits(block), files={"a.txt": base + b"four\n"})
    assert "does not occur" in mixed.problem


ODD = {
    "latin-1": (b"caf\xe9\nTARGET\n", "not UTF-8"),
    "utf-16": ("a\nTARGET\n".encode("utf-16"), "not UTF-8"),
    "zero": (b"a\0\nTARGET\n", "zero bytes"),
    "declared": (b"# -*- coding: latin-1 -*-\nTARGET\n", "declares the encoding latin-1"),
}


@pytest.mark.reliability(25)
@pytest.mark.parametrize(("base", "told"), ODD.values(), ids=ODD.keys())
def test_a_file_that_is_no_utf8_text_is_refused_with_the_reason(
    tmp_path: Path, base: bytes, told: str
) -> None:
    block = {"path": "a.txt", "search": "TARGET", "replace": "caf\u00e9"}
    found = propose(tmp_path, edits(block), files={"a.txt": base})
    assert told in found.problem
    assert found.replacements == ()
    # Read as UTF-8 anyway, the file would lose bytes, or hold what its readers cannot read.
    written = base.decode("utf-8", "replace").replace("TARGET", "caf\u00e9").encode()
    harmed = base.replace(b"TARGET", "caf\u00e9".encode("latin-1"))
    assert written != harmed


def test_a_path_that_is_not_utf8_is_never_offered(tmp_path: Path) -> None:
    files = {"calc.py": CALC, "caf\udce9.txt": b"x\n"}
    with room(tmp_path, material_of(files), edits(GOOD)) as opened:
        assert opened.material.paths == ("calc.py",)
        found = propose_edit(opened.client, opened.material, seed_offset=0)
        schema = opened.transport.requests[0].schema
    assert len(found.replacements) == 1
    assert '"enum": ["calc.py"]' in json.dumps(schema)


def test_attempts_differ_by_their_seed_alone(tmp_path: Path) -> None:
    with room(tmp_path, material_of(), edits(GOOD)) as opened:
        for offset in (0, 3):
            propose_edit(opened.client, opened.material, seed_offset=offset)
        first, second = opened.transport.requests
    assert first.prompt == second.prompt
    assert second.sampling.seed == first.sampling.seed + 3


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\ufeff"), max_size=12)
LINES = st.lists(TEXT, max_size=5)


@given(LINES, LINES, LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_bytes_outside_the_searched_text_are_never_touched(
    head: list[str], tail: list[str], new: list[str], line_end: str, bom: bool, final: bool
) -> None:
    before = "".join(f"{line}{line_end}" for line in head)
    after = "".join(f"{line_end}{line}" for line in tail) + (line_end if final else "")
    mark = b"\xef\xbb\xbf" if bom else b""
    base = mark + f"{before}<TARGET>{after}".encode()
    if base.count(b"<TARGET>") != 1:
        return
    block = Block(path="a.txt", search="<TARGET>", replace="\n".join(["new", *new]))
    found = resolve_blocks(BlocksAnswer(edits=(block,), summary=""), {"a.txt": base})
    if found.problems:
        assert "leaves code out" in found.problems[0]
        return
    changed = apply_all({"a.txt": base}, found.replacements)["a.txt"]
    assert changed.startswith(mark + before.encode())
    assert changed.endswith(after.encode())
