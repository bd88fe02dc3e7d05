"""Fill a curated database straight from a few sources, without git and without the indexer.

For tests of what reads the index: files are given as text, Python is read with `ast`, commits and
edges are stated by the test. Rows have the shape that the schema comments describe.
"""

from __future__ import annotations

import ast
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clean_room_agent.records.code import BlobId, EdgeKind
from clean_room_agent.repo.tokens import WordCounter, join_counts, name_tokens, path_tokens
from clean_room_agent.retrieval.sources import git_blob_id
from clean_room_agent.store.connect import Role, get_connection, transaction

SHA1 = BlobId("0" * 40)
LANGUAGES = {".py": "python", ".js": "javascript", ".go": "go", ".rs": "rust", ".java": "java"}


@dataclass(frozen=True)
class Commit:
    """One commit as the index keeps it."""

    subject: str
    paths: Sequence[str]
    body: str = ""
    time: int = 1_700_000_000
    is_merge: bool = False


@dataclass(frozen=True)
class Edge:
    """A resolved relation; symbols by qualified name, `""` for the file itself."""

    kind: EdgeKind
    source: str
    target: str
    source_symbol: str = ""
    target_symbol: str = ""
    confidence: float = 1.0
    occurrences: int = 1


@dataclass
class CuratedRepo:
    """A directory with files on disk and an index of them."""

    root: Path
    files: dict[str, bytes] = field(default_factory=dict)

    def read_source(self, path: str, blob_id: BlobId) -> bytes:
        return self.files[path]


@dataclass(frozen=True)
class _Row:
    kind: str
    name: str
    qualified: str
    parent: int | None
    span: tuple[int, int, int, int]
    doc: tuple[int, int, int, int] | None


def build_curated(
    root: Path,
    files: Mapping[str, str | bytes],
    *,
    commits: Sequence[Commit] = (),
    edges: Sequence[Edge] = (),
) -> CuratedRepo:
    """Write the files' facts into `root`'s curated database."""
    data = {p: c.encode() if isinstance(c, str) else c for p, c in files.items()}
    connection = get_connection(Role.CURATED, repo_path=root)
    ordinals: dict[tuple[str, str], int] = {}
    with transaction(connection):
        for path, content in sorted(data.items()):
            _add_file(connection, path, content, ordinals)
        _add_history(connection, commits)
        for edge in edges:
            _add_edge(connection, edge, ordinals)
        connection.execute(
            "INSERT INTO meta VALUES ('head', 'abc'), ('state', 'complete'), ('format', '3')"
        )
    connection.close()
    return CuratedRepo(root, data)


def _add_file(
    connection: sqlite3.Connection,
    path: str,
    content: bytes,
    ordinals: dict[tuple[str, str], int],
) -> None:
    language = LANGUAGES.get(Path(path).suffix)
    rows = _python_symbols(content) if language == "python" else []
    blob_pk = connection.execute(
        "INSERT INTO parsed_blobs (blob_id, language, status, line_count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET reason = '' RETURNING blob_pk",
        (git_blob_id(content, SHA1), language, "parsed", content.count(b"\n")),
    ).fetchone()[0]
    known = connection.execute("SELECT 1 FROM blob_text WHERE blob_pk = ?", (blob_pk,)).fetchone()
    for ordinal, row in enumerate(rows):
        ordinals[path, row.qualified] = ordinal
        if known is None:
            connection.execute(
                "INSERT INTO symbols (blob_pk, ordinal, parent_ordinal, kind, name,"
                " qualified_name, signature, start_byte, end_byte, start_line, end_line,"
                " doc_start_byte, doc_end_byte, doc_start_line, doc_end_line)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (blob_pk, ordinal, row.parent, row.kind, row.name, row.qualified, row.name)
                + row.span
                + (row.doc or (None, None, None, None)),
            )
    if known is None:
        for line in _import_lines(content) if language == "python" else ():
            connection.execute(
                "INSERT INTO imports VALUES (?, 'm', 'n', '', 0, ?)", (blob_pk, line)
            )
        text = (
            blob_pk,
            " ".join(name_tokens(row.name for row in rows)),
            "" if language else _words(content),
            _words(content) if language else "",
        )
        connection.execute("INSERT INTO blob_text VALUES (?, ?, ?, ?)", text)
        connection.execute(
            "INSERT INTO blob_search (rowid, names, prose, identifiers) VALUES (?, ?, ?, ?)", text
        )
    is_test = Path(path).name.startswith("test_")
    file_pk = connection.execute(
        "INSERT INTO files (path, display, blob_pk, size_bytes, mtime_ns, language, is_test,"
        " executable) VALUES (?, ?, ?, ?, 0, ?, ?, 0) RETURNING file_pk",
        (os.fsencode(path), ascii(path), blob_pk, len(content), language, is_test),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO path_search (rowid, path_tokens) VALUES (?, ?)",
        (file_pk, " ".join(path_tokens(path))),
    )


