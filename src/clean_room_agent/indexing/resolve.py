"""Resolve what one file imports, calls and inherits to files and symbols of the repository.

Takes: live files and their parsed facts. Gives: edge rows of one source file at a time. Does not
know: how rows are stored, or which files need resolving.

Confidence, in the order tried: defined in the same file 1.0; imported by name, through a module,
from the same package (Go, Java, ...) or from a base class 0.9; called on something unknown, and the
only method of that name in the repository 0.6; one of n such methods 0.5/n. A name that more than
`MAX_AMBIGUOUS` methods bear says nothing and gives no edge.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clean_room_agent.indexing.modules import FAMILIES, Files, Finder, make_finder
from clean_room_agent.repo.languages import is_code
from clean_room_agent.store.curated_facts import CuratedFacts, ImportFact, StoredFile

SAME_FILE, IMPORTED, UNIQUE, AMBIGUOUS = 1.0, 0.9, 0.6, 0.5
MAX_AMBIGUOUS = 5
# A module of more files (a Go package, a Java wildcard) is imported as a whole, none in particular.
MAX_MODULE_FILES = 20
_MAX_HOPS = 12
_SELF = frozenset({"self", "cls", "this", "super", "Self"})
_PACKAGE_SCOPED = frozenset({"go", "java", "kotlin", "scala", "csharp", "php"})
# A bare name inside a type may be a member of it.
_IMPLICIT_SELF = frozenset({"java", "kotlin", "scala", "csharp", "cpp", "swift", "ruby"})
_STATIC_CALLS = _IMPLICIT_SELF | {"php"}
# What a namespace holds is named by includes and imports without the namespace.
_NAMESPACED = frozenset({"cpp", "csharp", "php", "ruby"})
_OWN_WORDS = {
    ("php", "$this"): "this",
    ("php", "static"): "this",
    ("php", "parent"): "super",
    ("csharp", "base"): "super",
}

Place = tuple[str, int]
EdgeKey = tuple[str, int | None, str, int | None]


@dataclass(slots=True)
class _View:
    """One file's definitions by how they can be named."""

    top: dict[str, int]
    local: dict[str, int]
    members: dict[str, dict[str, int]]
    names: list[str]
    parents: list[int | None]
    kinds: list[str]


@dataclass(slots=True)
class _Bindings:
    """What a file's imports bind: names to symbols, names to modules, and whole modules."""

    symbols: dict[str, Place]
    modules: dict[str, Files]
    stars: list[str]
    imported: list[tuple[str, int | None, float]]


