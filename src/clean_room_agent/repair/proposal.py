"""Every single edit of the catalogue, the most promising first.

Takes: sources, a `Spectrum`, the tests' sources. Gives: a stream of `PatchCandidate`. Does not
know: how a candidate is tried, or what became of the one before.

The order is suspiciousness x prior x the draft's weight / a slow decay over the drafts of one
site, kept by one priority queue over all files: files, functions and sites wait in it under the
best score they could have, and are opened only when that score is the best left. So cheap, likely
edits on all suspicious lines come before exotic ones on the worst line, and a large file is
parsed no earlier than needed. Equal scores keep source order: the stream is deterministic.
"""

from __future__ import annotations

import ast
import hashlib
import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from clean_room_agent.records.attempt import PatchCandidate, Spectrum
from clean_room_agent.repair.canonical import (
    BlockRenderer,
    canonical_head,
    join_statement,
)
from clean_room_agent.repair.catalogue import CATALOGUE, PRIORS, Draft, Site, Template
from clean_room_agent.repair.localisation import score_statements, suspiciousness
from clean_room_agent.repair.scope import FileIngredients, TestLiterals, literals_of_tests
from clean_room_agent.repair.source import (
    FunctionNode,
    ParsedSource,
    compiles,
    merge_edits,
    parse_quietly,
)

DEFAULT_MAX_CANDIDATES = 40_000
SITE_DECAY = 0.08
"""The n-th draft of a template at one node scores 1 / (1 + SITE_DECAY * n) of the first."""
_NO_TESTS: Mapping[str, bytes] = MappingProxyType({})
_NEEDS_COMPILER = re.compile(
    r"\b(return|break|continue|yield|await|global|nonlocal|async|lambda)\b|:=|(^|[(\[,=]\s*)\*"
)
_Owner = ast.stmt | ast.ExceptHandler | ast.match_case


@dataclass(frozen=True, slots=True)
class _UnitJob:
    file: _FileJob
    unit: ast.stmt


@dataclass(frozen=True, slots=True)
class _SiteJob:
    file: _FileJob
    site: Site
    template: Template
    score: float


@dataclass(frozen=True, slots=True)
class _DraftJob:
    site: _SiteJob
    draft: Draft


def propose(
    sources: Mapping[str, bytes],
    spectrum: Spectrum,
    *,
    test_sources: Mapping[str, bytes] = _NO_TESTS,
    max_candidates: int = DEFAULT_MAX_CANDIDATES,
) -> Iterator[PatchCandidate]:
    """Yield distinct single edits that compile, best first; files of `test_sources` stay as are.

    Files that do not parse, or whose text does not round-trip through their encoding, yield
    nothing. When no failing test left a trace, all statements of all sources are candidates.
    """
    lines = suspiciousness(spectrum, exclude=test_sources.keys())
    queue = _Queue(literals_of_tests(_trees(test_sources)))
    for path in sorted(sources):
        if path in test_sources:
            continue
        if path in lines or not lines:
            queue.add_file(path, sources[path], lines.get(path, {}), spectrum.complete)
    yield from queue.drain(max_candidates)


def _trees(test_sources: Mapping[str, bytes]) -> Iterator[ast.Module]:
    for path in sorted(test_sources):
        tree = parse_quietly(test_sources[path])
        if tree is not None:
            yield tree


class _FileJob:
    """A file waiting to be opened."""

    def __init__(self, path: str, data: bytes, lines: dict[int, float], complete: bool) -> None:
        self._facts = (path, data, lines, complete)
        self.bound = max(lines.values(), default=1.0)

    def open(self, literals: TestLiterals) -> bool:
        """Parse and score; False when the file is no Python that can be edited safely."""
        path, data, lines, complete = self._facts
        try:
            self.source = ParsedSource(path, data)
        except (SyntaxError, ValueError, LookupError, RecursionError):
            return False
        self.scores = score_statements(self.source, lines, complete=complete)
        self.ingredients = FileIngredients(self.source, literals)
        self.checker = CandidateChecker(self.source)
        self._units: dict[ast.stmt, list[tuple[ast.AST, float]]] = {}
        for node in self.source.order:
            owner = owner_of(self.source, node)
            score = self.scores.get(owner, 0.0) if owner is not None else 0.0
            if score > 0:
                unit = self.source.unit_of(self.source.statement_of[node])
                self._units.setdefault(unit, []).append((node, score))
        return True

    def units(self) -> dict[ast.stmt, float]:
        """Each unit (outermost function, or statement outside functions) and its worst score."""
        return {unit: max(s for _, s in nodes) for unit, nodes in self._units.items()}

    def sites(self, unit: ast.stmt) -> Iterator[tuple[Site, float]]:
        for node, score in self._units[unit]:
            if not _is_fixed(self.source, node):
                yield Site(self.source, self.ingredients.scope_of(node), node), score


