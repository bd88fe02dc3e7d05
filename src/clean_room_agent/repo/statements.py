"""Read import statements from their syntax nodes, one small reader per language that needs one.

Takes: an import node and the bytes it was parsed from. Gives: rows `(module, name, alias, level,
line)`. Does not know: which file an import means (`indexing`).

`name` is empty when the module itself is bound, `*` when all of its names are, `default` for the
default export of a script. `alias` is empty when the name is bound as it stands. A language
without a reader captures the node that is the module; all of its names are bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

ImportRow = tuple[str, str, str, int, int]


def read_imports(language: str, node: Node, data: bytes) -> list[ImportRow]:
    """Give the rows of one import node; none where the statement has no readable module."""
    return list(_READERS.get(language, _plain)(node, data))


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


def _plain(node: Node, data: bytes) -> Iterator[ImportRow]:
    """Read a node that is the module as a whole (C's include, Swift's import, Bash's source)."""
    module = _unquoted(_text(node, data))
    if module:
        yield module, "*", "", 0, _line(node)


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _csharp(node: Node, data: bytes) -> Iterator[ImportRow]:
    alias = node.child_by_field_name("name")
    names = [child for child in node.named_children if child != alias]
    target = _text(names[-1] if names else None, data)
    if alias is not None:
        module, _, name = target.rpartition(".")
        yield module, name, _text(alias, data), 0, _line(node)
    elif target:
        yield target, "*", "", 0, _line(node)


def _ruby(node: Node, data: bytes) -> Iterator[ImportRow]:
    """`level` 1 is a path from the file's own directory (`require_relative`)."""
    arguments = node.child_by_field_name("arguments")
    path = arguments.named_children[-1] if arguments and arguments.named_children else None
    if path is not None and path.type == "string" and path.named_child_count == 1:
        relative = _text(node.child_by_field_name("method"), data) == "require_relative"
        yield _text(path.named_children[0], data), "*", "", int(relative), _line(node)


def _php(node: Node, data: bytes) -> Iterator[ImportRow]:
    if node.type != "namespace_use_declaration":
        # `require __DIR__ . "/x.php"`: the last string of the expression names the file.
        strings = [n for n in _leaves(node) if n.type == "string_content"]
        if strings:
            yield _text(strings[-1], data).lstrip("/"), "*", "", 0, _line(node)
        return
    group = node.child_by_field_name("body")
    head = next((c for c in node.named_children if c.type == "namespace_name"), None)
    prefix = _text(head, data).strip("\\")
    for clause in (group or node).named_children:
        if clause.type == "namespace_use_clause" and clause.named_children:
            alias = clause.child_by_field_name("alias")
            target = next((c for c in clause.named_children if c.type.endswith("name")), None)
            path = f"{prefix}\\{_text(target, data)}".strip("\\").replace("\\", ".")
            module, _, name = path.rpartition(".")
            yield module, name, _text(alias, data), 0, _line(node)


def _leaves(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        item = stack.pop()
        if item.named_child_count == 0:
            yield item
        stack.extend(reversed(item.named_children))


def _kotlin(node: Node, data: bytes) -> Iterator[ImportRow]:
    names = [child for child in node.named_children if "identifier" in child.type]
    dotted = _text(names[0] if names else None, data)
    if any(child.type == "*" for child in node.children):
        yield dotted, "*", "", 0, _line(node)
    elif dotted:
        module, _, name = dotted.rpartition(".")
        yield module, name, _text(names[1], data) if len(names) > 1 else "", 0, _line(node)


def _scala(node: Node, data: bytes) -> Iterator[ImportRow]:
    """`import a.b, c.{d, e => f, _}`: each path, with its selectors where it has some."""
    path: list[str] = []
    line = _line(node)
    for child in node.children:
        if child.type in ("identifier", "operator_identifier"):
            path.append(_text(child, data))
        elif child.type == "namespace_wildcard":
            yield ".".join(path), "*", "", 0, line
            path = []
        elif child.type == "namespace_selectors":
            for item in child.named_children:
                yield ".".join(path), *_selector(item, data), 0, line
            path = []
        elif child.type == "," and path:
            yield ".".join(path[:-1]), path[-1], "", 0, line
            path = []
    if path:
        yield ".".join(path[:-1]), path[-1], "", 0, line


def _selector(node: Node, data: bytes) -> tuple[str, str]:
    if node.type == "namespace_wildcard":
        return "*", ""
    alias = node.child_by_field_name("alias")
    return _text(node.child_by_field_name("name") or node, data), _text(alias, data)


_READERS: dict[str, Callable[[Node, bytes], Iterator[ImportRow]]] = {
    "python": _python,
    "javascript": _script,
    "typescript": _script,
    "tsx": _script,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "csharp": _csharp,
    "ruby": _ruby,
    "php": _php,
    "kotlin": _kotlin,
    "scala": _scala,
}
