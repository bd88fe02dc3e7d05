"""Further constructs of each language: what defines a name is found under that name."""

from __future__ import annotations

import pytest

from clean_room_agent.records.code import ParseStatus
from clean_room_agent.repo.syntax import parse_rows
from tests.repo.syntax.support import parse

# language: (source, "kind qualified name" of every symbol in order)
CONSTRUCTS = {
    "javascript defaults": ("javascript", """
        export default function () { return 1; }
        module.exports = { run() {}, walk: function () {}, 'quoted-key': () => 1 };
        exports.third = (a) => a;
        Foo.prototype = { bar: function () {} };
        """, ["function default", "method run", "function walk", "function quoted-key",
              "function exports.third", "function bar"]),
    "javascript classes": ("javascript", """
        export default class extends Base { static count = 0; #priv = 1; go = () => 1; m() {} }
        class K { field; get size() { return 1; } }
        """, ["class default", "variable default.count", "variable default.#priv",
              "method default.go", "method default.m", "class K", "variable K.field",
              "method K.size"]),
    "typescript members": ("typescript", """
        export interface A { x: number; m(): void }
        export const enum E { One, Two = 'two' }
        declare const VERSION: string;
        abstract class C { private x: number = 1; abstract m(): void; go = async () => {}; }
        """, ["interface A", "variable A.x", "method A.m", "enum E", "constant E.One",
              "constant E.Two", "constant VERSION", "class C", "variable C.x", "method C.m",
              "method C.go"]),
    "go": ("go", """
        package m
        var (
            A, B = 1, 2
        )
        const (
            D = iota
            E
        )
        type (
            G struct { x, y int; *Emb }
            H = int
        )
        type J[T any] struct { v T }
        func (j *J[T]) Get() T { return j.v }
        """, ["constant A", "constant B", "constant D", "constant E", "struct G", "variable G.x",
              "variable G.y",
              "type H", "struct J", "variable J.v", "method J.Get"]),
    "rust": ("rust", """
        macro_rules! mm { () => {} }
        static mut COUNT: u8 = 1;
        pub enum E { A, B(u8) }
        pub struct P { pub x: u8 }
        pub trait Tr { type Out; const N: usize; fn m(&self) {} }
        impl<T> Tr for P<T> { type Out = u8; }
        pub mod inner { pub fn f() {} }
        """, ["macro mm", "constant COUNT", "enum E", "constant E.A", "constant E.B", "struct P",
              "variable P.x", "trait Tr", "type Tr.Out", "constant Tr.N", "method Tr.m",
              "type P.Out", "module inner", "function inner.f"]),
    "java": ("java", """
        public record R(int x) { static int q() { return 1; } }
        enum E { A(1), B { void m() {} }; E(int v) {} }
        @interface Ann { String value() default "x"; }
        class Out { class In {} enum Kind { Q } }
        """, ["class R", "method R.q", "enum E", "constant E.A", "constant E.B", "method E.B.m",
              "method E.E", "interface Ann", "method Ann.value", "class Out", "class Out.In",
              "enum Out.Kind", "constant Out.Kind.Q"]),
    "kotlin": ("kotlin", """
        class A {
            companion object Named {
                val z = 1
            }
            inner class In
        }
        fun String.shout() = 1
        data class D(val a: Int)
        """, ["class A", "class A.Named", "variable A.Named.z", "class A.In", "function shout",
              "class D"]),
    "swift": ("swift", """
        extension String {
            var loud: String { "" }
            init(x: Int) {}
            subscript(i: Int) -> Int { 1 }
        }
        actor Act { func go() async {} }
        """, ["variable String.loud", "method String.init", "method String.subscript", "class Act",
              "method Act.go"]),
    "scala": ("scala", """
        case object One
        given ord: Ordering[Int] = other
        implicit class Rich(s: String) { def shout = 1 }
        extension (s: String) def loud: Int = 1
        """, ["class One", "variable ord", "class Rich", "method Rich.shout", "function loud"]),
    "ruby": ("ruby", """
        module A::B
          attr_accessor :x, :y
          define_method("e") do |a| end
          alias old x
          class << self
            def s; end
          end
          def self.t; end
        end
        """, ["module A.B", "variable A.B.x", "variable A.B.y", "method A.B.e", "method A.B.old",
              "method A.B.s", "method A.B.t"]),
    "php": ("php", """
        <?php
        namespace A { trait T { public $p; } function f() {} const NC = 1; }
        namespace B { define('OLD', 1); enum E: int { case One = 1; } }
        """, ["module A", "trait A.T", "variable A.T.p", "function A.f", "constant A.NC",
              "module B", "constant B.OLD", "enum B.E", "constant B.E.One"]),
    "csharp": ("csharp", """
        public readonly struct S {
          public static S operator +(S a, S b) => a;
          public static implicit operator int(S s) => 1;
          public event EventHandler Ev { add {} remove {} }
        }
        public record struct R(int X);
        """, ["struct S", "method S.+", "method S.int", "variable S.Ev", "class R"]),
    "bash": ("bash", """
        f() { :; }
        function g { :; }
        function h() { :; }
        """, ["function f", "function g", "function h"]),
    "bats": ("bash", """
        @test "adds v1.2 numbers" {
          run add 1 2
        }
        @test 'other' {
          helper
        }
        """, ["function adds v1.2 numbers", "function other"]),
    "cpp": ("cpp", """
        BEGIN_NAMESPACE
        template <typename T> class API Arr : public B {
          operator bool() const;
          T& operator[](int i);
        };
        template <typename T> T& Arr<T>::operator[](int i) { return d; }
        END_NAMESPACE
        #define MAX(a) a
        typedef unsigned long ul;
        enum class E : int { X };
        """, ["class Arr", "method Arr.operator bool", "method Arr.operator[]",
              "method Arr.operator[]", "macro MAX", "type ul", "enum E", "constant E.X"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_construct_defines_its_name(name: str) -> None:
    language, source, expected = CONSTRUCTS[name]
    blob = parse(language, source)
    assert blob.status is ParseStatus.PARSED, blob.reason
    assert [f"{s.kind} {s.qualified_name}" for s in blob.symbols] == expected


def test_text_comes_from_the_file_though_the_parser_saw_another() -> None:
    source = b'class API_EXPORT Box : public B {\n};\n@test "no bats" {\n'
    (symbol,) = parse("cpp", source).symbols
    assert symbol.signature == "class API_EXPORT Box : public B"
    bats = parse("bash", b'@test "adds" {\n  run add\n}\n')
    assert bats.symbols[0].signature == '@test "adds"'
    assert bats.symbols[0].span.end_line == 3


def test_a_macro_that_is_a_value_stays() -> None:
    blob = parse("cpp", b"int x =\n  SOME_VALUE\n;\nenum E {\n  A_ONE,\n  B_TWO\n};\n")
    assert blob.status is ParseStatus.PARSED
    assert [symbol.name for symbol in blob.symbols] == ["x", "E", "A_ONE", "B_TWO"]


def test_a_long_chain_of_calls_is_read_by_its_ends() -> None:
    chain = b"x = (a" + b"\n.b()" * 3_000 + b"\n.last())\n"
    rows = parse_rows(chain, "python")[4]
    calls = {(name, receiver): times for kind, name, receiver, _, _, _, times in rows}
    assert calls == {("b", "a"): 1, ("b", "()"): 2_999, ("last", "()"): 1}