def owner_of(source: ParsedSource, node: ast.AST) -> ast.AST | None:
    """The statement, handler or case whose head holds the node."""
    current: ast.AST | None = node
    while current is not None and not isinstance(current, _Owner):
        current = source.parents.get(current)
    return current


def _is_fixed(source: ParsedSource, node: ast.AST) -> bool:
    """Nodes without a trustworthy place, docstrings and annotations are not edited."""
    if isinstance(node, ast.expr):
        if source.fields[node] in ("annotation", "returns"):
            return True
        parent = source.parents[node]
        if isinstance(parent, ast.Expr) and isinstance(node, ast.Constant):
            return True
    return not source.is_exact(node)


class _Queue:
    """The one priority queue: jobs wait under the best score they could reach."""

    def __init__(self, literals: TestLiterals) -> None:
        self._heap: list[tuple[float, int, _FileJob | _UnitJob | _SiteJob | _DraftJob]] = []
        self._count = 0
        self._literals = literals
        self._by_kind: dict[type[ast.AST], list[Template]] = {}
        self._seen: set[str] = set()
        self._best_prior = max(PRIORS.values())

    def _push(self, bound: float, job: _FileJob | _UnitJob | _SiteJob | _DraftJob) -> None:
        self._count += 1
        heapq.heappush(self._heap, (-bound, self._count, job))

    def add_file(self, path: str, data: bytes, lines: dict[int, float], complete: bool) -> None:
        job = _FileJob(path, data, lines, complete)
        self._push(job.bound * self._best_prior, job)

    def drain(self, limit: int) -> Iterator[PatchCandidate]:
        given = 0
        while self._heap and given < limit:
            bound, _, job = heapq.heappop(self._heap)
            if isinstance(job, _DraftJob):
                candidate = self._finish(job, -bound)
                if candidate is not None:
                    given += 1
                    yield candidate
            else:
                self._open(job)

    def _open(self, job: _FileJob | _UnitJob | _SiteJob) -> None:
        if isinstance(job, _FileJob):
            if job.open(self._literals):
                for unit, worst in job.units().items():
                    self._push(worst * self._best_prior, _UnitJob(job, unit))
        elif isinstance(job, _UnitJob):
            for site, score in job.file.sites(job.unit):
                for template in self._templates(type(site.node)):
                    bound = score * PRIORS[template.name]
                    self._push(bound, _SiteJob(job.file, site, template, score))
        else:
            for number, draft in enumerate(job.template.expand(job.site)):
                score = job.score * PRIORS[job.template.name] * draft.weight
                tidy = replace(draft, edits=merge_edits(draft.edits))
                self._push(score / (1 + SITE_DECAY * number), _DraftJob(job, tidy))

    def _templates(self, kind: type[ast.AST]) -> list[Template]:
        known = self._by_kind.get(kind)
        if known is None:
            known = [t for t in CATALOGUE if issubclass(kind, t.nodes)]
            self._by_kind[kind] = known
        return known

    def _finish(self, job: _DraftJob, score: float) -> PatchCandidate | None:
        checker, site = job.site.file.checker, job.site.site
        form = checker.normal_form(site.node, job.draft)
        if form is None or form in self._seen:
            return None
        self._seen.add(form)
        replacements = site.source.replacements(job.draft.edits)
        if replacements is None:
            return None
        start = min(edit[0] for edit in job.draft.edits)
        line = getattr(site.node, "lineno", 0) or site.source.line_of(start)
        return PatchCandidate(
            replacements=replacements,
            template=job.site.template.name,
            summary=_summary(site.source, job.site.template.name, line, job.draft),
            line=line,
            suspiciousness=job.site.score,
            prior=score / job.site.score,
            normal_form=form,
        )


