"""Read import statements from their syntax nodes, one small reader per language.

Takes: an import node and the bytes it was parsed from. Gives: rows `(module, name, alias, level,
line)`. Does not know: which file an import means (`indexing`).

`name` is empty when the module itself is bound, `*` when all of its names are, `default` for the
default export of a script. `alias` is empty when the name is bound as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

ImportRow = tuple[str, str, str, int, int]


def read_imports(language: str, node: Node, data: bytes) -> list[ImportRow]:
    """Give the rows of one import node; none where the statement has no readable module."""
    return list(_READERS[language](node, data))


def _text(node: Node | None, data: bytes) -> str:
    if node is None:
        return ""
    return "".join(data[node.start_byte : node.end_byte].decode("utf-8", "replace").split())


def _line(node: Node) -> int:
    return node.start_point.row + 1


def _python(node: Node, data: bytes) -> Iterator[ImportRow]:
    line = _line(node)
    names = node.children_by_field_name("name")
    if node.type == "import_statement":
        for item in names:
            module, alias = _aliased(item, data)
            yield module, "", alias, 0, line
        return
    dotted = _text(node.child_by_field_name("module_name"), data)
    module = dotted.lstrip(".")
    level = len(dotted) - len(module)
    if any(child.type == "wildcard_import" for child in node.named_children):
        yield module, "*", "", level, line
    for item in names:
        name, alias = _aliased(item, data)
        yield module, name, alias, level, line


def _aliased(node: Node, data: bytes) -> tuple[str, str]:
    if node.type == "aliased_import":
        return (
            _text(node.child_by_field_name("name"), data),
            _text(node.child_by_field_name("alias"), data),
        )
    return _text(node, data), ""


def _script(node: Node, data: bytes) -> Iterator[ImportRow]:
    line = _line(node)
    if node.type == "call_expression":
        yield from _script_call(node, data)
        return
    module = _string(node.child_by_field_name("source"), data)
    if not module:
        return
    clause = next((c for c in node.named_children if c.type.endswith("_clause")), None)
    star = next((c for c in node.children if c.type in ("*", "namespace_export")), None)
    if clause is None:
        alias = _text(star.named_children[0], data) if star and star.named_children else ""
        yield module, "*" if star else "", alias, 0, line
        return
    for part in [clause] if clause.type == "export_clause" else clause.named_children:
        if part.type == "identifier":
            yield module, "default", _text(part, data), 0, line
        elif part.type == "namespace_import":
            yield module, "", _text(part.named_children[0], data), 0, line
        else:
            for item in part.named_children:
                name = _text(item.child_by_field_name("name"), data)
                yield module, name, _text(item.child_by_field_name("alias"), data), 0, line


def _script_call(node: Node, data: bytes) -> Iterator[ImportRow]:
    arguments = node.child_by_field_name("arguments")
    if _text(node.child_by_field_name("function"), data) not in ("require", "import"):
        return
    module = _string(arguments.named_children[0] if arguments else None, data)
    target = node.parent
    bound = target.child_by_field_name("name") if target is not None else None
    if not module:
        return
    if bound is not None and bound.type == "object_pattern":
        for item in bound.named_children:
            if item.type == "shorthand_property_identifier_pattern":
                yield module, _text(item, data), "", 0, _line(node)
            elif item.type == "pair_pattern":
                key, value = item.child_by_field_name("key"), item.child_by_field_name("value")
                yield module, _text(key, data), _text(value, data), 0, _line(node)
        return
    yield module, "", _text(bound, data), 0, _line(node)


def _string(node: Node | None, data: bytes) -> str:
    if node is None or node.type != "string":
        return ""
    return data[node.start_byte + 1 : node.end_byte - 1].decode("utf-8", "replace")


def _go(node: Node, data: bytes) -> Iterator[ImportRow]:
    path = node.child_by_field_name("path")
    if path is not None:
        module = data[path.start_byte + 1 : path.end_byte - 1].decode("utf-8", "replace")
        alias = _text(node.child_by_field_name("name"), data)
        yield module, "*" if alias == "." else "", "" if alias == "." else alias, 0, _line(node)


def _rust(node: Node, data: bytes) -> Iterator[ImportRow]:
    if node.type == "mod_item":
        yield "self", _text(node.child_by_field_name("name"), data), "", 0, _line(node)
        return
    argument = node.child_by_field_name("argument")
    if argument is not None:
        yield from _rust_tree(argument, "", data, _line(node))


def _rust_tree(node: Node, prefix: str, data: bytes, line: int) -> Iterator[ImportRow]:
    """Flatten `a::{b, c::{d as e, *}}`; an explicit stack, since the braces may nest deeply."""
    stack = [(node, prefix, "")]
    while stack:
        item, path, alias = stack.pop()
        if item.type == "use_list":
            stack.extend((child, path, "") for child in reversed(item.named_children))
        elif item.type == "scoped_use_list":
            head, inner = item.child_by_field_name("path"), item.child_by_field_name("list")
            if inner is not None:
                stack.append((inner, _join(path, _text(head, data)), ""))
        elif item.type == "use_as_clause":
            inner = item.child_by_field_name("path")
            if inner is not None:
                stack.append((inner, path, _text(item.child_by_field_name("alias"), data)))
        elif item.type == "use_wildcard":
            head = item.named_children[0] if item.named_children else None
            yield _join(path, _text(head, data)), "*", "", 0, line
        elif "comment" not in item.type:
            module, _, name = _join(path, _text(item, data)).rpartition("::")
            if name == "self":
                module, _, name = module.rpartition("::")
            yield module, name, alias, 0, line


def _join(prefix: str, path: str) -> str:
    return f"{prefix}::{path}" if prefix and path else prefix or path


def _java(node: Node, data: bytes) -> Iterator[ImportRow]:
    target = next((c for c in node.named_children if "identifier" in c.type), None)
    dotted = _text(target, data)
    if any(child.type == "asterisk" for child in node.named_children):
        yield dotted, "*", "", 0, _line(node)
    elif dotted:
        module, _, name = dotted.rpartition(".")
        yield module, name, "", 0, _line(node)


_READERS: dict[str, Callable[[Node, bytes], Iterator[ImportRow]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "tsx": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
}