class Resolver:
    """Resolves names over one state of the repository; remembers what it has looked up."""

    def __init__(
        self,
        files: Mapping[str, StoredFile],
        facts: CuratedFacts,
        manifests: Mapping[str, bytes],
    ) -> None:
        self._files = files
        self._facts = facts
        self._manifests = manifests
        self._paths_of_blob: dict[int, list[str]] = defaultdict(list)
        self._families: dict[str, list[str]] = defaultdict(list)
        self._directories: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._targets: dict[str, dict[str, list[Place]]] = {}
        for path in sorted(files):
            file = files[path]
            if is_code(file.language):
                family = FAMILIES[file.language or ""]
                self._paths_of_blob[file.blob_pk].append(path)
                self._families[family].append(path)
                self._directories[family, posixpath.dirname(path)].append(path)
        self._finders: dict[str, Finder] = {}
        self._views: dict[str, _View] = {}
        self._bindings: dict[str, _Bindings] = {}
        self._found: dict[tuple[str, str], Place | None] = {}
        self._bases: dict[Place, list[Place]] = {}
        self._methods: dict[tuple[str, str], list[Place]] = {}

    def edges_of(
        self, path: str, references: Iterable[tuple[str, str, str, int | None, int]]
    ) -> dict[EdgeKey, tuple[float, int]]:
        """Give the import, call and inheritance edges of one file."""
        edges: dict[EdgeKey, tuple[float, int]] = {}
        for target, ordinal, confidence in self._bound(path).imported:
            if target != path:
                _add(edges, ("import", None, target, ordinal), confidence, 1)
        for kind, name, receiver, enclosing, occurrences in references:
            targets, confidence = self._resolve(path, name, receiver, enclosing, kind)
            for target, ordinal in targets:
                if target != path or ordinal != enclosing:
                    key = (kind, enclosing, target, ordinal)
                    _add(edges, key, confidence, occurrences)
        return edges

    # names ----------------------------------------------------------------------------------

    def _resolve(
        self, path: str, name: str, receiver: str, enclosing: int | None, kind: str
    ) -> tuple[list[Place], float]:
        language = self._files[path].language or ""
        if not receiver:
            if kind == "call" and language in _IMPLICIT_SELF:
                place = self._own_member(path, name, "this", enclosing)
                if place is not None:
                    return [place], SAME_FILE if place[0] == path else IMPORTED
            return self._bare(path, name)
        receiver = _OWN_WORDS.get((language, receiver), receiver)
        if receiver in _SELF:
            place = self._own_member(path, name, receiver, enclosing)
            if place is not None:
                return [place], SAME_FILE if place[0] == path else IMPORTED
            return self._by_name(path, name)
        view, bound = self._view(path), self._bound(path)
        if receiver in view.members:
            ordinal = view.members[receiver].get(name)
            if ordinal is not None:
                return [(path, ordinal)], SAME_FILE
        owner = bound.symbols.get(receiver)
        if owner is not None:
            place = self._member(owner, name)
            return ([place], IMPORTED) if place is not None else ([], 0.0)
        module = bound.modules.get(receiver)
        if module is not None:
            place = self._in_files(module, name)
            return ([place], IMPORTED) if place is not None else ([], 0.0)
        if kind == "inherit":
            return [], 0.0
        if language in _STATIC_CALLS:
            place = self._static_member(path, name, receiver)
            if place is not None:
                return [place], SAME_FILE if place[0] == path else IMPORTED
        return self._by_name(path, name)

    def _static_member(self, path: str, name: str, receiver: str) -> Place | None:
        """Find `Type.name` of a type that no import names, and C++'s `namespace::name`."""
        if receiver[:1].isupper() and receiver.isidentifier():
            owners, _ = self._bare(path, receiver)
            return self._member(owners[0], name) if owners else None
        if self._files[path].language == "cpp":
            place = self._in_files(tuple(self._bound(path).stars), name)
            if place is not None:
                around = self._view(place[0]).names[place[1]].rpartition(".")[0]
                if f".{around}".endswith("." + receiver.replace("::", ".")):
                    return place
        return None

    def _bare(self, path: str, name: str) -> tuple[list[Place], float]:
        view = self._view(path)
        ordinal = view.top.get(name)
        if ordinal is None:
            ordinal = view.local.get(name)
        if ordinal is not None:
            return [(path, ordinal)], SAME_FILE
        bound = self._bound(path)
        place = bound.symbols.get(name)
        if place is not None:
            return [place], IMPORTED
        if name in bound.modules:
            return [], 0.0
        place = self._in_files(tuple(bound.stars), name)
        language = self._files[path].language or ""
        if place is None and language in _PACKAGE_SCOPED:
            here = FAMILIES[language], posixpath.dirname(path)
            place = self._in_files(tuple(self._directories[here]), name)
        if place is None and language == "swift":
            place = self._in_target(path, name)
        # A bare name that is neither defined nor imported is a local one, or a builtin: that some
        # other file defines it says nothing.
        return ([place], IMPORTED) if place is not None else ([], 0.0)

    def _in_target(self, path: str, name: str) -> Place | None:
        """Find a name in the files of a Swift target, which see each other without imports."""
        target = _target_of(path)
        names = self._targets.get(target)
        if names is None:
            names = self._targets[target] = defaultdict(list)
            for other in self._families["swift"]:
                if _target_of(other) == target:
                    for top, ordinal in self._view(other).top.items():
                        names[top].append((other, ordinal))
        places = names.get(name, [])
        return places[0] if len(places) == 1 else None

    def _by_name(self, path: str, name: str) -> tuple[list[Place], float]:
        family = FAMILIES[self._files[path].language or ""]
        places = self._methods.get((family, name))
        if places is None:
            places = self._methods[family, name] = self._methods_named(family, name)
        if not places or len(places) > MAX_AMBIGUOUS:
            return [], 0.0
        return places, UNIQUE if len(places) == 1 else AMBIGUOUS / len(places)

    def _methods_named(self, family: str, name: str) -> list[Place]:
        return sorted(
            (path, fact.ordinal)
            for blob_pk, fact in self._facts.methods_named(name)
            for path in self._paths_of_blob.get(blob_pk, ())
            if FAMILIES[self._files[path].language or ""] == family
        )

    # classes --------------------------------------------------------------------------------

    def _own_member(
        self, path: str, name: str, receiver: str, enclosing: int | None
    ) -> Place | None:
        view = self._view(path)
        owner = enclosing
        while owner is not None:
            if view.kinds[owner] == "method":
                prefix = view.names[owner].rpartition(".")[0]
                ordinal = view.members.get(prefix, {}).get(name)
                if ordinal is not None and receiver != "super":
                    return path, ordinal
                parent = view.parents[owner]
                return None if parent is None else self._inherited((path, parent), name)
            owner = view.parents[owner]
        return None

    def _member(self, owner: Place, name: str) -> Place | None:
        view = self._view(owner[0])
        ordinal = view.members.get(view.names[owner[1]], {}).get(name)
        return (owner[0], ordinal) if ordinal is not None else self._inherited(owner, name)

    def _inherited(self, owner: Place, name: str) -> Place | None:
        """Find a member in the base classes, nearest first, in the order they are written."""
        seen = {owner}
        queue = [owner]
        for place in queue:
            if len(seen) > _MAX_HOPS * 4:
                return None
            for base in self._bases_of(place):
                if base not in seen:
                    seen.add(base)
                    queue.append(base)
                    view = self._view(base[0])
                    ordinal = view.members.get(view.names[base[1]], {}).get(name)
                    if ordinal is not None:
                        return base[0], ordinal
        return None

    def _bases_of(self, owner: Place) -> list[Place]:
        if owner not in self._bases:
            path = owner[0]
            # A base may be written as `self.x`, whose own look-up asks for bases in this very
            # file: while they are being found, they count as none.
            for ordinal in range(len(self._view(path).names)):
                self._bases[path, ordinal] = []
            bases: dict[int, list[Place]] = defaultdict(list)
            for kind, name, receiver, enclosing, _ in self._facts.inherits_of(
                self._files[path].blob_pk
            ):
                if enclosing is not None:
                    places, confidence = self._resolve(path, name, receiver, enclosing, kind)
                    if confidence >= UNIQUE:
                        me = path, enclosing
                        bases[enclosing].extend(place for place in places if place != me)
            for ordinal, places in bases.items():
                self._bases[path, ordinal] = places
        return self._bases[owner]

    # modules --------------------------------------------------------------------------------

    def _in_files(self, files: Files, name: str) -> Place | None:
        for path in files:
            place = self._find(path, name)
            if place is not None:
                return place
        return None

    def _find(self, path: str, name: str) -> Place | None:
        """Find what a module calls `name`: its own definition, or one that it imports."""
        key = (path, name)
        if key in self._found:
            return self._found[key]
        seen = {key}
        stack = [key]
        place: Place | None = None
        while stack and place is None and len(seen) < _MAX_HOPS * 16:
            here, wanted = stack.pop()
            ordinal = self._view(here).top.get(wanted)
            if ordinal is not None:
                place = here, ordinal
                break
            for step in reversed(self._steps(here, wanted)):
                if step not in seen:
                    seen.add(step)
                    stack.append(step)
        self._found[key] = place
        return place

    def _steps(self, path: str, name: str) -> list[tuple[str, str]]:
        steps: list[tuple[str, str]] = []
        stars: list[tuple[str, str]] = []
        for fact in self._facts.imports_of(self._files[path].blob_pk):
            if fact.name == "*":
                stars.extend((target, name) for target in self._module(path, fact))
            elif fact.name and (fact.alias or fact.name) == name:
                wanted = name if fact.name == "default" else fact.name
                steps.extend((target, wanted) for target in self._module(path, fact))
        return steps + stars

    def _module(self, path: str, fact: ImportFact) -> Files:
        files = self._finder(path).module(path, fact)
        return files if len(files) <= MAX_MODULE_FILES else ()

    def _finder(self, path: str) -> Finder:
        family = FAMILIES[self._files[path].language or ""]
        finder = self._finders.get(family)
        if finder is None:
            paths = self._families[family]
            finder = make_finder(family, paths, self._manifests, self._namespaces)
            self._finders[family] = finder
        return finder

    def _namespaces(self, path: str) -> list[str]:
        symbols = self._facts.symbols_of(self._files[path].blob_pk)
        return [fact.qualified_name for fact in symbols if fact.kind == "module"]

    def _bound(self, path: str) -> _Bindings:
        bound = self._bindings.get(path)
        if bound is None:
            bound = self._bindings[path] = _Bindings({}, {}, [], [])
            for fact in self._facts.imports_of(self._files[path].blob_pk):
                self._bind(path, fact, bound)
        return bound

    def _bind(self, path: str, fact: ImportFact, bound: _Bindings) -> None:
        files = self._module(path, fact)
        local = fact.alias or fact.name
        if fact.name == "*":
            bound.stars.extend(files)
            self._note(files, bound)
            return
        if not fact.name:
            name = fact.alias or fact.module.rpartition("/")[2]
            if files:
                bound.modules[name] = files
            self._note(files, bound)
            return
        wanted = fact.alias if fact.name == "default" else fact.name
        place = self._in_files(files, wanted)
        inner: Files = ()
        if place is None:
            inner = self._finder(path).member(path, fact)
            place = self._in_files(inner, fact.name) if inner else self._static(files, fact)
        if place is not None:
            bound.symbols[local] = place
            direct = place[0] in files or place[0] in inner
            bound.imported.append((*place, SAME_FILE if direct else IMPORTED))
        elif inner or files:
            bound.modules[local] = inner or files
            self._note(inner or files, bound)

    def _static(self, files: Files, fact: ImportFact) -> Place | None:
        """Find a member of the type that a module is named after (Java's static imports)."""
        owner = fact.module.rpartition(".")[2]
        for path in files:
            ordinal = self._view(path).members.get(owner, {}).get(fact.name)
            if ordinal is not None:
                return path, ordinal
        return None

    def _note(self, files: Files, bound: _Bindings) -> None:
        bound.imported.extend((path, None, SAME_FILE / len(files)) for path in files)

    def _view(self, path: str) -> _View:
        view = self._views.get(path)
        if view is None:
            file = self._files[path]
            inside = file.language in _NAMESPACED
            view = self._views[path] = _make_view(self._facts, file.blob_pk, inside)
        return view