def _import_lines(content: bytes) -> list[int]:
    tree = ast.parse(content)
    return [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]


def _words(content: bytes) -> str:
    return join_counts(WordCounter().count(content, numbers=True, skip=frozenset()))


def _python_symbols(content: bytes) -> list[_Row]:
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    rows: list[_Row] = []

    def span(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
        first, column = node.lineno, node.col_offset
        for decorator in getattr(node, "decorator_list", []):
            first, column = min((first, column), (decorator.lineno, decorator.col_offset - 1))
        end_line, end = node.end_lineno or first, node.end_col_offset or 0
        return (starts[first - 1] + column, starts[end_line - 1] + end, first, end_line)

    def walk(nodes: Sequence[ast.stmt], prefix: str, parent: int | None, in_class: bool) -> None:
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                rows.append(_Row("variable", name, prefix + name, parent, span(node), None))
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            is_class = isinstance(node, ast.ClassDef)
            kind = "class" if is_class else "method" if in_class else "function"
            doc = span(node.body[0]) if ast.get_docstring(node) is not None else None
            rows.append(_Row(kind, node.name, prefix + node.name, parent, span(node), doc))
            walk(node.body, f"{prefix}{node.name}.", len(rows) - 1, is_class)

    walk(ast.parse(content).body, "", None, False)
    return rows


def _add_history(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    keys: dict[str, int] = {}
    together: dict[tuple[int, int], int] = {}
    for number, commit in enumerate(commits, start=1):
        connection.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?)",
            (number, f"{number:040x}", commit.time, commit.subject, commit.body, commit.is_merge),
        )
        connection.execute(
            "INSERT INTO commit_search (rowid, subject, body) VALUES (?, ?, ?)",
            (number, commit.subject, commit.body),
        )
        for path in commit.paths:
            if path not in keys:
                keys[path] = len(keys) + 1
                row = (keys[path], os.fsencode(path))
                connection.execute("INSERT INTO history_paths VALUES (?, ?)", row)
            connection.execute("INSERT INTO commit_files VALUES (?, ?, 'M')", (number, keys[path]))
        pks = sorted(keys[path] for path in commit.paths)
        for i, one in enumerate(pks):
            for other in pks[i + 1 :]:
                together[one, other] = together.get((one, other), 0) + 1
    for path, key in keys.items():
        own = [commit for commit in commits if path in commit.paths]
        fixes = sum("fix" in commit.subject.lower() for commit in own)
        last = max(commit.time for commit in own)
        connection.execute("INSERT INTO churn VALUES (?, ?, ?, ?)", (key, len(own), fixes, last))
    for (one, other), count in together.items():
        connection.execute("INSERT INTO cochange VALUES (?, ?, ?)", (one, other, count))


def _add_edge(
    connection: sqlite3.Connection, edge: Edge, ordinals: Mapping[tuple[str, str], int]
) -> None:
    def file_pk(path: str) -> int:
        query = "SELECT file_pk FROM files WHERE path = ?"
        return int(connection.execute(query, (os.fsencode(path),)).fetchone()[0])

    connection.execute(
        "INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            edge.kind,
            file_pk(edge.source),
            ordinals.get((edge.source, edge.source_symbol)),
            file_pk(edge.target),
            ordinals.get((edge.target, edge.target_symbol)),
            edge.confidence,
            edge.occurrences,
        ),
    )
