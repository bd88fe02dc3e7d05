"""Strings: literals edited or taken from the file and the tests; fields of f-strings.

Takes: a `Site`. Gives: drafts. Does not know: priors (`priors.py`).
"""

from __future__ import annotations

import ast
import itertools
import re
import string
from collections.abc import Iterator

from clean_room_agent.repair.catalogue.template import Draft, Site, template

_PAIRS = str.maketrans("()[]{}<>", "[]()()[]")


def _literal(site: Site) -> str | None:
    node = site.node
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return None
    return node.value if isinstance(site.parent, ast.expr | ast.stmt | ast.keyword) else None


@template("string-literal", ast.Constant)
def edit_string(site: Site) -> Iterator[Draft]:
    """Edit a string literal: common ones, case, trimmed, one character less, one space more."""
    value = _literal(site)
    if value is None:
        return
    near = ["", " ", ",", "\n", value.lower(), value.upper(), value.strip(), value.title()]
    near += [value[:-1], value[1:], value + " ", " " + value, value.capitalize(), ", ", "-", "_"]
    near += [value.translate(_PAIRS), "0", "1", ".", ":", value[::-1], value + "\n", "\t", "/"]
    if (value and set(value) <= set(string.ascii_lowercase)) or (
        len(value) > 8 and value.isalnum()
    ):
        near += [string.ascii_lowercase, string.ascii_letters, string.digits]
        near += [string.ascii_letters + string.digits, string.digits + string.ascii_uppercase]
    if value.isalpha() and len(value) > 3:
        near += [value + value.upper(), value + value.lower()]
    for text in dict.fromkeys(near):
        if text != value and len(text) <= 80:
            yield site.swap(site.node, repr(text))


@template("string-from-file", ast.Constant)
def string_from_file(site: Site) -> Iterator[Draft]:
    """Another string literal of the function or the file."""
    if _literal(site) is not None:
        for text in dict.fromkeys((*site.scope.pool.strings, *site.scope.file_pool.strings)):
            yield site.swap(site.node, text)


@template("string-from-tests", ast.Constant)
def string_from_tests(site: Site) -> Iterator[Draft]:
    """A string literal that the tests mention."""
    if _literal(site) is not None:
        for text in site.scope.literals.strings:
            yield site.swap(site.node, text)


@template("string-to-name", ast.Constant)
def string_to_name(site: Site) -> Iterator[Draft]:
    """A variable in scope in the place of a string."""
    if _literal(site) is not None:
        for name in site.scope.values[:10]:
            yield site.swap(site.node, name)


@template("membership-string", ast.Compare)
def extend_membership(site: Site) -> Iterator[Draft]:
    """Compare with several values at once: `x == 'a'` to `x in ('a', 'b')`."""
    node = site.node
    assert isinstance(node, ast.Compare)
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return
    right = node.comparators[0]
    if not isinstance(right, ast.Constant):
        return
    word = "in" if isinstance(node.ops[0], ast.Eq) else "not in"
    left = site.operand(node.left, 8)
    texts = site.scope.pool.strings if isinstance(right.value, str) else site.scope.pool.numbers
    for other in (*texts, *site.scope.literals.strings[:8]):
        if other != site.text(right):
            yield site.swap(node, f"{left} {word} ({site.text(right)}, {other})", 7)


@template("fstring-field", ast.JoinedStr)
def fstring_field(site: Site) -> Iterator[Draft]:
    """Another name, or another format, in a field of an f-string."""
    node = site.node
    assert isinstance(node, ast.JoinedStr)
    text = site.text(node)
    yield from _exchanged_fields(site, text)
    for part in node.values:
        if not isinstance(part, ast.FormattedValue):
            continue
        inner = ast.unparse(part.value)
        if text.count("{" + inner) != 1:
            continue
        for name in site.scope.values[:12]:
            if name != inner:
                yield site.swap(node, text.replace("{" + inner, "{" + name))
        for shape in (":.2f", ":.1f", ":02d", "!r", ":,", ":.0f", ":>2", ":d"):
            whole = "{" + inner + "}"
            if whole in text:
                yield site.swap(node, text.replace(whole, "{" + inner + shape + "}"), weight=0.6)
        if part.format_spec is not None or part.conversion != -1:
            start = text.index("{" + inner) + 1 + len(inner)
            end = text.find("}", start)
            if end > 0:
                yield site.swap(node, text[:start] + text[end:], weight=0.8)
        for wrap in ("{0} + 1", "{0} - 1", "len({0})", "str({0})", "{0}.upper()", "{0}.lower()"):
            new = "{" + wrap.format(inner)
            yield site.swap(node, text.replace("{" + inner, new), weight=0.4)


_FIELD = re.compile(r"(?<!\{)\{([^{}:!]+)")


def _exchanged_fields(site: Site, text: str) -> Iterator[Draft]:
    """Let the expressions of two fields change places."""
    fields = list(_FIELD.finditer(text))
    for first, second in itertools.pairwise(fields):
        (a, b), (c, d) = first.span(1), second.span(1)
        yield site.swap(site.node, text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:])


@template("format-digits", ast.JoinedStr)
def format_digits(site: Site) -> Iterator[Draft]:
    """Other digits in the text or the formats of an f-string; other separators."""
    text = site.text(site.node)
    for number, char in enumerate(text):
        if char.isdigit():
            for new in (str((int(char) + 1) % 10), str((int(char) - 1) % 10)):
                yield site.swap(site.node, text[:number] + new + text[number + 1 :])
        elif char in " ,-:/._" and 1 < number < len(text) - 1:
            for new in ("", " ", "-", ":", "/", ", "):
                if new != char:
                    changed = text[:number] + new + text[number + 1 :]
                    yield site.swap(site.node, changed, weight=0.3)


FAMILY = (
    edit_string,
    string_from_file,
    string_from_tests,
    string_to_name,
    extend_membership,
    fstring_field,
    format_digits,
)
