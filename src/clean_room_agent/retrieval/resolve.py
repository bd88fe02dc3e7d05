"""Find in the index what a task text names, and write down what is not there.

Takes: `Mentions`, the reader. Gives: `Resolution`: the `TaskAnalysis` for the log, and marks on
files. Does not know: what a mark is worth; a mark only says how many files share it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from clean_room_agent.records.context import TaskAnalysis
from clean_room_agent.repo.tokens import path_tokens
from clean_room_agent.retrieval.analysis import Frame, Mentions
from clean_room_agent.retrieval.weights import SYMBOL_SPREAD
from clean_room_agent.retrieval.words import is_common_name
from clean_room_agent.store.curated_reader import CuratedReader, FileRow, SymbolRow

_SUFFIX_CANDIDATES = 400
_SUFFIXES = (".py", "/__init__.py", ".pyi", ".java", ".rs", ".go", ".ts", ".js")
_LookUp = Callable[[str, CuratedReader], Iterator["Mark"]]
_NO_FUNCTION = frozenset({"module", "lambda", "listcomp", "dictcomp", "setcomp", "genexpr"})
_STEM_MAX = 12  # a bare file name that more files bear marks nothing


class MarkKind(StrEnum):
    """How the text named a file."""

    PATH = "path"
    MODULE = "module"
    STEM = "stem"
    SYMBOL = "symbol"
    TRACEBACK = "traceback"
    TEST = "test"
    SUGGESTED = "suggested"


@dataclass(frozen=True, slots=True)
class Mark:
    """One mention that leads to one file; `spread` is how many files this mention marks."""

    kind: MarkKind
    file: FileRow
    spread: int
    text: str
    symbol: SymbolRow | None = None
    line: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the text names: for the log, and as marks on files of the index.

    `search` weighs words that a model would look for; the task's own words are in `mentions`.
    """

    analysis: TaskAnalysis
    mentions: Mentions
    marks: tuple[Mark, ...]
    search: Mapping[str, float] = field(default_factory=dict)


def resolve_mentions(mentions: Mentions, reader: CuratedReader) -> Resolution:
    """Look every mention up. What the index does not hold is listed in `analysis.unknown`."""
    marks: list[Mark] = []
    unknown: list[str] = []
    sources: tuple[tuple[tuple[str, ...], _LookUp], ...] = (
        (mentions.paths, _resolve_path),
        (mentions.dotted, _resolve_dotted),
        (mentions.test_ids, _resolve_test),
    )
    for names, look_up in sources:
        for name in names:
            found = list(look_up(name, reader))
            marks += found
            if not found:
                unknown.append(name)
    for frame in mentions.frames:
        found = list(_resolve_frame(frame, reader))
        marks += found
        if not found:
            unknown.append(f"{frame.path}:{frame.line}")
    owned = _owned_names(mentions.dotted, marks)
    free = [name for name in mentions.identifiers if name not in owned]
    defined = owned | _resolve_symbols(free, reader, marks)
    strangers = _strangers(mentions, defined, marks, reader)
    unknown = [name for name in unknown if name not in mentions.dotted or name in strangers]
    unknown += [name for name in strangers if name not in mentions.dotted]
    return Resolution(_to_analysis(mentions, marks, unknown), mentions, tuple(marks))


def _strangers(
    mentions: Mentions, defined: Set[str], marks: Sequence[Mark], reader: CuratedReader
) -> list[str]:
    """Names that are neither defined here, nor of the language, nor a package or a module.

    `nx.f` is known where `f` is; where it is not, its parts are not listed once more.
    """
    led = {mark.text for mark in marks}
    dotted = [
        name
        for name in mentions.dotted
        if name not in led and name.rpartition(".")[2] not in defined and not is_common_name(name)
    ]
    parts = {part for name in (*led, *mentions.dotted) for part in name.split(".")}
    plain = [
        name
        for name in mentions.identifiers
        if name not in defined | parts
        and not is_common_name(name)
        and not _is_path_part(name, reader)
    ]
    return dotted + plain


