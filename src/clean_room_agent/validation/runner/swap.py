"""Live functions of the tree, and new code for them.

Takes: root, `BaseFile`s, edits. Gives: prepared candidates; `applied` for a while.
Does not know: tests. A function that ran while modules were imported is swapped too, and the
candidate says so: what it then returned may live on in module state.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from .sources import BaseFile, NeedsImport, changed, key_of, nested

if TYPE_CHECKING:
    from .sources import Key


class Prepared(NamedTuple):
    """A candidate ready to be applied: functions and the code each gets.

    `at_import`: one of them ran while modules were imported, so that a verdict is provisional.
    """

    number: int
    paths: list[str]
    swaps: list[tuple[Any, CodeType]]
    at_import: bool


def watch_calls() -> Callable[[], set[tuple[str, Key]]]:
    """Note every function that is called from now on; the result stops and returns them."""
    seen: dict[int, CodeType] = {}

    def trace(frame: Any, *_: Any) -> None:
        code = frame.f_code
        seen[id(code)] = code

    sys.settrace(trace)

    def stop() -> set[tuple[str, Key]]:
        sys.settrace(None)
        return {(c.co_filename, (c.co_firstlineno, c.co_name)) for c in seen.values()}

    return stop


class LiveTree:
    """The function objects whose code comes from files of the tree."""

    def __init__(self, root: str, called: set[tuple[str, Key]]) -> None:
        self.root = os.path.realpath(root)
        self._called = called
        self._files: dict[str, BaseFile] = {}
        self._ready: set[str] = set()
        self._live: dict[str, dict[Key, list[Any]]] = {}
        self._names: dict[str, list[str]] = {}
        self.caches: list[Any] = []
        self._index()

    def _index(self) -> None:
        inside = self.root + os.sep
        real: dict[str, str] = {}
        for thing in gc.get_objects():
            if isinstance(thing, functools._lru_cache_wrapper):
                self.caches.append(thing)
            if type(thing) is not FunctionType:
                continue
            code = thing.__code__
            name = code.co_filename
            path = real.get(name)
            if path is None:
                path = real[name] = os.path.realpath(name) if name[:1] != "<" else name
            if path.startswith(inside):
                table = self._live.setdefault(path, {})
                table.setdefault((code.co_firstlineno, code.co_name), []).append(thing)
                if name not in self._names.setdefault(path, []):
                    self._names[path].append(name)

    def load(self, path: str) -> tuple[str, bytes, str]:
        """Return a tree file's real path, bytes and hash."""
        full = os.path.realpath(os.path.join(self.root, path))
        with open(full, "rb") as file:
            data = file.read()
        return full, data, hashlib.sha256(data).hexdigest()

    def _base(self, path: str, wanted_hash: str) -> tuple[str, BaseFile]:
        full = os.path.join(self.root, path)
        base = self._files.get(full)
        if base is None:
            full, data, _ = self.load(path)
            if full not in self._live:
                raise NeedsImport("the module is not imported while tests are collected")
            if len(self._names[full]) != 1:
                raise NeedsImport("the module is imported under two paths")
            base = self._files[full] = BaseFile(self._names[full][0], data)
        if hashlib.sha256(base.data).hexdigest() != wanted_hash:
            raise ValueError(f"{path} is not the file the candidate was made for")
        return full, base

    def touch(self, edits: list[list[Any]]) -> list[str]:
        """Instrument the files of `edits` that are new here; return their paths."""
        fresh = []
        for path, _, _, _, wanted in edits:
            with contextlib.suppress(NeedsImport, SyntaxError, UnicodeDecodeError, ValueError):
                full, base = self._base(path, wanted)
                if full not in self._ready:
                    self._ready.add(full)
                    fresh.append(path)
                    for key, code in base.instrumented().items():
                        for function in self._live[full].get(key, []):
                            _assign(function, code)
        return fresh

    def prepare(self, index: int, edits: list[list[Any]]) -> Prepared:
        """Turn edits `[path, start, end, latin-1 text, hash]` into swaps.

        Raises NeedsImport, SyntaxError, or ValueError for a stale candidate.
        """
        by_path: dict[tuple[str, str], list[tuple[int, int, bytes]]] = {}
        for path, start, end, text, wanted in edits:
            edit = (start, end, text.encode("latin-1"))
            by_path.setdefault((path, wanted), []).append(edit)
        swaps: list[tuple[Any, CodeType]] = []
        at_import = False
        for (path, wanted), group in by_path.items():
            full, base = self._base(path, wanted)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compiled = base.new_code(group)
            for new in compiled:
                swaps += self._swaps(full, new.base, new.code)
                ran = ((base.filename, key_of(code)) for code in changed(new.base, new.code))
                at_import = at_import or any(key in self._called for key in ran)
        return Prepared(index, [path for path, _ in by_path], swaps, at_import)

    def _swaps(self, full: str, old: CodeType, new: CodeType) -> Iterator[tuple[Any, CodeType]]:
        live = self._live[full]
        key = (old.co_firstlineno, old.co_name)
        functions = live.get(key, [])
        if not functions:
            raise NeedsImport("no live function has this code")
        pairs = [(function, new) for function in functions]
        inner = list(nested(new))
        for position, code in enumerate(nested(old)):
            for function in live.get((code.co_firstlineno, code.co_name), []):
                if position >= len(inner) or inner[position].co_name != code.co_name:
                    raise NeedsImport("a closure made at import changed its shape")
                pairs.append((function, inner[position]))
        for function, code in pairs:
            if code.co_freevars != function.__code__.co_freevars:
                raise NeedsImport("the free variables changed")
        return iter(pairs)

    def clear_caches(self) -> None:
        """Empty every functools cache: results of another candidate's code."""
        for cache in self.caches:
            cache.cache_clear()


def _assign(function: Any, code: CodeType) -> None:
    if code.co_freevars == function.__code__.co_freevars:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function.__code__ = code


@contextlib.contextmanager
def applied(prepared: Prepared) -> Iterator[None]:
    """Give functions their new code, and on leaving the code they had."""
    before = [(function, function.__code__) for function, _ in prepared.swaps]
    try:
        for function, code in prepared.swaps:
            function.__code__ = code
        yield
    finally:
        for function, code in before:
            function.__code__ = code
