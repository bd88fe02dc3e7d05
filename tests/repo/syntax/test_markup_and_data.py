"""Markup and data: what can be looked up in them, a cap on how much, and all text as prose."""

from __future__ import annotations

import pytest

from clean_room_agent.repo.definitions import MAX_ENTRIES
from tests.repo.syntax.support import Case, check, parse

CASES = [
    Case(
        "html",
        r"""
        <!doctype html>
        <html><head><title>T</title></head>
        <body id="top"><h1>Shop <b>now</b></h1>
        <div class="x"><p id=main>hi</p></div>
        </body></html>
        """,
        [
            'variable top 3-3: <body id="top">',
            "module Shop 3-3: <h1>Shop <b>now</b></h1>",
            "variable main 4-4: <p id=main>",
        ],
        set(),
        [],
    ),
    Case(
        "css",
        r"""
        /* Colours. */
        :root { --main: red; }
        .btn, a:hover > #id { color: red; }
        @media (min-width: 1px) {
          .card { color: blue; }
        }
        @keyframes spin { from { top: 0; } }
        """,
        [
            "variable :root 2-2: :root { --main: red; } [/* Colours. */]",
            "variable :root.--main 2-2: --main: red;",
            "variable .btn 3-3: .btn, a:hover > #id { color: red; }",
            "variable a:hover > #id 3-3: .btn, a:hover > #id { color: red; }",
            "variable .card 5-5: .card { color: blue; }",
            "variable spin 7-7: @keyframes spin { from { top: 0; } }",
        ],
        set(),
        [],
    ),
    Case(
        "markdown",
        r"""
        # Title *em*

        text

        ## Part one

        a

        ### Deep

        Setext
        ======

        b

        Under
        -----
        """,
        [
            "module Title *em* 1-9: # Title *em*",
            "module Title *em*.Part one 5-9: ## Part one",
            "module Title *em*.Part one.Deep 9-9: ### Deep",
            "module Setext 11-17: Setext",
            "module Setext.Under 16-17: Under",
        ],
        set(),
        [],
    ),
    Case(
        "toml",
        r"""
        title = "x"
        # The project.
        [project]
        name = "a"
        [tool.ruff.lint]
        select = ["E"]
        [[bin]]
        "quoted key" = { a = 1 }
        """,
        [
            'variable title 1-1: title = "x"',
            "module project 3-4: [project] [# The project.]",
            'variable project.name 4-4: name = "a"',
            "module tool.ruff.lint 5-6: [tool.ruff.lint]",
            'variable tool.ruff.lint.select 6-6: select = ["E"]',
            "module bin 7-8: [[bin]]",
            'variable bin.quoted key 8-8: "quoted key" = { a = 1 }',
        ],
        set(),
        [],
    ),
    Case(
        "yaml",
        r"""
        # The workflow.
        name: ci
        on: [push]
        jobs:
          build:
            steps:
              - run: x
          "test it":
            needs: build
        """,
        [
            "variable name 2-2: name: ci [# The workflow.]",
            "variable on 3-3: on: [push]",
            "variable jobs 4-9: jobs:",
            "variable jobs.build 5-7: build:",
            'variable jobs.test it 8-9: "test it":',
        ],
        set(),
        [],
    ),
    Case(
        "json",
        r"""
        {
          "name": "x",
          "scripts": {
            "build": "tsc",
            "deep": {"no": 1}
          }
        }
        """,
        [
            'variable name 2-2: "name": "x"',
            'variable scripts 3-6: "scripts": {',
            'variable scripts.build 4-4: "build": "tsc"',
            'variable scripts.deep 5-5: "deep": {"no": 1}',
        ],
        set(),
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_entries(case: Case) -> None:
    check(case)


LONG = {
    "json": "{" + ",".join(f'"k{n}": {{"deep": {n}}}' for n in range(900)) + "}",
    "yaml": "".join(f"k{n}:\n  deep: {n}\n" for n in range(900)),
    "toml": "".join(f"[k{n}]\ndeep = {n}\n" for n in range(900)),
    "markdown": "".join(f"# k{n}\n\ntext\n\n" for n in range(900)),
    "css": "".join(f".k{n} {{ top: 0; }}\n" for n in range(900)),
    "html": "".join(f'<p id="k{n}">x</p>\n' for n in range(900)),
}


@pytest.mark.parametrize("language", LONG)
def test_a_long_file_gives_its_first_entries_only(language: str) -> None:
    names = [symbol.name for symbol in parse(language, LONG[language]).symbols]
    assert names == [f"{'.' if language == 'css' else ''}k{n}" for n in range(MAX_ENTRIES)]


def test_the_second_level_gives_way_to_the_first() -> None:
    inner = ",".join(f'"in{n}": 1' for n in range(MAX_ENTRIES))
    blob = parse("json", f'{{"first": {{{inner}}}, "last": 1}}')
    names = [symbol.qualified_name for symbol in blob.symbols]
    assert len(names) == MAX_ENTRIES
    assert (names[0], names[1], names[-1]) == ("first", "first.in0", "last")


@pytest.mark.parametrize("language", LONG)
def test_text_is_prose_though_it_begins_with_a_comment(language: str) -> None:
    marks = {"yaml": "# Note\nword: 1\n", "toml": "# Note\nword = 1\n", "markdown": "word\n",
             "html": "<!-- Note --><p>word</p>\n", "json": '{"a": "word"}',
             "css": "/* word */ a {}"}  # fmt: skip
    blob = parse(language, marks[language])
    assert "word" in blob.prose.split()
    assert "word" not in blob.identifiers.split()


def test_a_long_key_is_shown_by_its_name() -> None:
    assert parse("json", '{"key": "' + "x" * 500 + '"}').symbols[0].signature == "key"
