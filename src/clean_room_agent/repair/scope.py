"""What an edit may mention: the names, attributes and expressions visible at a place.

Takes: a `ParsedSource`. Gives: `FileIngredients` for the file and a `Scope` for each function.
Does not know: templates, or which line is suspicious.

That the material of a fix is mostly found in the program itself is the redundancy assumption of
search-based repair (Barr et al., "The Plastic Surgery Hypothesis", FSE 2014).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from clean_room_agent.repair.facts import FileFacts, collect_facts
from clean_room_agent.repair.source import FunctionNode, ParsedSource

BUILTIN_NAMES = frozenset(dir(builtins))
_MAX_BORROWED = 60
_MAX_BORROWED_CHARS = 80


@dataclass(frozen=True, slots=True)
class Borrowed:
    """An expression or statement of the program that may be used again elsewhere."""

    text: str
    names: frozenset[str]
    node: ast.AST


@dataclass(frozen=True, slots=True)
class TestLiterals:
    """The short literals that the tests mention, most frequent first."""

    __test__ = False

    numbers: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """Borrowed material by the slot it stood in, in source order, without repetition."""

    conditions: tuple[Borrowed, ...] = ()
    calls: tuple[Borrowed, ...] = ()
    values: tuple[Borrowed, ...] = ()
    returned: tuple[Borrowed, ...] = ()
    statements: tuple[Borrowed, ...] = ()
    strings: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scope:
    """The names visible in one function (or at module level), nearest first."""

    function: ast.AST | None
    parameters: tuple[str, ...]
    local_names: tuple[str, ...]
    outer_names: tuple[str, ...]
    attributes: tuple[str, ...]
    module_values: tuple[str, ...]
    callables: tuple[str, ...]
    called: frozenset[str]
    containers: tuple[str, ...]
    pool: Pool
    file_pool: Pool
    facts: FileFacts
    literals: TestLiterals = field(default_factory=TestLiterals)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Names that hold data, nearest first; functions that are only called are left out."""
        return unique((*self.local_names, *self.outer_names, *self.attributes))

    @cached_property
    def visible(self) -> frozenset[str]:
        heads = (name.partition(".")[0] for name in self.attributes)
        return BUILTIN_NAMES.union(
            self.local_names, self.outer_names, self.module_values, self.callables, heads
        )

    def usable(self, material: Iterable[Borrowed]) -> Iterator[Borrowed]:
        return (item for item in material if item.names <= self.visible)

    @cached_property
    def conditions(self) -> tuple[Borrowed, ...]:
        return self._merge(self.pool.conditions, self.file_pool.conditions)

    @cached_property
    def calls(self) -> tuple[Borrowed, ...]:
        return self._merge(self.pool.calls, self.file_pool.calls)

    @cached_property
    def expressions(self) -> tuple[Borrowed, ...]:
        return self._merge(self.pool.values, self.file_pool.values)

    @cached_property
    def returned(self) -> tuple[Borrowed, ...]:
        return self._merge(self.pool.returned, self.file_pool.returned)

    @cached_property
    def statements(self) -> tuple[Borrowed, ...]:
        return self._merge(self.pool.statements, self.file_pool.statements)

    def _merge(self, *pools: tuple[Borrowed, ...]) -> tuple[Borrowed, ...]:
        merged: dict[str, Borrowed] = {}
        for pool in pools:
            for item in self.usable(pool):
                merged.setdefault(item.text, item)
        return tuple(merged.values())[:_MAX_BORROWED]


def unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def literals_of_tests(trees: Iterable[ast.AST]) -> TestLiterals:
    """The short literals of the tests, most frequent first, then in source order."""
    numbers: dict[str, int] = {}
    strings: dict[str, int] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant):
                continue
            if isinstance(node.value, str) and len(node.value) <= 12:
                strings[repr(node.value)] = strings.get(repr(node.value), 0) + 1
            elif isinstance(node.value, int | float) and not isinstance(node.value, bool):
                numbers[repr(node.value)] = numbers.get(repr(node.value), 0) + 1
    return TestLiterals(_frequent(numbers), _frequent(strings))


def _frequent(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(counts, key=lambda text: -counts[text]))[:24]