def _owned_names(dotted: Sequence[str], marks: Sequence[Mark]) -> set[str]:
    """Last parts of dotted names that led to one owner's definition: no other one is meant."""
    led = {mark.text for mark in marks if mark.symbol is not None}
    return {name.rpartition(".")[2] for name in dotted if name in led}


def _is_path_part(name: str, reader: CuratedReader) -> bool:
    """Whether a directory or file of the repository is called so: a package, a module."""
    files = reader.search_paths(path_tokens(name), limit=_SUFFIX_CANDIDATES)
    return any(name in re.split(r"[/.]", file.path) for file in files)


def _to_analysis(mentions: Mentions, marks: Sequence[Mark], unknown: Sequence[str]) -> TaskAnalysis:
    targets = dict.fromkeys(
        mark.file.path
        if mark.symbol is None
        else f"{mark.file.path}::{mark.symbol.symbol.qualified_name}"
        for mark in marks
    )
    return TaskAnalysis(
        query=mentions.query,
        title=mentions.title,
        paths=mentions.paths,
        identifiers=tuple(dict.fromkeys(mentions.dotted + mentions.identifiers)),
        traceback_frames=tuple((f.path, f.line, f.name) for f in mentions.frames),
        test_ids=mentions.test_ids,
        error_lines=mentions.error_lines,
        targets=tuple(targets),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _resolve_path(path: str, reader: CuratedReader) -> Iterator[Mark]:
    """A path that exists, or the files that share its longest tail."""
    files = find_by_tail(path, reader)
    bare = "/" not in path.replace("\\", "/")
    if bare and len(files) > _STEM_MAX:
        return
    kind = MarkKind.STEM if bare and len(files) > 1 else MarkKind.PATH
    for file in files:
        yield Mark(kind, file, len(files), path)


def _resolve_dotted(dotted: str, reader: CuratedReader) -> Iterator[Mark]:
    """A module path; else a definition whose qualified name ends like `dotted`.

    `peekable.__getitem__` means that method and no other class's; an alias in front
    (`nx.Graph.copy`) is passed over. A last part alone is looked up with the plain names.
    """
    modules = list(_resolve_module(dotted, reader))
    if any(mark.symbol is not None for mark in modules):
        yield from modules
        return
    parts = dotted.split(".")
    rows = reader.read_symbols_owned(parts[-2], parts[-1], limit=SYMBOL_SPREAD)
    for start in range(len(parts) - 1):
        wanted = ".".join(parts[start:])
        owned = [row for row in rows if f".{row.symbol.qualified_name}".endswith(f".{wanted}")]
        if owned:
            files = {f.file_pk: f for f in reader.read_files(row.file_pk for row in owned)}
            for row in owned:
                yield Mark(MarkKind.SYMBOL, files[row.file_pk], len(files), dotted, row)
            return
    yield from modules


def _resolve_module(dotted: str, reader: CuratedReader) -> Iterator[Mark]:
    """`a.b.c` as the longest prefix that is a module file, with the rest as a symbol in it."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        files = _module_files("/".join(parts[:end]), end == 1, reader)
        if not files:
            continue
        for file in files:
            symbol = _find_symbol(file, parts[end:], reader)
            yield Mark(MarkKind.MODULE, file, len(files), dotted, symbol)
        return


def _module_files(module: str, single: bool, reader: CuratedReader) -> list[FileRow]:
    for suffix in _SUFFIXES:
        exact = [reader.read_file(prefix + module + suffix) for prefix in ("", "src/", "lib/")]
        found = [file for file in exact if file is not None]
        if found:
            return found
    if single:
        return []
    tails = tuple(f"/{module}{suffix}" for suffix in _SUFFIXES)
    files = reader.search_paths(path_tokens(module), limit=_SUFFIX_CANDIDATES)
    found = [file for file in files if file.path.endswith(tails)]
    return found if len(found) <= _STEM_MAX else []


def _find_symbol(file: FileRow, names: Sequence[str], reader: CuratedReader) -> SymbolRow | None:
    if not names:
        return None
    wanted = ".".join(names)
    rows = reader.read_symbols(file.file_pk)
    exact = [row for row in rows if row.symbol.qualified_name == wanted]
    return next(iter(exact or [row for row in rows if row.symbol.name == names[-1]]), None)


def _resolve_test(test_id: str, reader: CuratedReader) -> Iterator[Mark]:
    path, *names = test_id.split("::")
    files = find_by_tail(path, reader)
    for file in files:
        symbol = _find_symbol(file, [name.split("[")[0] for name in names], reader)
        yield Mark(MarkKind.TEST, file, len(files), test_id, symbol)


def _resolve_frame(frame: Frame, reader: CuratedReader) -> Iterator[Mark]:
    files = find_by_tail(frame.path, reader)
    if "/" in frame.path.replace("\\", "/"):
        # An installed path shares at least its package directory with the file it came from.
        files = [
            file
            for file in files
            if _common_tail(frame.path, file.path) > 1 or "/" not in file.path
        ]
    for file in files:
        text = f"{frame.path}:{frame.line}"
        symbol, line = _find_frame_function(frame, file, reader)
        yield Mark(MarkKind.TRACEBACK, file, len(files), text, symbol, line, frame.depth)


def _find_frame_function(
    frame: Frame, file: FileRow, reader: CuratedReader
) -> tuple[SymbolRow | None, int | None]:
    """The function that a frame names, which wins over a line that may be of another version.

    Of several with the name, the one nearest to the line. A Python file that lacks the name is
    another version: its line says nothing.
    """
    if not frame.name or frame.name in _NO_FUNCTION:
        return None, frame.line
    rows = reader.read_symbols_in(file.file_pk, frame.name)
    if not rows:
        return None, None if file.language == "python" else frame.line

    def distance(row: SymbolRow) -> int:
        span = row.symbol.span
        return max(0, span.start_line - frame.line, frame.line - span.end_line)

    nearest = min(rows, key=distance)
    return nearest, frame.line if distance(nearest) == 0 else None


def _resolve_symbols(names: Sequence[str], reader: CuratedReader, marks: list[Mark]) -> set[str]:
    """Mark the files that define a name; a name with too many definitions marks none."""
    counts = reader.count_symbols_named(names)
    for name in names:
        if not 0 < counts.get(name, 0) <= SYMBOL_SPREAD:
            continue
        rows = reader.read_symbols_named(name, limit=SYMBOL_SPREAD)
        files = {file.file_pk: file for file in reader.read_files(r.file_pk for r in rows)}
        marks += [Mark(MarkKind.SYMBOL, files[row.file_pk], len(files), name, row) for row in rows]
    return set(counts)


def find_by_tail(path: str, reader: CuratedReader) -> list[FileRow]:
    """Files of the index that end like `path`: the exact one, or those with the longest tail.

    An absolute or installed path is matched by its last parts; at least the file name agrees.
    """
    path = path.replace("\\", "/").removeprefix("./")
    for prefix in ("", "a/", "b/"):
        if path.startswith(prefix):
            exact = reader.read_file(path.removeprefix(prefix))
            if exact is not None:
                return [exact]
    name = path.rsplit("/", 1)[-1]
    files = reader.search_paths(path_tokens(name), limit=_SUFFIX_CANDIDATES)
    tails = [(_common_tail(path, file.path), file) for file in files]
    longest = max((length for length, _ in tails), default=0)
    return [file for length, file in tails if length == longest > 0]


def _common_tail(left: str, right: str) -> int:
    """How many last parts two paths share."""
    count = 0
    left_parts = left.replace("\\", "/").split("/")
    for one, other in zip(reversed(left_parts), reversed(right.split("/")), strict=False):
        if one != other:
            break
        count += 1
    return count
