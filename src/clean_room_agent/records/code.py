"""What the index knows of a repository: files, parsed structure, commits.

Takes: nothing. Gives: the records that `repo` and `indexing` write and `retrieval` reads.
Does not know: how they are stored or parsed.

Paths are `str` decoded from the bytes git prints with `os.fsdecode` (surrogateescape), always
relative to the repository root, `/`-separated. Lines are 1-based and inclusive; bytes are
0-based and half open. `BlobId` is git's object id of the bytes (hex).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

BlobId = NewType("BlobId", str)
CommitId = NewType("CommitId", str)


class SymbolKind(StrEnum):
    """The closed set of definitions that the index records."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    INTERFACE = "interface"
    STRUCT = "struct"
    ENUM = "enum"
    TRAIT = "trait"
    TYPE = "type"
    CONSTANT = "constant"
    VARIABLE = "variable"
    MACRO = "macro"


class ReferenceKind(StrEnum):
    """How one place names a symbol."""

    CALL = "call"
    INHERIT = "inherit"
    TYPE = "type"
    READ = "read"


class EdgeKind(StrEnum):
    """A resolved relation between two files, or two symbols where both are known."""

    IMPORT = "import"
    CALL = "call"
    INHERIT = "inherit"
    TEST = "test"


class ParseStatus(StrEnum):
    """What became of one blob: every status but `parsed` carries a reason."""

    PARSED = "parsed"
    PARTIAL = "partial"
    NO_GRAMMAR = "no_grammar"
    TOO_LARGE = "too_large"
    BINARY = "binary"
    NOT_TEXT = "not_text"
    TIMEOUT = "timeout"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the working tree that git lists and no ignore rule excludes."""

    path: str
    blob_id: BlobId
    size_bytes: int
    mtime_ns: int
    language: str | None
    is_test: bool
    executable: bool = False


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A listed path that was not read, and why (symlink, fifo, vanished, too large, ...)."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open byte range with its inclusive 1-based lines."""

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition. `parent` is the index of the enclosing symbol in the same `ParsedBlob`."""

    kind: SymbolKind
    name: str
    qualified_name: str
    signature: str
    span: Span
    docstring: Span | None = None
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that names a symbol; `receiver` is the text before the last dot of `a.b.name`."""

    kind: ReferenceKind
    name: str
    line: int
    start_byte: int
    receiver: str = ""
    enclosing: int | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module or name, as written; `level` counts leading dots (Python)."""

    module: str
    name: str
    alias: str
    level: int
    line: int


@dataclass(frozen=True, slots=True)
class ParsedBlob:
    """Everything one parse of one blob gives. Keyed by content, so it holds at any path."""

    blob_id: BlobId
    language: str | None
    status: ParseStatus
    reason: str
    line_count: int
    symbols: tuple[Symbol, ...] = ()
    references: tuple[Reference, ...] = ()
    imports: tuple[Import, ...] = ()
    identifiers: str = ""
    prose: str = ""


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path touched by a commit; `old_path` where git saw a rename."""

    path: str
    status: str
    old_path: str = ""


@dataclass(frozen=True, slots=True)
class CommitFact:
    """One commit reachable from HEAD, with the files it touched (merges carry none)."""

    commit_id: CommitId
    author_time: int
    subject: str
    body: str
    is_merge: bool
    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one `cra index` did: totals in the index, and the work of this run."""

    files: int
    symbols: int
    references: int
    edges: int
    commits: int
    parsed_blobs: int
    reused_blobs: int
    removed_files: int
    new_commits: int
    skipped: tuple[SkippedFile, ...]
    not_parsed: dict[str, int]
    seconds: float
    head: str
