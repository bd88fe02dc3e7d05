"""Base files as outermost functions, and candidates as new code for one of them.

Takes: the bytes of a file and replacements. Gives: `NewCode` or a reason why functions alone will
not do. Does not know: live objects, tests.

Only the function around an edit is parsed and compiled, whatever the size of its file. Each loop
head and function entry of the result calls `__cra_tick__`, a builtin that ends endless loops.
"""

from __future__ import annotations
import __future__

import ast
import bisect
from collections.abc import Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

TICK = "__cra_tick__"

if TYPE_CHECKING:
    Key = tuple[int, str]


class NeedsImport(Exception):  # noqa: N818 - a route, not an error
    """The change reaches beyond function bodies: the module has to be imported anew."""


class Span(NamedTuple):
    """An outermost function: bytes of its whole lines, its body's first byte, its place."""

    start: int
    end: int
    body_start: int
    first_line: int
    classes: tuple[str, ...]
    node: Any


class NewCode(NamedTuple):
    """Code for the function at `key` of the base file, and the base code it replaces."""

    key: Key
    code: CodeType
    base: CodeType


def key_of(code: CodeType) -> Key:
    return (code.co_firstlineno, code.co_name)


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield the code objects inside `code`, outermost first, in order of appearance."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested(constant)


def changed(old: CodeType, new: CodeType) -> Iterator[CodeType]:
    """Yield the code in `old` whose own instructions differ from its counterpart's in `new`."""
    inner_old = [c for c in old.co_consts if isinstance(c, CodeType)]
    inner_new = [c for c in new.co_consts if isinstance(c, CodeType)]
    if _own(old) != _own(new) or [c.co_name for c in inner_old] != [c.co_name for c in inner_new]:
        yield old
        return
    for one, other in zip(inner_old, inner_new):  # noqa: B905 - Python 3.8
        yield from changed(one, other)


def _own(code: CodeType) -> tuple[Any, ...]:
    constants = [repr(c) for c in code.co_consts if not isinstance(c, CodeType)]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (code.co_code, names, code.co_flags, code.co_argcount, constants)


_TICKED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.For, ast.AsyncFor, ast.While)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def ticked(tree: Any) -> Any:
    """Add a tick at the entry of each function and the head of each loop of `tree`."""
    todo = [tree]
    while todo:
        node = todo.pop()
        for block in _BLOCKS:
            todo += getattr(node, block, ())
        if isinstance(node, _TICKED):
            _add_tick(node)
    return tree


def _add_tick(node: Any) -> None:
    body = node.body
    is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    call = ast.Expr(ast.Call(ast.Name(TICK, ast.Load()), [], []))
    ast.copy_location(call, body[0])
    body.insert(int(is_function and _is_text(body[0])), ast.fix_missing_locations(call))


def ticked_code(data: bytes, filename: str) -> CodeType:
    """Compile a whole file with ticks."""
    tree = ast.parse(data, filename)
    flags = _future_flags(tree)
    code: CodeType = compile(ticked(tree), filename, "exec", flags, True)
    return code


def _is_text(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Expr) and isinstance(getattr(value, "value", None), str)


