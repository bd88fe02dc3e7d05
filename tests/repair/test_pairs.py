from __future__ import annotations

from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.repair import propose, propose_pairs
from clean_room_agent.repair.source import compiles
from tests.repair.planted import patched

_PATH = "a.py"


def _singles(source: bytes, line_count: int) -> list[tuple[object, float]]:
    lines = {n: frozenset({"t"}) for n in range(1, line_count + 1)}
    found = propose({_PATH: source}, Spectrum(("t",), (), {_PATH: lines}), max_candidates=300)
    return [(candidate, 0.0) for candidate in found]


def test_two_edits_of_one_function_are_joined() -> None:
    source = b"def f(a, b):\n    if a < b:\n        return 1\n    return 0\n"
    pairs = propose_pairs(_singles(source, 4), {_PATH: source}, max_candidates=4_000)  # type: ignore[arg-type]
    results = [patched(source, c) for c in pairs]
    assert b"def f(a, b):\n    if a <= b:\n        return 2\n    return 0\n" in results
    assert len(results) == len(set(results))


def test_the_same_wrap_on_both_operands_comes_before_other_pairs() -> None:
    source = b"def same(a, b):\n    return a.x == b.x\n"
    lines = {2: frozenset({"t"})}
    singles = propose({_PATH: source}, Spectrum(("t",), (), {_PATH: lines}))
    wrap = [(c, 1.0) for c in singles if c.replacements[0].new_bytes == b"sorted(a.x)"]
    assert wrap
    first = next(propose_pairs(wrap, {_PATH: source}))
    assert b"return sorted(a.x) == sorted(b.x)" in patched(source, first)


def test_singles_that_got_further_are_paired_first() -> None:
    source = b"def f(a, b):\n    if a < b:\n        return 1\n    return 0\n"
    singles = _singles(source, 4)
    late = next(c for c, _ in singles if patched(source, c).endswith(b"return 1\n"))  # type: ignore[arg-type]
    best = [(c, 1.0 if c is late else 0.0) for c, _ in singles]
    pairs = list(propose_pairs(best, {_PATH: source}, max_candidates=60))  # type: ignore[arg-type]
    joined = [c for c in pairs if late.replacements[0] in c.replacements]  # type: ignore[attr-defined]
    assert len(joined) > 10


def test_pairs_never_overlap_and_compile() -> None:
    source = b"def f(a, b):\n    return a + b * 2 - 1\n"
    for pair in propose_pairs(_singles(source, 2), {_PATH: source}, max_candidates=500):  # type: ignore[arg-type]
        ordered = sorted(pair.replacements, key=lambda r: r.start_byte)
        assert ordered[0].end_byte < ordered[1].start_byte
        assert compiles(patched(source, pair))
