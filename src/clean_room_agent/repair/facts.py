"""What a whole file uses: attributes, methods, keys, collected once for all its sites.

Takes: a `ParsedSource`. Gives: `FileFacts`. Does not know: templates, or where an edit is tried.
Templates that look round the file read these; walking the tree at each site would make a large
file quadratic.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from clean_room_agent.repair.source import FunctionNode, ParsedSource

_UPDATES = ("append", "add", "extend", "pop", "appendleft")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Names used in the file, each once, in source order.

    `of_receiver`: text of an object -> attributes used of it. `beside`: method -> methods of the
    classes that define it. `arity`: function -> its number of positional parameters. `keys`:
    subscript texts with the names they need.
    """

    read_attributes: tuple[str, ...]
    called_attributes: tuple[str, ...]
    of_receiver: dict[str, frozenset[str]]
    niladic_methods: tuple[str, ...]
    updates: tuple[str, ...]
    beside: dict[str, tuple[str, ...]]
    arity: dict[str, int]
    keys: tuple[tuple[str, frozenset[str]], ...]
    classes: tuple[str, ...]


def collect_facts(source: ParsedSource) -> FileFacts:
    read: dict[str, None] = {}
    called: dict[str, None] = {}
    receivers: dict[str, set[str]] = {}
    niladic: dict[str, None] = {}
    keys: dict[str, frozenset[str]] = {}
    for node in source.order:
        if isinstance(node, ast.Attribute):
            is_called = source.fields[node] == "func"
            (called if is_called else read).setdefault(node.attr)
            if source.is_exact(node.value):
                receivers.setdefault(source.text(node.value), set()).add(node.attr)
            parent = source.parents[node]
            if is_called and isinstance(parent, ast.Call) and not parent.args:
                niladic.setdefault(node.attr)
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            text = source.text(node.slice) if source.is_exact(node) else "\n"
            if "\n" not in text:
                names = (n.id for n in ast.walk(node.slice) if isinstance(n, ast.Name))
                keys.setdefault(text, frozenset(names))
    beside, arity, classes = _definitions(source)
    return FileFacts(
        read_attributes=tuple(read),
        called_attributes=tuple(called),
        of_receiver={text: frozenset(names) for text, names in receivers.items()},
        niladic_methods=tuple(niladic)[:6],
        updates=tuple(name for name in (*called, *read) if name in _UPDATES),
        beside=beside,
        arity=arity,
        keys=tuple(keys.items()),
        classes=classes,
    )


def _definitions(
    source: ParsedSource,
) -> tuple[dict[str, tuple[str, ...]], dict[str, int], tuple[str, ...]]:
    beside: dict[str, dict[str, None]] = {}
    arity: dict[str, int] = {}
    classes: list[str] = []
    for node in source.order:
        if isinstance(node, FunctionNode):
            arity[node.name] = len(node.args.args)
        elif isinstance(node, ast.ClassDef):
            classes.append(node.name)
            methods = [s.name for s in node.body if isinstance(s, FunctionNode)]
            public = [m for m in methods if not m.startswith("__")]
            for method in methods:
                beside.setdefault(method, {}).update(dict.fromkeys(public))
    return {m: tuple(others) for m, others in beside.items()}, arity, tuple(classes)
