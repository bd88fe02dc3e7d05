"""A clean interpreter for code under test: no planted bytecode, one import path, plain options.

Takes: the words and the root. Gives: pytest arguments and dummy options. Does not know: verdicts.
"""

# os functions throughout: these scripts keep away from modules the code under test may patch.
# ruff: noqa: PTH100

from __future__ import annotations

import importlib.util
import os
import sys
from importlib import _bootstrap_external
from pathlib import Path
from typing import Any

from _pytest.assertion import rewrite

_NOWHERE = Path(os.sep, "nonexistent", "cra-bytecode")

# Plugins that reorder tests: their options stay known, their effect is switched off.
_BLOCKED = {
    "pytest_randomly": ("randomly", ["--randomly-seed", "--randomly-seed-per-test"]),
    "random_order": ("random_order", ["--random-order-bucket", "--random-order-seed"]),
}
_DUMMY_VALUES = ["--cov-report", "--cov-config", "--cov-fail-under", "--cov-context", "--dist"]
_DUMMY_VALUES += ["--numprocesses", "--maxprocesses", "--tx", "--timeout", "--timeout-method"]
_DUMMY_VALUES += ["--benchmark-min-rounds", "--reruns", "--reruns-delay", "--randomly-seed"]
_DUMMY_SWITCHES = ["--cov-branch", "--no-cov", "--cov-append", "--no-cov-on-fail", "--random-order"]
_DUMMY_SWITCHES += ["--benchmark-skip", "--benchmark-disable", "--randomly-dont-reorganize"]
_OWNER = {"--cov": "pytest_cov", "--no-cov": "pytest_cov", "--timeout": "pytest_timeout"}
_OWNER.update({"--benchmark": "pytest_benchmark", "--reruns": "pytest_rerunfailures"})
_OWNER.update({"--numprocesses": "xdist", "--maxprocesses": "xdist", "--dist": "xdist"})
_OWNER.update({"--tx": "xdist", "-n": "xdist"})


def isolate_bytecode(root: str) -> None:
    """Never read or write bytecode of files in the tree; installed packages keep theirs.

    Defeats unchecked-hash and same-stamp `.pyc` files planted beside sources (case 47), including
    pytest's cache of rewritten asserts.
    """
    prefix = os.path.abspath(sys.prefix) + os.sep
    outside = (prefix, os.path.realpath(prefix) + os.sep)
    inside = os.path.realpath(root) + os.sep

    def in_tree(path: Any) -> bool:
        text = os.path.realpath(os.fspath(path))
        return text.startswith(inside) and not text.startswith(outside)

    original = _bootstrap_external.cache_from_source

    def cache_from_source(path: Any, *args: Any, **named: Any) -> Any:
        if in_tree(path):
            raise NotImplementedError("no bytecode in the tree")
        return original(path, *args, **named)

    _bootstrap_external.cache_from_source = cache_from_source
    importlib.util.cache_from_source = cache_from_source
    cache_dir_of = rewrite.get_cache_dir

    def get_cache_dir(file_path: Path) -> Path:
        return _NOWHERE if in_tree(file_path) else cache_dir_of(file_path)

    rewrite.get_cache_dir = get_cache_dir
    sys.dont_write_bytecode = True


def present(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def pytest_arguments(given: list[str], *, plain: bool) -> list[str]:
    """The user's arguments, then what makes a run repeatable and complete (later words win)."""
    ours = ["--maxfail=0", "-o", "cache_dir=/tmp/cra-pytest-cache"]
    if plain:
        ours += ["--assert=plain", "--tb=no", "-p", "no:faulthandler", "--show-capture=no"]
    if present("xdist"):
        ours.append("-n0")
    if present("pytest_cov"):
        ours.append("--no-cov")
    if present("pytest_benchmark"):
        ours.append("--benchmark-disable")
    for module, (plugin, _) in _BLOCKED.items():
        if present(module):
            ours += ["-p", "no:" + plugin]
    return [*given, *ours]


def add_dummy_options(parser: Any) -> None:
    """Register options of absent or blocked plugins, so that a repository's addopts still parse."""
    group = parser.getgroup("cra", "options of absent plugins")
    blocked = {"--randomly": True, "--random-order": True}
    if not present("xdist"):
        _add(group, "-n", dest="cra_n", default=None)
    if not present("pytest_cov"):
        _add(group, "--cov", action="append", nargs="?", const=True, default=[], dest="cra_cov")
    for name in [*_DUMMY_VALUES, *_DUMMY_SWITCHES]:
        owner = next((m for prefix, m in _OWNER.items() if name.startswith(prefix)), "")
        if not owner and not any(name.startswith(prefix) for prefix in blocked):
            owner = "pytest_cov"
        if owner and present(owner):
            continue
        dest = "cra_" + name.strip("-").replace("-", "_")
        if name in _DUMMY_SWITCHES:
            _add(group, name, action="store_true", dest=dest)
        else:
            _add(group, name, action="append", default=[], dest=dest)


def _add(group: Any, name: str, **named: Any) -> None:
    try:
        group._addoption(name, **named)
    except ValueError:
        return  # another plugin has it after all
