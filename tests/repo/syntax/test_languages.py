"""Each language, read from a small source: definitions, references and imports to the letter."""

from __future__ import annotations

import pytest

from clean_room_agent.records.code import ParseStatus
from clean_room_agent.repo.languages import LANGUAGES, read_query
from clean_room_agent.repo.syntax import load_grammar
from tests.repo.syntax.support import Case, check, parse

CASES = [
    Case(
        "python",
        '''
        import os.path as p, sys
        from ..a.b import (c, d as e)
        from z import *
        LIMIT: int = 3

        @app.route("/x")
        def f(a: Foo,
              b: int = g(1)) -> Bar:
            """Doc."""
            return a.b.run(LIMIT)

        class K(Base, mod.Other):
            size = 1
            async def m(self):
                self.f(); super().m(); x[0].go()
        ''',
        [
            "constant LIMIT 4-4: LIMIT: int = 3",
            'function f 6-10: def f(a: Foo,\n      b: int = g(1)) -> Bar: ["""Doc."""]',
            "class K 12-15: class K(Base, mod.Other):",
            "variable K.size 13-13: size = 1",
            "method K.m 14-15: async def m(self):",
        ],
        {
            "call app.route @f", "call .g @f", "call a.b.run @f", "call self.f @K.m",
            "call super.m @K.m", "call .super @K.m", "call ().go @K.m", "inherit .Base @K",
            "inherit mod.Other @K", "type .Foo @f", "type .int @f", "type .Bar @f",
            "type .int @LIMIT",
        },
        [
            ("os.path", "", "p", 0), ("sys", "", "", 0), ("a.b", "c", "", 2),
            ("a.b", "d", "e", 2), ("z", "*", "", 0),
        ],
    ),
    Case(
        "javascript",
        """
        import d, {a as b} from './m';
        import * as ns from "n";
        export * from './q';
        const fs = require('fs'), {u, v: w} = require('./k');
        /** Doc. */
        export class K extends Base.X {
          foo(a) { return this.bar(a) }
          handler = () => { go() }
        }
        export const f = async (x) => { y?.z(x); new Thing(1) };
        function View() { return <Comp a={1}/> }
        Foo.prototype.bar = function () {};
        """,
        [
            "variable fs 4-4: fs = require('fs')",
            "class K 6-9: export class K extends Base.X [/** Doc. */]",
            "method K.foo 7-7: foo(a)",
            "method K.handler 8-8: handler = () =>",
            "function f 10-10: export const f = async (x) =>",
            "function View 11-11: function View()",
            "function Foo.prototype.bar 12-12: Foo.prototype.bar = function ()",
        ],
        {
            "call .require @fs", "call .require @", "call this.bar @K.foo", "call .go @K.handler",
            "call y.z @f", "call .Thing @f", "call .Comp @View", "inherit Base.X @K",
        },
        [
            ("./m", "default", "d", 0), ("./m", "a", "b", 0), ("n", "", "ns", 0),
            ("./q", "*", "", 0), ("fs", "", "fs", 0), ("./k", "u", "", 0), ("./k", "v", "w", 0),
        ],
    ),
    Case(
        "typescript",
        """
        import type {A} from './a';
        export interface I extends J<K> { m(x: A): B }
        export type T = A | B;
        enum E { X }
        abstract class C<U> extends D implements I {
          constructor(readonly q: Q) { super(); }
          abstract foo(): void;
        }
        namespace N { export function inner() {} }
        """,
        [
            "interface I 2-2: export interface I extends J<K>",
            "method I.m 2-2: m(x: A): B",
            "type T 3-3: export type T = A | B;",
            "enum E 4-4: enum E",
            "constant E.X 4-4: X",
            "class C 5-8: abstract class C<U> extends D implements I",
            "method C.constructor 6-6: constructor(readonly q: Q)",
            "method C.foo 7-7: abstract foo(): void",
            "module N 9-9: namespace N",
            "function N.inner 9-9: export function inner()",
        ],
        {
            "inherit .J @I", "type .K @I", "type .A @I.m", "type .B @I.m", "type .A @T",
            "type .B @T", "inherit .D @C", "inherit .I @C", "type .Q @C.constructor",
            "call .super @C.constructor",
        },
        [("./a", "A", "", 0)],
    ),
    Case(
        "tsx",
        """
        export default function App(p: Props): Node { return <Foo.Bar x={p}/> }
        """,
        ["function App 1-1: export default function App(p: Props): Node"],
        {"type .Props @App", "type .Node @App", "call Foo.Bar @App"},
        [],
    ),
    Case(
        "go",
        """
        package main
        import (
            "fmt"
            m "example.com/x/y"
        )
        // Doc of T.
        type T struct {
            Base
            a *Foo
        }
        type I interface {
            Do(x Foo) error
        }
        const (
            A = 1
        )
        func (t *T) Do(x m.Q) {
            t.other()
            fmt.Println(x)
        }
        func F() *T { return &T{} }
        """,
        [
            "struct T 7-10: T struct [// Doc of T.]",
            "variable T.a 9-9: a *Foo",
            "interface I 11-13: I interface",
            "method I.Do 12-12: Do(x Foo) error",
            "constant A 15-15: A = 1",
            "method T.Do 17-20: func (t *T) Do(x m.Q)",
            "function F 21-21: func F() *T",
        ],
        {
            "inherit .Base @T", "type .Foo @T.a", "type .Foo @I.Do", "type .T @T.Do",
            "type m.Q @T.Do", "call t.other @T.Do", "call fmt.Println @T.Do", "type .T @F",
        },
        [("fmt", "", "", 0), ("example.com/x/y", "", "m", 0)],
    ),
    Case(
        "rust",
        """
        use crate::a::{b, c::{d as e, *}};
        mod sub;
        /// Doc of S.
        #[derive(Debug)]
        pub struct S { a: Foo }
        impl<T> Tr for S<T> {
            fn new(q: &Foo) -> Bar { helper(); self.run(); x::y(); note!("a") }
        }
        trait Tr { fn run(&self); }
        const C: i32 = 1;
        """,
        [
            "struct S 4-5: pub struct S [/// Doc of S.]",
            "variable S.a 5-5: a: Foo",
            "method S.new 7-7: fn new(q: &Foo) -> Bar",
            "trait Tr 9-9: trait Tr",
            "method Tr.run 9-9: fn run(&self);",
            "constant C 10-10: const C: i32 = 1;",
        ],
        {
            "type .Foo @S.a", "inherit .Tr @", "type .Foo @S.new", "type .Bar @S.new",
            "call .helper @S.new", "call self.run @S.new", "call x.y @S.new", "call .note @S.new",
        },
        [
            ("crate::a", "b", "", 0), ("crate::a::c", "d", "e", 0), ("crate::a::c", "*", "", 0),
            ("self", "sub", "", 0),
        ],
    ),
    Case(
        "java",
        """
        package a.b;
        import java.util.List;
        import static x.Y.z;
        import q.*;
        /** Doc. */
        public class K extends B implements I<J> {
          private static final int MAX = 3;
          Foo foo, bar;
          public List<Foo> m(Bar x) throws E { this.go(x); new Thing(); a(b).c(); y.w(); }
          K() {}
        }
        """,
        [
            "class K 6-11: public class K extends B implements I<J> [/** Doc. */]",
            "constant K.MAX 7-7: private static final int MAX = 3;",
            "variable K.foo 8-8: Foo foo, bar;",
            "variable K.bar 8-8: Foo foo, bar;",
            "method K.m 9-9: public List<Foo> m(Bar x) throws E",
            "method K.K 10-10: K()",
        ],
        {
            "inherit .B @K", "inherit .I @K", "type .I @K", "type .J @K", "type .Foo @K.bar",
            "type .List @K.m", "type .Foo @K.m", "type .Bar @K.m", "call this.go @K.m",
            "call .Thing @K.m", "call ().c @K.m", "call .a @K.m", "call y.w @K.m",
        },
        [("java.util", "List", "", 0), ("x.Y", "z", "", 0), ("q", "*", "", 0)],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_references_and_imports(case: Case) -> None:
    check(case)


DOCSTRINGS = {
    "python": (b'def f():\n    # no\n    "Doc."\n', b'"Doc."'),
    "javascript": (b"// one\n// two\nfunction f() {}\n", b"// one\n// two"),
    "go": (b"package m\n\n// Doc.\nfunc F() {}\n", b"// Doc."),
    "rust": (b"/// Doc.\n#[inline]\nfn f() {}\n", b"/// Doc."),
    "java": (b"/** Doc. */\nclass K {}\n", b"/** Doc. */"),
}


@pytest.mark.parametrize("language", DOCSTRINGS)
def test_a_docstring_is_found_with_its_place(language: str) -> None:
    source, expected = DOCSTRINGS[language]
    doc = parse(language, source).symbols[0].docstring
    assert doc is not None
    assert source[doc.start_byte : doc.end_byte] == expected
    assert doc.start_line == source[: doc.start_byte].count(b"\n") + 1


def test_a_comment_after_code_is_no_docstring() -> None:
    assert parse("go", b"package m // Doc.\nfunc F() {}\n").symbols[0].docstring is None


def test_identifiers_are_code_and_prose_is_text() -> None:
    blob = parse(
        "python", '# About parsers\ndef parseFile(S, xs):\n    return utf8_name("Words")\n'
    )
    assert set(blob.identifiers.split()) == {"parse", "file", "parsefile", "xs", "utf", "name",
                                             "utf8_name"}  # fmt: skip
    assert set(blob.prose.split()) == {"about", "parsers", "words"}


def test_a_one_letter_name_is_kept_where_it_is_defined() -> None:
    assert "s" in parse("python", "class S: pass\n").identifiers.split()
    assert "s" not in parse("python", "x = S(1)\n").identifiers.split()


def test_an_unknown_language_still_gives_identifiers() -> None:
    blob = parse(None, "Read the parseFile guide\n")
    assert blob.status is ParseStatus.NO_GRAMMAR
    assert "parsefile" in blob.prose.split()


REFUSED = {
    "utf-16": ("def f(): pass".encode("utf-16"), ParseStatus.NOT_TEXT, "UTF-16 text"),
    "nul": (b"def f(): pass\0", ParseStatus.BINARY, "holds a NUL byte"),
    "size": (b"x = 1\n" * 200_000, ParseStatus.TOO_LARGE, "1200000 bytes, over 1000000"),
    "line": (b"x" * 60_000, ParseStatus.TOO_LARGE, "a line of 60000 bytes, over 50000"),
}


@pytest.mark.reliability(case=76)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_parsed_says_why(name: str) -> None:
    data, status, reason = REFUSED[name]
    blob = parse("python", data)
    assert (blob.status, blob.reason, blob.symbols) == (status, reason, ())


@pytest.mark.reliability(case=75)
def test_invalid_utf8_is_read_as_far_as_it_goes() -> None:
    blob = parse("python", b"# caf\xe9\ndef alpha(): pass\n")
    assert blob.status is ParseStatus.PARTIAL
    assert blob.reason == "invalid UTF-8 at byte 5"
    assert [symbol.name for symbol in blob.symbols] == ["alpha"]


BROKEN = {
    "c": "int alpha( {\n\nint beta(void) { return 1; }\n",
    "cpp": "class alpha : {{\n};\nint beta() { return 1; }\n",
    "csharp": "class Alpha { void M( { }\nclass beta { }\n",
    "ruby": "def alpha(\n\nend end\nclass beta\nend\n",
    "php": "<?php\nfunction alpha( {{ }\nfunction beta() { }\n",
    "kotlin": "fun alpha( {\n}\n\nfun beta() {\n}\n",
    "swift": "func alpha( {\n}\n\nfunc beta() {\n}\n",
    "scala": "def alpha( = {\n\ndef beta() = 1\n",
    "bash": "if then fi fi\nbeta() {\n  true\n}\n",
    "sql": "CREATE TABLE alpha (;\nCREATE TABLE beta (id INT);\n",
    "css": "} .alpha {{ \nbeta { top: 0 }\n",
    "toml": "alpha = = 1\n[beta]\nx = 1\n",
    "yaml": "alpha: [1, 2\nbeta: 1\n",
    "json": '{"alpha": , "beta": 1}',
}


@pytest.mark.parametrize("language", BROKEN)
def test_a_broken_file_is_partial_and_gives_what_can_be_read(language: str) -> None:
    blob = parse(language, BROKEN[language])
    assert (blob.status, blob.reason) == (ParseStatus.PARTIAL, "syntax errors")
    read = [*(symbol.name for symbol in blob.symbols), *blob.identifiers.split()]
    assert "beta" in [*read, *blob.prose.split()]


def test_a_declaration_of_a_type_that_a_macro_makes_is_read() -> None:
    blob = parse("cpp", "EXPORT(char *) alpha(int x);\nint beta(void);\n")
    assert [symbol.signature for symbol in blob.symbols] == ["alpha(int x)", "int beta(void);"]


def test_every_name_of_one_declaration_is_a_symbol() -> None:
    assert [s.name for s in parse("go", "package m\nvar a, b int\n").symbols] == ["a", "b"]
    assert [s.name for s in parse("c", "int a, *b, c[3];\n").symbols] == ["a", "b", "c"]


def test_a_specialisation_bears_the_name_of_its_template() -> None:
    source = "template <> struct Box<std::map<int, Key>> {};\nint Box<Key>::size() { return 1; }\n"
    names = [symbol.qualified_name for symbol in parse("cpp", source).symbols]
    assert names == ["Box", "Box.size"]
    assert parse("cpp", "bool operator<(A a, A b);\n").symbols[0].name == "operator<"


def test_a_quoted_name_is_known_without_its_quotes() -> None:
    assert parse("kotlin", "fun `it works`() {\n}\n").symbols[0].name == "it works"
    assert parse("kotlin", "class `-Reader` {\n}\n").symbols[0].name == "-Reader"


def test_a_type_alias_is_a_symbol() -> None:
    symbols = parse("python", "type Table = dict[str, int]\n").symbols
    assert [(s.kind, s.name) for s in symbols] == [("type", "Table")]


def test_a_declaration_inside_a_function_is_no_symbol() -> None:
    source = "void f(void) {\n#ifdef DEBUG\n    int local;\n#endif\n}\n#if X\nint kept;\n#endif\n"
    assert [symbol.name for symbol in parse("c", source).symbols] == ["f", "kept"]


def test_a_namespace_without_braces_ends_where_the_next_begins() -> None:
    source = "<?php\nnamespace A;\nclass K {}\nnamespace B;\nfunction f() {}\n"
    names = [symbol.qualified_name for symbol in parse("php", source).symbols]
    assert names == ["A", "A.K", "B", "B.f"]


def test_broken_syntax_is_partial() -> None:
    blob = parse("python", "def alpha(:\n\ndef beta(): pass\n")
    assert (blob.status, blob.reason) == (ParseStatus.PARTIAL, "syntax errors")


@pytest.mark.parametrize("language", [entry.name for entry in LANGUAGES])
def test_every_language_has_a_grammar_and_a_query(language: str) -> None:
    assert load_grammar(language).abi_version >= 13
    assert "@def." in read_query(language)


def test_quoted_names_and_dialects_of_sql_are_read_as_far_as_they_go() -> None:
    source = (
        "CREATE TABLE `orders` (`id` int(11) NOT NULL, KEY `k` (`id`)) ENGINE=InnoDB;\n"
        'CREATE VIEW "Big" AS SELECT * FROM "orders";\n'
        "CREATE TABLE [dbo].[Items] ([Id] INT);\nCREATE VIEW kept AS SELECT 1;\n"
    )
    blob = parse("sql", source)
    assert blob.status is ParseStatus.PARTIAL
    assert {"orders", "Big", "kept"} <= {symbol.name for symbol in blob.symbols}
