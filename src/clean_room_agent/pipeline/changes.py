"""What a set of replacements makes of the base, and the form in which equal patches are equal.

Takes: replacements, a reader of base bytes. Gives: files before and after, a normal form, edits
narrowed to the lines that differ. Does not know: who proposed them, or what tests say.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clean_room_agent.execute.edits import replace_ranges
from clean_room_agent.execute.filetext import BOM
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.repair.canonical import BlockRenderer
from clean_room_agent.repair.source import parse_quietly

ReadBase = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Change:
    """The files of a patch: `before` lacks those that it adds."""

    before: Mapping[str, bytes]
    after: Mapping[str, bytes]


def change_of(replacements: Sequence[Replacement], read: ReadBase) -> Change:
    """Apply replacements to base bytes in memory.

    Raises:
        EditError: a base is not what an edit was made for, or ranges overlap.
    """
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    for path in sorted({r.path for r in replacements}):
        base = read(path)
        if base is not None:
            before[path] = base
        after[path] = replace_ranges(base, [r for r in replacements if r.path == path])
    return Change(before, after)


def narrowed(change: Change) -> tuple[Replacement, ...]:
    """Return one replacement per changed file that spans only the lines which differ."""
    found = []
    for path, after in change.after.items():
        before = change.before.get(path)
        if before is None:
            found.append(Replacement(path, 0, 0, after, ""))
        elif before != after:
            found.append(_narrow(path, before, after))
    return tuple(found)


def _narrow(path: str, before: bytes, after: bytes) -> Replacement:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    start = sum(map(len, old[:head]))
    end = len(before) - sum(map(len, old[len(old) - tail :]))
    fresh = b"".join(new[head : len(new) - tail])
    return Replacement(path, start, end, fresh, hashlib.sha256(before).hexdigest())


def first_line(replacement: Replacement, before: bytes) -> int:
    """Return the 1-based line at which a replacement starts."""
    return before[: replacement.start_byte].count(b"\n") + 1


def normal_form(change: Change) -> str:
    """Return a text that is equal for patches whose files mean the same program text.

    Python files are compared as syntax trees (comments and layout do not count), others by bytes;
    files that come out as they were do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(change.after):
        after = change.after[path]
        before = change.before.get(path)
        form = _form(path, after)
        if before is None or form != _form(path, before):
            digest.update(path.encode("utf-8", "surrogateescape") + b"\0" + form + b"\0")
    return f"files:{digest.hexdigest()[:32]}"


def _form(path: str, data: bytes) -> bytes:
    tree = parse_quietly(data) if path.endswith((".py", ".pyi")) and _is_utf8(data) else None
    if not isinstance(tree, ast.Module):
        return b"bytes:" + hashlib.sha256(data).digest()
    renderer = BlockRenderer()
    lines = data.removeprefix(BOM).splitlines()
    rendered = [renderer.render(statement, lines) for statement in tree.body]
    return "\n".join(rendered).encode("utf-8", "surrogatepass")


def _is_utf8(data: bytes) -> bool:
    """Whether positions of the syntax tree are positions in these bytes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
