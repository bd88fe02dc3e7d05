"""Keep the edges of the index in step with its files: all of them, or those a change can touch.

Takes: which files changed, and the parsed facts before and after. Gives: replaced edges. Does not
know: how a name is resolved (`resolve`) or a module found (`modules`).

A change of one file touches the edges of: the file itself; files that name (call, inherit,
import, or call something on) a symbol that appeared or went away; and files whose classes derive
from one whose own bases may be others now. Everyone else's edges into the file are only
renumbered. A Python module that comes or goes touches those that import a module of its name,
whoever uses what they import, and whoever calls a method of a name that it defines. When other
files come or go imports may mean anything, so all edges are made again.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clean_room_agent.errors import RepositoryError
from clean_room_agent.indexing.modules import DECLARED, FAMILIES, MANIFESTS
from clean_room_agent.indexing.resolve import EdgeKey, Resolver
from clean_room_agent.repo.git import Repository
from clean_room_agent.repo.languages import is_code
from clean_room_agent.store.curated_facts import CuratedFacts, StoredFile
from clean_room_agent.store.curated_writer import EDGE_INDEXES, CuratedWriter, EdgeValues

_MAX_MANIFEST_BYTES = 500_000
_MAX_MANIFESTS = 500
# With more changed files than this, resolving everything costs less than finding what to leave.
_MAX_CHANGED_FILES = 100
_TOLD_EVERY = 16
_TEST_BY_NAME, _TEST_BY_NAME_ONLY, _TEST_BY_USE = 0.9, 0.5, 0.7
_TEST_AFFIX = re.compile(
    r"^tests?[_-]|[_.-](?:tests?|spec|e2e|cy)$|^Test(?=[A-Z])|(?<=[a-z0-9])(?:Tests?|TestCase|IT|Specs?|Suite)$"
)


@dataclass(slots=True)
class EdgeUpdate:
    """Which files got other content (key to the blob before and after), came, or went."""

    everything: bool = False
    moved: dict[int, tuple[int, int]] = field(default_factory=dict)
    added: list[int] = field(default_factory=list)
    removed: list[StoredFile] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.everything or self.moved or self.added or self.removed)


def update_edges(
    repository: Repository,
    writer: CuratedWriter,
    facts: CuratedFacts,
    update: EdgeUpdate,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Make the edges those that a fresh index of the present files would have.

    `tell(done, total)` is called now and then while names are resolved.
    """
    if update.is_empty:
        return
    files = facts.read_files()
    chosen = None
    if not update.everything and _is_local(files, update) and not _redeclares(facts, files, update):
        chosen = _touched(facts, files, update)
        if len(chosen) * 3 > len(files):
            chosen = None
    if chosen is None:
        facts.load()
    else:
        for key, (before, after) in update.moved.items():
            writer.replace_ordinals(key, _renumbered(facts, before, after))
    sources = sorted(files)
    if chosen is not None:
        sources = sorted(path for path, file in files.items() if file.file_pk in chosen)
    resolver = Resolver(files, facts, _read_manifests(repository, files))
    if chosen is not None:
        writer.replace_edges(chosen, _resolve(resolver, facts, files, sources, tell))
        return
    # All facts are in memory now: names are resolved beside the database, which is SQLite's own
    # work and holds up no thread of ours. Only this thread may tell how far it is.
    tell(0, len(sources))
    with ThreadPoolExecutor(max_workers=1) as beside:
        resolved = beside.submit(_resolve, resolver, facts, files, sources, _silent)
        writer.make_indexes(but=EDGE_INDEXES)
        writer.replace_edges(None, resolved.result())


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


