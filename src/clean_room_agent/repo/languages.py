"""The languages that are parsed: one table, one entry and one query file each.

Takes: a path, or a language name. Gives: `Language` entries and query texts. Does not know:
what a query captures (`syntax`) or how an import finds its file (`indexing`).

No grammar is imported here: `syntax` does that when the first file of a language is parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

_TEST_DIRECTORIES = frozenset({"test", "tests", "__tests__", "testdata"})
_SCRIPT_TESTS = r"\.(test|spec|e2e|cy)\.[cm]?[jt]sx?$"


@dataclass(frozen=True, slots=True)
class Language:
    """One language: which files are written in it and how they are read."""

    name: str
    extensions: tuple[str, ...]
    package: str
    grammar: str
    query: str
    resolver: str
    test_name: re.Pattern[str]
    keywords: frozenset[bytes]
    filenames: tuple[str, ...] = ()


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode("ascii").split())


_SCRIPT_KEYWORDS = _words(
    "await async break case catch class const continue debugger default delete do else export"
    " extends false finally for from function if import in instanceof let new null of return"
    " static super switch this throw true try typeof undefined var void while with yield"
)
_TYPE_KEYWORDS = _SCRIPT_KEYWORDS | _words(
    "abstract any as boolean declare enum implements interface keyof namespace never number"
    " private protected public readonly string type unknown"
)

LANGUAGES: tuple[Language, ...] = (
    Language(
        name="python",
        extensions=("py", "pyi", "pyw"),
        package="tree_sitter_python",
        grammar="language",
        query="python.scm",
        resolver="python",
        test_name=re.compile(r"^(test_.*|.*_test|conftest|tests)\.pyi?$"),
        keywords=_words(
            "False None True and as assert async await break class continue def del elif else"
            " except finally for from global if import in is lambda nonlocal not or pass raise"
            " return try while with yield self cls"
        ),
        filenames=("SConstruct", "SConscript", "wscript"),
    ),
    Language(
        name="javascript",
        extensions=("js", "jsx", "mjs", "cjs"),
        package="tree_sitter_javascript",
        grammar="language",
        query="javascript.scm",
        resolver="script",
        test_name=re.compile(_SCRIPT_TESTS),
        keywords=_SCRIPT_KEYWORDS,
    ),
    Language(
        name="typescript",
        extensions=("ts", "mts", "cts"),
        package="tree_sitter_typescript",
        grammar="language_typescript",
        query="typescript.scm",
        resolver="script",
        test_name=re.compile(_SCRIPT_TESTS),
        keywords=_TYPE_KEYWORDS,
    ),
    Language(
        name="tsx",
        extensions=("tsx",),
        package="tree_sitter_typescript",
        grammar="language_tsx",
        query="tsx.scm",
        resolver="script",
        test_name=re.compile(_SCRIPT_TESTS),
        keywords=_TYPE_KEYWORDS,
    ),
    Language(
        name="go",
        extensions=("go",),
        package="tree_sitter_go",
        grammar="language",
        query="go.scm",
        resolver="go",
        test_name=re.compile(r"_test\.go$"),
        keywords=_words(
            "break case chan const continue default defer else fallthrough for func go goto if"
            " import interface map nil package range return select struct switch type var"
        ),
    ),
    Language(
        name="rust",
        extensions=("rs",),
        package="tree_sitter_rust",
        grammar="language",
        query="rust.scm",
        resolver="rust",
        test_name=re.compile(r"^(tests?|.*_tests?|test_.*)\.rs$"),
        keywords=_words(
            "as async await break const continue crate dyn else enum extern false fn for if impl"
            " in let loop match mod move mut pub ref return self static struct super trait true"
            " type unsafe use where while Self"
        ),
    ),
    Language(
        name="java",
        extensions=("java",),
        package="tree_sitter_java",
        grammar="language",
        query="java.scm",
        resolver="java",
        test_name=re.compile(r"^(Test.*|.*(Test|Tests|TestCase|IT))\.java$"),
        keywords=_words(
            "abstract assert boolean break byte case catch char class continue default do double"
            " else enum extends final finally float for if implements import instanceof int"
            " interface long native new null package private protected public return short"
            " static super switch synchronized this throw throws transient true false try void"
            " volatile while"
        ),
    ),
)

_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_EXTENSION = {ext: language.name for language in LANGUAGES for ext in language.extensions}
_BY_FILENAME = {name: language.name for language in LANGUAGES for name in language.filenames}


def language_of(path: str) -> str | None:
    """Name the language of a path by its file name, or None where no grammar is known."""
    filename = path.rpartition("/")[2]
    return _BY_FILENAME.get(filename) or _BY_EXTENSION.get(filename.rpartition(".")[2].lower())


def is_test_path(path: str, language: str | None) -> bool:
    """Tell whether a path holds tests: by its directories, or by its language's file name rule."""
    directory, _, filename = path.rpartition("/")
    if not _TEST_DIRECTORIES.isdisjoint(directory.split("/")):
        return True
    return language is not None and bool(_BY_NAME[language].test_name.search(filename))


def get_language(name: str) -> Language:
    """Give the table's entry; `KeyError` for a name that the table does not hold."""
    return _BY_NAME[name]


def read_query(name: str) -> str:
    """Read the text of one language's query file.

    A line `; inherits: other` is replaced with the other file: dialects share their patterns.
    """
    return _expand(_BY_NAME[name].query)


def _expand(filename: str) -> str:
    folder = resources.files("clean_room_agent.repo") / "queries"
    lines = []
    for line in (folder / filename).read_text(encoding="utf-8").splitlines():
        mark, _, other = line.partition("; inherits: ")
        lines.append(_expand(other.strip()) if other and not mark else line)
    return "\n".join(lines)
