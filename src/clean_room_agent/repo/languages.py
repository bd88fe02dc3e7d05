"""The languages that are parsed: one table, one entry and one query file each.

Takes: a path, or a language name. Gives: `Language` entries and query texts. Does not know:
what a query captures (`syntax`) or how an import finds its file (`indexing`).

No grammar is imported here: `syntax` does that when the first file of a language is parsed.

A header `.h` is read as C++: a C header is nearly always valid C++, the reverse is not, and both
are of one family, so an include finds it from either. Markup and data (no `resolver`) have
entries to be found by but nothing to call. Lock files and minified code, known by their names,
stay files without symbols.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

# Shells by the names that stand in a first line: `#!/usr/bin/env NAME`.
_INTERPRETERS = {
    "python": "python", "pypy": "python", "node": "javascript", "deno": "typescript",
    "ruby": "ruby", "php": "php", "bash": "bash", "sh": "bash", "dash": "bash", "ksh": "bash",
    "bats": "bash", "zsh": "bash", "ash": "bash", "mksh": "bash", "kotlin": "kotlin",
    "kotlinc": "kotlin", "scala": "scala", "scala-cli": "scala", "swift": "swift",
    "pythonw": "python", "ipython": "python", "nodejs": "javascript", "bun": "typescript",
    "tsx": "typescript", "ts-node": "typescript", "jruby": "ruby", "rake": "ruby",
    "psql": "sql", "java": "java", "dotnet": "csharp",
}  # fmt: skip
# Programs that run another one, and the language where none is named behind them; "" is unknown.
_RUNNERS = {"uv": "python", "pipx": "python", "poetry": "python", "bundle": "ruby",
            "npx": "javascript", "nix-shell": "", "sudo": "", "exec": ""}  # fmt: skip
_WRITTEN_BY_TOOLS = re.compile(
    r"\.min\.(?:js|mjs|cjs|css)$|[.-]lock\.(?:json|ya?ml|toml)$"
    r"|^(?:npm-shrinkwrap|packages\.lock|project\.assets)\.json$"
)
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
    test_name: re.Pattern[str] = re.compile(r"(?!)")
    keywords: frozenset[bytes] = frozenset()
    filenames: tuple[str, ...] = ()
    test_place: re.Pattern[str] | None = None


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode("ascii").split())


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SCRIPT_KEYWORDS = _words(
    "await async break case catch class const continue debugger default delete do else export"
    " extends false finally for from function if import in instanceof let new null of return"
    " static super switch this throw true try typeof undefined var void while with yield"
)
_TYPE_KEYWORDS = _SCRIPT_KEYWORDS | _words(
    "abstract any as boolean declare enum implements interface keyof namespace never number"
    " private protected public readonly string type unknown"
)

_C_KEYWORDS = _words(
    "break case char const continue default define defined do double else elif endif enum extern"
    " float for goto if ifdef ifndef include inline int long NULL pragma register return short"
    " signed sizeof static struct switch typedef undef union unsigned void volatile while"
)
_SQL_KEYWORDS = _words(
    "add all alter and any as asc begin between bigint boolean by cascade case check column"
    " commit constraint create cross default delete desc distinct drop else end exists"
    " false foreign from full function grant group having if in index inner insert int"
    " integer into is join key language left like limit not null numeric on or order outer"
    " primary procedure references replace return returns right rollback schema select set"
    " table temporary text then timestamp trigger true union unique update using values"
    " varchar view when where with"
)
_C_TESTS = re.compile(
    r"^(test_.*|tests?|.*[_-](tests?|unittests?))\.\w+$|^Test[A-Z].*\.\w+$"
    r"|[a-z0-9]Tests?\.\w+$"
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
        resolver="jvm",
        test_name=re.compile(r"^(Test.*|.*(Test|Tests|TestCase|IT))\.java$"),
        keywords=_words(
            "abstract assert boolean break byte case catch char class continue default do double"
            " else enum extends final finally float for if implements import instanceof int"
            " interface long native new null package private protected public return short"
            " static super switch synchronized this throw throws transient true false try void"
            " volatile while"
        ),
    ),
    Language(
        name="c",
        extensions=("c",),
        package="tree_sitter_c",
        grammar="language",
        query="c.scm",
        resolver="include",
        test_name=_C_TESTS,
        keywords=_C_KEYWORDS,
    ),
    Language(
        name="cpp",
        extensions=_list("h hh hpp hxx h++ inl ipp tpp cc cpp cxx c++ cppm ixx"),
        package="tree_sitter_cpp",
        grammar="language",
        query="cpp.scm",
        resolver="include",
        test_name=_C_TESTS,
        keywords=_C_KEYWORDS
        | _words(
            "and auto bool catch class concept consteval constexpr decltype delete explicit export"
            " false final friend mutable namespace new noexcept not nullptr operator or override"
            " private protected public requires static_assert static_cast template this throw true"
            " try typename using virtual"
        ),
    ),
    Language(
        name="csharp",
        extensions=("cs", "csx"),
        package="tree_sitter_c_sharp",
        grammar="language",
        query="csharp.scm",
        resolver="csharp",
        test_name=re.compile(r"^(Test[A-Z].*|.*(Test|Tests|TestCase|Spec|Specs))\.cs$"),
        test_place=re.compile(r"/[^/]*Tests?/"),
        keywords=_words(
            "abstract as async await base bool break byte case catch char class const continue"
            " decimal default delegate do double else enum event explicit extern false finally"
            " float for foreach get if implicit in init int interface internal is lock long"
            " namespace new null object operator out override params partial private protected"
            " public readonly record ref return sealed set short sizeof static string struct switch"
            " this throw true try typeof uint ulong unchecked unsafe using value var virtual void"
            " volatile where while yield"
        ),
    ),
    Language(
        name="ruby",
        extensions=("rb", "rake", "gemspec", "ru", "podspec"),
        package="tree_sitter_ruby",
        grammar="language",
        query="ruby.scm",
        resolver="ruby",
        test_name=re.compile(r"^(test_.*|.*_(test|spec)|spec_helper)\.rb$"),
        test_place=re.compile(r"/specs?/"),
        keywords=_words(
            "alias and begin break case class def defined do else elsif end ensure false for if in"
            " module next nil not or raise redo require require_relative rescue retry return self"
            " super then true undef unless until when while yield"
        ),
        filenames=_list(
            "Gemfile Rakefile Guardfile Vagrantfile Capfile Podfile Fastfile Brewfile Dangerfile"
            " Appraisals .irbrc .pryrc"
        ),
    ),
    Language(
        name="php",
        extensions=("php", "phtml", "php5", "php7", "phpt"),
        package="tree_sitter_php",
        grammar="language_php",
        query="php.scm",
        resolver="php",
        test_name=re.compile(r"(^Test[A-Z].*|(Test|TestCase|Spec|Cest))\.php$|\.phpt$"),
        test_place=re.compile(r"/Tests?/"),
        keywords=_words(
            "abstract and array as break case catch class clone const continue declare default do"
            " echo else elseif extends false final finally fn for foreach function global goto if"
            " implements include include_once instanceof interface isset list match namespace new"
            " null or parent print private protected public readonly require require_once return"
            " self static switch this throw trait true try unset use var while yield"
        ),
    ),
    Language(
        name="kotlin",
        extensions=("kt", "kts"),
        package="tree_sitter_kotlin",
        grammar="language",
        query="kotlin.scm",
        resolver="jvm",
        test_name=re.compile(r"^(Test[A-Z].*|.*(Test|Tests|TestCase|Spec|IT))\.kts?$"),
        test_place=re.compile(r"/[a-z]\w*Test/"),
        keywords=_words(
            "abstract annotation as break by catch class companion const constructor continue data"
            " do else enum false final finally for fun get if import in init inline inner interface"
            " internal is it lateinit null object open operator out override package private"
            " protected public return sealed set super suspend this throw true try typealias val"
            " var vararg when where while"
        ),
    ),
    Language(
        name="swift",
        extensions=("swift",),
        package="tree_sitter_swift",
        grammar="language",
        query="swift.scm",
        resolver="swift",
        test_name=re.compile(r"(Test|Tests|Spec|Specs|TestCase)\.swift$"),
        test_place=re.compile(r"/(\w*Tests|Specs)/"),
        keywords=_words(
            "actor as associatedtype async await break case catch class continue default defer"
            " deinit do else enum extension fallthrough false fileprivate final for func get guard"
            " if import in indirect init inout internal is lazy let mutating nil open operator"
            " override private protocol public repeat required rethrows return self Self set some"
            " static struct subscript super switch throw throws true try typealias unowned var weak"
            " where while"
        ),
    ),
    Language(
        name="scala",
        extensions=("scala", "sc", "sbt"),
        package="tree_sitter_scala",
        grammar="language",
        query="scala.scm",
        resolver="jvm",
        test_name=re.compile(r"^(Test[A-Z].*|.*(Test|Tests|Spec|Specs|Suite|IT))\.scala$"),
        test_place=re.compile(r"/[a-z]\w*Test/|/it/"),
        keywords=_words(
            "abstract case catch class def do else enum export extends extension false final"
            " finally for forSome given if implicit import inline lazy match new null object opaque"
            " override package private protected return sealed super then this throw trait true try"
            " type using val var while with yield"
        ),
    ),
    Language(
        name="bash",
        extensions=("sh", "bash", "bats", "ksh"),
        package="tree_sitter_bash",
        grammar="language",
        query="bash.scm",
        resolver="bash",
        test_name=re.compile(r"^(test_.*|test-.*|.*_test|.*-test|.*_spec)\.(ba)?sh$|\.bats$"),
        keywords=_words(
            "case do done elif else esac exit export fi for function if in local readonly return"
            " select set shift then unset until while"
        ),
        filenames=_list(
            ".bashrc .bash_profile .bash_aliases .bash_logout .profile .envrc PKGBUILD"
        ),
    ),
    Language(
        name="sql",
        extensions=_list("sql ddl dml pgsql plsql psql"),
        package="tree_sitter_sql",
        grammar="language",
        query="sql.scm",
        resolver="sql",
        test_name=re.compile(r"^(test_.*|.*_tests?)\.sql$"),
        keywords=_SQL_KEYWORDS | frozenset(word.upper() for word in _SQL_KEYWORDS),
    ),
    Language("html", ("html", "htm", "xhtml"), "tree_sitter_html", "language", "html.scm", ""),
    Language("css", ("css",), "tree_sitter_css", "language", "css.scm", ""),
    Language(
        "markdown",
        ("md", "markdown", "mdown", "mkd"),
        "tree_sitter_markdown",
        "language",
        "markdown.scm",
        "",
    ),
    Language(
        "toml", ("toml",), "tree_sitter_toml", "language", "toml.scm", "", filenames=("Pipfile",)
    ),
    Language(
        "yaml",
        ("yaml", "yml"),
        "tree_sitter_yaml",
        "language",
        "yaml.scm",
        "",
        filenames=(".clang-format", ".clang-tidy"),
    ),
    Language("json", ("json", "jsonc"), "tree_sitter_json", "language", "json.scm", ""),
)

_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_EXTENSION = {ext: language.name for language in LANGUAGES for ext in language.extensions}
_BY_FILENAME = {name: language.name for language in LANGUAGES for name in language.filenames}


def language_of(path: str) -> str | None:
    """Name the language of a path by its file name, or None where no grammar is known.

    A file that a tool wrote whole (a lock file, minified code) has none: it is not read as code.
    """
    filename = path.rpartition("/")[2]
    named = _BY_FILENAME.get(filename)
    _, dot, ending = filename.rpartition(".")
    if named is not None or not dot or _WRITTEN_BY_TOOLS.search(filename):
        return named
    return _BY_EXTENSION.get(ending.lower())


def language_of_script(first_line: bytes) -> str | None:
    """Name the language of a file by its `#!` line.

    `env` with its options and settings is stepped over, and so is a runner (`uv run --script`):
    behind it the first word that is an interpreter counts, else what the runner runs.
    """
    if not first_line.startswith(b"#!"):
        return None
    words = first_line[2:200].decode("utf-8", "replace").split()
    names = [_program(word) for word in words if not word.startswith("-") and "=" not in word]
    if names[:1] == ["env"]:
        names = names[1:]
    if not names:
        return None
    if names[0] in _RUNNERS:
        named = next((name for name in names[1:] if name in _INTERPRETERS), names[0])
        return _INTERPRETERS.get(named, _RUNNERS[names[0]]) or None
    return _INTERPRETERS.get(names[0])


def _program(word: str) -> str:
    return word.rpartition("/")[2].rstrip("0123456789.")


def find_language(name: str) -> str | None:
    """Give the name back where the table holds it."""
    return name if name in _BY_NAME else None


def is_code(language: str | None) -> bool:
    """Tell whether a language has things to call and import: markup and data have none."""
    return language is not None and bool(_BY_NAME[language].resolver)


def is_test_path(path: str, language: str | None) -> bool:
    """Tell whether a path holds tests: by its directories, or by its language's rules."""
    directory, _, filename = path.rpartition("/")
    if not _TEST_DIRECTORIES.isdisjoint(directory.split("/")):
        return True
    if language is None:
        return False
    entry = _BY_NAME[language]
    if entry.test_place is not None and entry.test_place.search(f"/{directory}/"):
        return True
    return bool(entry.test_name.search(filename))


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
