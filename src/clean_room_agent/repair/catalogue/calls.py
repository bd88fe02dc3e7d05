"""Calls: a missing wrap or method call, one too many, or a sibling of the one that was meant.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
import difflib
import heapq
import itertools
import math
import operator
import re
import string
from collections.abc import Iterator
from types import ModuleType

from clean_room_agent.repair.catalogue.template import ATOM, Draft, Site, strength, template
from clean_room_agent.repair.source import FunctionNode

_WRAPS = (
    "len", "abs", "str", "int", "list", "set", "sorted", "tuple", "sum", "max", "min", "float",
    "reversed", "round", "dict", "enumerate", "ord", "chr", "any", "all", "repr", "iter", "bool",
)  # fmt: skip
_METHODS = (
    ".strip()", ".lower()", ".upper()", ".copy()", ".items()", ".values()", ".keys()", ".split()",
    "[::-1]", ".title()", ".capitalize()", ".pop()", ".replace(' ', '')", ".strip('.')",
)  # fmt: skip
_SIBLINGS = tuple(
    tuple(group.split())
    for group in (
        "append extend insert add appendleft",
        "min max sum len",
        "any all",
        "floor ceil trunc round",
        "lower upper swapcase title capitalize casefold",
        "keys values items",
        "startswith endswith",
        "find rfind index rindex count",
        "strip lstrip rstrip",
        "split rsplit splitlines partition rpartition",
        "discard remove add pop",
        "union intersection difference symmetric_difference",
        "issubset issuperset isdisjoint",
        "update setdefault add",
        "get pop setdefault",
        "isdigit isalpha isalnum isnumeric isdecimal isspace isupper islower",
        "int float str round bool",
        "list tuple set sorted reversed frozenset",
        "ljust rjust center zfill",
        "pop popleft remove",
        "append appendleft",
        "extend extendleft",
        "sin cos tan",
        "bisect_left bisect_right insort",
        "zip enumerate map filter",
        "range len enumerate",
        "encode decode",
        "heappush heappop heapify",
        "nlargest nsmallest",
        "rotate reverse sort",
        "combinations permutations product combinations_with_replacement",
        "ord chr",
        "islice takewhile dropwhile",
        "log log2 log10",
        "abs round",
        "gcd lcm",
        "hex oct bin",
        "isinstance issubclass",
        "first last",
        "join format",
        "removeprefix removesuffix",
        "head tail",
        "mean median mode",
        "days seconds",
    )
)
"""Families of functions and methods that are taken for one another."""
_TYPES: tuple[type, ...] = (str, list, dict, set)
_MODULES: dict[str, ModuleType] = {
    m.__name__: m for m in (math, itertools, operator, heapq, string, re)
}


@template(
    "wrap-call",
    ast.Name,
    ast.Attribute,
    ast.Call,
    ast.Subscript,
    ast.BinOp,
    ast.GeneratorExp,
    ast.ListComp,
)
def wrap_call(site: Site) -> Iterator[Draft]:
    """Wrap a value in a builtin: `len(x)`, `sorted(x)`, `abs(x)`, ..."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    if isinstance(site.parent, ast.Attribute | ast.Expr) or _is_own_wrap(site):
        return
    text = site.operand(node, 2)
    for name in _WRAPS:
        yield site.swap(node, f"{name}({text})")


def _is_own_wrap(site: Site) -> bool:
    """Whether the value already stands as the only argument of a builtin type."""
    parent = site.parent
    return (
        isinstance(parent, ast.Call)
        and isinstance(parent.func, ast.Name)
        and parent.func.id in ("len", "str", "abs", "isinstance")
    )


@template("wrap-extremum", ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp)
def wrap_extremum(site: Site) -> Iterator[Draft]:
    """Take the larger or the smaller of the value and something in scope."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return
    whole = isinstance(site.parent, ast.Assign | ast.Return | ast.AugAssign)
    if not (whole and site.field == "value") and site.field not in ("elts", "args"):
        return
    if isinstance(site.parent, ast.Call) and site.text(site.parent.func) in _EXTREMUM_DEAF:
        return
    share = 1.0 if whole else 0.4
    text = site.operand(node, 2)
    others: list[str] = []
    if isinstance(site.parent, ast.Assign):
        others.append(site.text(site.parent.targets[0]))
    others += ["0", "1", *(v for v in site.scope.values[:8] if v not in site.scope.called)]
    others += [
        item.text
        for item in site.scope.expressions[:16]
        if isinstance(item.node, ast.Subscript | ast.Attribute)
        and site.source.fields.get(item.node) != "func"
    ]
    for other in dict.fromkeys(others):
        if other != text:
            yield site.swap(node, f"max({other}, {text})", weight=share)
            yield site.swap(node, f"min({other}, {text})", weight=share)


_EXTREMUM_DEAF = frozenset(
    {"len", "max", "min", "str", "isinstance", "print", "sorted", "enumerate"}
)


@template("wrap-method", ast.Name, ast.Attribute, ast.Call, ast.Subscript)
def wrap_method(site: Site) -> Iterator[Draft]:
    """Call a common method on a value: `x.strip()`, `x.items()`, ..."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    if isinstance(site.parent, ast.Expr):
        return
    text = site.operand(node, ATOM)
    for method in _METHODS:
        yield site.swap(node, text + method)
    for method in site.scope.facts.niladic_methods:
        yield site.swap(node, f"{text}.{method}()", weight=0.8)


