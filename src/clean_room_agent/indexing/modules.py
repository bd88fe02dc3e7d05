"""Find the files that an import means, one small finder per family of languages.

Takes: the paths of the repository, its manifests (go.mod, Cargo.toml, tsconfig.json, ...) and, for
the families of `DECLARED`, the namespaces that each file declares. Gives: paths; none for what
lies outside the repository. Does not know: symbols, databases.

A finder answers `module` with the files of the module that an import names, and `member` with
those of the imported name where that is a module itself. Where several files fit, the one nearest
to the importer is taken, then the first in path order.
"""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clean_room_agent.repo.languages import LANGUAGES
from clean_room_agent.store.curated_facts import ImportFact

MANIFESTS = frozenset({"go.mod", "Cargo.toml", "tsconfig.json", "jsconfig.json", "package.json"})
FAMILIES: Mapping[str, str] = {language.name: language.resolver for language in LANGUAGES}
# Families whose modules are what files declare, wherever they lie.
DECLARED = frozenset({"csharp", "php"})

Files = tuple[str, ...]
Namespaces = Callable[[str], Sequence[str]]


class Finder:
    """Finds modules of one family of languages; this one finds none."""

    def module(self, _importer: str, _fact: ImportFact, /) -> Files:
        """Give the files of the module of an import statement in `importer`."""
        return ()

    def member(self, _importer: str, _fact: ImportFact, /) -> Files:
        """Give the files of the module that the imported name is, where it is one."""
        return ()


def make_finder(
    family: str,
    paths: Sequence[str],
    manifests: Mapping[str, bytes],
    namespaces: Namespaces = lambda _path: (),
) -> Finder:
    """Build the finder of a family from the paths of its files, in path order.

    `namespaces` gives the dotted names that a file declares. Swift has no imports of files.
    """
    if family in DECLARED:
        return _Declared(paths, namespaces)
    make: dict[str, Callable[[Sequence[str], Mapping[str, bytes]], Finder]] = {
        "python": _Python,
        "script": _Script,
        "go": _Go,
        "rust": _Rust,
        "jvm": _Jvm,
        "include": _Include,
        "ruby": _Ruby,
        "bash": _Bash,
    }
    return make[family](paths, manifests) if family in make else Finder()


def nearest(importer: str, candidates: Sequence[str]) -> str:
    """Give the candidate that shares the longest directory prefix with the importer."""
    here = importer.split("/")[:-1]

    def shared(path: str) -> int:
        count = 0
        for ours, theirs in zip(here, path.split("/")[:-1], strict=False):
            if ours != theirs:
                break
            count += 1
        return count

    return max(candidates, key=shared)


class _Python(Finder):
    """Packages by `__init__.py`; namespace packages and `src` layouts by directory."""

    def __init__(self, paths: Sequence[str], _manifests: Mapping[str, bytes]) -> None:
        self._paths = frozenset(paths)
        packages = {
            p.rpartition("/")[0] for p in paths if p.endswith(("/__init__.py", "/__init__.pyi"))
        }
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            stem = path.rpartition(".")[0]
            directory = path.rpartition("/")[0]
            if stem.endswith("/__init__"):
                stem = directory
            root = directory
            while root in packages:
                root = root.rpartition("/")[0]
            names = {stem[len(root) :].lstrip("/"), stem, stem.removeprefix("src/")}
            for name in names:
                self._by_name[name.replace("/", ".")].append(path)

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        return self._module(importer, fact.module, fact.level)

    def member(self, importer: str, fact: ImportFact, /) -> Files:
        name = f"{fact.module}.{fact.name}" if fact.module else fact.name
        return self._module(importer, name, fact.level)

    def _module(self, importer: str, module: str, level: int) -> Files:
        if level:
            base = importer
            for _ in range(level):
                base = base.rpartition("/")[0]
            return self._at(posixpath.join(base, module.replace(".", "/")))
        found = self._by_name.get(module)
        return (nearest(importer, found),) if found else ()

    def _at(self, stem: str) -> Files:
        for ending in (".py", "/__init__.py", ".pyi", "/__init__.pyi"):
            path = (stem + ending).lstrip("/")
            if path in self._paths:
                return (path,)
        return ()


