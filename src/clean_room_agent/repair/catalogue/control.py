"""Control flow: jumps, branches, loops, generators and exceptions exchanged or converted.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.layout import in_loop, is_movable, reindent, replace_lines
from clean_room_agent.repair.catalogue.template import Draft, Site, strength, template


@template("jump-swap", ast.Break, ast.Continue, ast.Pass, ast.Return)
def swap_jump(site: Site) -> Iterator[Draft]:
    """`break`, `continue`, `pass` and `return` for one another."""
    node = site.node
    assert isinstance(node, ast.stmt)
    own = type(node).__name__.lower()
    words = ["continue", "break"] if in_loop(site, node) else []
    words.append("pass")
    if site.scope.function is not None and not isinstance(node, ast.Return):
        words += [f"return {n}" for n in site.scope.local_names[:10]]
        words += ["return", "return True", "return False", "return None"]
    start, end = site.source.start(node), site.source.end(node)
    for word in words:
        if word != own:
            yield Draft(((start, end, word),), 1.0 if word in ("break", "continue") else 0.6)


@template("loop-kind", ast.If, ast.While)
def change_loop(site: Site) -> Iterator[Draft]:
    """`if` to `while`, `while` to `if`, `elif` to `if`."""
    node, source = site.node, site.source
    assert isinstance(node, ast.If | ast.While)
    start = source.start(node)
    if isinstance(node, ast.While):
        yield Draft(((start, start + 5, "if"),), structural=True)
    elif source.is_elif(node):
        yield Draft(((start, start + 4, "if"),), structural=True)
    else:
        yield Draft(((start, start + 2, "while"),), structural=True)
        before = _previous(site, node)
        if isinstance(before, ast.If) and source.owns_lines(node):
            yield Draft(((start, start + 2, "elif"),), 0.8, structural=True)


def _previous(site: Site, node: ast.stmt) -> ast.stmt | None:
    block = site.source.block_of(node)
    at = block.index(node)
    return block[at - 1] if at else None


@template("branch-swap", ast.If)
def swap_branches(site: Site) -> Iterator[Draft]:
    """Let the bodies of if and else change places."""
    node, source = site.node, site.source
    assert isinstance(node, ast.If)
    if not node.orelse or source.is_elif(node.orelse[0]):
        return
    a, b = node.body, node.orelse
    if not all(is_movable(site, s) for s in (a[0], a[-1], b[0], b[-1])):
        return
    spans = [(source.lines_of(s[0])[0], source.lines_of(s[-1])[1]) for s in (a, b)]
    texts = [source.slice(*span) for span in spans]
    if not texts[1].endswith(("\n", "\r")):
        return
    indents = [source.indent_of(a[0]), source.indent_of(b[0])]
    edits = (
        (*spans[0], reindent(texts[1], indents[1], indents[0])),
        (*spans[1], reindent(texts[0], indents[0], indents[1])),
    )
    yield Draft(edits, structural=True)


@template("branch-drop", ast.If, ast.For, ast.While, ast.Try)
def drop_branch(site: Site) -> Iterator[Draft]:
    """Drop the else of a statement, or take its body out behind the statement."""
    node, source = site.node, site.source
    assert isinstance(node, ast.If | ast.For | ast.While | ast.Try)
    block = node.orelse
    if not block or not is_movable(site, node):
        return
    if (
        source.is_elif(block[0])
        or not is_movable(site, block[0])
        or not is_movable(site, block[-1])
    ):
        return
    start = source.line_end(source.end(node.body[-1]))
    end = source.lines_of(block[-1])[1]
    body = source.slice(source.lines_of(block[0])[0], end)
    moved = reindent(body, source.indent_of(block[0]), source.indent_of(node))
    if isinstance(node, ast.Try) and (node.handlers or node.finalbody):
        return
    yield Draft(((start, end, moved),), structural=True)
    yield Draft(((start, end, ""),), 0.6, structural=True)


@template("else-add", ast.If)
def follow_with_else(site: Site) -> Iterator[Draft]:
    """Put the statements that follow an `if` under its `else`."""
    node, source = site.node, site.source
    assert isinstance(node, ast.If)
    if node.orelse or not is_movable(site, node):
        return
    block = source.block_of(node)
    rest = block[block.index(node) + 1 :]
    indent = source.indent_of(node)
    for count in (1, len(rest)):
        if not 0 < count <= len(rest) or not all(is_movable(site, s) for s in rest[:count]):
            continue
        start, end = source.lines_of(rest[0])[0], source.lines_of(rest[count - 1])[1]
        body = reindent(source.slice(start, end), indent, indent + source.indent_unit)
        text = f"{indent}else:{source.newline}{body}"
        yield replace_lines(site, rest[0], rest[count - 1], text, 1.0 if count == 1 else 0.8)


@template("loop-iterable", ast.For, ast.comprehension)
def change_iterable(site: Site) -> Iterator[Draft]:
    """Loop over something else in scope, or over it in another way."""
    node = site.node
    assert isinstance(node, ast.For | ast.comprehension)
    own = site.text(node.iter)
    text = site.operand(node.iter, 2)
    for name in site.scope.values[:12]:
        if name != own and name not in site.scope.called:
            yield site.swap(node.iter, name)
            yield site.swap(node.iter, f"range({name})", weight=0.6)
            yield site.swap(node.iter, f"range(len({name}))", weight=0.5)
            yield site.swap(node.iter, f"enumerate({name})", weight=0.5)
    for form in (
        "enumerate({})",
        "reversed({})",
        "sorted({})",
        "range(len({}))",
        "range({})",
        "set({})",
        "list({})",
        "{}.items()",
        "{}.values()",
    ):
        yield site.swap(node.iter, form.format(text), weight=0.8)
    for name in site.scope.local_names[:6]:
        yield site.swap(node.iter, f"zip({text}, {name})", weight=0.4)


@template("comprehension-condition", ast.comprehension)
def comprehension_condition(site: Site) -> Iterator[Draft]:
    """Add, drop or negate the condition of a comprehension."""
    node, source = site.node, site.source
    assert isinstance(node, ast.comprehension)
    for condition in node.ifs:
        start = source.body.rfind(b" if", 0, source.start(condition))
        if start >= source.end(node.iter):
            yield Draft(((start, source.end(condition), ""),))
    bound = [n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)]
    at = source.end(node.iter)
    for name in bound[:3]:
        tests = [name, f"not {name}", f"{name} is not None", f"{name} > 0", f"{name} != 0"]
        for other in site.scope.local_names[:8]:
            if other != name:
                tests += [f"{name} != {other}", f"{name} not in {other}", f"{name} in {other}"]
                tests += [f"{name} > {other}", f"{name} < {other}"]
        for item in site.scope.conditions[:10]:
            tests.append(item.text)
        for test in tests:
            yield Draft(((at, at, f" if {test}"),), 0.6)


@template("comprehension-kind", ast.ListComp, ast.SetComp, ast.GeneratorExp)
def comprehension_kind(site: Site) -> Iterator[Draft]:
    """A list, set or generator comprehension for one another; another element."""
    node = site.node
    assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp)
    text = site.text(node)
    if text[:1] in "[({" and not (isinstance(site.parent, ast.Call) and text[:1] == "("):
        for pair in ("[]", "{}", "()"):
            if not text.startswith(pair[0]):
                yield site.swap(node, pair[0] + text[1:-1] + pair[1])
    bound = dict.fromkeys(
        n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)
    )
    for name in (*bound, *site.scope.local_names[:6]):
        if name != site.text(node.elt):
            yield site.swap(node.elt, name, weight=0.7)


@template("yield-kind", ast.Yield, ast.YieldFrom)
def change_yield(site: Site) -> Iterator[Draft]:
    """`yield` to `yield from` and back; a yielded call to its argument."""
    node, source = site.node, site.source
    assert isinstance(node, ast.Yield | ast.YieldFrom)
    if node.value is None:
        return
    start, value = source.start(node), source.start(node.value)
    if "(" in source.slice(start, value):
        return
    new = "yield " if isinstance(node, ast.YieldFrom) else "yield from "
    yield Draft(((start, value, new),))
    if isinstance(node.value, ast.Call):
        for argument in node.value.args[:3]:
            text = site.operand(argument, 2)
            yield Draft(((start, source.end(node), f"yield {text}"),))


@template("yield-return", ast.Expr, ast.Return)
def yield_or_return(site: Site) -> Iterator[Draft]:
    """`yield x` to `return x` and back."""
    node, source = site.node, site.source
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and node.value.value:
        yield Draft(((source.start(node), source.start(node.value.value), "return "),))
    elif isinstance(node, ast.Return) and node.value is not None:
        yield Draft(((source.start(node), source.start(node.value), "yield "),), 0.7)
        yield Draft(((source.start(node), source.start(node.value), "yield from "),), 0.4)


_ERRORS = (
    "ValueError",
    "TypeError",
    "KeyError",
    "IndexError",
    "AttributeError",
    "ZeroDivisionError",
    "RuntimeError",
    "StopIteration",
    "LookupError",
    "Exception",
    "OSError",
    "NotImplementedError",
)


@template("exception-type", ast.Raise, ast.ExceptHandler)
def exception_type(site: Site) -> Iterator[Draft]:
    """Raise or catch another exception."""
    node = site.node
    assert isinstance(node, ast.Raise | ast.ExceptHandler)
    kind = node.exc if isinstance(node, ast.Raise) else node.type
    if isinstance(kind, ast.Call):
        kind = kind.func
    if kind is None:
        return
    classes = [s.name for s in site.source.tree.body if isinstance(s, ast.ClassDef)]
    for name in (*_ERRORS, *classes[:8]):
        if name != site.text(kind):
            yield site.swap(kind, name)
            if isinstance(node, ast.ExceptHandler) and not isinstance(kind, ast.Tuple):
                yield site.swap(kind, f"({site.text(kind)}, {name})", weight=0.6)


@template("exchange-assignments", ast.Assign)
def exchange_values(site: Site) -> Iterator[Draft]:
    """Make two neighbouring assignments happen at once: `a, b = x, y`."""
    node, source = site.node, site.source
    assert isinstance(node, ast.Assign)
    block = source.block_of(node)
    at = block.index(node)
    other = block[at + 1] if at + 1 < len(block) else None
    if (
        not isinstance(other, ast.Assign)
        or not is_movable(site, node)
        or not is_movable(site, other)
    ):
        return
    if len(node.targets) != 1 or len(other.targets) != 1:
        return
    parts = [
        site.operand(v, 2) for v in (node.targets[0], other.targets[0], node.value, other.value)
    ]
    indent = source.indent_of(node)
    text = f"{indent}{parts[0]}, {parts[1]} = {parts[2]}, {parts[3]}{source.newline}"
    yield replace_lines(site, node, other, text)
    for value, target in ((other.value, node.value), (node.value, other.value)):
        new = site.fitted(target, site.text(value), strength(value))
        yield Draft(((source.start(target), source.end(target), new),), 0.5, structural=True)


FAMILY = (
    swap_jump,
    change_loop,
    swap_branches,
    drop_branch,
    follow_with_else,
    change_iterable,
    comprehension_condition,
    comprehension_kind,
    change_yield,
    yield_or_return,
    exception_type,
    exchange_values,
)
