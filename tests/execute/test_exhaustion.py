"""Answers that would wear out a disk or a stack are refused before anything is written."""

from __future__ import annotations

import difflib
import os
import shutil
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import EditError
from clean_room_agent.execute.blocks import BEYOND_ASKED, MOST_EDITS, MOST_NEW_FILES
from clean_room_agent.execute.edits import SearchReplace, resolve_block
from clean_room_agent.execute.implement import Proposal, propose_edit
from clean_room_agent.execute.paths import MAX_PATH_DEPTH, check_path
from tests.execute.support import material_of, room

DEEP = "a/" * 1500 + "b.py"


def propose(root: Path, answer: object) -> Proposal:
    with room(root, material_of(), answer, answer) as opened:
        return propose_edit(opened.client, opened.material, seed_offset=0)


def new_files(count: int) -> dict[str, object]:
    made = [{"path": f"made_{number}.py", "content": "X = 1\n"} for number in range(count)]
    return {"edits": [], "new_files": made, "summary": "many"}


def wrong_edits(count: int) -> dict[str, object]:
    edits = [{"path": "calc.py", "search": f"no line {number}", "replace": ""}
             for number in range(count)]  # fmt: skip
    return {"edits": edits, "summary": "many"}


@pytest.mark.reliability(86)
@pytest.mark.parametrize(
    ("make", "most"), [(new_files, MOST_NEW_FILES), (wrong_edits, MOST_EDITS)], ids=["new", "edits"]
)
def test_far_more_than_was_asked_for_is_refused_whole(
    tmp_path: Path, make: object, most: int
) -> None:
    assert callable(make)
    found = propose(tmp_path / "over", make(BEYOND_ASKED * most + 1))
    assert found.replacements == ()
    assert "give at most" in found.problem
    # Negative control: as many as the limit are looked at one by one.
    assert "give at most" not in propose(tmp_path / "at", make(BEYOND_ASKED * most)).problem


@pytest.mark.reliability(86)
def test_a_path_too_deep_to_be_removed_again_is_refused() -> None:
    with pytest.raises(EditError, match="deeper than"):
        check_path(DEEP)
    assert len(check_path("a/" * (MAX_PATH_DEPTH - 1) + "b.py")) == MAX_PATH_DEPTH


def test_control_such_a_path_can_be_made_but_not_removed(tmp_path: Path) -> None:
    """Negative control: this is what a tree with that file does to the one who tidies it up."""
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=handle)
        below = os.open("a", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = below
    with pytest.raises(RecursionError):
        shutil.rmtree(tmp_path / "a")
    for _ in range(1500):
        above = os.open("..", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = above
        place = handle
        os.rmdir("a", dir_fd=place)
    os.close(handle)


def large(lines: int) -> bytes:
    text = "".join(f"    return amount_{n} + {n}  # share {n} of the total\n" for n in range(lines))
    return text.encode()


@pytest.mark.reliability(86)
def test_an_answer_full_of_wrong_blocks_for_a_large_file_is_answered_soon() -> None:
    content, started = large(20_000), time.process_time()
    for number in range(1, MOST_EDITS + 1):
        wrong = f"    return amount_{number}7 - {number}7  # share {number}7 of the totl\n".encode()
        with pytest.raises(EditError) as caught:
            resolve_block(SearchReplace("large.py", wrong, b""), content)
        assert f"return amount_{number}7 +" in caught.value.hint
    assert time.process_time() - started < 10


def test_control_comparing_every_line_would_take_minutes() -> None:
    """Negative control: one such block against a hundredth of the lines, extrapolated."""
    lines, started = large(200).decode().splitlines(), time.process_time()
    wanted = "    return amount_77 - 77  # share 77 of the totl"
    assert difflib.get_close_matches(wanted, lines, n=2, cutoff=0.5)
    for _ in range(4):
        difflib.get_close_matches(wanted, lines, n=2, cutoff=0.5)
    assert (time.process_time() - started) / 5 * 100 * 10 * MOST_EDITS > 60