class _Script(Finder):
    """Relative paths with extensions and index files, `paths` of tsconfig, workspace packages."""

    _ENDINGS = ("", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")

    def __init__(self, paths: Sequence[str], manifests: Mapping[str, bytes]) -> None:
        self._paths = frozenset(paths)
        self._aliases: list[tuple[str, str, list[str]]] = []
        self._packages: dict[str, tuple[str, str]] = {}
        for path in sorted(manifests):
            directory, _, filename = path.rpartition("/")
            if filename in ("tsconfig.json", "jsconfig.json"):
                self._read_config(directory, manifests[path])
            elif filename == "package.json":
                facts = _read_json(manifests[path])
                entry = next((facts[k] for k in ("source", "module", "main") if k in facts), "")
                if isinstance(facts.get("name"), str):
                    self._packages[facts["name"]] = directory, str(entry)

    def _read_config(self, directory: str, data: bytes) -> None:
        options = _read_json(data).get("compilerOptions")
        if not isinstance(options, dict):
            return
        base = posixpath.normpath(posixpath.join(directory, str(options.get("baseUrl", "."))))
        patterns = options.get("paths")
        for pattern, targets in patterns.items() if isinstance(patterns, dict) else ():
            if isinstance(targets, list):
                places = [posixpath.join(base, str(target)) for target in targets]
                self._aliases.append((directory, pattern, places))
        if "baseUrl" in options:
            self._aliases.append((directory, "*", [posixpath.join(base, "*")]))

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        module = fact.module
        if module.startswith("."):
            return self._at(posixpath.join(posixpath.dirname(importer), module))
        for directory, pattern, places in self._aliases:
            head, star, tail = pattern.partition("*")
            inside = not directory or importer.startswith(directory + "/")
            if not inside or not module.startswith(head) or not module.endswith(tail):
                continue
            if not star and module != pattern:
                continue
            middle = module[len(head) : len(module) - len(tail)]
            for place in places:
                if found := self._at(place.replace("*", middle)):
                    return found
        return self._in_package(module)

    def _in_package(self, module: str) -> Files:
        parts = module.split("/")
        for length in (2, 1):
            package = self._packages.get("/".join(parts[:length]))
            if package is not None and len(parts) >= length:
                directory, entry = package
                rest = "/".join(parts[length:])
                for inner in [rest] if rest else [entry, "src/index", "index"]:
                    if inner and (found := self._at(posixpath.join(directory, inner))):
                        return found
        return ()

    def _at(self, stem: str) -> Files:
        stem = posixpath.normpath(stem)
        bare = re.sub(r"\.[cm]?jsx?$", "", stem)
        for base in dict.fromkeys((stem, bare, f"{stem}/index")):
            for ending in self._ENDINGS:
                if base + ending in self._paths:
                    return (base + ending,)
        return ()


class _Go(Finder):
    """A package is a directory; its path starts with the module path of go.mod."""

    def __init__(self, paths: Sequence[str], manifests: Mapping[str, bytes]) -> None:
        self._directories: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            if not path.endswith("_test.go"):
                self._directories[posixpath.dirname(path)].append(path)
        self._modules: list[tuple[str, str]] = []
        for path, data in manifests.items():
            match = re.search(rb"^module[ \t]+\"?([^\s\"]+)", data, re.MULTILINE)
            if path.rpartition("/")[2] == "go.mod" and match:
                name = match[1].decode("utf-8", "replace")
                self._modules.append((name, posixpath.dirname(path)))
        self._modules.sort(key=lambda item: (-len(item[0]), item))

    def module(self, _importer: str, fact: ImportFact, /) -> Files:
        module = fact.module
        for name, directory in self._modules:
            if module == name or module.startswith(name + "/"):
                place = posixpath.join(directory, module[len(name) + 1 :]).rstrip("/")
                return tuple(self._directories.get(place, ()))
        return ()


class _Rust(Finder):
    """Module paths from the crate's root file; `mod x;` is `x.rs` or `x/mod.rs`."""

    def __init__(self, paths: Sequence[str], manifests: Mapping[str, bytes]) -> None:
        self._paths = frozenset(paths)
        self._crates: dict[str, str] = {}
        self._roots: list[str] = []
        for path, data in sorted(manifests.items()):
            directory, _, filename = path.rpartition("/")
            if filename == "Cargo.toml":
                source = posixpath.join(directory, "src")
                self._roots.append(source)
                self._crates[_crate_name(data)] = source
        self._roots.sort(key=len, reverse=True)

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        return self._module(importer, fact.module)

    def _module(self, importer: str, module: str) -> Files:
        parts = module.split("::")
        base = self._own_directory(importer)
        if parts[0] == "crate":
            base, parts = self._crate_root(importer), parts[1:]
        elif parts[0] in ("self", "super"):
            if parts[0] == "self":
                parts = parts[1:]
            while parts and parts[0] == "super":
                base, parts = posixpath.dirname(base), parts[1:]
        elif parts[0] in self._crates:
            base, parts = self._crates[parts[0]], parts[1:]
        if not parts:
            return self._file_of(base)
        return self._at(posixpath.join(base, *parts))

    def member(self, importer: str, fact: ImportFact, /) -> Files:
        name = f"{fact.module}::{fact.name}" if fact.module else fact.name
        return self._module(importer, name)

    def _own_directory(self, path: str) -> str:
        """Give the directory that holds the child modules of a file."""
        directory, _, filename = path.rpartition("/")
        if filename in ("mod.rs", "lib.rs", "main.rs"):
            return directory
        return posixpath.join(directory, filename.removesuffix(".rs"))

    def _crate_root(self, path: str) -> str:
        root = next((root for root in self._roots if path.startswith(root + "/")), None)
        if root is None:
            root = path.rpartition("/")[0]
        return root

    def _file_of(self, base: str) -> Files:
        for name in ("lib.rs", "main.rs", "mod.rs"):
            if posixpath.join(base, name) in self._paths:
                return (posixpath.join(base, name),)
        return self._at(base)

    def _at(self, stem: str) -> Files:
        for path in (f"{stem}.rs", f"{stem}/mod.rs", f"{stem}/lib.rs"):
            if path in self._paths:
                return (path,)
        return ()


class _Jvm(Finder):
    """A type lies in a file of its name, under the directories of its package."""

    _ENDINGS = (".java", ".kt", ".scala", ".kts", ".sc")

    def __init__(self, paths: Sequence[str], _manifests: Mapping[str, bytes]) -> None:
        self._by_file: dict[str, list[str]] = defaultdict(list)
        self._by_directory: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            directory, _, filename = path.rpartition("/")
            self._by_file[filename].append(path)
            self._by_directory[directory.rpartition("/")[2]].append(path)

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        return self._module(importer, fact.module)

    def _module(self, importer: str, module: str) -> Files:
        place = module.replace(".", "/")
        stem = place.rpartition("/")[2]
        found = [
            path
            for ending in self._ENDINGS
            for path in self._by_file.get(stem + ending, ())
            if f"/{path}".endswith(f"/{place}{ending}")
        ]
        if found:
            return (nearest(importer, found),)
        inside = self._by_directory.get(stem, ())
        return tuple(p for p in inside if f"/{posixpath.dirname(p)}".endswith(f"/{place}"))

    def member(self, importer: str, fact: ImportFact, /) -> Files:
        found = self._module(importer, f"{fact.module}.{fact.name}")
        return found if len(found) == 1 else ()


class _BySuffix(Finder):
    """Paths by their last parts: `a/b.h` is any file whose path ends so, the nearest first."""

    def __init__(self, paths: Sequence[str], _manifests: Mapping[str, bytes]) -> None:
        self._paths = frozenset(paths)
        self._by_file: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            self._by_file[posixpath.basename(path)].append(path)

    def beside(self, importer: str, name: str) -> Files:
        """The file of that path from the importer's directory."""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(importer), name))
        return (path,) if path in self._paths else ()

    def ending(self, importer: str, name: str) -> Files:
        """The nearest file whose path ends with the name; what climbs out of it is left off."""
        place = posixpath.normpath(name)
        while place.startswith("../"):
            place = place[3:]
        candidates = self._by_file.get(posixpath.basename(place), ())
        found = [path for path in candidates if f"/{path}".endswith(f"/{place}")]
        return (nearest(importer, found),) if found else ()