class BaseFile:
    """One file of the base tree, parsed once."""

    def __init__(self, filename: str, data: bytes) -> None:
        self.filename = filename
        self.data = data
        data.decode("utf-8")  # other encodings: the caller takes the import route
        self.tree = ast.parse(data, filename)
        self.flags = _future_flags(self.tree)
        self._lines = [0]
        for line in data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self.spans = sorted(self._spans(self.tree.body, ()), key=lambda span: span.start)
        self._starts = [span.start for span in self.spans]
        self._base_code: dict[int, CodeType] = {}

    def _spans(self, body: list[ast.stmt], classes: tuple[str, ...]) -> Iterator[Span]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield self._span(node, classes)
                continue
            inner = (*classes, node.name) if isinstance(node, ast.ClassDef) else classes
            for field in ("body", "orelse", "finalbody"):
                yield from self._spans(getattr(node, field, []), inner)
            for handler in getattr(node, "handlers", []):
                yield from self._spans(handler.body, inner)

    def _span(self, node: Any, classes: tuple[str, ...]) -> Span:
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        head = node.body[0]
        top = min([head.lineno, *(d.lineno for d in getattr(head, "decorator_list", []))])
        column = head.col_offset if top == head.lineno else 0
        start, end = self._lines[first - 1], self._lines[node.end_lineno]
        return Span(start, end, self._lines[top - 1] + column, first, classes, node)

    def instrumented(self) -> dict[Key, CodeType]:
        """Compile the whole base file with ticks; return its functions' code by key."""
        module = ticked_code(self.data, self.filename)
        return {key_of(code): code for code in nested(module)}

    def new_code(self, edits: list[tuple[int, int, bytes]]) -> list[NewCode]:
        """Compile the functions that `edits` change.

        Raises NeedsImport, or SyntaxError when the new text is no Python.
        """
        grouped: dict[int, list[tuple[int, int, bytes]]] = {}
        for edit in edits:
            grouped.setdefault(self._span_of(edit), []).append(edit)
        return [self._compiled(index, group) for index, group in grouped.items()]

    def _span_of(self, edit: tuple[int, int, bytes]) -> int:
        index = bisect.bisect_right(self._starts, edit[0]) - 1
        if index < 0 or edit[1] > self.spans[index].end:
            # The end of one function may be the start of the next: an insertion belongs to it.
            raise NeedsImport("the edit is outside functions")
        return index

    def _compiled(self, index: int, edits: list[tuple[int, int, bytes]]) -> NewCode:
        span = self.spans[index]
        text = self.data[span.start : span.end]
        for start, end, new in sorted(edits, key=lambda e: e[0], reverse=True):
            text = text[: start - span.start] + new + text[end - span.start :]
        node = self._parse(text, span)
        in_head = any(start < span.body_start for start, _, _ in edits)
        if in_head and _shape(node) != _shape(span.node):
            raise NeedsImport("the signature, a default or a decorator changed")
        base = self._base_code.get(index)
        if base is None:
            plain = self._parse(self.data[span.start : span.end], span)
            base = self._code(ticked(plain), span)
            self._base_code[index] = base
        return NewCode(key_of(base), self._code(ticked(node), span), base)

    def _parse(self, text: bytes, span: Span) -> Any:
        indented = text[:1] in (b" ", b"\t")
        tree = ast.parse((b"if 1:\n" if indented else b"") + text, self.filename)
        body: Any = tree.body[0].body if indented else tree.body  # type: ignore[attr-defined]
        node = body[0]
        if len(tree.body) != 1 or len(body) != 1 or type(node) is not type(span.node):
            raise NeedsImport("the edit adds or removes a definition")
        if node.name != span.node.name:
            raise NeedsImport("the function was renamed")
        return ast.increment_lineno(node, span.first_line - (2 if indented else 1))

    def _code(self, node: Any, span: Span) -> CodeType:
        name = node.name
        for class_name in reversed(span.classes):
            holder = ast.parse(f"class {class_name}: pass").body[0]
            holder.body = [node]  # type: ignore[attr-defined]
            holder.lineno = holder.end_lineno = span.first_line
            node = holder
        module = ast.Module([node], [])
        code: CodeType = compile(module, self.filename, "exec", self.flags, True)
        for wanted in (*span.classes, name):
            inner: CodeType | None = next(
                (c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == wanted), None
            )
            if inner is None:
                raise NeedsImport("the function could not be found again")
            code = inner
        return code


def _shape(node: Any) -> tuple[str, ...]:
    parts = [node.args, *node.decorator_list, *([node.returns] if node.returns else [])]
    return tuple(ast.dump(part) for part in parts)


def _future_flags(tree: ast.Module) -> int:
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                flags |= getattr(__future__, alias.name).compiler_flag
    return flags
