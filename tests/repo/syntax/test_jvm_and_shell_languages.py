"""Kotlin, Swift, Scala, Bash and SQL: definitions, references, imports to the letter."""

from __future__ import annotations

import pytest

from tests.repo.syntax.support import Case, check

CASES = [
    Case(
        "kotlin",
        r"""
        package a.b

        import a.c.Store
        import a.d.*
        import a.e.run as go

        /** A user. */
        @Service
        data class User(val id: Int, var name: String) : Base(id), Named {
            private val store: Store = Store()

            override fun name(x: Foo): Bar {
                store.load(x)
                helper()
                this.save()
            }

            companion object {
                const val MAX = 3
                fun of(id: Int) = User(id, "")
            }
        }

        interface Named {
            fun label(): String
        }

        object Registry {
            fun all(): List<User> = listOf()
        }

        enum class Color(val rgb: Int) {
            RED(1),
            GREEN(2)
        }

        typealias Table = Map<Int, User>

        fun String.shout(): String = this.uppercase()

        val limit = 3
        """,
        [
            "class User 8-22: @Service\ndata class User(val id: Int, var name: String) : "
            "Base(id), Named [/** A user. */]",
            "variable User.store 10-10: private val store: Store = Store()",
            "method User.name 12-16: override fun name(x: Foo): Bar",
            "constant User.MAX 19-19: const val MAX = 3",
            "method User.of 20-20: fun of(id: Int)",
            "interface Named 24-26: interface Named",
            "method Named.label 25-25: fun label(): String",
            "class Registry 28-30: object Registry",
            "method Registry.all 29-29: fun all(): List<User>",
            "enum Color 32-35: enum class Color(val rgb: Int)",
            "constant Color.RED 33-33: RED(1)",
            "constant Color.GREEN 34-34: GREEN(2)",
            "type Table 37-37: typealias Table = Map<Int, User>",
            "function shout 39-39: fun String.shout(): String",
            "variable limit 41-41: val limit = 3",
        ],
        {
            "call .Store @User.store", "call .User @User.of", "call .helper @User.name",
            "call .listOf @Registry.all", "call store.load @User.name", "call this.save @User.name",
            "call this.uppercase @shout", "inherit .Base @User", "inherit .Named @User",
            "read .Service @User", "type .Bar @User.name", "type .Foo @User.name",
            "type .Int @Color", "type .Int @Table", "type .Int @User", "type .Int @User.of",
            "type .Store @User.store", "type .String @Named.label", "type .String @User",
            "type .String @shout", "type .User @Registry.all", "type .User @Table",
        },
        [
            ("a.c", "Store", "", 0), ("a.d", "*", "", 0), ("a.e", "run", "go", 0),
        ],
    ),
    Case(
        "swift",
        r"""
        import Foundation
        @testable import App

        /// Holds items.
        public final class Cart: Base, Sized {
            static let max = 3
            private var items: [Item] = []

            init(items: [Item]) {
                super.init()
            }

            deinit { close() }

            func total(of kind: Kind) -> Money {
                self.save()
                return Money(items.reduce(0) { $0 })
            }
        }

        struct Point<T>: Codable { let x: T }

        enum Mode: String {
            case fast, slow
            func next() {}
        }

        protocol Sized {
            var size: Int { get }
            func measure() -> Int
        }

        extension Cart: Equatable {
            func more() {}
        }

        typealias Table = [Int: Item]

        func top(_ x: Int) async throws -> Int { store?.load() }
        """,
        [
            "class Cart 5-19: public final class Cart: Base, Sized [/// Holds items.]",
            "variable Cart.max 6-6: static let max = 3",
            "variable Cart.items 7-7: private var items: [Item] = []",
            "method Cart.init 9-11: init(items: [Item])",
            "method Cart.deinit 13-13: deinit",
            "method Cart.total 15-18: func total(of kind: Kind) -> Money",
            "struct Point 21-21: struct Point<T>: Codable",
            "variable Point.x 21-21: let x: T",
            "enum Mode 23-26: enum Mode: String",
            "constant Mode.fast 24-24: case fast, slow",
            "constant Mode.slow 24-24: case fast, slow",
            "method Mode.next 25-25: func next()",
            "interface Sized 28-31: protocol Sized",
            "variable Sized.size 29-29: var size: Int { get }",
            "method Sized.measure 30-30: func measure() -> Int",
            "method Cart.more 34-34: func more()",
            "type Table 37-37: typealias Table = [Int: Item]",
            "function top 39-39: func top(_ x: Int) async throws -> Int",
        ],
        {
            "call .Money @Cart.total", "call .close @Cart.deinit", "call items.reduce @Cart.total",
            "call self.save @Cart.total", "call store.load @top", "call super.init @Cart.init",
            "inherit .Base @Cart", "inherit .Codable @Point", "inherit .Equatable @",
            "inherit .Sized @Cart", "inherit .String @Mode", "read .testable @",
            "type .Int @Sized.size", "type .Int @top", "type .Item @Cart.init",
            "type .Item @Cart.items", "type .Kind @Cart.total", "type .Money @Cart.total",
            "type .T @Point.x",
        },
        [
            ("Foundation", "*", "", 0), ("App", "*", "", 0),
        ],
    ),
    Case(
        "scala",
        r"""
        package a.b

        import a.c.{Store, Cache => Memo, _}
        import a.d.Run
        import a.f.*

        /** A user. */
        @deprecated
        case class User(id: Int, name: String) extends Base(id) with Named[Item] {
          private val store: Store = new Store(1)
          type Id = Int
          override def name(x: Foo): Bar = {
            store.load(x)
            helper(1)
            this.save()
            Run.go[Int](2)
          }
          def twice = 2
        }

        object User {
          def of(id: Int) = User(id, "")
          val MAX = 3
        }

        trait Named[T] { def label: String }
        enum Color { case Red, Green }
        def top(x: Int): Int = x
        """,
        [
            "class User 8-19: case class User(id: Int, name: String) extends Base(id) with "
            "Named[Item] [/** A user. */]",
            "variable User.store 10-10: private val store: Store = new Store(1)",
            "type User.Id 11-11: type Id = Int",
            "method User.name 12-17: override def name(x: Foo): Bar",
            "method User.twice 18-18: def twice",
            "class User 21-24: object User",
            "method User.of 22-22: def of(id: Int)",
            "constant User.MAX 23-23: val MAX = 3",
            "trait Named 26-26: trait Named[T]",
            "method Named.label 26-26: def label: String",
            "enum Color 27-27: enum Color",
            "constant Color.Red 27-27: Red",
            "constant Color.Green 27-27: Green",
            "function top 28-28: def top(x: Int): Int",
        ],
        {
            "call .Store @User.store", "call .User @User.of", "call .helper @User.name",
            "call Run.go @User.name", "call store.load @User.name", "call this.save @User.name",
            "inherit .Base @User", "inherit .Named @User", "read .deprecated @User",
            "type .Bar @User.name", "type .Foo @User.name", "type .Int @User",
            "type .Int @User.name", "type .Int @User.of", "type .Int @top", "type .Item @User",
            "type .Store @User.store", "type .String @Named.label", "type .String @User",
        },
        [
            ("a.c", "Store", "", 0), ("a.c", "Cache", "Memo", 0), ("a.c", "*", "", 0),
            ("a.d", "Run", "", 0), ("a.f", "*", "", 0),
        ],
    ),
    Case(
        "bash",
        r"""
        #!/usr/bin/env bash
        source ./lib/common.sh
        . "${DIR}/env.sh"
        LIMIT=3
        export PATH_X="a"

        # Builds all.
        build() {
          local x=1
          compile "$1"
          inner=2
        }

        function deploy-now {
          build a && log::info "x"
        }
        deploy-now all
        """,
        [
            "constant LIMIT 4-4: LIMIT=3",
            'constant PATH_X 5-5: PATH_X="a"',
            "function build 8-12: build() [# Builds all.]",
            "function deploy-now 14-16: function deploy-now",
        ],
        {
            "call .build @deploy-now", "call .compile @build", "call .deploy-now @",
            "call .source @", "call log.info @deploy-now",
        },
        [
            ("./lib/common.sh", "*", "", 0), ("${DIR}/env.sh", "*", "", 0),
        ],
    ),
    Case(
        "sql",
        r"""
        -- The shop's schema.
        CREATE SCHEMA shop;
        /* Who buys. */
        CREATE TABLE IF NOT EXISTS shop.users (
          id INTEGER PRIMARY KEY,
          org INT REFERENCES orgs (id)
        );
        CREATE TABLE items (id int, FOREIGN KEY (id) REFERENCES users (id));
        create or replace view active as select u.id from shop.users u join orgs o on o.id = u.org;
        CREATE UNIQUE INDEX users_org ON shop.users (org);
        CREATE TYPE mood AS ENUM ('sad', 'ok');
        CREATE FUNCTION total(a int) RETURNS int AS $$ SELECT round(a) FROM items; $$ LANGUAGE sql;
        CREATE PROCEDURE clear(a int) LANGUAGE sql AS $$ DELETE FROM items; $$;
        CREATE TRIGGER watch BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION total();
        ALTER TABLE items ADD COLUMN age int;
        INSERT INTO items (id) VALUES (1);
        """,
        [
            "module shop 2-2: CREATE SCHEMA shop [-- The shop's schema.]",
            "struct shop.users 4-7: CREATE TABLE IF NOT EXISTS shop.users (\n  id INTEGER "
            "PRIMARY KEY,\n  org INT REFERENCES orgs (id)\n) [/* Who buys. */]",
            "variable shop.users.id 5-5: id INTEGER PRIMARY KEY",
            "variable shop.users.org 6-6: org INT REFERENCES orgs (id)",
            "struct items 8-8: CREATE TABLE items (id int, FOREIGN KEY "
            "(id) REFERENCES users (id))",
            "variable items.id 8-8: id int",
            "struct active 9-9: create or replace view active as select u.id from shop.users u "
            "join orgs o on o.id = u.org",
            "variable users_org 10-10: CREATE UNIQUE INDEX users_org ON shop.users (org)",
            "type mood 11-11: CREATE TYPE mood AS ENUM ('sad', 'ok')",
            "function total 12-12: CREATE FUNCTION total(a int) RETURNS int",
            "function clear 13-13: CREATE PROCEDURE clear(a int) LANGUAGE sql AS $$ DELETE FROM "
            "items; $$",
            "function watch 14-14: CREATE TRIGGER watch BEFORE INSERT ON items FOR EACH ROW "
            "EXECUTE FUNCTION total()",
            "variable age 15-15: age int",
        ],
        {
            "call .round @total", "call .total @watch", "type .items @", "type .items @clear",
            "type .items @total", "type .items @watch", "type .orgs @active",
            "type .orgs @shop.users.org", "type .users @items", "type shop.users @active",
            "type shop.users @users_org",
        },
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_references_and_imports(case: Case) -> None:
    check(case)
