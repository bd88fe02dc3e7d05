"""Parse one blob of source into definitions, references, imports and search text.

Takes: bytes and the name of their language. Gives: `ParsedBlob`, or the plain rows it is made of.
Does not know: paths, other files, or where rows are stored. A hostile input can make a native
parser slow, large or crash, so `pool` runs this in processes that can be killed.

One query per language (`queries/*.scm`) finds everything in one pass. Capture names:
`def.KIND` a definition (`def.variable` is a constant when its name is in capitals, `def.alias` a
type, `def.name` a bare name, `def.field` and `def.assigned` named by a part of theirs), `doc` a
docstring, `decorated` what wraps a definition, `attribute` what stands before one, `scope` a
block that adds methods to a type; `call`, `inherit`, `type`, `read` an expression that names
something; `import` a statement, `import.dynamic` a call that imports; `comment`, `string` prose.
"""

from __future__ import annotations

import functools
import importlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from tree_sitter import Language as Grammar
from tree_sitter import Parser, Query, QueryCursor

from clean_room_agent.records.code import (
    BlobId,
    Import,
    ParsedBlob,
    ParseStatus,
    Reference,
    ReferenceKind,
    Span,
    Symbol,
    SymbolKind,
)
from clean_room_agent.redaction import blank, may_hold_secret, secret_spans, telling_words
from clean_room_agent.repo.definitions import Captures, Scope, SymbolRow, read_symbols
from clean_room_agent.repo.languages import get_language, read_query
from clean_room_agent.repo.readable import readable
from clean_room_agent.repo.statements import ImportRow, read_imports
from clean_room_agent.repo.tokens import (
    WordCounter,
    count_words,
    is_word_byte,
    join_counts,
    name_tokens,
)

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_FILE_BYTES = 1_000_000
MAX_LINE_BYTES = 50_000

# kind, name, receiver, enclosing ordinal, first line, first byte, occurrences
ReferenceRow = tuple[str, str, str, int | None, int, int, int]
# status, reason, line count, symbols, references, imports, names, prose, identifiers
BlobRows = tuple[
    str, str, int, list[SymbolRow], list[ReferenceRow], list[ImportRow], str, str, str
]  # fmt: skip

# The same without the line count, which takes no parser.
_ParsedRows = tuple[
    str, str, list[SymbolRow], list[ReferenceRow], list[ImportRow], str, str, str
]  # fmt: skip

_WORDS = WordCounter(telling_words)
_NO_KEYWORDS: frozenset[bytes] = frozenset()
# Of a longer expression only the end is read: each call of a chain holds all calls before it, so
# a chain of n calls would be n * n / 2 bytes. What is called on then counts as no chain of names.
MAX_CHAIN = 1_000
_NO_CHAIN = b"()"
_NAME_CHARACTERS = str.maketrans("", "", "$#!?-")
_CALLED = ("name", "method", "field")
_CALLED_ON = ("object", "receiver", "argument", "scope")
_CHAIN_CHARACTERS = str.maketrans("", "", "$#.:_!")


@dataclass(frozen=True, slots=True)
class _Reader:
    """A parser and its compiled query."""

    parser: Parser
    query: Query
    keywords: frozenset[bytes]


@functools.cache
def load_grammar(language: str) -> Grammar:
    """Import the grammar of one language; `KeyError` when the table does not hold it."""
    entry = get_language(language)
    return Grammar(getattr(importlib.import_module(entry.package), entry.grammar)())


@functools.cache
def _reader(language: str) -> _Reader:
    grammar = load_grammar(language)
    query = Query(grammar, read_query(language))
    return _Reader(Parser(grammar), query, get_language(language).keywords)


def parse_blob(blob_id: BlobId, data: bytes, language: str | None) -> ParsedBlob:
    """Parse bytes into records; the status says what could not be read, and why."""
    status, reason, lines, symbols, references, imports, _, prose, identifiers = parse_rows(
        data, language
    )
    return ParsedBlob(
        blob_id=blob_id,
        language=language,
        status=ParseStatus(status),
        reason=reason,
        line_count=lines,
        symbols=tuple(map(_symbol, symbols)),
        references=tuple(
            Reference(ReferenceKind(kind), name, line, start, receiver, enclosing)
            for kind, name, receiver, enclosing, line, start, _ in references
        ),
        imports=tuple(Import(*row) for row in imports),
        identifiers=identifiers,
        prose=prose,
    )


