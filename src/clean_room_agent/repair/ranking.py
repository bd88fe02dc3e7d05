"""Which of several patches that pass the tests to believe.

Takes: plausible candidates, the sources, `Evidence`. Gives: `RankedPatch`es, best first, each
with its score as a sum of named terms, so that the log can say why one came first. Does not know:
how the candidates were found plausible.

That a patch passes the tests does not make it right (Qi, Long, Achour, Rinard, "An Analysis of
Patch Plausibility and Correctness", ISSTA 2015; Smith, Barr, Le Goues, Brun, "Is the Cure Worse
Than the Disease?", FSE 2015). The distrusted forms below are those that were seen to pass by luck;
preferring small changes follows Mechtaev, Yi, Roychoudhury, "DirectFix" (ICSE 2015).
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clean_room_agent.records.attempt import PatchCandidate
from clean_room_agent.repair.pairs import apply_replacements
from clean_room_agent.repair.source import FunctionNode, ParsedSource, parse_quietly

SIZE_WEIGHT = 0.12
AGREEMENT_WEIGHT = 0.8
NEUTRAL_WEIGHT = 4.0
"""Writing `x + 0` for `x`: more than the fewer nodes of a changed constant can make up for."""
LINE_SHARE = 0.25
"""Agreeing on the line alone counts a quarter: lines with many ways to edit them would lead."""
PRIOR_WEIGHT = 0.6
_EQUALITY = re.compile(r"(==|!=|\bin\b|\bis\b) *(-?\d|'|\"|\()")
_LITERAL = re.compile(r"-?\d+\.?\d*|'[^']*'|\"[^\"]*\"")
_DELETING = frozenset(
    {"statement-delete", "block-unwrap", "branch-drop", "condition-constant", "argument-drop"}
)
_SPECIAL_CASES = frozenset({"early-return", "statement-guard", "body-guard", "conditional-add"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known beside the candidates.

    `test_sources`: the tests (constants copied from them are distrusted). `behaviour`: candidate
    id -> label of what it did on further inputs; equal labels agree. Either may be empty.
    """

    test_sources: Mapping[str, bytes] = field(default_factory=dict)
    behaviour: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedPatch:
    """A plausible candidate and why it stands where it does: `score` is the sum of `terms`."""

    candidate: PatchCandidate
    score: float
    terms: Mapping[str, float]


def rank_plausible(
    candidates: Sequence[PatchCandidate],
    sources: Mapping[str, bytes],
    evidence: Evidence | None = None,
) -> list[RankedPatch]:
    """Order plausible candidates by belief; ties keep the order in which they were found."""
    known = evidence or Evidence()
    parsed = {
        path: ParsedSource(path, sources[path])
        for path in sorted({r.path for c in candidates for r in c.replacements})
    }
    literals = _literals(known.test_sources.values())
    ranked = []
    for candidate in candidates:
        terms = {
            "prior": PRIOR_WEIGHT * math.log(max(candidate.prior, 1e-9)),
            "suspicion": math.log(max(candidate.suspiciousness, 1e-9)),
            "size": -SIZE_WEIGHT * _size(candidate, sources),
            "agreement": AGREEMENT_WEIGHT * _agreement(candidate, candidates, known),
        }
        if added := _neutral_added(candidate, sources):
            terms["neutral_constant"] = -NEUTRAL_WEIGHT * added
        terms.update(_distrust(candidate, parsed, literals))
        ranked.append(RankedPatch(candidate, sum(terms.values()), terms))
    return sorted(ranked, key=lambda r: -r.score)


# -- terms ---------------------------------------------------------------------------------------


def _size(candidate: PatchCandidate, sources: Mapping[str, bytes]) -> int:
    """Nodes lost and gained: a cheap lower bound of the tree edit distance."""
    total = 0
    for path in sorted({r.path for r in candidate.replacements}):
        before = parse_quietly(sources[path])
        after = parse_quietly(apply_replacements(sources[path], path, candidate.replacements))
        if before is not None and after is not None:
            a, b = _labels(before), _labels(after)
            total += sum(((a - b) + (b - a)).values())
    return total


def _neutral_added(candidate: PatchCandidate, sources: Mapping[str, bytes]) -> int:
    """How many operations that change no number a patch brings in."""
    added = 0
    for path in sorted({r.path for r in candidate.replacements}):
        before = parse_quietly(sources[path])
        after = parse_quietly(apply_replacements(sources[path], path, candidate.replacements))
        if before is not None and after is not None:
            was, now = (sum(map(_is_neutral, ast.walk(tree))) for tree in (before, after))
            added += max(0, now - was)
    return added


