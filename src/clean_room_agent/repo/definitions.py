"""Turn captured definition nodes into symbol rows: names, nesting, headers, docstrings.

Takes: the captures of one query over one tree. Gives: symbol rows in order of position, and for
every byte offset the symbol that encloses it. Does not know: references, imports or search text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# ordinal, parent ordinal, kind, name, qualified name, signature, start byte, end byte, start
# line, end line, and the docstring's start byte, end byte, start line, end line
SymbolRow = tuple[
    int, int | None, str, str, str, str, int, int, int, int,
    int | None, int | None, int | None, int | None,
]  # fmt: skip
Captures = dict[str, list["Node"]]

_TYPES = frozenset({"class", "interface", "struct", "enum", "trait"})
# A header with no body (a constant, a type alias) is shown whole up to here, then by its left side.
_WHOLE_HEADER_BYTES = 200


class Scope:
    """For a byte offset, the ordinal of the innermost symbol around it."""

    def __init__(self, rows: list[SymbolRow]) -> None:
        self._starts: list[int] = [0]
        self._owners: list[int | None] = [None]
        open_rows: list[SymbolRow] = []
        for row in rows:
            self._close(open_rows, row[6])
            open_rows.append(row)
            self._starts.append(row[6])
            self._owners.append(row[0])
        self._close(open_rows, None)

    def _close(self, open_rows: list[SymbolRow], offset: int | None) -> None:
        while open_rows and (offset is None or open_rows[-1][7] <= offset):
            closed = open_rows.pop()
            self._starts.append(closed[7])
            self._owners.append(open_rows[-1][0] if open_rows else None)

    def owner(self, offset: int) -> int | None:
        """Give the ordinal of the innermost symbol that holds this byte, if any."""
        return self._owners[bisect_right(self._starts, offset) - 1]

    def arrays(self) -> tuple[list[int], list[int | None]]:
        """Give the borders and owners themselves, for loops that look up every reference."""
        return self._starts, self._owners


class _Definition:
    """One captured definition before its place among the others is known."""

    __slots__ = ("end", "end_line", "header_start", "kind", "name", "node", "start", "start_line")

    def __init__(self, kind: str, name: str, node: Node, shown: Node) -> None:
        self.kind = kind
        self.name = name
        self.node = node
        self.start, self.end = shown.start_byte, shown.end_byte
        self.header_start = self.start
        self.start_line, self.end_line = shown.start_point.row + 1, shown.end_point.row + 1


def read_symbols(captures: Captures, data: bytes) -> list[SymbolRow]:
    """Give one row per definition, outer before inner, in order of position."""
    definitions = _collect(captures, data)
    _include_decorators(definitions, captures)
    definitions.sort(key=lambda item: (item.start, -item.end))
    docstrings = _inner_docstrings(captures)
    comments = _Comments(captures, data)
    comments.include_attributes(definitions)
    return _nest(definitions, _impl_scopes(captures, data), docstrings, comments, data)


def _collect(captures: Captures, data: bytes) -> list[_Definition]:
    found: dict[tuple[int, int], _Definition] = {}
    for capture in sorted(name for name in captures if name.startswith("def.")):
        kind = capture[4:]
        for node in sorted(captures[capture], key=lambda node: node.start_byte):
            for name in _names(node, kind, data):
                item = _Definition(kind, name, node, _shown(node))
                key = (node.start_byte, node.end_byte)
                known = found.get(key)
                if known is None or known.kind in ("variable", "constant"):
                    found[key] = item
                elif kind in ("variable", "constant", "field") and known.name != name:
                    found[(node.start_byte, -len(found))] = item
    return list(found.values())


def _names(node: Node, kind: str, data: bytes) -> Iterator[str]:
    if kind == "name":
        yield _text(node, data)
        return
    if kind == "field":
        for declarator in node.children_by_field_name("declarator"):
            yield _text(declarator.child_by_field_name("name"), data)
        return
    if kind == "method" and (receiver := node.child_by_field_name("receiver")) is not None:
        type_name = _first_type(receiver, data)
        yield f"{type_name}.{_text(node.child_by_field_name('name'), data)}"
        return
    if kind in ("constant", "variable"):
        names = node.children_by_field_name("name") or node.children_by_field_name("left")
        for name in names:
            if name.type.endswith("identifier"):
                yield _text(name, data)
        return
    field = next(
        (f for f in ("name", "left", "key", "property") if node.child_by_field_name(f)), None
    )
    if field is not None:
        yield "".join(_text(node.child_by_field_name(field), data).split())


def _first_type(node: Node, data: bytes) -> str:
    """Give the first type name inside a Go receiver, `*` and type arguments aside."""
    stack = [node]
    while stack:
        item = stack.pop()
        if item.type == "type_identifier":
            return _text(item, data)
        stack.extend(reversed(item.named_children))
    return ""


def _shown(node: Node) -> Node:
    """Widen a lone `name = value` declarator to the statement that declares it."""
    if node.type in ("variable_declarator", "const_spec", "var_spec"):
        parent = node.parent
        alone = parent is not None and parent.named_child_count == 1
        if parent is not None and alone and not any(c.type == "(" for c in parent.children):
            return parent
    return node


def _include_decorators(definitions: list[_Definition], captures: Captures) -> None:
    outer: dict[int, Node] = {}
    for node in captures.get("decorated", ()):
        inner = node.named_children[-1] if node.named_children else None
        if inner is not None:
            outer.setdefault(inner.start_byte, node)
    for item in definitions if outer else ():
        around = outer.get(item.start)
        if around is not None and around.end_byte >= item.end:
            item.start, item.start_line = around.start_byte, around.start_point.row + 1
            if around.type == "export_statement":
                item.header_start = item.start


def _impl_scopes(captures: Captures, data: bytes) -> list[tuple[int, int, str]]:
    """Give the ranges of Rust `impl` blocks with the name of the type they extend."""
    scopes = []
    for node in captures.get("scope", ()):
        target = node.child_by_field_name("type")
        if target is not None and target.type == "generic_type":
            target = target.child_by_field_name("type")
        scopes.append((node.start_byte, node.end_byte, _text(target, data)))
    return sorted(scopes)


def _inner_docstrings(captures: Captures) -> list[Node]:
    return sorted(captures.get("doc", ()), key=lambda node: node.start_byte)


class _Comments:
    """Comments and attributes that stand alone on their lines, by the line they end on."""

    def __init__(self, captures: Captures, data: bytes) -> None:
        self._attributes = {n.end_point.row + 1: n for n in captures.get("attribute", ())}
        self._by_end: dict[int, Node] = {}
        if "doc" in captures:  # a language with docstrings keeps its comments as comments
            return
        for node in captures.get("comment", ()):
            line_start = data.rfind(b"\n", 0, node.start_byte) + 1
            if not data[line_start : node.start_byte].strip():
                # Rust's line comments hold their newline: the last byte is on the line before.
                ends_line = data[node.end_byte - 1 : node.end_byte] == b"\n"
                self._by_end[node.end_point.row + (0 if ends_line else 1)] = node

    def include_attributes(self, definitions: list[_Definition]) -> None:
        for item in definitions if self._attributes else ():
            while (node := self._attributes.get(item.start_line - 1)) is not None:
                item.start, item.start_line = node.start_byte, node.start_point.row + 1

    def above(self, line: int) -> tuple[int, int, int, int] | None:
        """Give, once, the span of the run of comments that ends on the line before `line`."""
        last = first = self._by_end.pop(line - 1, None)
        if last is None or first is None:
            return None
        while (above := self._by_end.get(first.start_point.row)) is not None:
            first = above
        end = last.end_byte - (last.end_point.row > line - 2)
        return first.start_byte, end, first.start_point.row + 1, line - 1


def _nest(
    definitions: list[_Definition],
    impls: list[tuple[int, int, str]],
    docstrings: list[Node],
    comments: _Comments,
    data: bytes,
) -> list[SymbolRow]:
    rows: list[SymbolRow] = []
    open_rows: list[SymbolRow] = []
    seen: set[tuple[int | None, str]] = set()
    impl_starts = [impl[0] for impl in impls]
    for item in definitions:
        while open_rows and (
            open_rows[-1][7] <= item.start or open_rows[-1][6:8] == (item.start, item.end)
        ):
            open_rows.pop()
        parent = open_rows[-1] if open_rows else None
        parent_ordinal = parent[0] if parent else None
        prefix, in_type = (f"{parent[4]}.", parent[2] in _TYPES) if parent else ("", False)
        at = bisect_right(impl_starts, item.start) - 1
        if at >= 0 and impls[at][1] >= item.end and (not parent or parent[6] < impls[at][0]):
            prefix, in_type = f"{prefix}{impls[at][2]}.", True
        kind = _kind(item, in_type)
        again = kind in ("variable", "constant") and (parent_ordinal, item.name) in seen
        if again or not item.name:
            continue
        seen.add((parent_ordinal, item.name))
        row: SymbolRow = (
            len(rows), parent_ordinal, kind, item.name.rpartition(".")[2], prefix + item.name,
            _signature(item, data), item.start, item.end, item.start_line, item.end_line,
            *(comments.above(item.start_line) or (None, None, None, None)),
        )  # fmt: skip
        rows.append(row)
        open_rows.append(row)
    if docstrings:
        _attach(rows, docstrings)
    return rows


def _attach(rows: list[SymbolRow], docstrings: list[Node]) -> None:
    scope = Scope(rows)
    for node in docstrings:
        owner = scope.owner(node.start_byte)
        if owner is not None and rows[owner][10] is None:
            lines = node.start_point.row + 1, node.end_point.row + 1
            rows[owner] = (*rows[owner][:10], node.start_byte, node.end_byte, *lines)


def _kind(item: _Definition, in_type: bool) -> str:
    if item.kind in ("function", "assigned"):
        return "method" if in_type else "function"
    if item.kind == "alias":
        return "type"
    if item.kind in ("variable", "constant", "name", "field"):
        upper = item.name.isupper() or item.kind == "constant"
        return "constant" if upper else "variable"
    return item.kind


def _signature(item: _Definition, data: bytes) -> str:
    """Give the full header, over as many lines as it has, without decorators and body."""
    node = item.node
    start = item.header_start
    body = _body(node)
    if body is None:
        end = node.end_byte
        if end - start > _WHOLE_HEADER_BYTES:
            end = _left_end(node)
    else:
        end = body.start_byte
        colon = body.prev_sibling
        while colon is not None and colon.type == "comment":
            colon = colon.prev_sibling
        if colon is not None and colon.type == ":":
            end = colon.end_byte
    return data[start:end].decode("utf-8", "replace").replace("\0", "").rstrip()


def _body(node: Node) -> Node | None:
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    inner = next(
        (n for n in map(node.child_by_field_name, ("value", "right", "type")) if n is not None),
        None,
    )
    if inner is None:
        return None
    body = inner.child_by_field_name("body")
    if body is None and inner.type in ("struct_type", "interface_type"):
        return next((n for n in inner.children if n.type in ("{", "field_declaration_list")), None)
    return body


def _left_end(node: Node) -> int:
    for field in ("type", "left", "name", "declarator"):
        part = node.child_by_field_name(field)
        if part is not None:
            return part.end_byte
    return node.end_byte


def _text(node: Node | None, data: bytes) -> str:
    if node is None:
        return ""
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")
