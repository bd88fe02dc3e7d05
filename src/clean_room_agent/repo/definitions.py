"""Turn captured definition nodes into symbol rows: names, nesting, headers, docstrings.

Takes: the captures of one query over one tree. Gives: symbol rows in order of position, and for
every byte offset the symbol that encloses it. Does not know: references, imports or search text.

A definition is named by its `name` field or its like, by its C declarator, or by what the query
captures as `name` inside it. Further kinds: `def.declared` is a C declaration, a function or a
variable by its declarator; `def.rest` a namespace without braces and `def.section` a heading,
which hold what follows up to the next of their rank; `def.table`, `def.heading`, `def.key`,
`def.subkey` and `def.rule` are entries of markup and data. A file gives at most `MAX_ENTRIES`
entries: sections, tables and first-level keys before the second level, each in file order.
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

MAX_ENTRIES = 300
_ENTRIES = {"section": 0, "table": 0, "heading": 0, "key": 0, "rule": 0, "subkey": 1}
# How much a kind says: of two captures of one node the one that says more is kept.
_PRECISION = {"variable": 0, "constant": 0, "class": 1}
_SEVERAL = frozenset({"variable", "constant", "field", "declared", "rule", "type"})
_NAMED_BY = ("name", "left", "key", "property", "pattern")
_BODIES = frozenset({"class_body", "enum_class_body", "function_body", "accessor_list"})
_ATTRIBUTES = frozenset({"attribute_list", "annotation"})
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
        # A node that holds its newline ends at the start of the next line.
        over = shown.end_point.column == 0 and self.end > self.start
        self.start_line, self.end_line = shown.start_point.row + 1, shown.end_point.row + 1 - over


def read_symbols(captures: Captures, data: bytes) -> list[SymbolRow]:
    """Give one row per definition, outer before inner, in order of position."""
    definitions = _collect(captures, data)
    _reach(definitions, data)
    _include_decorators(definitions, captures)
    definitions.sort(key=lambda item: (item.start, -item.end))
    docstrings = _inner_docstrings(captures)
    comments = _Comments(captures, data)
    comments.include_attributes(definitions, data)
    return _nest(definitions, _impl_scopes(captures, data), docstrings, comments, data)


def _collect(captures: Captures, data: bytes) -> list[_Definition]:
    found: dict[tuple[int, int], _Definition] = {}
    given = _given_names(captures, data)
    for capture in sorted(name for name in captures if name.startswith("def.")):
        kind = capture[4:]
        for node in sorted(captures[capture], key=lambda node: node.start_byte):
            key = (node.start_byte, node.end_byte)
            for name in given.get(key) or _names(node, kind, data):
                plain = name if kind in _ENTRIES else _dotted(name)
                item = _Definition(kind, plain, node, _shown(node))
                known = found.get(key)
                if known is None or _PRECISION.get(kind, 2) > _PRECISION.get(known.kind, 2):
                    found[key] = item
                elif kind in _SEVERAL and known.name != plain:
                    found[(node.start_byte, -len(found))] = item
    return _capped(list(found.values()))


def _capped(definitions: list[_Definition]) -> list[_Definition]:
    """Keep the entries of a markup or data file that come first by level, then by place."""
    entries = [item for item in definitions if item.kind in _ENTRIES]
    if len(entries) <= MAX_ENTRIES:
        return definitions
    return sorted(entries, key=lambda item: (_ENTRIES[item.kind], item.start))[:MAX_ENTRIES]


def _given_names(captures: Captures, data: bytes) -> dict[tuple[int, int], list[str]]:
    """Give the captured names of each definition: those that no inner definition holds."""
    names = captures.get("name")
    if not names:
        return {}
    spans = {
        (node.start_byte, node.end_byte)
        for capture, nodes in captures.items()
        if capture.startswith("def.")
        for node in nodes
    }
    ordered = sorted(spans, key=lambda span: (span[0], -span[1]))
    given: dict[tuple[int, int], list[str]] = {}
    around: list[tuple[int, int]] = []
    at = 0
    for node in sorted(names, key=lambda node: node.start_byte):
        while at < len(ordered) and ordered[at][0] <= node.start_byte:
            around.append(ordered[at])
            at += 1
        while around and around[-1][1] < node.end_byte:
            around.pop()
        if around:
            given.setdefault(around[-1], []).append(_title(node, data))
    return given


def _title(node: Node, data: bytes) -> str:
    """Give a captured name on one line, without its quotes."""
    text = " ".join(_text(node, data).split())
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1]
    return text


def _dotted(name: str) -> str:
    """Write the path in a name with dots: `a::b` of C++, Ruby and Bash, `a\\b` of PHP."""
    return name.replace("::", ".").replace("\\", ".").replace("`", "").lstrip(".:")


def _plain_name(node: Node, data: bytes) -> str:
    """Give a C++ name without template arguments: a specialisation bears the template's name."""
    text = "".join(_text(node, data).split())
    if node.type == "operator_cast":
        return f"operator {_text(node.child_by_field_name('type'), data)}"
    scope, operator, rest = text.partition("operator")
    if "<" not in scope:
        return text
    depth, kept = 0, []
    for character in scope:
        depth += character == "<"
        if depth == 0:
            kept.append(character)
        depth -= character == ">"
    return "".join((*kept, operator, rest))


