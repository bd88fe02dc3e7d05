"""A Python file as a tree whose every node knows its bytes.

Takes: the bytes of a file. Gives: `ParsedSource`: tree, parents, positions, indentation, and the
way back from positions to bytes of the original (byte order mark, CRLF, tabs and the declared
encoding stay as they are). Does not know: what will be edited, or why.

Positions count bytes of the text in UTF-8 without its mark, as `ast` reports them. In 3.11 `ast`
reports wrong positions for many nodes inside f-strings, so those nodes are checked against the
text before they are offered (`is_exact`).
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import tokenize
import warnings
from bisect import bisect_right

from clean_room_agent.records.attempt import Replacement
from clean_room_agent.repair.canonical import (
    blocks_of,
    canonical_expression,
    canonical_head,
    join_statement,
)

_BOM = b"\xef\xbb\xbf"
_NEWLINE = re.compile(rb"\r\n|\r|\n")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Edit = tuple[int, int, str]
"""Start, end (bytes of the UTF-8 text) and the new text."""


def merge_edits(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Ascending edits that do not touch: an insertion next to another edit becomes part of it."""
    merged: list[Edit] = []
    for start, end, new in sorted(edits, key=lambda e: e[:2]):
        if merged and start <= merged[-1][1]:
            first, last, text = merged[-1]
            merged[-1] = (first, max(last, end), text + new)
        else:
            merged.append((start, end, new))
    return tuple(merged)


def parse_quietly(text: str | bytes) -> ast.Module | None:
    """Parse, or None when the text is no program; warnings of the parsed code are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def compiles(text: str | bytes) -> bool:
    """Whether the text compiles, silently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<candidate>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