class _Include(_BySuffix):
    """A header beside the includer or by the end of its path, after the source that defines it.

    `<name.h>` without a directory is the system's, unless it lies in a directory for includes.
    """

    _SOURCES = (".c", ".cc", ".cpp", ".cxx", ".c++")
    _PUBLIC = frozenset({"include", "inc", "includes"})

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        name = fact.module.strip("<>")
        system = fact.module.startswith("<")
        found = () if system else self.beside(importer, name)
        found = found or self.ending(importer, name)
        if system and "/" not in name and found:
            place = posixpath.basename(posixpath.dirname(found[0]))
            found = found if place in self._PUBLIC else ()
        return self._with_source(found[0]) if found else ()

    def _with_source(self, header: str) -> Files:
        """Put the source of the same stem first: what a header declares is defined there."""
        stem, _, ending = header.rpartition(".")
        if f".{ending}" in self._SOURCES:
            return (header,)
        name = posixpath.basename(stem)
        sources = [path for end in self._SOURCES for path in self._by_file.get(name + end, ())]
        return (nearest(header, sources), header) if sources else (header,)


class _Ruby(_BySuffix):
    """`require_relative` from the file's directory; `require` by the end of the path."""

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        name = fact.module if fact.module.endswith(".rb") else fact.module + ".rb"
        if fact.level or fact.module.startswith("."):
            return self.beside(importer, name)
        # A library's own files lie under `lib`; a bare name elsewhere is a gem of that name.
        found = self.ending(importer, f"lib/{name}")
        return found or (self.ending(importer, name) if "/" in name else ())