def _summary(source: ParsedSource, name: str, line: int, draft: Draft) -> str:
    parts = [
        f"{_short(source.slice(start, end))!r} -> {_short(new)!r}"
        for start, end, new in draft.edits
    ]
    return f"{source.path}:{line}: {name}: " + ", ".join(parts[:3])


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


class CandidateChecker:
    """Decides whether a draft is a program, and which: its normal form, or None."""

    def __init__(self, source: ParsedSource) -> None:
        self._source = source
        self._renderer = BlockRenderer()
        self._declares: dict[ast.stmt, bool] = {}

    def normal_form(self, node: ast.AST, draft: Draft) -> str | None:
        """The form of the changed unit; None when nothing changed or it does not compile."""
        source = self._source
        unit = source.unit_of(source.statement_of[node])
        if draft.structural:
            form = self.form_of_unit(unit, draft)
        else:
            form = self._form_of_head(node, unit, draft)
        if form is None or form == source.full_form(unit):
            return None
        if self._needs_compiler(unit, draft) and not compiles(self._unit_text(unit, draft)):
            return None
        digest = hashlib.sha256(form.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{source.path}:{getattr(unit, 'lineno', 0)}:{digest}"

    def _needs_compiler(self, unit: ast.stmt, draft: Draft) -> bool:
        declares = self._declares.get(unit)
        if declares is None:
            declares = any(
                isinstance(n, ast.Global | ast.Nonlocal) for n in self._source.walk(unit)
            )
            self._declares[unit] = declares
        return declares or any(_NEEDS_COMPILER.search(new) for _, _, new in draft.edits)

    def _form_of_head(self, node: ast.AST, unit: ast.stmt, draft: Draft) -> str | None:
        source = self._source
        owner = owner_of(source, node)
        assert owner is not None
        parsed = parse_head(source, owner, draft)
        if parsed is None:
            return None
        form = join_statement(canonical_head(parsed), source.block_forms(owner))
        while owner is not unit:
            parent = source.parents[owner]
            head = canonical_head_of(source, parent)
            form = join_statement(head, source.block_forms(parent, owner, form))
            owner = parent
        return form

    def _unit_text(self, unit: ast.stmt, draft: Draft) -> str:
        source = self._source
        start, end = source.line_start(source.first(unit)), source.line_end(source.end(unit))
        text = source.apply(draft.edits, start, end)
        if text[:1] in " \t":
            return "if 1:\n" + text
        return text

    def form_of_unit(self, unit: ast.stmt, draft: Draft) -> str | None:
        """Render a function after an edit of its statements."""
        if not isinstance(unit, FunctionNode):
            return None
        text = self._unit_text(unit, draft)
        tree = parse_quietly(text)
        if tree is None or len(tree.body) != 1:
            return None
        found: ast.stmt = tree.body[0]
        if isinstance(found, ast.If):
            if len(found.body) != 1:
                return None
            found = found.body[0]
        lines = text.encode("utf-8").splitlines()
        return self._renderer.render(found, lines)


def canonical_head_of(source: ParsedSource, node: ast.AST) -> str:
    """The remembered canonical head of an unchanged statement."""
    known = source.heads.get(node)
    if known is None:
        known = canonical_head(node)
        source.heads[node] = known
    return known


def parse_head(source: ParsedSource, owner: ast.AST, draft: Draft) -> ast.AST | None:
    """Parse the edited head of one statement, handler or case on its own."""
    start, end = source.first(owner), source.head_end(owner)
    if any(first < start or last > end for first, last, _ in draft.edits):
        return None
    text = source.apply(draft.edits, start, end)
    if isinstance(owner, ast.ExceptHandler):
        tree = parse_quietly("try:\n pass\n" + text + "pass")
        return _only(tree, "handlers")
    if isinstance(owner, ast.match_case):
        return _only(parse_quietly("match _:\n " + text + "pass"), "cases")
    if isinstance(owner, ast.Match):
        text += "case _: pass"
    elif end != source.end(owner) or hasattr(owner, "body"):
        text += "pass"
    if text.startswith("elif"):
        text = text[2:]
    tree = parse_quietly(text)
    if tree is None or len(tree.body) != 1:
        return None
    return tree.body[0]


def _only(tree: ast.Module | None, field: str) -> ast.AST | None:
    if tree is None or len(tree.body) != 1:
        return None
    items: list[ast.AST] = getattr(tree.body[0], field, [])
    return items[0] if len(items) == 1 else None
