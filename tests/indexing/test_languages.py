"""Imports and calls of each language are resolved in a small tree, by the rules of `modules`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.indexing.support import dump, edges, index
from tests.support.git import GitRepo


def _indexed(tmp_path: Path, files: dict[str, str]) -> Path:
    repo = GitRepo(tmp_path / "repo")
    repo.commit(files)
    index(repo.root)
    return repo.root


C = {
    "include/app/list.h": "int list_add(int x);\n",
    "src/list.c": '#include "app/list.h"\nint list_add(int x) { return x; }\n',
    "src/main.c": '#include <stdio.h>\n#include <app/list.h>\n#include "local.h"\n'
    "int main(void) { return list_add(1); }\n",
    "src/local.h": "struct local { int x; };\n",
    # a system header is not the repository's file of that name, unless it is public
    "port/stdio.h": "int printf(void);\n",
    "src/use.c": "#include <public.h>\n",
    "include/public.h": "int shared;\n",
}
CSHARP = {
    "Data/Store.cs": "namespace App.Data;\npublic class Store { public static int Load() => 1; }\n",
    "Elsewhere/Extra.cs": "namespace App.Data { class Extra { } }\n",
    "Web/Page.cs": "using System;\nusing App.Data;\nusing Kept = App.Data.Extra;\n"
    "namespace App.Web { class Page { int Go() { Show(); return Store.Load(); }\n"
    " void Show() {} } }\n",
}
RUBY = {
    "lib/shop/cart.rb": "module Shop\n class Cart\n  def total\n   tax\n  end\n"
    "  def tax\n  end\n end\nend\n",
    "lib/shop.rb": 'require "shop/cart"\nrequire "json"\n',
    "bin/run.rb": 'require_relative "../lib/shop/cart"\ndef go\n Cart.total\nend\n',
    "vendor/json/json.rb": "\n",
}
PHP = {
    "src/Models/User.php": "<?php\nnamespace App\\Models;\nclass User {\n"
    " static function find() {}\n function save() { $this->check(); }\n function check() {}\n}\n",
    "src/Models/Post.php": "<?php\nnamespace App\\Models;\nclass Post extends User {\n"
    " function save() { parent::save(); }\n}\n",
    "src/Page.php": "<?php\nnamespace App;\nuse App\\Models\\User;\n"
    "require __DIR__ . '/boot.php';\nfunction show() { User::find(); }\n",
    "src/boot.php": "<?php\n",
}
KOTLIN = {
    "src/main/kotlin/a/b/Store.kt": "package a.b\n\nclass Store {\n    fun load() {\n    }\n}\n\n"
    "fun open(): Int = 1\n",
    "src/main/java/a/c/Base.java": "package a.c;\npublic class Base {}\n",
    "src/main/kotlin/a/Use.kt": "package a\n\nimport a.b.Store\nimport a.b.open as start\n"
    "import a.c.Base\n\nclass Use : Base() {\n    fun go() {\n        start()\n        help()\n"
    "    }\n\n    fun help() {\n    }\n}\n",
}
SCALA = {
    "src/main/scala/a/b/Store.scala": "package a.b\nclass Store\nclass Other\n",
    "src/main/scala/a/Use.scala": "package a\nimport a.b.{Store, Other => O}\nclass Use\n",
}
SWIFT = {
    "Sources/App/Store.swift": "struct Store {\n    static func load() {}\n}\nfunc ready() {}\n",
    "Sources/App/Page.swift": "import Foundation\nfunc show() { ready()\n    Store.load() }\n",
    "Sources/Other/Store.swift": "func ready() {}\n",
}
BASH = {
    "lib/common.sh": "log() {\n  true\n}\n",
    "bin/run.sh": 'source "${ROOT}/lib/common.sh"\n. ./env.sh\n. "$UNKNOWN"\nlog x\n',
    "bin/env.sh": "MODE=1\n",
}

IMPORTS = {
    "c": (
        C,
        {
            ("src/list.c", "include/app/list.h"): 0.5,
            ("src/main.c", "src/list.c"): 0.5,
            ("src/main.c", "include/app/list.h"): 0.5,
            ("src/main.c", "src/local.h"): 1.0,
            ("src/use.c", "include/public.h"): 1.0,
        },
    ),
    "csharp": (
        CSHARP,
        {
            ("Web/Page.cs", "Data/Store.cs"): 0.5,
            ("Web/Page.cs", "Elsewhere/Extra.cs"): 0.5,
            ("Web/Page.cs", "Elsewhere/Extra.cs:App.Data.Extra"): 1.0,
        },
    ),
    "ruby": (
        RUBY,
        {
            ("lib/shop.rb", "lib/shop/cart.rb"): 1.0,
            ("bin/run.rb", "lib/shop/cart.rb"): 1.0,
        },
    ),
    "php": (
        PHP,
        {
            ("src/Page.php", "src/Models/User.php:App.Models.User"): 1.0,
            ("src/Page.php", "src/boot.php"): 1.0,
        },
    ),
    "kotlin": (
        KOTLIN,
        {
            ("src/main/kotlin/a/Use.kt", "src/main/kotlin/a/b/Store.kt:Store"): 1.0,
            ("src/main/kotlin/a/Use.kt", "src/main/kotlin/a/b/Store.kt:open"): 1.0,
            ("src/main/kotlin/a/Use.kt", "src/main/java/a/c/Base.java:Base"): 1.0,
        },
    ),
    "scala": (
        SCALA,
        {
            ("src/main/scala/a/Use.scala", "src/main/scala/a/b/Store.scala:Store"): 1.0,
            ("src/main/scala/a/Use.scala", "src/main/scala/a/b/Store.scala:Other"): 1.0,
        },
    ),
    "swift": (SWIFT, {}),
    "bash": (
        BASH,
        {("bin/run.sh", "lib/common.sh"): 1.0, ("bin/run.sh", "bin/env.sh"): 1.0},
    ),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_an_import_is_resolved_to_its_file(tmp_path: Path, name: str) -> None:
    files, expected = IMPORTS[name]
    assert edges(_indexed(tmp_path, files), "import") == expected


USER = "src/Models/User.php:App.Models.User"
CALLS = {
    "c": (C, {("src/main.c:main", "src/list.c:list_add"): 0.9}),
    "csharp": (
        CSHARP,
        {
            ("Web/Page.cs:App.Web.Page.Go", "Web/Page.cs:App.Web.Page.Show"): 1.0,
            ("Web/Page.cs:App.Web.Page.Go", "Data/Store.cs:App.Data.Store.Load"): 0.9,
        },
    ),
    "cpp": (
        {
            "util.h": "namespace util { void log(int x); }\nclass Base { public: void init(); };\n",
            "a.cpp": '#include "util.h"\nclass A : public Base { void go() { init(); stop(); '
            "util::log(1); }\n void stop() {} };\n",
        },
        {
            ("a.cpp:A.go", "util.h:Base.init"): 0.9,
            ("a.cpp:A.go", "a.cpp:A.stop"): 1.0,
            ("a.cpp:A.go", "util.h:util.log"): 0.9,
        },
    ),
    "ruby": (
        RUBY,
        {
            ("lib/shop/cart.rb:Shop.Cart.total", "lib/shop/cart.rb:Shop.Cart.tax"): 1.0,
            ("bin/run.rb:go", "lib/shop/cart.rb:Shop.Cart.total"): 0.9,
        },
    ),
    "php": (
        PHP,
        {
            (f"{USER}.save", f"{USER}.check"): 1.0,
            ("src/Models/Post.php:App.Models.Post.save", f"{USER}.save"): 0.9,
            ("src/Page.php:App.show", f"{USER}.find"): 0.9,
        },
    ),
    "kotlin": (
        KOTLIN,
        {
            ("src/main/kotlin/a/Use.kt:Use.go", "src/main/kotlin/a/b/Store.kt:open"): 0.9,
            ("src/main/kotlin/a/Use.kt:Use.go", "src/main/kotlin/a/Use.kt:Use.help"): 1.0,
        },
    ),
    "swift": (
        SWIFT,
        {
            ("Sources/App/Page.swift:show", "Sources/App/Store.swift:ready"): 0.9,
            ("Sources/App/Page.swift:show", "Sources/App/Store.swift:Store.load"): 0.9,
        },
    ),
    "bash": (BASH, {("bin/run.sh", "lib/common.sh:log"): 0.9}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_resolved_to_its_symbol(tmp_path: Path, name: str) -> None:
    files, expected = CALLS[name]
    assert edges(_indexed(tmp_path, files), "call") == expected


TESTS = {
    "csharp": ("src/Cart.cs", "class Cart { }\n", "Tests/CartTests.cs", "class CartTests { }\n"),
    "ruby": ("lib/cart.rb", "class Cart\nend\n", "spec/cart_spec.rb", "describe 1\n"),
    "scala": ("src/Cart.scala", "class Cart\n", "src/CartSpec.scala", "class CartSpec\n"),
    "c": ("src/cart.c", "int x;\n", "tests/test_cart.c", "int main(void) { return 0; }\n"),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_is_tied_to_the_file_it_is_named_after(tmp_path: Path, name: str) -> None:
    source, code, test, check = TESTS[name]
    files = {source: code, test: check, "cart.yaml": "a: 1\n", "cart.md": "# Cart\n"}
    assert edges(_indexed(tmp_path, files), "test") == {(test, source): 0.5}


EDITS = {
    "csharp": ("Data/Store.cs", CSHARP, CSHARP["Data/Store.cs"].replace("App.Data", "App.Moved")),
    # a file that imports a namespace and names nothing of it
    "csharp namespace": (
        "Data/Store.cs",
        CSHARP | {"Plain.cs": "using App.Data;\nclass Plain { }\n"},
        CSHARP["Data/Store.cs"].replace("App.Data", "App.Moved"),
    ),
    "csharp class": ("Data/Store.cs", CSHARP, CSHARP["Data/Store.cs"].replace("Store", "Shop")),
    "php": ("src/Models/User.php", PHP, PHP["src/Models/User.php"].replace("\\Models", "\\N")),
    "c": ("src/list.c", C, C["src/list.c"].replace("list_add", "list_put")),
    "ruby": ("lib/shop/cart.rb", RUBY, RUBY["lib/shop/cart.rb"].replace("Cart", "Basket")),
    "swift": ("Sources/App/Store.swift", SWIFT, "func ready() {}\nfunc load() {}\n"),
    "kotlin": ("src/main/kotlin/a/b/Store.kt", KOTLIN, "package a.b\n\nclass Store\n"),
    "bash": ("lib/common.sh", BASH, "other() {\n  true\n}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_index_after_an_edit_equals_a_fresh_one(tmp_path: Path, name: str) -> None:
    path, files, changed = EDITS[name]
    # With few files all edges are made again; these keep the update to what the edit can touch.
    others = {f"other/n{number}.py": f"def f{number}(): pass\n" for number in range(40)}
    root = _indexed(tmp_path, files | others)
    before = dump(root)
    (root / path).write_text(changed)
    index(root)
    updated = dump(root)
    assert updated["edges"] != before["edges"]
    index(root, full=True)
    assert dump(root) == updated


def test_markup_and_data_have_entries_but_no_edges(tmp_path: Path) -> None:
    files = {
        "README.md": "# Use\n\ntext\n",
        "a.json": '{"use": 1}\n',
        "a.py": "def use(): pass\n",
        "package-lock.json": '{"use": 1}\n',
    }
    root = _indexed(tmp_path, files)
    found = dump(root)
    assert {row[0] for row in found["symbols"]} == {b"README.md", b"a.json", b"a.py"}
    assert found["edges"] == []
    assert (b"package-lock.json", None) in {(row[0], row[3]) for row in found["files"]}
