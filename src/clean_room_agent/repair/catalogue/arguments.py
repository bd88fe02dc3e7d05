"""Arguments: swapped, dropped, added, replaced; defaults and keyword values.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import LAMBDA, Draft, Site, strength, template


@template("argument-swap", ast.Call)
def swap_arguments(site: Site) -> Iterator[Draft]:
    """Let two positional arguments change places, neighbours first."""
    node = site.node
    assert isinstance(node, ast.Call)
    arguments = node.args
    for distance in range(1, len(arguments)):
        for first, second in zip(arguments, arguments[distance:], strict=False):
            yield site.exchange(first, second)
    if len(arguments) == 1 and isinstance(node.func, ast.Attribute):
        yield site.exchange(node.func.value, arguments[0], weight=0.7)


@template("argument-drop", ast.Call)
def drop_argument(site: Site) -> Iterator[Draft]:
    """Drop one argument or keyword."""
    node, source = site.node, site.source
    assert isinstance(node, ast.Call)
    everything: list[ast.AST] = sorted([*node.args, *node.keywords], key=source.start)
    for number, gone in enumerate(everything):
        if len(everything) == 1:
            start, end = source.start(gone), source.end(gone)
        elif number + 1 < len(everything):
            start, end = source.start(gone), source.start(everything[number + 1])
        else:
            start, end = source.end(everything[number - 1]), source.end(gone)
        weight = 1.0 if len(everything) > 1 else 0.5
        yield Draft(((start, end, ""),), weight)


@template("argument-add", ast.Call)
def add_argument(site: Site) -> Iterator[Draft]:
    """Add one argument: a value in scope, or a common option of the function called."""
    node, source = site.node, site.source
    assert isinstance(node, ast.Call)
    everything: list[ast.AST] = sorted([*node.args, *node.keywords], key=source.start)
    if any(isinstance(a, ast.GeneratorExp) for a in node.args):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    at = source.end(everything[-1]) if everything else source.end(node) - 1
    comma = ", " if everything else ""
    given = {k.arg for k in node.keywords}
    for text in _OPTIONS.get(name, ()):
        if text.partition("=")[0] in given:
            continue
        yield Draft(((at, at, comma + text),))
    if name not in _OPTIONS:
        for value in (*site.scope.values[:12], "1", "0", "None", "True", "False", "''", "-1"):
            yield Draft(((at, at, comma + value),), 0.6)
    if node.args and name in ("min", "max"):
        for value in (*site.scope.values[:8], "0", "1"):
            yield Draft(((at, at, comma + value),), 0.8)
    for item in site.scope.expressions[:12]:
        yield Draft(((at, at, comma + item.text),), 0.4)
    if node.args and name not in _OPTIONS:
        at = source.start(everything[0])
        for value in site.scope.values[:6]:
            yield Draft(((at, at, value + ", "),), 0.4)


_KEYS = ("key=len", "reverse=True", "key=lambda x: x[1]", "key=lambda x: x[0]", "key=lambda x: -x")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "sorted": (*_KEYS, "key=str.lower", "key=lambda x: (-x[1], x[0])", "key=abs", "key=str"),
    "sort": (*_KEYS, "key=str.lower", "key=abs", "key=str"),
    "max": ("default=0", "default=None", "key=len", "key=lambda x: x[1]", "key=abs"),
    "min": ("default=0", "default=None", "key=len", "key=lambda x: x[1]", "key=abs"),
    "enumerate": ("1", "start=1", "0"),
    "round": ("1", "2", "3", "4"),
    "split": ("' '", "','", "'\\n'", "1", "maxsplit=1"),
    "replace": ("1",),
    "get": ("0", "None", "''", "[]", "{}", "1", "set()"),
    "pop": ("0", "-1", "None"),
    "sum": ("[]", "0", "()"),
    "int": ("2", "16", "10", "0"),
    "zip": ("strict=True",),
    "strip": ("' '", "'\\n'"),
    "join": (),
    "next": ("None", "0"),
    "range": (),
    "len": (),
    "append": (),
}


@template("argument-replace", ast.Call)
def replace_argument(site: Site) -> Iterator[Draft]:
    """Another value in scope, or a common constant, in the place of an argument."""
    node = site.node
    assert isinstance(node, ast.Call)
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            continue
        own = site.text(argument)
        if not isinstance(argument, ast.Name):
            for name in site.scope.values[:14]:
                if name != own and name not in site.scope.called:
                    yield site.swap(argument, name)
        for text in ("0", "1", "None", "''", "[]", "-1", "True", "False"):
            if text != own:
                yield site.swap(argument, text, 14, weight=0.4)
        for item in site.scope.expressions[:16]:
            if item.text != own:
                yield site.swap(argument, item.text, strength(item.node), weight=0.6)


@template("keyword-value", ast.keyword)
def keyword_value(site: Site) -> Iterator[Draft]:
    """Another value for a keyword argument, or another keyword's name."""
    node = site.node
    assert isinstance(node, ast.keyword)
    if node.arg is None:
        return
    for text in ("True", "False", "None", "0", "1", *site.scope.local_names[:8]):
        yield site.swap(node.value, text)
    if node.arg == "key":
        for text in (
            "len",
            "lambda x: x[0]",
            "lambda x: x[1]",
            "lambda x: -x",
            "abs",
            "str.lower",
            "lambda x: (-x[1], x[0])",
            "lambda x: (x[1], x[0])",
        ):
            yield site.swap(node.value, text, LAMBDA)


@template("parameter-default", ast.arguments)
def parameter_default(site: Site) -> Iterator[Draft]:
    """Another default value of a parameter."""
    node = site.node
    assert isinstance(node, ast.arguments)
    for default in (*node.defaults, *(d for d in node.kw_defaults if d is not None)):
        if isinstance(default, ast.Constant) and isinstance(default.value, int | float):
            near: tuple[str, ...] = (
                ("None",) if isinstance(default.value, bool) else ("0", "1", "-1", "2", "10")
            )
        else:
            near = ("0", "1", "''", "' '", "[]", "()")
        for text in (*near, "None", "True", "False"):
            if text != site.text(default):
                yield site.swap(default, text, 14)


@template("mutable-default", ast.arguments)
def mutable_default(site: Site) -> Iterator[Draft]:
    """Give each call its own value instead of a shared mutable default."""
    node, source = site.node, site.source
    assert isinstance(node, ast.arguments)
    owner = site.parent
    if not isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    plain = [*node.posonlyargs, *node.args]
    pairs = list(zip(plain[len(plain) - len(node.defaults) :], node.defaults, strict=True))
    pairs += [
        (a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None
    ]
    body = owner.body
    first = body[1] if len(body) > 1 and ast.get_docstring(owner) is not None else body[0]
    if not source.owns_lines(first):
        return
    indent, newline = source.indent_of(first), source.newline
    at = source.lines_of(first)[0]
    for argument, default in pairs:
        if not isinstance(default, ast.List | ast.Dict | ast.Set | ast.Call):
            continue
        guard = (
            f"{indent}if {argument.arg} is None:{newline}"
            f"{indent}{source.indent_unit}{argument.arg} = {source.text(default)}{newline}"
        )
        edits = ((source.start(default), source.end(default), "None"), (at, at, guard))
        yield Draft(edits, structural=True)


FAMILY = (
    swap_arguments,
    drop_argument,
    add_argument,
    replace_argument,
    keyword_value,
    parameter_default,
    mutable_default,
)