def _resolve(
    resolver: Resolver,
    facts: CuratedFacts,
    files: Mapping[str, StoredFile],
    sources: list[str],
    tell: Callable[[int, int], None],
) -> list[EdgeValues]:
    stems = _stems(files)
    rows: list[EdgeValues] = []
    for number, path in enumerate(sources):
        if number % _TOLD_EVERY == 0:
            tell(number, len(sources))
        file = files[path]
        if not is_code(file.language):
            continue
        edges = resolver.edges_of(path, facts.references_of(file.blob_pk))
        if file.is_test:
            _add_tests(edges, path, files, stems)
        rows.extend(
            (kind, file.file_pk, source, files[target].file_pk, ordinal, confidence, occurrences)
            for (kind, source, target, ordinal), (confidence, occurrences) in edges.items()
        )
    return rows


# which edges a change can touch -----------------------------------------------------------------


def _is_local(files: Mapping[str, StoredFile], update: EdgeUpdate) -> bool:
    """Whether what the change can touch is found by names."""
    keys = {*update.moved, *update.added}
    if len(keys) + len(update.removed) > _MAX_CHANGED_FILES:
        return False
    moved = [file for file in files.values() if file.file_pk in update.moved]
    others = [file for file in files.values() if file.file_pk in update.added] + update.removed
    if any(posixpath.basename(file.path) in MANIFESTS for file in moved + others):
        return False
    return all(not is_code(file.language) or _module_name(file) for file in others)


def _redeclares(facts: CuratedFacts, files: Mapping[str, StoredFile], update: EdgeUpdate) -> bool:
    """Whether a file now declares other namespaces: imports of them mean other files then."""
    for file in files.values():
        moved = update.moved.get(file.file_pk)
        if moved is not None and FAMILIES.get(file.language or "", "") in DECLARED:
            before, after = (
                {fact.qualified_name for fact in facts.symbols_of(blob) if fact.kind == "module"}
                for blob in moved
            )
            if before != after:
                return True
    return False


def _module_name(file: StoredFile) -> str:
    """Give the last part of the name of a plain Python module; a package means more than that."""
    stem, dot, ending = posixpath.basename(file.path).rpartition(".")
    plain = file.language == "python" and dot and ending == "py" and "." not in stem
    # No import can name a module whose name is no text: nor can a query.
    return stem if plain and stem != "__init__" and stem.isprintable() else ""


def _touched(facts: CuratedFacts, files: Mapping[str, StoredFile], update: EdgeUpdate) -> set[int]:
    keys_of_blob: dict[int, list[int]] = defaultdict(list)
    for file in files.values():
        keys_of_blob[file.blob_pk].append(file.file_pk)
    touched = {*update.moved, *update.added}
    names: set[str] = set()
    rebased: set[int] = set()
    for key, (before, after) in update.moved.items():
        names |= _changed_names(facts, before, after)
        if _bases(facts, before) != _bases(facts, after):
            rebased.add(key)
    others = [file for file in files.values() if file.file_pk in update.added] + update.removed
    for file in others:
        if module := _module_name(file):
            names |= {fact.name for fact in facts.symbols_of(file.blob_pk) if fact.kind == "method"}
            for blob, name, alias in facts.importers_of_module(module):
                names |= {part for part in (module, name, alias) if part}
                rebased.update(keys_of_blob.get(blob, ()))
            touched |= _tests_named_after(file, files)
    if "*" in names:
        # What a star import brought in is not written down; anyone may have used it.
        return {file.file_pk for file in files.values()}
    wanted = names
    while wanted:
        # Another name for a changed name is a changed name too.
        importers = facts.importers_of(wanted)
        touched.update(key for blob, _, _ in importers for key in keys_of_blob.get(blob, ()))
        wanted = {alias for _, _, alias in importers if alias} - names
        names |= wanted
    for blob in facts.blobs_naming(names):
        touched.update(keys_of_blob.get(blob, ()))
    for blob in facts.blobs_naming(names, kind="inherit"):
        rebased.update(keys_of_blob.get(blob, ()))
    derived: set[int] = set()
    while rebased:
        derived |= rebased
        rebased = facts.inheritors_of(rebased) - derived
    return touched | derived