def _names(node: Node, kind: str, data: bytes) -> Iterator[str]:
    if kind in ("name", "alias"):
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
    names = node.children_by_field_name("name") or node.children_by_field_name("left")
    if kind in ("constant", "variable") and names:
        for name in names:
            if name.type.endswith("identifier"):
                yield _text(name, data)
        return
    field = next((f for f in _NAMED_BY if node.child_by_field_name(f)), None)
    if field is not None:
        named = node.child_by_field_name(field)
        if named is not None and named.type == "template_type":
            yield _plain_name(named, data)
        else:
            words = _text(named, data).split()
            if words and words[0] == "@test":  # bats: the title stands where a name would
                yield _bats_title(node, data)
            else:
                yield " ".join(words) if words and words[0].startswith("`") else "".join(words)
        return
    for declarator in node.children_by_field_name("declarator"):
        yield _plain_name(_declared(declarator), data)


def _bats_title(node: Node, data: bytes) -> str:
    head = data[node.start_byte : node.end_byte].partition(b"{")[0]
    return head.decode("utf-8", "replace").removeprefix("@test").strip(" \t\"'")


def _declared(declarator: Node) -> Node:
    """Give the name inside a C declarator: behind `*`, `&`, `[]`, `()` and parentheses."""
    node = declarator
    while node.type.endswith("_declarator") and node.named_children:
        node = node.child_by_field_name("declarator") or node.named_children[-1]
    return node


def _is_function(item: _Definition) -> bool:
    """Whether a C declaration declares a function: its name stands right before parameters."""
    for declarator in item.node.children_by_field_name("declarator"):
        name = _declared(declarator)
        is_called = name.parent is not None and name.parent.type == "function_declarator"
        if is_called or name.type == "operator_cast":
            return True
    return False


def _reach(definitions: list[_Definition], data: bytes) -> None:
    """Let a heading or a braceless namespace hold what follows, up to the next of its rank."""
    open_items: list[tuple[int, _Definition]] = []
    ranked = [item for item in definitions if item.kind in ("section", "rest")]
    for item in sorted(ranked, key=lambda item: item.start):
        digits = (c for child in item.node.children for c in child.type if c.isdigit())
        rank = int(next(digits, "1"))
        while open_items and open_items[-1][0] >= rank:
            _end_at(open_items.pop()[1], item.start, data)
        open_items.append((rank, item))
    for _, item in open_items:
        _end_at(item, len(data), data)


