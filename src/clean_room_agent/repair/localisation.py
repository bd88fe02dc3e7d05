"""Which lines to suspect, from what failing and passing tests executed.

Takes: a `Spectrum`. Gives: line -> suspiciousness, and the same for statements of a parsed file.
Does not know: how a line could be wrong, or how the spectrum was traced.

The formula is Ochiai: Abreu, Zoeteweij, van Gemund, "An Evaluation of Similarity Coefficients for
Software Fault Localization" (PRDC 2006) and "On the Accuracy of Spectrum-based Fault
Localization" (TAIC PART 2007). Ties are left as ties here: between lines of equal suspicion the
template's prior decides, then source order (path, line).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Sequence

from clean_room_agent.records.attempt import Spectrum
from clean_room_agent.repair.canonical import blocks_of
from clean_room_agent.repair.source import FunctionNode, ParsedSource

DEFINITION_SHARE = 0.5
"""A function's own head (defaults, decorators) ran before the test did: half its worst line."""
MODULE_SHARE = 0.3
"""Statements run at import by a file that a failing test reached."""
UNTRACED_SHARE = 0.3
"""Statements of a reached function that an incomplete trace does not mention."""
IMPORT_FAILURE = 0.2
"""Any statement at import time when a failing test left no trace at all; half that elsewhere."""


def suspiciousness(
    spectrum: Spectrum, *, exclude: Collection[str] = ()
) -> dict[str, dict[int, float]]:
    """Score the lines that at least one failing test executed, in (0, 1].

    Paths in `exclude` (test files) are left out: tests are not fix targets.
    """
    failing, passing = frozenset(spectrum.failing), frozenset(spectrum.passing)
    scores: dict[str, dict[int, float]] = {}
    for path in sorted(spectrum.lines):
        if path in exclude:
            continue
        found: dict[int, float] = {}
        for line, tests in spectrum.lines[path].items():
            score = ochiai(len(tests & failing), len(tests & passing), len(failing))
            if score > 0:
                found[line] = score
        if found:
            scores[path] = found
    return scores


def ochiai(failed_here: int, passed_here: int, failed_in_all: int) -> float:
    """ef / sqrt((ef + nf) * (ef + ep)); 0 where no failing test came by."""
    if failed_here == 0:
        return 0.0
    return failed_here / math.sqrt(failed_in_all * (failed_here + passed_here))


def score_statements(
    source: ParsedSource, lines: dict[int, float], *, complete: bool = True
) -> dict[ast.AST, float]:
    """Spread line scores over statements, handlers and cases: the worst line of each head.

    With no line scores at all (the failing tests died at import or collection) every statement is
    a candidate, those that run at import first.
    """
    heads = [
        n for n in source.order if isinstance(n, ast.stmt | ast.ExceptHandler | ast.match_case)
    ]
    scores: dict[ast.AST, float] = {}
    for node in heads:
        first, last = _head_lines(source, node)
        found = max((lines.get(number, 0.0) for number in range(first, last + 1)), default=0.0)
        if found > 0:
            scores[node] = found
    if not lines:
        return {n: IMPORT_FAILURE * (0.5 if _in_function(source, n) else 1.0) for n in heads}
    _add_unexecuted(source, heads, scores, complete=complete)
    return scores


def _add_unexecuted(
    source: ParsedSource, heads: Sequence[ast.AST], scores: dict[ast.AST, float], *, complete: bool
) -> None:
    """Give their share to heads that run outside the trace."""
    worst_of_file = max(scores.values(), default=0.0)
    worst_in: dict[ast.AST, float] = {}
    for node, score in scores.items():
        function = source.enclosing(node, *_FUNCTIONS)
        if function is not None:
            worst_in[function] = max(score, worst_in.get(function, 0.0))
    for node in heads:
        function = source.enclosing(node, *_FUNCTIONS)
        share = scores.get(node, 0.0)
        if isinstance(node, FunctionNode) and node in worst_in:
            share = max(share, DEFINITION_SHARE * worst_in[node])
        elif function is None and not isinstance(node, FunctionNode | ast.ClassDef):
            share = max(share, MODULE_SHARE * worst_of_file)
        elif function is not None and not complete:
            share = max(share, UNTRACED_SHARE * worst_in.get(function, 0.0))
        if share > 0:
            scores[node] = share


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _in_function(source: ParsedSource, node: ast.AST) -> bool:
    return source.enclosing(node, *_FUNCTIONS) is not None


def _head_lines(source: ParsedSource, node: ast.AST) -> tuple[int, int]:
    blocks = blocks_of(node)
    first = source.line_of(source.first(node))
    if not blocks:
        return first, node.end_lineno or first  # type: ignore[attr-defined]
    body_line = source.line_of(source.first(blocks[0][1][0]))
    return first, max(first, body_line - 1)