def parse_rows(data: bytes, language: str | None) -> BlobRows:
    """Parse bytes into plain rows (what crosses a process border and enters a table).

    A reference row stands for all equal references of one enclosing symbol.
    """
    line_count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    refusal = _refuse(data)
    if refusal is not None:
        return (*refusal, line_count, [], [], [], "", "", "")
    if language is None:
        return "no_grammar", "no grammar", line_count, [], [], [], "", _words_of(data), ""
    rows = _read(data, language)
    if rows is None:
        # No row holds a secret; blanks in its place move nothing, so every span fits the file.
        rows = _read(blank(data, secret_spans(data)), language, is_clean=True)
    assert rows is not None
    return (*rows[:2], line_count, *rows[2:])


def _words_of(data: bytes) -> str:
    """Give the search text of a file that is no code: all of it is prose."""
    words = count_words(data)
    if may_hold_secret(data, _WORDS.learn(words)):
        words = count_words(blank(data, secret_spans(data)))
        _WORDS.learn(words)
    return join_counts(_WORDS.tokens(words, numbers=True, skip=_NO_KEYWORDS))


def _read(data: bytes, language: str, *, is_clean: bool = False) -> _ParsedRows | None:
    """Parse code; None where it may hold a secret, unless it `is_clean`."""
    reader = _reader(language)
    root = reader.parser.parse(readable(data, language)).root_node
    captures = QueryCursor(reader.query).captures(root)
    code, prose, cuts_word = _divide(captures, data)
    in_code, in_prose = count_words(code), count_words(prose)
    telling = _WORDS.learn(in_code) | _WORDS.learn(in_prose)
    if not is_clean and (cuts_word or may_hold_secret(data, telling)) and secret_spans(data):
        return None
    symbols = read_symbols(captures, data)
    defined = name_tokens(row[3] for row in symbols)
    status, reason = _status(root, data)
    words = _WORDS.tokens(in_code, numbers=False, skip=reader.keywords)
    return (
        status,
        reason,
        symbols,
        _references(captures, symbols, data),
        [row for node in _imports(captures) for row in read_imports(language, node, data)],
        " ".join(defined),
        join_counts(_WORDS.tokens(in_prose, numbers=True, skip=_NO_KEYWORDS)),
        join_counts(_with_letters(words, defined)),
    )


def _refuse(data: bytes) -> tuple[str, str] | None:
    """Apply the caps in this order: size, binary, longest line; each before anything is parsed."""
    if len(data) > MAX_FILE_BYTES:
        return "too_large", f"{len(data)} bytes, over {MAX_FILE_BYTES}"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "not_text", "UTF-16 text"
    if b"\0" in data:
        return "binary", "holds a NUL byte"
    if len(data) > MAX_LINE_BYTES:
        longest = max(map(len, data.split(b"\n")))
        if longest > MAX_LINE_BYTES:
            return "too_large", f"a line of {longest} bytes, over {MAX_LINE_BYTES}"
    return None


def _status(root: Node, data: bytes) -> tuple[str, str]:
    if root.has_error:
        return "partial", "syntax errors"
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            return "partial", f"invalid UTF-8 at byte {error.start}"
    return "parsed", ""


def _imports(captures: Captures) -> list[Node]:
    nodes = [*captures.get("import", ()), *captures.get("import.dynamic", ())]
    return sorted(nodes, key=lambda node: node.start_byte)


def _with_letters(counts: dict[str, int], defined: list[str]) -> dict[str, int]:
    """Keep one-letter names that this blob defines: elsewhere a letter is a loop variable."""
    for token in defined:
        if len(token) == 1:
            counts[token] = counts.get(token, 0) + 1
    return counts


def _divide(captures: Captures, data: bytes) -> tuple[bytes, bytes, bool]:
    """Separate the bytes of comments and strings (prose) from the rest (code).

    Says as well whether a border between the two cuts a word.
    """
    spans = sorted(
        [
            (node.start_byte, -node.end_byte)
            for name in ("comment", "string")
            for node in captures.get(name, ())
        ]
    )
    code, prose, at, cuts_word = [], [], 0, False
    for start, negative_end in spans:
        if start >= at:
            code.append(data[at:start])
            prose.append(data[start:-negative_end])
            at = -negative_end
            cuts_word = cuts_word or _cuts_word(data, start) or _cuts_word(data, at)
    code.append(data[at:])
    return b" ".join(code), b" ".join(prose), cuts_word


def _cuts_word(data: bytes, at: int) -> bool:
    return 0 < at < len(data) and is_word_byte(data[at - 1]) and is_word_byte(data[at])


