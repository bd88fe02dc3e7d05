"""Changes as files before and after: normal forms, narrowed edits, apply and take back."""

from __future__ import annotations

import hashlib

import pytest

from clean_room_agent.errors import EditError
from clean_room_agent.execute.edits import replace_ranges
from clean_room_agent.pipeline.changes import change_of, first_line, narrowed, normal_form
from clean_room_agent.records.attempt import Replacement

BASE = b"def f(a, b):\n    x = a < b\n    return x\n"


def whole(path: str, before: bytes, after: bytes) -> Replacement:
    return Replacement(path, 0, len(before), after, hashlib.sha256(before).hexdigest())


def form(after: bytes, before: bytes = BASE, path: str = "f.py") -> str:
    files = {path: before}
    return normal_form(change_of([whole(path, before, after)], files.get))


def test_layout_and_comments_do_not_make_a_patch_another_one() -> None:
    plain = form(BASE.replace(b"a < b", b"a <= b"))
    assert plain == form(BASE.replace(b"a < b", b"(a   <=  b)  # at most"))
    assert plain == form(BASE.replace(b"a < b", b"b >= a"))
    assert plain != form(BASE.replace(b"a < b", b"a > b"))


@pytest.mark.parametrize(
    ("path", "before", "one", "other"),
    [
        ("notes.txt", b"one\n", b"two\n", b"two\n\n"),
        ("broken.py", b"def f(:\n", b"def f():  # one\n  (", b"def f():\n  ("),
        ("latin.py", b"# coding: latin-1\nx = '\xe9'\n", b"# coding: latin-1\nx = '\xe8'\n",
         b"# coding: latin-1\nx = '\xea'\n"),
    ],
)  # fmt: skip
def test_what_is_no_tree_is_compared_by_bytes(
    path: str, before: bytes, one: bytes, other: bytes
) -> None:
    assert form(one, before, path) != form(other, before, path)
    assert form(one, before, path) == form(one, before, path)


@pytest.mark.parametrize(
    "after",
    [
        BASE.replace(b"a < b", b"a <= b"),
        BASE + b"\n\ndef g():\n    pass\n",
        b"import os\n" + BASE,
        b"",
        BASE.replace(b"\n", b"\r\n"),
        BASE.rstrip(b"\n"),
        BASE.replace(b"    x = a < b\n", b"") * 2,
    ],
)
def test_a_narrowed_edit_makes_the_same_bytes_and_can_be_taken_back(after: bytes) -> None:
    change = change_of([whole("f.py", BASE, after)], {"f.py": BASE}.get)
    (edit,) = narrowed(change)
    assert replace_ranges(BASE, [edit]) == after
    back = change_of([whole("f.py", after, BASE)], {"f.py": after}.get)
    assert replace_ranges(after, list(narrowed(back))) == BASE


def test_a_narrowed_edit_spans_only_the_lines_that_differ() -> None:
    after = BASE.replace(b"a < b", b"a <= b")
    (edit,) = narrowed(change_of([whole("f.py", BASE, after)], {"f.py": BASE}.get))
    assert BASE[edit.start_byte : edit.end_byte] == b"    x = a < b\n"
    assert first_line(edit, BASE) == 2


def test_a_new_file_has_no_before_and_no_change_has_no_edit() -> None:
    change = change_of([Replacement("new.py", 0, 0, b"x = 1\n", "")], {}.get)
    assert change.before == {}
    assert narrowed(change) == (Replacement("new.py", 0, 0, b"x = 1\n", ""),)
    assert narrowed(change_of([whole("f.py", BASE, BASE)], {"f.py": BASE}.get)) == ()


def test_an_edit_of_other_bytes_is_refused() -> None:
    with pytest.raises(EditError, match="changed since"):
        change_of([whole("f.py", BASE, b"")], {"f.py": BASE + b"\n"}.get)