def _changed_names(facts: CuratedFacts, before: int, after: int) -> set[str]:
    names: set[str] = set()
    old = Counter((fact.kind, fact.qualified_name, fact.name) for fact in facts.symbols_of(before))
    new = Counter((fact.kind, fact.qualified_name, fact.name) for fact in facts.symbols_of(after))
    for _, qualified, name in (old - new) + (new - old):
        names.update((name, qualified))
    old_imports, new_imports = facts.imports_of(before), facts.imports_of(after)
    if old_imports != new_imports:
        for fact in set(old_imports) ^ set(new_imports):
            names.update(part for part in (fact.name, fact.alias) if part)
        if set(old_imports) == set(new_imports):
            names.update(fact.alias or fact.name for fact in old_imports)
    return names


def _bases(facts: CuratedFacts, blob_pk: int) -> list[tuple[str, str, str]]:
    symbols = facts.symbols_of(blob_pk)
    return [
        ("" if enclosing is None else symbols[enclosing].qualified_name, receiver, name)
        for _, name, receiver, enclosing, _ in facts.inherits_of(blob_pk)
    ]


def _renumbered(facts: CuratedFacts, before: int, after: int) -> dict[int, int]:
    """Map ordinals of symbols that are in both blobs: the n-th of its kind and name."""
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for fact in facts.symbols_of(after):
        places[fact.kind, fact.qualified_name].append(fact.ordinal)
    seen: Counter[tuple[str, str]] = Counter()
    moved = {}
    for fact in facts.symbols_of(before):
        key = fact.kind, fact.qualified_name
        if seen[key] < len(places[key]):
            moved[fact.ordinal] = places[key][seen[key]]
        seen[key] += 1
    return moved


# tests ------------------------------------------------------------------------------------------


def _stems(files: Mapping[str, StoredFile]) -> dict[str, list[str]]:
    """Source files by the lower-case stem of their names."""
    stems: dict[str, list[str]] = defaultdict(list)
    for path in sorted(files):
        if is_code(files[path].language) and not files[path].is_test:
            stems[posixpath.basename(path).split(".")[0].lower()].append(path)
    return stems


def _add_tests(
    edges: dict[EdgeKey, tuple[float, int]],
    path: str,
    files: Mapping[str, StoredFile],
    stems: Mapping[str, list[str]],
) -> None:
    """Add what a test file tests: the file it is named after, and the files it uses."""
    used: dict[str, tuple[float, int]] = {}
    for (_, _, target, _), (confidence, occurrences) in edges.items():
        if not files[target].is_test:
            known = used.get(target, (0.0, 0))
            used[target] = max(known[0], confidence), known[1] + occurrences
    stem = posixpath.basename(path).rpartition(".")[0]
    bare = _TEST_AFFIX.sub("", stem)
    named = stems.get(bare.lower(), ()) if bare != stem else ()
    tests = {target: (_TEST_BY_USE * share, times) for target, (share, times) in used.items()}
    for target in named:
        if target in used:
            tests[target] = _TEST_BY_NAME, used[target][1]
        elif len(named) == 1:
            tests[target] = _TEST_BY_NAME_ONLY, 1
    for target, value in tests.items():
        edges["test", None, target, None] = value


def _tests_named_after(file: StoredFile, files: Mapping[str, StoredFile]) -> set[int]:
    """The test files that may be named after this one."""
    wanted = posixpath.basename(file.path).split(".")[0].lower()
    return {
        other.file_pk
        for path, other in files.items()
        if other.is_test
        and _TEST_AFFIX.sub("", posixpath.basename(path).rpartition(".")[0]).lower() == wanted
    }


def _read_manifests(repository: Repository, files: Mapping[str, StoredFile]) -> dict[str, bytes]:
    manifests = {}
    found = [path for path in files if posixpath.basename(path) in MANIFESTS]
    for path in sorted(found, key=lambda path: (path.count("/"), path))[:_MAX_MANIFESTS]:
        try:
            manifests[path] = repository.read_file(path, limit_bytes=_MAX_MANIFEST_BYTES)
        except RepositoryError:
            continue  # gone or too large since the scan: imports it would explain stay unresolved
    return manifests