def _references(captures: Captures, symbols: list[SymbolRow], data: bytes) -> list[ReferenceRow]:
    scope = Scope(symbols)
    borders, owners = scope.arrays()
    newlines: list[int] = []
    rows = _method_calls(captures.get("call.method", []), scope, data)
    for kind in ("call", "inherit", "type", "read"):
        nodes = captures.get(kind)
        if nodes is None:
            continue
        # Captures come in no order of position.
        spans = sorted([(node.start_byte, node.end_byte) for node in nodes])
        uses = [
            (
                owners[bisect_right(borders, start) - 1],
                data[start:end]
                if end - start <= MAX_CHAIN
                else _NO_CHAIN + data[end - MAX_CHAIN : end],
            )
            for start, end in spans
        ]
        counts = Counter(uses)
        first = dict(zip(reversed(uses), [start for start, _ in reversed(spans)], strict=True))
        if not newlines:
            newlines = list(accumulate([len(line) + 1 for line in data.split(b"\n")]))
        rows.extend(_aggregate(kind, counts, first, newlines))
    return rows


def _method_calls(nodes: list[Node], scope: Scope, data: bytes) -> list[ReferenceRow]:
    """Read calls whose receiver and name are separate fields (C, Java, PHP, Ruby)."""
    found: dict[tuple[str, str, int | None], tuple[int, int, int]] = {}
    # Captures come in no order of position, and the first of equal calls is the one to name.
    for node in sorted(nodes, key=lambda node: (node.start_byte, -node.end_byte)):
        name, target = _first_field(node, _CALLED), _first_field(node, _CALLED_ON)
        if name is None:
            continue
        text = data[name.start_byte : name.end_byte]
        if target is not None:
            text = data[target.start_byte : target.end_byte] + b"." + text
        key = (*_split_expression(text), scope.owner(node.start_byte))
        if not key[0]:
            continue
        line, place, times = found.get(key, (name.start_point.row + 1, name.start_byte, 0))
        found[key] = line, place, times + 1
    return [("call", *key, *place) for key, place in found.items()]


def _first_field(node: Node, fields: tuple[str, ...]) -> Node | None:
    found = map(node.child_by_field_name, fields)
    return next((child for child in found if child is not None), None)


def _aggregate(
    kind: str,
    counts: Mapping[tuple[int | None, bytes], int],
    first: Mapping[tuple[int | None, bytes], int],
    newlines: list[int],
) -> list[ReferenceRow]:
    merged: dict[tuple[str, str, int | None], tuple[int, int]] = {}
    for (owner, text), times in counts.items():
        name, receiver = _split_expression(text)
        if name:
            place = first[owner, text]
            known = merged.get((name, receiver, owner))
            if known is not None:
                place, times = min(place, known[0]), times + known[1]
            merged[name, receiver, owner] = place, times
    return [
        (kind, name, receiver, owner, bisect_right(newlines, place) + 1, place, times)
        for (name, receiver, owner), (place, times) in sorted(
            merged.items(), key=lambda item: item[1]
        )
    ]


@functools.lru_cache(maxsize=50_000)
def _split_expression(text: bytes) -> tuple[str, str]:
    """Split `a.b.name` into name and receiver; a receiver that is no chain of names is `()`,
    but `super()` is `super` as in other languages.

    The grammar guarantees that such an expression ends with a separator and a plain name.
    """
    chain = text.decode("utf-8", "replace")
    at = max(chain.rfind("."), chain.rfind(":"))
    name = chain[at + 1 :]
    if not name.isidentifier():
        name = name.split()[-1] if name.split() else ""
        if not name.translate(_NAME_CHARACTERS).isidentifier():
            return "", ""
    if at < 0:
        return name, ""
    receiver = chain[:at].rstrip(":.? \n\t\r")
    if receiver == "super()":
        return name, "super"
    if not receiver.translate(_CHAIN_CHARACTERS).isalnum():
        return name, "".join(receiver.split()) if _is_spaced_chain(receiver) else "()"
    return name, receiver


def _is_spaced_chain(receiver: str) -> bool:
    plain = receiver.translate(_CHAIN_CHARACTERS).split()
    return len(receiver) < 200 and (not plain or all(part.isalnum() for part in plain))


def _symbol(row: SymbolRow) -> Symbol:
    _, parent, kind, name, qualified, signature, start, end, first, last = row[:10]
    doc_start, doc_end, doc_first, doc_last = row[10:]
    docstring = None
    if doc_start is not None and doc_end is not None and doc_first and doc_last:
        docstring = Span(doc_start, doc_end, doc_first, doc_last)
    span = Span(start, end, first, last)
    return Symbol(SymbolKind(kind), name, qualified, signature, span, docstring, parent)