class FileIngredients:
    """Scopes of one file, made when first asked for."""

    def __init__(self, source: ParsedSource, literals: TestLiterals) -> None:
        self._source = source
        self._literals = literals
        self._scopes: dict[ast.AST | None, Scope] = {}
        tree = source.tree
        self._callables = unique(
            s.name for s in tree.body if isinstance(s, FunctionNode | ast.ClassDef)
        )
        self._imports = unique(_imported(source.walk(tree)))
        self._values = unique(
            n for s in tree.body if isinstance(s, ast.Assign | ast.AnnAssign) for n in _bound(s)
        )
        self._pool = collect_pool(source, tree)
        self._facts = collect_facts(source)
        self._members: dict[ast.ClassDef, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def scope_of(self, node: ast.AST) -> Scope:
        """The scope a node's names are looked up in."""
        source = self._source
        function = node if isinstance(node, FunctionNode) else None
        current: ast.AST | None = node
        while function is None and current is not None:
            current = source.parents.get(current)
            if isinstance(current, FunctionNode):
                function = current
        known = self._scopes.get(function)
        if known is None:
            known = self._make(function)
            self._scopes[function] = known
        return known

    def _make(self, function: FunctionNode | None) -> Scope:
        source = self._source
        root: ast.AST = function or source.tree
        parameters = _parameters(function) if function else ()
        outer: list[str] = []
        methods: tuple[str, ...] = ()
        attributes: tuple[str, ...] = ()
        current = source.parents.get(function) if function else None
        while current is not None:
            if isinstance(current, FunctionNode):
                outer += (*_parameters(current), *_local_names(current))
            if isinstance(current, ast.ClassDef) and not attributes and parameters:
                if current not in self._members:
                    self._members[current] = _members(current, source.walk(current))
                data, names = self._members[current]
                attributes = tuple(f"{parameters[0]}.{name}" for name in data)
                methods = tuple(f"{parameters[0]}.{name}" for name in names)
            current = source.parents.get(current)
        called = frozenset(
            n.func.id
            for n in source.walk(root)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        )
        local_names = unique((*parameters, *_local_names(root)))
        return Scope(
            function=function,
            parameters=parameters,
            local_names=local_names,
            outer_names=unique(outer),
            attributes=attributes,
            module_values=unique((*self._values, *self._imports)),
            callables=unique((*self._callables, *methods)),
            called=called,
            containers=_containers(source.walk(root)),
            pool=collect_pool(source, root) if function else self._pool,
            file_pool=self._pool,
            facts=self._facts,
            literals=self._literals,
        )


def _imported(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]


def _parameters(function: FunctionNode) -> tuple[str, ...]:
    a = function.args
    plain = [*a.posonlyargs, *a.args, *a.kwonlyargs]
    return tuple(arg.arg for arg in (*plain, a.vararg, a.kwarg) if arg is not None)


def _bound(node: ast.AST) -> Iterator[str]:
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id


def _local_names(root: ast.AST) -> tuple[str, ...]:
    names: list[str] = []
    pending = list(ast.iter_child_nodes(root))
    while pending:
        node = pending.pop(0)
        if isinstance(node, FunctionNode | ast.ClassDef):
            names.append(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.append(node.name)
        pending.extend(ast.iter_child_nodes(node))
    return unique(names)


def _members(owner: ast.ClassDef, nodes: list[ast.AST]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the data attributes used and of the methods defined in a class."""
    methods = {s.name for s in owner.body if isinstance(s, FunctionNode)}
    data = (
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
        and node.attr not in methods
    )
    return unique(data), tuple(sorted(methods))


_CONTAINER_METHODS = frozenset({"append", "add", "extend", "update", "insert", "pop", "appendleft"})


def _containers(nodes: list[ast.AST]) -> tuple[str, ...]:
    """Local names (or attributes) that are made or used as a mutable container."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(
            node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.Call
        ):
            if isinstance(node.value, ast.Call) and not (
                isinstance(node.value.func, ast.Name)
                and node.value.func.id in ("set", "list", "dict", "deque", "defaultdict")
            ):
                continue
            found += (t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.Attribute) and node.attr in _CONTAINER_METHODS:
            found.append(ast.unparse(node.value))
    return unique(found)


# -- pools ---------------------------------------------------------------------------------------


def collect_pool(source: ParsedSource, root: ast.AST) -> Pool:
    """Collect what stands in a function (or a file) by the kind of slot it stands in."""
    made: dict[str, dict[str, Borrowed]] = {
        name: {} for name in ("conditions", "calls", "values", "returned", "statements")
    }
    strings: list[str] = []
    numbers: list[str] = []
    for node in source.walk(root):
        for slot, item in _slots(node):
            _keep(source, made[slot], item)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and len(node.value) <= 20:
                strings.append(repr(node.value))
            elif isinstance(node.value, int | float) and not isinstance(node.value, bool):
                numbers.append(repr(node.value))
    return Pool(
        **{slot: tuple(items.values()) for slot, items in made.items()},
        strings=unique(strings)[:30],
        numbers=unique(numbers)[:20],
    )


def _slots(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "conditions", node.test
    elif isinstance(node, ast.comprehension):
        for condition in node.ifs:
            yield "conditions", condition
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield "conditions", value
    elif isinstance(node, ast.Compare):
        yield "conditions", node
    elif isinstance(node, ast.Call):
        yield "calls", node
        yield "values", node
    elif isinstance(node, ast.BinOp | ast.Subscript):
        if not isinstance(getattr(node, "ctx", None), ast.Store):
            yield "values", node
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        yield "values", node
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "returned", node.value
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Break | ast.Continue):
        yield "statements", node


def _keep(source: ParsedSource, into: dict[str, Borrowed], node: ast.AST) -> None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if not source.is_exact(node):
        return
    text = source.text(node)
    if "\n" in text or len(text) > _MAX_BORROWED_CHARS or text in into:
        return
    found = [n for n in source.walk(node) if isinstance(n, ast.Name)]
    bound = {n.id for n in found if isinstance(n.ctx, ast.Store)}
    names = frozenset(n.id for n in found if isinstance(n.ctx, ast.Load)) - bound
    into[text] = Borrowed(text, names, node)