class ParsedSource:
    """One parsed file. `statement_of` maps every node to its innermost statement."""

    def __init__(self, path: str, data: bytes) -> None:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        self.path = path
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._bom = len(_BOM) if data.startswith(_BOM) else 0
        self._encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = data[self._bom :].decode(self._encoding)
        self.body = text.encode("utf-8")
        self._is_utf8 = self.body == data[self._bom :]
        if not self._is_utf8 and text.encode(self._encoding) != data[self._bom :]:
            raise ValueError(f"{path}: bytes and text of {self._encoding} do not round-trip")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tree = ast.parse(text)
        self.line_starts = [0, *(m.end() for m in _NEWLINE.finditer(self.body))]
        newline = _NEWLINE.search(self.body)
        self.newline = newline.group().decode() if newline else "\n"
        self.parents: dict[ast.AST, ast.AST] = {}
        self.fields: dict[ast.AST, str] = {}
        self.statement_of: dict[ast.AST, ast.stmt] = {}
        self.order: dict[ast.AST, int] = {}
        self._nodes: list[ast.AST] = []
        self._past: dict[ast.AST, int] = {}
        self.heads: dict[ast.AST, str] = {}
        self._full: dict[ast.AST, str] = {}
        self._in_fstring: set[ast.AST] = set()
        self._link(self.tree, None, False)
        self.indent_unit = self._find_indent_unit()

    def _link(self, node: ast.AST, statement: ast.stmt | None, inside: bool) -> None:
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else (value,):
                if not isinstance(child, ast.AST):
                    continue
                self.parents[child] = node
                self.fields[child] = name
                self.order[child] = len(self._nodes)
                self._nodes.append(child)
                owner = child if isinstance(child, ast.stmt) else statement
                if owner is not None:
                    self.statement_of[child] = owner
                if inside:
                    self._in_fstring.add(child)
                self._link(child, owner, inside or isinstance(child, ast.JoinedStr))
                self._past[child] = len(self._nodes)

    def walk(self, node: ast.AST) -> list[ast.AST]:
        """The node and all below it, in source order; much faster than `ast.walk`."""
        if node is self.tree:
            return self._nodes
        return self._nodes[self.order[node] : self._past[node]]

    # -- positions ---------------------------------------------------------------------------

    def start(self, node: ast.AST) -> int:
        return self.line_starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined, no-any-return]

    def end(self, node: ast.AST) -> int:
        return self.line_starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined, no-any-return]

    def slice(self, start: int, end: int) -> str:
        return self.body[start:end].decode("utf-8")

    def text(self, node: ast.AST) -> str:
        return self.slice(self.start(node), self.end(node))

    def line_of(self, position: int) -> int:
        return bisect_right(self.line_starts, position)

    def line_start(self, position: int) -> int:
        return self.line_starts[self.line_of(position) - 1]

    def line_end(self, position: int) -> int:
        """The position after the line break of the line that holds `position`."""
        line = self.line_of(position)
        return self.line_starts[line] if line < len(self.line_starts) else len(self.body)

    def is_exact(self, node: ast.AST) -> bool:
        """Whether the node's span really holds its text (see the module's word on f-strings)."""
        if node not in self._in_fstring:
            return True
        if not hasattr(node, "end_lineno"):
            return False
        parsed = parse_quietly(f"({self.text(node)})")
        if parsed is None or len(parsed.body) != 1 or not isinstance(parsed.body[0], ast.Expr):
            return False
        return canonical_expression(parsed.body[0].value) == canonical_expression(node)

    # -- statements --------------------------------------------------------------------------

    def first(self, statement: ast.AST) -> int:
        """Where a statement, handler or case begins, its decorators included."""
        if isinstance(statement, ast.match_case):
            return self.body.rindex(b"case", 0, self.start(statement.pattern))
        decorators = getattr(statement, "decorator_list", None)
        if decorators:
            return self.body.rindex(b"@", 0, self.start(decorators[0]))
        return self.start(statement)

    def head_end(self, statement: ast.AST) -> int:
        """Where the head of a compound statement ends: where its first block begins."""
        blocks = blocks_of(statement)
        if not blocks:
            return self.end(statement)
        return self.first(blocks[0][1][0])

    def is_elif(self, statement: ast.AST) -> bool:
        return isinstance(statement, ast.If) and self.body.startswith(
            b"elif", self.start(statement)
        )

    def owns_lines(self, statement: ast.stmt) -> bool:
        """Whether nothing but indentation and a comment shares the statement's lines."""
        start, end = self.first(statement), self.end(statement)
        if self.body[self.line_start(start) : start].strip() or self.is_elif(statement):
            return False
        rest = self.body[end : self.line_end(end)].strip()
        return not rest or rest.startswith(b"#")

    def lines_of(self, statement: ast.stmt) -> tuple[int, int]:
        """The whole lines of a statement that owns them, the last line break included."""
        return self.line_start(self.first(statement)), self.line_end(self.end(statement))

    def indent_of(self, statement: ast.stmt) -> str:
        start = self.first(statement)
        return self.slice(self.line_start(start), start)

    def _find_indent_unit(self) -> str:
        for node in ast.walk(self.tree):
            body = getattr(node, "body", None)
            if isinstance(node, ast.stmt) and isinstance(body, list) and body:
                outer, inner = self.indent_of(node), self.indent_of(body[0])
                if not inner.strip() and inner.startswith(outer) and len(inner) > len(outer):
                    return inner[len(outer) :]
        return "    "

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block a statement stands in."""
        block: list[ast.stmt] = getattr(self.parents[statement], self.fields[statement])
        return block

    def enclosing(self, node: ast.AST, *kinds: type[ast.AST]) -> ast.AST | None:
        """The nearest proper ancestor of one of the kinds."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, kinds):
            current = self.parents.get(current)
        return current

    def unit_of(self, statement: ast.stmt) -> ast.stmt:
        """The outermost function around a statement, or the statement when there is none."""
        unit = statement
        current: ast.AST | None = statement
        while current is not None:
            if isinstance(current, FunctionNode):
                unit = current
            current = self.parents.get(current)
        return unit

    # -- normal forms ------------------------------------------------------------------------

    def full_form(self, statement: ast.AST) -> str:
        known = self._full.get(statement)
        if known is None:
            known = join_statement(canonical_head(statement), self.block_forms(statement))
            self._full[statement] = known
        return known

    def block_forms(
        self, statement: ast.AST, changed: ast.AST | None = None, form: str = ""
    ) -> list[tuple[str, list[str]]]:
        return [
            (name, [form if item is changed else self.full_form(item) for item in items])
            for name, items in blocks_of(statement)
        ]

    # -- back to the original bytes ----------------------------------------------------------

    def apply(self, edits: tuple[Edit, ...], start: int = 0, end: int | None = None) -> str:
        """The text of `[start, end)` with the edits (ascending, apart) made."""
        parts: list[bytes] = []
        for first, last, new in edits:
            parts += (self.body[start:first], new.encode("utf-8"))
            start = last
        parts.append(self.body[start : len(self.body) if end is None else end])
        return b"".join(parts).decode("utf-8")

    def replacements(self, edits: tuple[Edit, ...]) -> tuple[Replacement, ...] | None:
        """The edits as bytes of the file; None when its encoding cannot say the new text."""
        made = []
        for start, end, new in edits:
            try:
                new_bytes = new.encode(self._encoding)
            except UnicodeEncodeError:
                return None
            begin, finish = self._original(start), self._original(end)
            made.append(Replacement(self.path, begin, finish, new_bytes, self.sha256))
        return tuple(made)

    def _original(self, position: int) -> int:
        if self._is_utf8:
            return position + self._bom
        return self._bom + len(self.body[:position].decode("utf-8").encode(self._encoding))