def _target_of(path: str) -> str:
    """Give the directory of a Swift target: below `Sources` or `Tests`, else the first one."""
    parts = path.split("/")[:-1]
    for at, part in enumerate(parts):
        if part in ("Sources", "Tests") and at + 1 < len(parts):
            return "/".join(parts[: at + 2])
    return parts[0] if parts else ""


def _make_view(facts: CuratedFacts, blob_pk: int, inside_namespaces: bool) -> _View:
    view = _View({}, {}, {}, [], [], [])
    for ordinal, parent, kind, name, qualified in facts.symbols_of(blob_pk):
        view.names.append(qualified)
        view.parents.append(parent)
        view.kinds.append(kind)
        around = "module" if parent is None else view.kinds[parent]
        if qualified == name:
            view.top.setdefault(name, ordinal)
        elif inside_namespaces and around == "module" and kind not in ("module", "method"):
            view.top.setdefault(name, ordinal)
            view.members.setdefault(qualified[: -len(name) - 1], {}).setdefault(name, ordinal)
        else:
            prefix = qualified[: -len(name) - 1]
            view.members.setdefault(prefix, {}).setdefault(name, ordinal)
            if kind in ("function", "class"):
                view.local.setdefault(name, ordinal)
    return view


def _add(
    edges: dict[EdgeKey, tuple[float, int]], key: EdgeKey, confidence: float, occurrences: int
) -> None:
    known = edges.get(key)
    if known is None:
        edges[key] = confidence, occurrences
    else:
        edges[key] = max(known[0], confidence), known[1] + occurrences
