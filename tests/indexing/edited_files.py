"""What random edits put into files: paths that collide, and lines that name each other.

Takes: numbers. Gives: the paths, lines and branches that `edited` chooses from, `source`.
Does not know: git, or what an edit does.
"""

from __future__ import annotations

from pathlib import Path

PYTHON = (
    "from .one import thing", "from pkg.one import Kind as Sort", "import one", "import pkg.one",
    "from pkg import two", "from .two import *", "from . import one as first", "thing()",
    "one.thing()", "first.thing()", "x.go()", "class Kind(Sort): pass", "from one import thing",
    "class Sort(pkg.one.Kind):", "    def go(self): self.run(); self.alpha()",
    "    def alpha(self): super().go()", "def thing(): two.thing()", "class Low(Sort): pass",
    "class Base(Kind):", "from .core import *", "ALPHA = 1", "def go(): return thing()",
)  # fmt: skip
SCRIPT = (
    "import { go } from './one';", "import * as one from './one';", "export * from './two';",
    "export function go() { return thing(); }", "export class Base { alpha() { go(); } }",
    "export default class Low extends Base { go() { this.alpha(); } }", "one.go();",
    "const thing = require('./two');",
)  # fmt: skip
GO = (
    "package pkg", 'import "example.com/app/pkg"', "func Go() { thing() }", "func thing() {}",
    "type Base struct{}", "func (b Base) Alpha() { pkg.Go() }",
)  # fmt: skip
JAVA = (
    "package pkg;", "import pkg.One;", "import static pkg.One.go;", "class One { void go() {} }",
    "class Base extends One { void alpha() { go(); } }",
)  # fmt: skip
C = ('#include "one.h"', "int go(void) { return thing(); }", "int thing(void) { return 1; }")
RUBY = ("require_relative 'one'", "class Base < One", "end", "def go; thing; end", "Base.new.go")
PHP = ("<?php", "namespace Pkg;", "use Pkg\\One;", "class One {}", "class Base extends One {}")
RUST = ("mod one;", "use crate::one::thing;", "pub fn thing() {}", "fn go() { thing(); }")
WORDS = ("# alpha", "## thing and base", "go one", "return")

LINES = {
    ".py": PYTHON, ".ts": SCRIPT, ".js": SCRIPT, ".go": GO, ".java": JAVA, ".c": C, ".h": C,
    ".rb": RUBY, ".php": PHP, ".rs": RUST, ".md": WORDS, "": WORDS,
}  # fmt: skip
PATHS = (
    "pkg/one.py", "pkg/two.py", "pkg/__init__.py", "one.py", "lib/one.py", "pkg/core.py",
    "tests/test_one.py", "test_one.py", "pkg/One.py", "web/one.ts", "web/two.js", "web/index.ts",
    "pkg/go.go", "pkg/alpha.go", "pkg/One.java", "pkg/Base.java", "c/one.h", "c/one.c", "c/two.c",
    "r/one.rb", "r/two.rb", "p/One.php", "p/Base.php", "src/main.rs", "src/one.rs", "notes.md",
    "pkg/sub/deep.py", "pkg/sub/__init__.py", "spec/one_spec.rb", "web/one.test.ts", "thing",
    "pkg", "lib", "web/one", "od\udcffd.py",
)  # fmt: skip
MANIFESTS = {
    "go.mod": ("module example.com/app\n", "module example.org/other\n"),
    "Cargo.toml": ('[package]\nname = "app"\n', '[package]\nname = "pkg"\n'),
    "web/tsconfig.json": ('{"compilerOptions": {"baseUrl": "."}}', "{}"),
    "package.json": ('{"name": "app"}', '{"workspaces": ["web"]}'),
}
IGNORES = ("*.md\n", "pkg/\n", "lib/\n!lib/one.py\n", "", "one.*\n", "/tests\n", "web/*.js\n")
BRANCHES = ("main", "side", "other")
START = {
    "pkg/__init__.py": "from .one import thing\n",
    "pkg/one.py": "class Kind:\n    def go(self): self.alpha()\n\n\ndef thing(): pass\n",
    "tests/test_one.py": "from pkg.one import thing\nthing()\n",
    "web/one.ts": "export function go() { return 1; }\n",
}


def source(path: str, a: int, b: int) -> bytes:
    """Some lines that fit the name of a file; the same numbers give the same lines."""
    lines = LINES.get(Path(path).suffix, WORDS)
    chosen = [lines[(a + b * n) % len(lines)] for n in range(1 + b % 7)]
    return ("\n".join(chosen) + "\n").encode()
