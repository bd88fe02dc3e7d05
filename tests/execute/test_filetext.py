"""What counts as code left out, as a line end, as noise of a machine."""

from __future__ import annotations

import pytest

from clean_room_agent.execute.filetext import find_left_out, line_end_of, refuse_encoding
from clean_room_agent.execute.material import plain_failure

LEFT_OUT = [
    "# ...",
    "# ... rest of the code",
    "# rest of your class unchanged",
    "// remaining methods",
    "/* existing imports */",
    "<!-- unchanged content -->",
    "-- the rest of the script",
    "# [existing code]",
    "# implementation here",
    "[...]",
    "x = 1\n...",
]
WHOLE = [
    "def f(): ...",
    "class P(Protocol):\n    def f(self) -> int:\n        ...",
    'def f():\n    """Do it."""\n    ...',
    "# the rest of the line is the name",
    "# existing files are kept, see below",
    "# remaining = total - used",
    "x = [1, ...]",
    "print('...')",
    "# code: 404",
    "# other methods may call this one first",
]


@pytest.mark.parametrize("text", LEFT_OUT)
def test_a_line_that_stands_for_code_is_found(text: str) -> None:
    assert find_left_out(text, "") == text.splitlines()[-1]


@pytest.mark.parametrize("text", WHOLE)
def test_ordinary_code_and_comments_are_not_taken_for_it(text: str) -> None:
    assert find_left_out(text, "") == ""


def test_a_line_that_the_file_holds_itself_is_code_of_the_file() -> None:
    assert find_left_out("x = 1\n# ...\n", "a\n    # ...\n") == ""


@pytest.mark.parametrize(
    ("base", "found"),
    [
        (b"a\nb\n", b"\n"),
        (b"a\r\nb\r\n", b"\r\n"),
        (b"a\rb", b"\r"),
        (b"a\r\nb\n", None),
        (b"a\n\rb", None),
        (b"a", None),
    ],
)
def test_only_one_kind_of_line_end_counts(base: bytes, found: bytes | None) -> None:
    assert line_end_of(base) == found


def test_a_declared_encoding_matters_only_for_text_beyond_ascii() -> None:
    declared = b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = 1\n"
    assert refuse_encoding("a.py", declared, "x = 'a'") == ""
    assert "cp1252" in refuse_encoding("a.py", declared, "x = '\u00e4'")
    assert refuse_encoding("a.py", declared.replace(b"cp1252", b"UTF_8"), "x = '\u00e4'") == ""


NOISE = [
    ("<Shop object at 0x7f3a2c001d30>", "<Shop object at 0x7f3a2c0ffd30>"),
    ("open('/tmp/pytest-of-me/pytest-12/a0/f')", "open('/tmp/pytest-of-you/pytest-3/a0/f')"),
    ("File /tmp/tmpab12cd3_/calc.py, line 3", "File /tmp/tmpzz9x8y7w/calc.py, line 3"),
    ("1 failed in 0.12s", "1 failed in 3.90s"),
    ("2 failed in 61.05s (0:01:01)", "2 failed in 65.20s (0:01:05)"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), NOISE)
def test_two_equal_runs_give_equal_failure_texts(one: str, other: str) -> None:
    assert plain_failure(one) == plain_failure(other)


@pytest.mark.parametrize(
    "text",
    [
        "assert 0xff == 0xdeadbeef",
        "E  assert 5 == 6",
        "waited 5 s",
        "src/tmp/calc.py:3: Error",
        "no such file: '/tmp/settings.json'",
    ],
)
def test_what_a_test_says_of_the_code_is_left_alone(text: str) -> None:
    assert plain_failure(text) == text