def _end_at(item: _Definition, end: int, data: bytes) -> None:
    item.end = item.start + len(data[item.start : end].rstrip())
    item.end_line = item.start_line + data.count(b"\n", item.start, item.end)


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
            if around.type in ("export_statement", "template_declaration"):
                item.header_start = item.start


def _impl_scopes(captures: Captures, data: bytes) -> list[tuple[int, int, str]]:
    """Give the ranges of blocks that extend a type (Rust's `impl`) with the name of the type."""
    scopes = []
    for node in captures.get("scope", ()):
        target = node.child_by_field_name("type") or node.child_by_field_name("name")
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

    def include_attributes(self, definitions: list[_Definition], data: bytes) -> None:
        for item in definitions if self._attributes else ():
            if data[data.rfind(b"\n", 0, item.start) + 1 : item.start].strip():
                continue  # it stands behind another item, whose attribute this is
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
    defined = {item.name for item in definitions if item.kind == "function"}
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
        if again or not item.name or _is_needless(item, parent, kind, defined):
            continue
        seen.add((parent_ordinal, item.name))
        row: SymbolRow = (
            len(rows), parent_ordinal, kind, _last_name(item), prefix + item.name,
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


def _last_name(item: _Definition) -> str:
    whole = (item.kind in _ENTRIES and item.kind != "table") or " " in item.name
    return item.name if whole else item.name.rpartition(".")[2] or item.name


def _is_needless(item: _Definition, parent: SymbolRow | None, kind: str, defined: set[str]) -> bool:
    """Whether a C declaration says nothing of its own: it is local, or its function follows."""
    if item.kind != "declared":
        return False
    local = parent is not None and parent[2] in ("function", "method")
    return local or (kind == "function" and item.name in defined)


def _kind(item: _Definition, in_type: bool) -> str:
    kind = item.kind
    if kind == "declared":
        kind = "function" if _is_function(item) else "variable"
    if kind in ("function", "assigned"):
        # C++ defines `Type::method` outside the type.
        outside = "." in item.name and item.node.child_by_field_name("declarator") is not None
        return "method" if in_type or outside else "function"
    if kind == "alias":
        return "type"
    if kind in ("section", "table", "heading", "rest"):
        return "module"
    if kind in ("variable", "constant", "name", "field"):
        upper = item.name.isupper() or kind == "constant"
        return "constant" if upper else "variable"
    return "variable" if kind in _ENTRIES else kind


def _signature(item: _Definition, data: bytes) -> str:
    """Give the full header, over as many lines as it has, without decorators and body."""
    node = item.node
    start = item.header_start
    for child in node.named_children:
        if child.type not in _ATTRIBUTES or child.start_byte != start:
            break
        start = child.next_sibling.start_byte if child.next_sibling else start
    body = _body(node)
    if item.kind in _ENTRIES:
        line = data[start : item.end].partition(b"\n")[0].decode("utf-8", "replace").strip()
        return line if len(line) <= _WHOLE_HEADER_BYTES else item.name
    if body is None:
        end = node.end_byte
        if end - start > _WHOLE_HEADER_BYTES:
            end = _left_end(node)
    else:
        end = body.start_byte
        colon = body.prev_sibling
        while colon is not None and colon.type == "comment":
            end = colon.start_byte
            colon = colon.prev_sibling
        if colon is not None and colon.type == ":":
            end = colon.end_byte
        elif colon is not None and colon.type == "=":
            end = colon.start_byte
    text = data[start:end].decode("utf-8", "replace").replace("\0", "").rstrip()
    return text if body is None else text.removesuffix(";")


def _body(node: Node) -> Node | None:
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    inner = next(
        (n for n in map(node.child_by_field_name, ("value", "right", "type")) if n is not None),
        None,
    )
    if inner is None:
        return next((child for child in node.named_children if child.type in _BODIES), None)
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
