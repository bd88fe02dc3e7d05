"""Read what a task text itself names: paths, identifiers, frames, tests, errors. No search.

Takes: the task text. Gives: `Mentions`. Does not know: the index; `resolve` asks it.

Every pattern is a grammar of something machines print (a traceback, a test id) or of code in
prose (backticks, CamelCase, a call). Nothing is guessed from ordinary words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clean_room_agent.retrieval.cap import Cap

_EXTENSIONS = (
    "py|pyi|pyx|js|jsx|mjs|cjs|ts|tsx|go|rs|java|c|h|cc|cpp|hpp|rb"
    "|toml|cfg|ini|json|yml|yaml|md|rst|txt"
)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_URL = re.compile(r"(?:https?|git|ssh)(?:\+https?)?://[^\s)>\]]+")
_VERSION_LINE = re.compile(
    r"^[ \t>*-]{0,20}[A-Za-z][\w .()/-]{0,40}?[ \t:=-]{1,20}"
    r"v?\d{1,9}(?:\.\w{1,20}){1,6}\S{0,40}(?: ?\([^()\n]{0,80}\))?"
    r"[ \t]{0,20}$",
    re.MULTILINE,
)
_PATH = re.compile(rf"(?<![\w/.\\@+-])(?:[\w.@+-]*[/\\])*[\w.@+-]+\.(?:{_EXTENSIONS})\b(?!\.\w)")
_TEST_ID = re.compile(r"(?<![\w/.-])[\w./\\-]+\.py(?:::[A-Za-z_]\w*)+(?:\[[^\]\n]*\])?")
_UNITTEST_ID = re.compile(r"\b(test\w*) \(([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\)")
_DOTTED = re.compile(r"(?<![\w./\\@])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_SCOPED = re.compile(r"\b[A-Za-z_]\w*(?:::[A-Za-z_]\w*)+")
_BACKTICKED = re.compile(r"`{1,2}([^`\n]{1,80})`{1,2}")
_CAMEL = re.compile(r"\b[A-Za-z]*[a-z0-9][A-Z]\w*|\b[A-Z]{2,}[a-z]\w*")
_SNAKE = re.compile(r"\b_*[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+_*\b|\b__?[a-z]\w+")
_CALL = re.compile(r"\b([A-Za-z_]\w{1,60})\(")
_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_ERROR = re.compile(
    r"^[ \t]{0,40}(?:[>E|][ \t]{1,20})?"
    r"(?:(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit)\b:?.*"
    r"|panic: .*|thread '.*' panicked at.*|error(?:\[\w+\])?: .*|Caused by: .*)$",
    re.MULTILINE,
)
_NOT_CALLED = "if for while print return assert not and or in is def class lambda with"
_KEYWORDS = frozenset(_NOT_CALLED.split(" "))

_FRAMES = (
    re.compile(r'File "(?P<path>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<name>\S+))?'),
    re.compile(r"\bat (?P<name>[\w$.<>]+)\((?P<path>[\w$]+\.(?:java|kt|scala)):(?P<line>\d+)\)"),
    re.compile(
        r"\bat (?:(?P<name>[\w$.<> \[\]]{1,120}) )?\(?(?:file://)?"
        r"(?P<path>[^\s():]+\.(?:[cm]?[jt]sx?|rs)):(?P<line>\d+)(?::\d+)?\)?"
    ),
    re.compile(
        r"^(?P<path>[\w./\\@+-]+\.(?:py|go|rs)):(?P<line>\d+):(?:\d+:?)?"
        r"(?: in (?P<name>\w+))?",
        re.MULTILINE,
    ),
    re.compile(r"^[ \t]+(?P<path>[\w./\\@+-]+\.go):(?P<line>\d+)(?P<name>)", re.MULTILINE),
    re.compile(r"panicked at (?:'[^'\n]*', )?(?P<path>[\w./\\-]+\.rs):(?P<line>\d+)(?P<name>)"),
)
MENTIONS = 80  # names of one sort that are looked up


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback as printed; `depth` 0 is the first one printed."""

    path: str
    line: int
    name: str
    depth: int


