"""Stage two: two edits at once, from single edits that were already tried.

Takes: single candidates with how far each got, and the sources. Gives: a stream of candidates of
two edits. Does not know: what "how far" was measured in; a larger number is further.

Order: pairs of the best singles first, those of one function before the rest; the same edit once
more (the same wrap on a neighbouring operand, the same new text for an equal one) a little before
either. Bounded by `BEST_SINGLES`: the spike found most reachable pairs among the best 330.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from clean_room_agent.records.attempt import PatchCandidate, Replacement
from clean_room_agent.repair.source import ParsedSource, compiles

BEST_SINGLES = 330
DEFAULT_MAX_PAIRS = 30_000
_TWIN_COST = 0.7
"""The same edit twice waits a little less long than the single's pair with its next neighbour."""
_OTHER_FUNCTION = 3.0
"""A pair over two functions waits as long as one of three times its rank in one function."""


def propose_pairs(
    best: Sequence[tuple[PatchCandidate, float]],
    sources: Mapping[str, bytes],
    *,
    max_candidates: int = DEFAULT_MAX_PAIRS,
) -> Iterator[PatchCandidate]:
    """Yield distinct, compiling combinations of two edits that do not overlap, best first.

    `best` holds tried single edits in the order they were proposed, each with its progress (more
    failing tests passed, or a changed failure, is more). Deterministic for equal input.
    """
    ranked = sorted(enumerate(best), key=lambda item: (-item[1][1], item[0]))
    singles = [candidate for _, (candidate, _) in ranked[:BEST_SINGLES]]
    seen: set[str] = set()
    given = 0
    for candidate in _stream(singles, sources):
        if given >= max_candidates:
            return
        after = _results(candidate, sources)
        form = _digest(after)
        if form in seen or not all(compiles(data) for data in after.values()):
            continue
        seen.add(form)
        given += 1
        yield replace(candidate, normal_form=form)


def _stream(
    singles: Sequence[PatchCandidate], sources: Mapping[str, bytes]
) -> Iterator[PatchCandidate]:
    parsed: dict[str, ParsedSource] = {}
    twins = [(i, twin) for i, s in enumerate(singles) for twin in _twins(s, sources, parsed)]
    order = [(_TWIN_COST * (i + 1), -1, n) for n, (i, _) in enumerate(twins)]
    order += [
        (_cost(i, j, first, second), i, j)
        for i, first in enumerate(singles)
        for j, second in enumerate(singles[i + 1 :], i + 1)
    ]
    for _, i, j in sorted(order):
        joined = twins[j][1] if i < 0 else join(singles[i], singles[j])
        if joined is not None:
            yield joined


def _cost(i: int, j: int, first: PatchCandidate, second: PatchCandidate) -> float:
    cost = math.sqrt((i + 1) * (j + 1)) + 0.1 * (i + j)
    return cost if _unit(first) == _unit(second) else cost * _OTHER_FUNCTION


def _unit(candidate: PatchCandidate) -> str:
    """The function a single edit changes: the normal form without its digest."""
    return candidate.normal_form.rpartition(":")[0]


def join(first: PatchCandidate, second: PatchCandidate) -> PatchCandidate | None:
    """Both edits at once; None when they touch or overlap."""
    replacements = sorted(
        (*first.replacements, *second.replacements),
        key=lambda r: (r.path, r.start_byte, r.end_byte),
    )
    for before, after in itertools.pairwise(replacements):
        if before.path == after.path and after.start_byte <= before.end_byte:
            return None
    return PatchCandidate(
        replacements=tuple(replacements),
        template=f"{first.template} + {second.template}",
        summary=f"{first.summary}; {second.summary}",
        line=min(first.line, second.line),
        suspiciousness=min(first.suspiciousness, second.suspiciousness),
        prior=first.prior * second.prior,
        normal_form=f"{first.normal_form} + {second.normal_form}",
    )


def apply_replacements(data: bytes, path: str, replacements: Sequence[Replacement]) -> bytes:
    """The bytes of one file with its replacements made."""
    mine = sorted((r for r in replacements if r.path == path), key=lambda r: -r.start_byte)
    for edit in mine:
        data = data[: edit.start_byte] + edit.new_bytes + data[edit.end_byte :]
    return data


def _results(candidate: PatchCandidate, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The changed files with both edits made."""
    paths = sorted({r.path for r in candidate.replacements})
    return {p: apply_replacements(sources[p], p, candidate.replacements) for p in paths}


def _digest(files: Mapping[str, bytes]) -> str:
    """Equal for pairs whose files come out equal: the normal form of a pair."""
    digest = hashlib.sha256()
    for path, data in files.items():
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0" + data + b"\0")
    return f"pair:{digest.hexdigest()[:32]}"


# -- the same edit twice -------------------------------------------------------------------------


def _twins(
    single: PatchCandidate, sources: Mapping[str, bytes], parsed: dict[str, ParsedSource]
) -> Iterator[PatchCandidate]:
    if len(single.replacements) != 1:
        return
    edit = single.replacements[0]
    old = sources[edit.path][edit.start_byte : edit.end_byte]
    if not old or b"\n" in old or b"\n" in edit.new_bytes:
        return
    if edit.path not in parsed:
        parsed[edit.path] = ParsedSource(edit.path, sources[edit.path])
    source = parsed[edit.path]
    node = next(
        (n for n in source.order if _span(source, n) == (edit.start_byte, edit.end_byte)), None
    )
    if node is None or not isinstance(node, ast.expr):
        return
    for other in _relatives(source, node):
        new = _same_change(old, edit.new_bytes, source, other)
        start, end = _span(source, other)
        if new is not None:
            twin = Replacement(edit.path, start, end, new, edit.before_sha256)
            joined = join(single, _with(single, twin))
            if joined is not None:
                yield joined


def _with(single: PatchCandidate, edit: Replacement) -> PatchCandidate:
    return PatchCandidate(
        replacements=(edit,),
        template=single.template,
        summary=f"again at {edit.start_byte}",
        line=single.line,
        suspiciousness=single.suspiciousness,
        prior=1.0,
        normal_form=single.normal_form,
    )


def _span(source: ParsedSource, node: ast.AST) -> tuple[int, int]:
    if not isinstance(node, ast.expr) or not source.is_exact(node):
        return (-1, -1)
    spans = source.replacements(((source.start(node), source.end(node), ""),))
    return (spans[0].start_byte, spans[0].end_byte) if spans else (-1, -1)


def _relatives(source: ParsedSource, node: ast.expr) -> Iterator[ast.expr]:
    """Siblings under the same parent, then nodes of the same text in the same function."""
    parent = source.parents[node]
    for child in ast.iter_child_nodes(parent):
        if isinstance(child, ast.expr) and child is not node:
            yield child
    unit = source.unit_of(source.statement_of[node])
    text = source.text(node)
    for other in ast.walk(unit):
        if not isinstance(other, ast.expr) or other is node or other not in source.parents:
            continue
        if type(other) is type(node) and source.is_exact(other) and source.text(other) == text:
            yield other


def _same_change(old: bytes, new: bytes, source: ParsedSource, other: ast.AST) -> bytes | None:
    """What the change from `old` to `new` makes of another node: the same wrap, or the text."""
    text = source.text(other).encode("utf-8")
    if text == old:
        return new
    at = new.find(old)
    if at >= 0 and len(new) > len(old):
        return new[:at] + text + new[at + len(old) :]
    return None
