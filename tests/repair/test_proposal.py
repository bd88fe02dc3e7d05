from __future__ import annotations

import pytest

from clean_room_agent.records.attempt import PatchCandidate, Spectrum
from clean_room_agent.repair import propose
from clean_room_agent.repair.catalogue import CATALOGUE, PRIORS
from clean_room_agent.repair.source import compiles
from tests.repair.planted import patched

_SOURCE = b'''"""Doc."""
LIMIT = 10


def pick(items, wanted, limit=3):
    """Doc."""
    found = []
    for item in items:
        if item == wanted and len(found) < limit:
            found.append(item)
        elif item is None:
            break
    try:
        return found[0]
    except IndexError as error:
        raise KeyError(wanted) from error


async def odd(x, *rest, key=None, **more):
    async with x as y, y:
        await y
    global LIMIT
    LIMIT = {k: v for k, v in more.items() if v}
    match x:
        case [1, z] if z > 2:
            return lambda q: q + z
        case {"a": b}:
            other = b
    nested = (n := 3) + n; other = f"{key!r}:{x:>{n}}"
    if other: print(nested, *rest, sep=", ")
    return
'''


def _everywhere(*paths: str) -> Spectrum:
    lines = {n: frozenset({"t"}) for n in range(1, 60)}
    return Spectrum(("t",), (), dict.fromkeys(paths, lines))


def _all(**options: int) -> list[PatchCandidate]:
    return list(propose({"a.py": _SOURCE}, _everywhere("a.py"), **options))  # type: ignore[arg-type]


def test_every_template_has_a_prior_a_doc_line_and_a_name_of_its_own() -> None:
    assert {t.name for t in CATALOGUE} == set(PRIORS)
    assert len(CATALOGUE) == len(PRIORS)
    assert all(t.doc and t.nodes for t in CATALOGUE)
    assert all(0 < p <= 1 for p in PRIORS.values())


def test_candidates_of_unusual_syntax_compile() -> None:
    for candidate in _all():
        assert compiles(patched(_SOURCE, candidate)), candidate.summary


def test_the_order_is_the_same_each_time_and_best_first() -> None:
    first, second = _all(max_candidates=800), _all(max_candidates=800)
    assert first == second
    scores = [c.suspiciousness * c.prior for c in first]
    assert scores == sorted(scores, reverse=True)


def test_the_limit_is_kept() -> None:
    assert len(_all(max_candidates=7)) == 7


def test_test_files_are_never_edited() -> None:
    sources = {"a.py": b"def f():\n    return 1\n", "test_a.py": b"def test_f():\n    assert 1\n"}
    tests = {"test_a.py": sources["test_a.py"]}
    found = list(propose(sources, _everywhere("a.py", "test_a.py"), test_sources=tests))
    assert {r.path for c in found for r in c.replacements} == {"a.py"}
    assert list(propose(sources, Spectrum(("t",), ()), test_sources=tests))


def test_the_worse_line_comes_first_for_one_template() -> None:
    source = b"def f(a, b):\n    x = a < b\n    y = a < b\n    return x, y\n"
    lines = {2: frozenset({"t", "p"}), 3: frozenset({"t"}), 4: frozenset({"t", "p"})}
    found = list(propose({"a.py": source}, Spectrum(("t",), ("p",), {"a.py": lines})))
    assert next(c.line for c in found if c.template == "comparison-swap") == 3


def test_docstrings_and_annotations_are_left_alone() -> None:
    source = b'def f(a: int = 1) -> int:\n    """Doc 1."""\n    return a\n'
    for candidate in propose({"a.py": source}, _everywhere("a.py")):
        assert b'"""Doc 1."""' in patched(source, candidate)


def test_a_literal_of_the_tests_is_material() -> None:
    source = b"def f(text):\n    return text.split(';')\n"
    tests = {"test_a.py": b"def test_f():\n    assert f('a~b') == ['a', 'b'] and '~'\n"}
    found = propose({"a.py": source}, _everywhere("a.py"), test_sources=tests)
    assert source.replace(b"';'", b"'~'") in {patched(source, c) for c in found}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            b"def f(x, y=[]):\n    y.append(x)\n    return y\n",
            b"    if y is None:\n        y = []\n",
        ),
        (b"def f(x):\n    while x:\n        x.pop()\n    x.done()\n", b"        x.done()\n"),
        (
            b"def f(x):\n    if x:\n        return 1\n    else:\n        return 2\n",
            b"return 2\n    else",
        ),
        (b"def f(s):\n    for a in s:\n        yield f(a)\n", b"yield from f(a)"),
    ],
    ids=["mutable default", "into the loop", "branches", "yield from"],
)
def test_edits_of_layout(before: bytes, after: bytes) -> None:
    found = propose({"a.py": before}, _everywhere("a.py"))
    assert any(after in patched(before, c) for c in found)