@dataclass(frozen=True, slots=True)
class Mentions:
    """What the text names, each sort in order of first appearance, without repeats."""

    query: str
    title: str
    paths: tuple[str, ...]
    dotted: tuple[str, ...]
    identifiers: tuple[str, ...]
    frames: tuple[Frame, ...]
    test_ids: tuple[str, ...]
    error_lines: tuple[str, ...]


def parse_task(text: str) -> Mentions:
    """Read a task text. Total: any text gives mentions, perhaps none."""
    cleaned = clean_text(text)
    frames = _find_frames(cleaned)
    test_ids = _distinct(_find_test_ids(cleaned))
    tested = {test_id.split("::")[0] for test_id in test_ids}
    framed = {frame.path for frame in frames}
    paths = _distinct(m.group() for m in _PATH.finditer(cleaned))
    dotted = _distinct(m.group() for m in _DOTTED.finditer(cleaned))
    lines = [line.strip() for line in cleaned.splitlines()]
    return Mentions(
        query=cleaned,
        title=next((line.lstrip("# ") for line in lines if line), ""),
        paths=tuple(path for path in paths if path not in tested | framed),
        dotted=tuple(name for name in dotted if name not in paths),
        identifiers=_most_mentioned(_find_identifiers(_without_files(cleaned))),
        frames=frames,
        test_ids=test_ids,
        error_lines=_distinct(m.group().strip(" \t>E|") for m in _ERROR.finditer(cleaned)),
    )


def clean_text(text: str) -> str:
    """Cut what is not the task: HTML comments, addresses, lines that only give a version."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for pattern in (_COMMENT, _URL, _VERSION_LINE):
        text = pattern.sub("", text)
    return text.strip()


def _find_frames(text: str) -> tuple[Frame, ...]:
    found: dict[tuple[str, int], tuple[int, str]] = {}
    for pattern in _FRAMES:
        for match in pattern.finditer(text):
            key = (_java_path(match["path"], match["name"] or ""), int(match["line"]))
            found.setdefault(key, (match.start(), match["name"] or ""))
    ordered = sorted(found.items(), key=lambda item: item[1])
    return tuple(
        Frame(path, line, name.rsplit(".", 1)[-1].strip("<>"), depth)
        for depth, ((path, line), (_, name)) in enumerate(ordered)
    )


def _java_path(path: str, name: str) -> str:
    """`a.b.C.m(C.java)` stands for a/b/C.java."""
    if not path.endswith((".java", ".kt", ".scala")) or "/" in path:
        return path
    return "/".join([*name.split(".")[:-2], path])


def _find_test_ids(text: str) -> Iterator[str]:
    yield from (match.group() for match in _TEST_ID.finditer(text))
    for match in _UNITTEST_ID.finditer(text):
        module, _, case = match[2].rpartition(".")
        yield f"{module.replace('.', '/')}.py::{case}::{match[1]}"


def _without_files(text: str) -> str:
    """The text without paths and test ids: their parts are no names of their own."""
    return _PATH.sub(" ", _TEST_ID.sub(" ", text))


def _find_identifiers(text: str) -> Iterator[str]:
    for match in _BACKTICKED.finditer(text):
        inner = match[1].strip().removesuffix("()")
        yield from (part for part in re.split(r"\.|::", inner) if _NAME.match(part))
    for pattern in (_DOTTED, _SCOPED):
        for match in pattern.finditer(text):
            yield from re.split(r"\.|::", match.group())[1:]
    yield from (match.group() for match in _CAMEL.finditer(text))
    yield from (match.group() for match in _SNAKE.finditer(text))
    yield from (match[1] for match in _CALL.finditer(text) if match[1] not in _KEYWORDS)


def _most_mentioned(names: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(name for name in names if len(name) > 1)
    kept = Cap(MENTIONS, "by mentions", "bounded look-ups").best(counts)
    return tuple(name for name in counts if name in kept)


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
