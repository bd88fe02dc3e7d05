"""A file's language and its being a test are told by its name, or by its first line."""

from __future__ import annotations

import pytest

from clean_room_agent.repo.languages import (
    LANGUAGES,
    is_code,
    is_test_path,
    language_of,
    language_of_script,
)

NAMES = {
    "src/a.c": "c", "src/a.h": "cpp", "src/a.hpp": "cpp", "src/a.cc": "cpp", "A.cs": "csharp",
    "a.rb": "ruby", "Gemfile": "ruby", "lib/Rakefile": "ruby", "x.gemspec": "ruby",
    "a.php": "php", "A.kt": "kotlin", "build.gradle.kts": "kotlin", "A.swift": "swift",
    "A.scala": "scala", "build.sbt": "scala", "a.sh": "bash", "a.bats": "bash", ".bashrc": "bash",
    "a.html": "html", "a.css": "css", "README.md": "markdown", "pyproject.toml": "toml",
    "Pipfile": "toml", ".github/workflows/ci.yml": "yaml", "package.json": "json",
    "a.d.ts": "typescript", "SConstruct": "python", "A.PY": "python",
    # no grammar, or no extension
    "Makefile": None, "Dockerfile": None, "a.rst": None, "a.zig": None, "go": None, "bin/c": None,
    "schema.sql": "sql", "a.ex": None, "a.lua": None, "a.m": None, "a.pl": None,
    # written by tools
    "package-lock.json": None, "pnpm-lock.yaml": None, "npm-shrinkwrap.json": None,
    "packages.lock.json": None, "poetry.lock": None, "Cargo.lock": None, "Gemfile.lock": None,
    "site.min.js": None, "site.min.css": None, "clock.json": "json", "lock.json": "json",
}  # fmt: skip


@pytest.mark.parametrize("path", NAMES)
def test_a_language_is_known_by_the_file_name(path: str) -> None:
    assert language_of(path) == NAMES[path]


FIRST_LINES = {
    b"#!/bin/sh\n": "bash", b"#!/usr/bin/env bash\n": "bash",
    b"#!/usr/bin/env -S python3.11 -u": "python",
    b"#! /usr/bin/python2\n": "python", b"#!/usr/bin/env FOO=1 ruby\n": "ruby",
    b"#!/usr/bin/env -S uv run --script\n": "python", b"#!/usr/bin/env -S npx tsx": "typescript",
    b"#!/usr/bin/env -S deno run --allow-net": "typescript", b"#!/usr/bin/env zsh": "bash",
    b"#!/usr/bin/env nix-shell\n": None,
    b"#!/usr/bin/env node\n": "javascript", b"#!/usr/bin/perl\n": None, b"#!\n": None,
    b"#!/usr/bin/env\n": None, b"# a comment\n": None, b"": None, b"\x7fELF": None,
}  # fmt: skip


@pytest.mark.parametrize("line", FIRST_LINES)
def test_a_script_is_known_by_its_first_line(line: bytes) -> None:
    assert language_of_script(line) == FIRST_LINES[line]


def test_markup_and_data_are_no_code() -> None:
    data = {language.name for language in LANGUAGES if not is_code(language.name)}
    assert data == {"html", "css", "markdown", "toml", "yaml", "json"}
    assert not is_code(None)


def test_no_name_stands_for_two_languages() -> None:
    endings = [ending for language in LANGUAGES for ending in language.extensions]
    filenames = [name for language in LANGUAGES for name in language.filenames]
    assert len(set(endings)) == len(endings)
    assert len(set(filenames)) == len(filenames)


TEST_PATHS = {
    "tests/helper.py": True, "pkg/test_x.py": True, "pkg/x_test.py": True, "conftest.py": True,
    "pkg/testing/run.py": False, "pkg/latest.py": False, "a/x_test.go": True, "a/x.go": False,
    "web/a.spec.ts": True, "web/__tests__/a.js": True, "web/a.ts": False,
    "src/test/java/a/K.java": True, "src/main/java/a/KTest.java": True,
    "src/main/java/a/K.java": False, "src/lib.rs": False, "tests/it.rs": True,
    "tests/data.txt": True, "contest.py": False,
    "src/test_list.c": True, "src/list_test.cc": True, "src/list-test.cpp": True,
    "src/ListTest.cpp": True, "src/latest.c": False, "src/contest.h": False,
    "src/ListTests.cs": True, "App.Tests/Helper.cs": True, "App/Contests.cs": False,
    "app/cart_spec.rb": True, "app/cart_test.rb": True, "spec/helper.rb": True,
    "app/aspect.rb": False, "src/CartTest.php": True, "Tests/Cart.php": True, "src/Cart.php": False,
    "src/a/CartTest.kt": True, "src/jvmTest/a/Cart.kt": True, "src/a/Latest.kt": False,
    "CartTests.swift": True, "AppTests/Helper.swift": True, "Sources/Cart.swift": False,
    "src/CartSpec.scala": True, "src/CartSuite.scala": True, "src/Cart.scala": False,
    "bin/cart.bats": True, "bin/test_cart.sh": True, "bin/cart.sh": False,
    "docs/test_plan.md": False,
}  # fmt: skip


@pytest.mark.parametrize("path", TEST_PATHS)
def test_a_test_is_known_by_its_path(path: str) -> None:
    assert is_test_path(path, language_of(path)) is TEST_PATHS[path]
