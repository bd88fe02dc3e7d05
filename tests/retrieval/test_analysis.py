"""Reading task texts as people and machines write them."""

import time

import pytest

from clean_room_agent.retrieval.analysis import clean_text, parse_task

ISSUE = """\
simplify(cos(x)**I): Invalid comparison of complex I
<!-- please fill in sympy/ignored.py -->
See https://github.com/sympy/sympy/blob/master/sympy/core/basic.py for more.

```
>>> from sympy.core.symbol import Symbol
Traceback (most recent call last):
  File "/home/e/se/sympy/simplify/fu.py", line 500, in _f
    if (rv.exp < 0) == True:
  File "/home/e/se/sympy/core/expr.py", line 406, in __lt__
    raise TypeError("Invalid comparison of complex %s" % me)
TypeError: Invalid comparison of complex I
```
Calling `Mul.flatten` or foo_bar() in core/mul.py helps.
Python 3.9.10
numpy: 1.21.5
"""


def test_an_issue_gives_its_title_frames_and_names() -> None:
    found = parse_task(ISSUE)
    assert found.title == "simplify(cos(x)**I): Invalid comparison of complex I"
    assert [(f.path, f.line, f.name, f.depth) for f in found.frames] == [
        ("/home/e/se/sympy/simplify/fu.py", 500, "_f", 0),
        ("/home/e/se/sympy/core/expr.py", 406, "__lt__", 1),
    ]
    assert found.error_lines == ("TypeError: Invalid comparison of complex I",)
    assert found.paths == ("core/mul.py",)
    assert "sympy.core.symbol" in found.dotted
    assert {"flatten", "Mul", "foo_bar", "simplify"} <= set(found.identifiers)


def test_comments_addresses_and_version_lines_are_cut() -> None:
    cleaned = clean_text(ISSUE)
    for cut in ("ignored.py", "https", "3.9.10", "1.21.5"):
        assert cut not in cleaned
    assert "foo_bar" in cleaned


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ('  File "pkg/a.py", line 3, in run', ("pkg/a.py", 3, "run")),
        ("tests/test_a.py:12: AssertionError", ("tests/test_a.py", 12, "")),
        ("    at parse (/srv/app/lib/parse.js:10:5)", ("/srv/app/lib/parse.js", 10, "parse")),
        ("    at /srv/app/lib/index.ts:7:1", ("/srv/app/lib/index.ts", 7, "")),
        ("\t/go/src/cli/cmd/root.go:88 +0x1d", ("/go/src/cli/cmd/root.go", 88, "")),
        ("thread 'main' panicked at src/parse.rs:9:14:", ("src/parse.rs", 9, "")),
        ("             at ./src/main.rs:4:5", ("./src/main.rs", 4, "")),
        (
            "\tat org.acme.net.Client.send(Client.java:42)",
            ("org/acme/net/Client.java", 42, "send"),
        ),
    ],
    ids=["python", "pytest", "js", "ts-bare", "go", "rust-panic", "rust-frame", "java"],
)
def test_frames_of_each_language_are_read(line: str, frame: tuple[str, int, str]) -> None:
    (found,) = parse_task(f"It fails\n\n{line}\n").frames
    assert (found.path, found.line, found.name) == frame


@pytest.mark.parametrize(
    ("text", "test_id"),
    [
        ("FAILED tests/test_a.py::TestX::test_y[1-a] - x", "tests/test_a.py::TestX::test_y[1-a]"),
        (
            "test_save (model_tests.test_forms.FormTest) fails",
            "model_tests/test_forms.py::FormTest::test_save",
        ),
    ],
    ids=["pytest", "unittest"],
)
def test_test_ids_are_read(text: str, test_id: str) -> None:
    assert parse_task(text).test_ids == (test_id,)


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", "fix the parser bug", "`", "```", "a.b.c" * 5000, "((((" * 5000, "x" * 100_000],
    ids=["empty", "blank", "words", "tick", "fence", "dots", "parens", "long"],
)
def test_any_text_is_read(text: str) -> None:
    assert parse_task(text).frames == ()


@pytest.mark.parametrize(
    "unit", ["a@", "at ", "E", "A.", "a/", "a.b", "- ", "v1.", "x::", "`a", "_a", 'File "', " "]
)
def test_hostile_repeats_are_read_in_linear_time(unit: str) -> None:
    start = time.process_time()
    parse_task(unit * 30_000)
    parse_task("a 1.b" + unit * 30_000 + " !")
    assert time.process_time() - start < 5.0


def test_the_parts_of_a_path_are_no_identifiers() -> None:
    found = parse_task("see test_manifest.py, tests/test_other.py and a/b_c.py::TestX::test_y")
    assert found.identifiers == ()


def test_plain_words_are_no_identifiers() -> None:
    assert parse_task("Fix the parser when a user passes an empty list").identifiers == ()


def test_windows_lines_and_paths_are_read() -> None:
    found = parse_task('Crash\r\n  File "C:\\app\\pkg\\a.py", line 3, in f\r\nKeyError: 1\r\n')
    assert [(f.path, f.line) for f in found.frames] == [("C:\\app\\pkg\\a.py", 3)]
    assert found.error_lines == ("KeyError: 1",)