class _Bash(_BySuffix):
    """What `source` names: beside the script, from the root, or after a variable's directory."""

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        # `$(dirname "$0")/x`, `${DIR}/x` and `"$DIR"/x` all leave the part that is written.
        name = re.sub(r"^.*(?:[)}]|\$\w+)[\"']*/", "", fact.module).strip("\"'")
        if not name or "$" in name:
            return ()
        found = self.beside(importer, name)
        return found or ((name,) if name in self._paths else self.ending(importer, name))


class _Declared(Finder):
    """A namespace is the files that declare it; a type of it lies in the file of its name."""

    def __init__(self, paths: Sequence[str], namespaces: Namespaces) -> None:
        self._by_namespace: dict[str, list[str]] = defaultdict(list)
        self._paths = _BySuffix(paths, {})
        for path in paths:
            for name in dict.fromkeys(namespaces(path)):
                self._by_namespace[name].append(path)

    def module(self, importer: str, fact: ImportFact, /) -> Files:
        files = tuple(self._by_namespace.get(fact.module, ()))
        if fact.name in ("", "*"):
            return files or self._named(importer, fact.module)
        own = tuple(p for p in files if posixpath.basename(p).split(".")[0] == fact.name)
        return own or files

    def _named(self, importer: str, module: str) -> Files:
        """`using static A.B.Type` names a type; PHP's `require` names a file."""
        if "/" in module or module.endswith(".php"):
            return self._paths.beside(importer, module) or self._paths.ending(importer, module)
        place, _, name = module.rpartition(".")
        files = self._by_namespace.get(place, ())
        return tuple(p for p in files if posixpath.basename(p).split(".")[0] == name)


def _read_json(data: bytes) -> dict[str, Any]:
    """Read JSON that may hold comments and trailing commas, as tsconfig.json does."""
    text = data.decode("utf-8", "replace")
    plain = re.sub(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/', r"\1", text)
    plain = re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', r"\1", plain)
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _crate_name(data: bytes) -> str:
    try:
        package = tomllib.loads(data.decode("utf-8", "replace")).get("package", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    name = package.get("name", "") if isinstance(package, dict) else ""
    return str(name).replace("-", "_")