def _is_neutral(node: ast.AST) -> bool:
    """Whether a node is `x + 0`, `x - 0` or `x * 1`, or the first or last turned round."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        return False
    neutral = 1 if isinstance(node.op, ast.Mult) else 0
    sides = (node.right,) if isinstance(node.op, ast.Sub) else (node.left, node.right)
    return any(
        isinstance(side, ast.Constant) and type(side.value) is int and side.value == neutral
        for side in sides
    )


def _labels(tree: ast.AST) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        own = [
            repr(v)
            for n, v in ast.iter_fields(node)
            if not isinstance(v, ast.AST | list) and n != "ctx"
        ]
        if not isinstance(node, ast.expr_context):
            found[f"{type(node).__name__} {' '.join(own)}"] += 1
    return found


def _agreement(
    candidate: PatchCandidate, candidates: Sequence[PatchCandidate], evidence: Evidence
) -> float:
    """The share of candidates that behave alike; without such knowledge, that change this line."""
    label = evidence.behaviour.get(candidate.candidate_id)
    same: float
    if label is not None:
        same = sum(evidence.behaviour.get(c.candidate_id) == label for c in candidates)
    else:
        same = LINE_SHARE * sum(c.line == candidate.line for c in candidates)
    return same / len(candidates)


def _distrust(
    candidate: PatchCandidate, parsed: Mapping[str, ParsedSource], literals: frozenset[str]
) -> dict[str, float]:
    """Named penalties for forms that pass tests by luck more often than others."""
    terms: dict[str, float] = {}
    templates = candidate.template.split(" + ")
    for edit in candidate.replacements:
        source = parsed[edit.path]
        old = source.data[edit.start_byte : edit.end_byte].decode("utf-8", "replace")
        new = edit.new_bytes.decode("utf-8", "replace")
        node = _node_at(source, edit.start_byte, edit.end_byte)
        terms.update(_text_distrust(old, new, source, literals))
        if node is not None:
            terms.update(_place_distrust(source, node, old, new))
    if _DELETING.intersection(templates):
        terms["deletes_code"] = -0.7
    if _SPECIAL_CASES.intersection(templates):
        terms["special_case"] = -0.5
    return terms


def _text_distrust(
    old: str, new: str, source: ParsedSource, literals: frozenset[str]
) -> dict[str, float]:
    terms: dict[str, float] = {}
    if new.strip() in ("True", "False") and old.strip() not in ("True", "False"):
        terms["boolean_constant"] = -1.0
    if _EQUALITY.search(new) and not _EQUALITY.search(old):
        terms["equality_with_literal"] = -0.6
    body = source.body.decode("utf-8", "replace")
    fresh = [t for t in _LITERAL.findall(new) if t not in body and t not in ("0", "1", "-1", "''")]
    if any(t in literals for t in fresh):
        terms["constant_from_tests"] = -1.0
    elif fresh:
        terms["new_constant"] = -0.3
    return terms


def _place_distrust(source: ParsedSource, node: ast.AST, old: str, new: str) -> dict[str, float]:
    terms: dict[str, float] = {}
    function = source.enclosing(node, ast.FunctionDef, ast.AsyncFunctionDef)
    inner = node
    if _is_power(node):
        terms["exponent"] = -1.0
    while inner in source.parents and not isinstance(inner, ast.stmt):
        parent = source.parents[inner]
        if _is_power(parent):
            terms["exponent"] = -1.0
        if isinstance(parent, ast.Call) and isinstance(function, FunctionNode):
            callee = parent.func
            name = callee.id if isinstance(callee, ast.Name) else getattr(callee, "attr", "")
            if name == function.name and new in _parameters(source, node) and inner in parent.args:
                terms["recursion_argument"] = -1.2
        endless = isinstance(parent, ast.While) and isinstance(parent.test, ast.Constant)
        if endless and _falls_off(source, parent):
            terms["loop_falls_through"] = -1.5
        if source.fields[inner] == "iter" and new in (f"{old}[::-1]", f"reversed({old})"):
            terms["order_only"] = -0.6
        inner = parent
    if (
        isinstance(function, FunctionNode)
        and f"{function.name}(" in old
        and f"{function.name}(" not in new
    ):
        terms["drops_recursion"] = -0.8
    return terms


def _parameters(source: ParsedSource, node: ast.AST) -> frozenset[str]:
    """The parameters of every function around a node."""
    names: set[str] = set()
    current = source.parents.get(node)
    while current is not None:
        if isinstance(current, FunctionNode):
            names |= {a.arg for a in current.args.args}
        current = source.parents.get(current)
    return frozenset(names)


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _falls_off(source: ParsedSource, loop: ast.AST) -> bool:
    """Whether a function that returns values would end without one once the loop can end."""
    function = source.enclosing(loop, ast.FunctionDef, ast.AsyncFunctionDef)
    if function is None or not isinstance(loop, ast.While) or source.block_of(loop)[-1] is not loop:
        return False
    return any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(function))


def _node_at(source: ParsedSource, start: int, end: int) -> ast.AST | None:
    """The smallest node that covers the bytes (of a UTF-8 file)."""
    best: ast.AST | None = None
    offset = len(source.data) - len(source.body) if source.data.startswith(b"\xef\xbb\xbf") else 0
    for node in source.order:
        if not hasattr(node, "end_lineno"):
            continue
        first, last = source.start(node) + offset, source.end(node) + offset
        if (
            first <= start
            and end <= last
            and (best is None or _length(source, node) <= _length(source, best))
        ):
            best = node
    return best


def _length(source: ParsedSource, node: ast.AST) -> int:
    return source.end(node) - source.start(node)


def _literals(test_sources: Iterable[bytes]) -> frozenset[str]:
    found: set[str] = set()
    for data in test_sources:
        tree = parse_quietly(data)
        if tree is not None:
            found |= {repr(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    return frozenset(found)