@template("wrap-own-call", ast.Name, ast.Call, ast.Subscript, ast.Attribute, ast.BinOp)
def wrap_own(site: Site) -> Iterator[Draft]:
    """Pass a value through a function of the file."""
    node = site.node
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del) or site.field == "func":
        return
    if isinstance(site.parent, ast.Attribute | ast.Expr):
        return
    for name in site.scope.callables[:10]:
        yield site.swap(node, f"{name}({site.operand(node, 2)})")


@template("unwrap-call", ast.Call)
def unwrap_call(site: Site) -> Iterator[Draft]:
    """Drop a call and keep an argument, or the object whose method was called."""
    node = site.node
    assert isinstance(node, ast.Call)
    for argument in node.args:
        if not isinstance(argument, ast.Starred):
            yield site.swap(node, site.operand(argument, 2), strength(argument))
    if isinstance(node.func, ast.Attribute):
        value = node.func.value
        yield site.swap(node, site.operand(value, 0), strength(value))


@template("sibling-function", ast.Call, ast.Name, ast.Attribute)
def sibling_function(site: Site) -> Iterator[Draft]:
    """Call a sibling of a builtin function, method or module function instead."""
    node = site.node
    if isinstance(node, ast.Call) or (site.field != "func" and not _is_reference(site)):
        return
    name = node.id if isinstance(node, ast.Name) else node.attr  # type: ignore[attr-defined]
    end = site.source.end(node)
    start = end - len(name.encode("utf-8"))
    given: dict[str, float] = {}
    for group in _SIBLINGS:
        if name in group:
            for other in group:
                given.setdefault(other, 1.0)
    if isinstance(node, ast.Attribute):
        for other in site.scope.facts.beside.get(name, ())[:12]:
            given.setdefault(other, 0.6)
        for other in _from_dir(node, name):
            given.setdefault(other, 0.35)
    given.pop(name, None)
    for other, weight in given.items():
        yield Draft(((start, end, other),), weight)


def _is_reference(site: Site) -> bool:
    return isinstance(site.parent, ast.Call | ast.keyword)


def _from_dir(node: ast.Attribute, name: str) -> list[str]:
    """Members of the module, or of the builtin types that have `name`, most similar first."""
    if isinstance(node.value, ast.Name) and node.value.id in _MODULES:
        members = [m for m in dir(_MODULES[node.value.id]) if not m.startswith("_")]
    else:
        members = sorted(
            {m for t in _TYPES if hasattr(t, name) for m in dir(t) if not m.startswith("_")}
        )
    similar = difflib.get_close_matches(name, members, 8, 0.5)
    return [*similar, *(m for m in members if m not in similar)][:24]


@template("sibling-own", ast.Call)
def sibling_own(site: Site) -> Iterator[Draft]:
    """Call another function or method of the file, those of a like signature first."""
    node = site.node
    assert isinstance(node, ast.Call)
    own = site.text(node.func)
    arity = site.scope.facts.arity
    wanted = len(node.args)

    def distance(name: str) -> int:
        bare = name.rpartition(".")[2]
        return abs(arity.get(bare, 9) - wanted - (bare != name))

    for name in sorted(site.scope.callables, key=distance)[:10]:
        if name != own:
            yield site.swap(node.func, name, weight=1.0 if distance(name) == 0 else 0.5)


@template("recursion-wrap", ast.Return)
def recurse(site: Site) -> Iterator[Draft]:
    """Return a recursive call over changed parameters instead of the value."""
    node, function = site.node, site.scope.function
    assert isinstance(node, ast.Return)
    if not isinstance(function, FunctionNode) or node.value is None:
        return
    name = function.name
    if name not in site.scope.called and f"self.{name}" not in site.scope.callables:
        return
    parameters = [p for p in site.scope.parameters if p not in ("self", "cls")]
    callee = name if name in site.scope.called else f"self.{name}"
    for change in parameters:
        for text in (f"{change} - 1", f"{change}[1:]", f"{change}[:-1]", f"{change} // 10"):
            arguments = ", ".join(text if p == change else p for p in parameters)
            yield site.swap(node.value, f"{callee}({arguments})")


FAMILY = (
    wrap_call,
    wrap_extremum,
    wrap_method,
    wrap_own,
    unwrap_call,
    sibling_function,
    sibling_own,
    recurse,
)
