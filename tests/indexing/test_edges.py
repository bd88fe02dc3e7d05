"""Imports, calls, bases and tests are resolved to files and symbols, with stated confidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.indexing.support import edges, index
from tests.support.git import GitRepo


def _indexed(tmp_path: Path, files: dict[str, str]) -> Path:
    repo = GitRepo(tmp_path / "repo")
    repo.commit(files)
    index(repo.root)
    return repo.root


IMPORTS = {
    "python packages": (
        {
            "src/pkg/__init__.py": "from .core import run as start\n",
            "src/pkg/core.py": "def run(): pass\n",
            "src/pkg/sub/deep.py": "from ..core import run\nimport pkg.core\n"
            "from pkg import start\n",
            "app.py": "from pkg.core import run\nfrom pkg import core\nimport os\n",
        },
        {
            ("src/pkg/__init__.py", "src/pkg/core.py:run"): 1.0,
            ("src/pkg/sub/deep.py", "src/pkg/core.py:run"): 1.0,
            ("src/pkg/sub/deep.py", "src/pkg/core.py"): 1.0,
            ("app.py", "src/pkg/core.py:run"): 1.0,
            ("app.py", "src/pkg/core.py"): 1.0,
        },
    ),
    "python namespace": (
        {"ns/part/mod.py": "def go(): pass\n", "run.py": "from ns.part.mod import go\n"},
        {("run.py", "ns/part/mod.py:go"): 1.0},
    ),
    "python re-export": (
        {
            "p/__init__.py": "from .a import *\n",
            "p/a.py": "from .b import K\n",
            "p/b.py": "class K: pass\n",
            "use.py": "from p import K\n",
        },
        {
            ("p/__init__.py", "p/a.py"): 1.0,
            ("p/a.py", "p/b.py:K"): 1.0,
            ("use.py", "p/b.py:K"): 0.9,
        },
    ),
    "typescript": (
        {
            "tsconfig.json": '{"compilerOptions": {/* c */ "baseUrl": ".",'
            ' "paths": {"@/*": ["src/*"],}}}',
            "src/a.ts": "import { b } from './b.js';\nimport { c } from '@/lib';\n",
            "src/b.ts": "export function b() {}\n",
            "src/lib/index.tsx": "export const c = () => 1;\n",
        },
        {("src/a.ts", "src/b.ts:b"): 1.0, ("src/a.ts", "src/lib/index.tsx:c"): 1.0},
    ),
    "go": (
        {
            "go.mod": "module example.com/app\n",
            "main.go": 'package main\nimport "example.com/app/lib"\nfunc main() { lib.Run() }\n',
            "lib/run.go": "package lib\nfunc Run() { help() }\n",
            "lib/help.go": "package lib\nfunc help() {}\n",
        },
        {("main.go", "lib/run.go"): 0.5, ("main.go", "lib/help.go"): 0.5},
    ),
    "rust": (
        {
            "Cargo.toml": '[package]\nname = "my-app"\n',
            "src/main.rs": "mod util;\nuse crate::util::deep::go;\nfn main() { go(); }\n",
            "src/util/mod.rs": "pub mod deep;\n",
            "src/util/deep.rs": "use super::super::main;\npub fn go() {}\n",
        },
        {
            ("src/main.rs", "src/util/mod.rs"): 1.0,
            ("src/main.rs", "src/util/deep.rs:go"): 1.0,
            ("src/util/mod.rs", "src/util/deep.rs"): 1.0,
            ("src/util/deep.rs", "src/main.rs:main"): 1.0,
        },
    ),
    "java": (
        {
            "src/main/java/a/b/K.java": "package a.b;\npublic class K { static void m() {} }\n",
            "src/main/java/a/U.java": "package a;\nimport a.b.K;\nimport static a.b.K.m;\n"
            "class U {}\n",
        },
        {
            ("src/main/java/a/U.java", "src/main/java/a/b/K.java:K"): 1.0,
            ("src/main/java/a/U.java", "src/main/java/a/b/K.java:K.m"): 1.0,
        },
    ),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_is_resolved_to_its_file(tmp_path: Path, name: str) -> None:
    files, expected = IMPORTS[name]
    assert edges(_indexed(tmp_path, files), "import") == expected


CALLS = {
    "same file": (
        {"a.py": "def f(): pass\ndef g(): f()\n"},
        {("a.py:g", "a.py:f"): 1.0},
    ),
    "imported name and module": (
        {
            "a.py": "def f(): pass\n",
            "b.py": "import a\nfrom a import f as h\ndef g():\n h(); a.f()\n",
        },
        {("b.py:g", "a.py:f"): 0.9},
    ),
    "own and inherited methods": (
        {
            "a.py": "class A:\n def m(self): pass\n",
            "b.py": "from a import A\nclass B(A):\n def n(self): self.m(); self.k()\n"
            " def k(self): super().m()\n",
        },
        {
            ("b.py:B.n", "a.py:A.m"): 0.9,
            ("b.py:B.n", "b.py:B.k"): 1.0,
            ("b.py:B.k", "a.py:A.m"): 0.9,
        },
    ),
    "the only method of a name": (
        {"a.py": "class A:\n def odd(self): pass\n", "b.py": "def g(x): x.odd()\n"},
        {("b.py:g", "a.py:A.odd"): 0.6},
    ),
    "one of two methods": (
        {
            "a.py": "class A:\n def m(self): 1\nclass B:\n def m(self): 1\n",
            "b.py": "def g(x): x.m()\n",
        },
        {("b.py:g", "a.py:A.m"): 0.25, ("b.py:g", "a.py:B.m"): 0.25},
    ),
    "one of too many says nothing": (
        {
            "a.py": "".join(f"class A{n}:\n def m(self): 1\n" for n in range(6)),
            "b.py": "def g(x): x.m()\n",
        },
        {},
    ),
    "a bare name elsewhere says nothing": (
        {"a.py": "def f(): pass\n", "b.py": "def g(f): f()\n"},
        {},
    ),
    "go package": (
        {"a.go": "package p\nfunc F() { help() }\n", "b.go": "package p\nfunc help() {}\n"},
        {("a.go:F", "b.go:help"): 0.9},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_resolved_with_stated_confidence(tmp_path: Path, name: str) -> None:
    files, expected = CALLS[name]
    assert edges(_indexed(tmp_path, files), "call") == expected


def test_a_base_class_is_resolved(tmp_path: Path) -> None:
    root = _indexed(tmp_path, {"a.py": "class A: pass\n", "b.py": "import a\nclass B(a.A): pass\n"})
    assert edges(root, "inherit") == {("b.py:B", "a.py:A"): 0.9}


def test_a_test_points_at_what_it_is_named_after_and_what_it_uses(tmp_path: Path) -> None:
    root = _indexed(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/core.py": "def run(): pass\n",
            "pkg/other.py": "def help(): pass\n",
            "pkg/lone.py": "x = 1\n",
            "tests/test_core.py": "from pkg.core import run\nfrom pkg.other import help\n",
            "tests/test_lone.py": "def test(): pass\n",
        },
    )
    assert edges(root, "test") == {
        ("tests/test_core.py", "pkg/core.py"): 0.9,
        ("tests/test_core.py", "pkg/other.py"): 0.7,
        ("tests/test_lone.py", "pkg/lone.py"): 0.5,
    }


def test_imports_that_go_round_end(tmp_path: Path) -> None:
    root = _indexed(
        tmp_path,
        {"a.py": "from b import *\nx()\n", "b.py": "from a import *\nfrom c import *\nx()\n",
         "c.py": "from a import *\ndef x(): pass\n"},
    )  # fmt: skip
    assert edges(root, "call") == {("a.py", "c.py:x"): 0.9, ("b.py", "c.py:x"): 0.9}


def test_a_base_written_as_a_member_of_self_ends(tmp_path: Path) -> None:
    source = (
        "class TestGraph:\n"
        "    def setup_method(self):\n"
        "        class Special(self.Graph):\n"
        "            def run(self):\n"
        "                return self.size()\n"
        "        self.special = Special\n"
    )
    assert edges(_indexed(tmp_path, {"a.py": source}), "inherit") == {}


def test_the_bases_of_a_class_do_not_depend_on_who_asked_first(tmp_path: Path) -> None:
    root = _indexed(
        tmp_path,
        {
            "a.py": "from z import B\ndef f(): B.m()\n",
            "b.py": "from z import C\ndef g(): C.m()\n",
            "z.py": "class A:\n    def m(self): pass\nclass B(A): pass\nclass C(B): pass\n",
        },
    )
    assert edges(root, "call") == {("a.py:f", "z.py:A.m"): 0.9, ("b.py:g", "z.py:A.m"): 0.9}
