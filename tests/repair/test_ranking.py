from __future__ import annotations

import hashlib

import pytest

from clean_room_agent.records.attempt import PatchCandidate, Replacement, Spectrum
from clean_room_agent.repair import Evidence, propose, rank_plausible
from tests.repair.planted import patched

_PATH = "a.py"
_SEARCH = b"""def reach(node, goal, seen):
    if node is goal:
        return True
    for child in node.children:
        if child not in seen:
            return reach(child, child, seen)
    return False
"""


def _pick(source: bytes, *wanted: bytes) -> list[PatchCandidate]:
    lines = {n: frozenset({"t"}) for n in range(1, source.count(b"\n") + 1)}
    found = {
        patched(source, c): c
        for c in propose({_PATH: source}, Spectrum(("t",), (), {_PATH: lines}))
    }
    return [found[text] for text in wanted]


@pytest.mark.parametrize("plain", [b"len(xs)", b"len(xs) - 0"], ids=["against it", "as it was"])
def test_a_neutral_constant_never_wins_against_the_plain_form(plain: bytes) -> None:
    source = b"def count(xs):\n    return len(xs) - 1\n"
    start = source.index(b"len(xs) - 1")

    def candidate(name: str, text: bytes, prior: float) -> PatchCandidate:
        edit = Replacement(_PATH, start, start + 11, text, hashlib.sha256(source).hexdigest())
        return PatchCandidate((edit,), "literal", name, 2, 1.0, prior, name)

    padded = candidate("padded", b"len(xs) + 0", 0.5)
    clean = candidate("clean", plain, 0.001)
    ranked = rank_plausible([padded, clean], {_PATH: source})
    terms = {r.candidate.summary: r.terms for r in ranked}
    assert "neutral_constant" in terms["padded"]
    if plain == b"len(xs)":
        assert ranked[0].candidate is clean
        assert "neutral_constant" not in terms["clean"]
        # Without the term it would win: it changes less, and constants are often wrong.
        scores = {name: sum(t.values()) for name, t in terms.items()}
        assert scores["padded"] - terms["padded"]["neutral_constant"] > scores["clean"]
    else:
        assert "neutral_constant" in terms["clean"]


def test_the_score_is_the_sum_of_its_named_terms() -> None:
    right = _SEARCH.replace(b"child, child", b"child, goal")
    (ranked,) = rank_plausible(_pick(_SEARCH, right), {_PATH: _SEARCH})
    assert ranked.score == pytest.approx(sum(ranked.terms.values()))
    assert {"prior", "suspicion", "size", "agreement"} <= set(ranked.terms)


@pytest.mark.parametrize(
    ("source", "lucky", "right", "term"),
    [
        (
            b"def f(n):\n    while True:\n        n = n.next\n        if n.next is None:\n"
            b"            return False\n",
            (b"while True", b"while n"),
            (b"n.next is None", b"n is None"),
            "loop_falls_through",
        ),
        (
            b"def f(n):\n    return n ** 2 + n\n",
            (b"** 2", b"** 3"),
            (b"+ n", b"- n"),
            "exponent",
        ),
        (
            b"def f(n):\n    if n < 3:\n        n += 1\n    return n\n",
            (b"n < 3", b"True"),
            (b"n < 3", b"n <= 3"),
            "boolean_constant",
        ),
    ],
    ids=["loop", "exponent", "boolean"],
)
def test_lucky_forms_come_behind_plain_ones(
    source: bytes, lucky: tuple[bytes, bytes], right: tuple[bytes, bytes], term: str
) -> None:
    candidates = _pick(source, source.replace(*lucky), source.replace(*right))
    ranked = rank_plausible(candidates, {_PATH: source})
    assert ranked[0].candidate is candidates[1]
    assert term in ranked[1].terms


def test_a_recursion_argument_set_to_a_parameter_is_distrusted() -> None:
    source = _SEARCH.replace(b"child, child", b"child, goal")
    lucky = _pick(source, source.replace(b"reach(child,", b"reach(goal,"))
    assert "recursion_argument" in rank_plausible(lucky, {_PATH: source})[0].terms


def test_constants_copied_from_the_tests_are_distrusted() -> None:
    source = b"def f(n):\n    return n + 1\n"
    copied = PatchCandidate(
        replacements=_pick(source, b"def f(n):\n    return n + 2\n")[0].replacements,
        template="number-from-tests",
        summary="",
        line=2,
        suspiciousness=1.0,
        prior=0.5,
        normal_form="x",
    )
    evidence = Evidence(test_sources={"test_a.py": b"assert f(1) == 2\n"})
    terms = rank_plausible([copied], {_PATH: source}, evidence)[0].terms
    assert terms["constant_from_tests"] < 0


def test_candidates_that_behave_alike_support_each_other() -> None:
    source = b"def f(a, b):\n    return a < b\n"
    candidates = _pick(
        source,
        source.replace(b"a < b", b"a <= b"),
        source.replace(b"a < b", b"a != b"),
        source.replace(b"a < b", b"a > b"),
    )
    labels = {c.candidate_id: label for c, label in zip(candidates, "xyy", strict=True)}
    terms = [
        r.terms["agreement"]
        for r in rank_plausible(candidates, {_PATH: source}, Evidence(behaviour=labels))
    ]
    assert len(set(terms)) == 2
