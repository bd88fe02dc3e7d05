"""The C family, scripting and mobile languages: definitions, references, imports to the letter."""

from __future__ import annotations

import pytest

from clean_room_agent.repo.syntax import parse_rows
from tests.repo.syntax.support import Case, check

CASES = [
    Case(
        "c",
        r"""
        #include <stdio.h>
        #include "lib/point.h"
        #define MAX_POINTS 3
        #define ADD(a, b) ((a) + (b))
        /* One point. */
        struct point {
            int x;
            struct point *next;
        };
        typedef struct { point_t *head; } List;
        typedef struct node { int a; } Node;
        typedef int (*visit_fn)(struct point *p);
        enum color { RED, GREEN = 2 };
        static const int limit = 3;
        static int *find(List *list, int x);
        int public_api(void);
        #ifdef DEBUG
        static int *find(List *list, int x) {
            int local = ADD(x, 1);
            list->head->visit(x);
            return lookup(list, (Node *)0);
        }
        #endif
        int (*pick(int a))(int) { return 0; }
        """,
        [
            "macro MAX_POINTS 3-3: #define MAX_POINTS 3",
            "macro ADD 4-4: #define ADD(a, b) ((a) + (b))",
            "struct point 6-9: struct point [/* One point. */]",
            "variable point.x 7-7: int x;",
            "variable point.next 8-8: struct point *next;",
            "struct List 10-10: typedef struct",
            "variable List.head 10-10: point_t *head;",
            "struct node 11-11: struct node",
            "variable node.a 11-11: int a;",
            "type Node 11-11: Node",
            "type visit_fn 12-12: typedef int (*visit_fn)(struct point *p);",
            "enum color 13-13: enum color",
            "constant color.RED 13-13: RED",
            "constant color.GREEN 13-13: GREEN = 2",
            "variable limit 14-14: static const int limit = 3;",
            "function public_api 16-16: int public_api(void);",
            "function find 18-22: static int *find(List *list, int x)",
            "function pick 24-24: int (*pick(int a))(int)",
        ],
        {
            "call ().visit @find", "call .ADD @find", "call .lookup @find", "type .List @",
            "type .List @find", "type .Node @find", "type .point @point.next",
            "type .point @visit_fn", "type .point_t @List.head",
        },
        [
            ("<stdio.h>", "*", "", 0), ("lib/point.h", "*", "", 0),
        ],
    ),
    Case(
        "cpp",
        r"""
        #include <vector>
        #include "store/disk.h"
        namespace store { namespace disk {
        /// Keeps entries.
        class Cache final : public Base, private detail::Locked<int> {
         public:
          explicit Cache(int size) : size_(size) { init(); }
          ~Cache();
          template <typename T> T get(const Key& key) const;
          bool operator==(const Cache& other) const { return other.size() == size_; }
          static constexpr int kMax = 3;
         private:
          std::vector<Entry> entries_;
        };
        enum class Mode : int { Fast, Slow };
        using Table = std::map<int, Entry>;
        }}
        void store::disk::Cache::flush() {
          this->write();
          p->run<int>();
          util::log("x");
          auto e = std::make_unique<Entry>(new Key(1));
        }
        template <typename T> T twice(T x) { return x + x; }
        """,
        [
            "module store 3-17: namespace store",
            "module store.disk 3-17: namespace disk",
            "class store.disk.Cache 5-14: class Cache final : public Base, private "
            "detail::Locked<int> [/// Keeps entries.]",
            "method store.disk.Cache.Cache 7-7: explicit Cache(int size) : size_(size)",
            "method store.disk.Cache.~Cache 8-8: ~Cache();",
            "method store.disk.Cache.get 9-9: template <typename T> T get(const Key& key) const;",
            "method store.disk.Cache.operator== 10-10: bool operator==(const Cache& other) const",
            "variable store.disk.Cache.kMax 11-11: static constexpr int kMax = 3;",
            "variable store.disk.Cache.entries_ 13-13: std::vector<Entry> entries_;",
            "enum store.disk.Mode 15-15: enum class Mode : int",
            "constant store.disk.Mode.Fast 15-15: Fast",
            "constant store.disk.Mode.Slow 15-15: Slow",
            "type store.disk.Table 16-16: using Table = std::map<int, Entry>;",
            "method store.disk.Cache.flush 18-23: void store::disk::Cache::flush()",
            "function twice 24-24: template <typename T> T twice(T x)",
        ],
        {
            "call .Key @store.disk.Cache.flush", "call .init @store.disk.Cache.Cache",
            "call .make_unique @store.disk.Cache.flush", "call .run @store.disk.Cache.flush",
            "call other.size @store.disk.Cache.operator==",
            "call this.write @store.disk.Cache.flush", "call util.log @store.disk.Cache.flush",
            "inherit .Base @store.disk.Cache", "inherit .Locked @store.disk.Cache",
            "type .Cache @store.disk.Cache.operator==", "type .Entry @store.disk.Cache.entries_",
            "type .Entry @store.disk.Cache.flush", "type .Entry @store.disk.Table",
            "type .Key @store.disk.Cache.get", "type .Locked @store.disk.Cache",
            "type .T @store.disk.Cache.get", "type .T @twice", "type .map @store.disk.Table",
            "type .vector @store.disk.Cache.entries_",
        },
        [
            ("<vector>", "*", "", 0), ("store/disk.h", "*", "", 0),
        ],
    ),
    Case(
        "csharp",
        r"""
        using System;
        using Maths = System.Math;
        using static App.Data.Store;
        namespace App.Web;
        /// <summary>Serves users.</summary>
        [Route("users")]
        public sealed class UserController : ControllerBase, IThing<User> {
          private const int MAX = 3;
          private readonly Store _store, _other;
          public string Name { get; set; } = "a";
          public UserController(Store store) : base(store) { _store = store; }
          public async Task<User> Find(int id, Filter filter) {
            var user = await _store.Load(id);
            Validate(user); this.Log(); base.Go(); user?.Run();
            return new User(id);
          }
          class Inner { void M() { Make<int>(); } }
        }
        public interface IThing<T> { void Do(T x); }
        public record Point(int X, int Y);
        public enum Color { Red }
        public delegate void Handler(object o);
        """,
        [
            "module App.Web 4-22: namespace App.Web;",
            "class App.Web.UserController 6-18: public sealed class UserController : "
            "ControllerBase, IThing<User> [/// <summary>Serves users.</summary>]",
            "constant App.Web.UserController.MAX 8-8: private const int MAX = 3;",
            "variable App.Web.UserController._store 9-9: private readonly Store _store, _other;",
            "variable App.Web.UserController._other 9-9: private readonly Store _store, _other;",
            'variable App.Web.UserController.Name 10-10: public string Name { get; set; } = "a";',
            "method App.Web.UserController.UserController 11-11: public "
            "UserController(Store store) : base(store)",
            "method App.Web.UserController.Find 12-16: public async Task<User> Find(int "
            "id, Filter filter)",
            "class App.Web.UserController.Inner 17-17: class Inner",
            "method App.Web.UserController.Inner.M 17-17: void M()",
            "interface App.Web.IThing 19-19: public interface IThing<T>",
            "method App.Web.IThing.Do 19-19: void Do(T x);",
            "class App.Web.Point 20-20: public record Point(int X, int Y);",
            "enum App.Web.Color 21-21: public enum Color",
            "constant App.Web.Color.Red 21-21: Red",
            "type App.Web.Handler 22-22: public delegate void Handler(object o);",
        ],
        {
            "call .Make @App.Web.UserController.Inner.M", "call .User @App.Web.UserController.Find",
            "call .Validate @App.Web.UserController.Find",
            "call _store.Load @App.Web.UserController.Find",
            "call base.Go @App.Web.UserController.Find",
            "call this.Log @App.Web.UserController.Find",
            "call user.Run @App.Web.UserController.Find",
            "inherit .ControllerBase @App.Web.UserController",
            "inherit .IThing @App.Web.UserController", "read .Route @App.Web.UserController",
            "type .Filter @App.Web.UserController.Find",
            "type .Store @App.Web.UserController.UserController",
            "type .Store @App.Web.UserController._other", "type .T @App.Web.IThing.Do",
            "type .Task @App.Web.UserController.Find", "type .User @App.Web.UserController",
            "type .User @App.Web.UserController.Find",
        },
        [
            ("System", "*", "", 0), ("System", "Math", "Maths", 0), ("App.Data.Store", "*", "", 0),
        ],
    ),
    Case(
        "ruby",
        r"""
        require "json"
        require_relative "../lib/store"
        module Shop
          # Holds items.
          class Cart < Base::Model
            include Enumerable
            MAX = 3

            def initialize(items = [])
              @items = items
              super(items)
            end

            def self.build(*args) = new(*args)

            class << self
              def all; end
            end

            def total
              items.sum { |item| item.price(1) }
              Shop::Tax.apply(self)
              helper
              save!
            end

            def empty?
              self.items.empty?
            end

            define_method(:dyn) { |x| x }
          end
          Point = Struct.new(:x, :y)
        end

        def top(x)
          x
        end
        """,
        [
            "module Shop 3-34: module Shop",
            "class Shop.Cart 5-32: class Cart < Base::Model [# Holds items.]",
            "constant Shop.Cart.MAX 7-7: MAX = 3",
            "method Shop.Cart.initialize 9-12: def initialize(items = [])",
            "method Shop.Cart.build 14-14: def self.build(*args)",
            "method Shop.Cart.all 17-17: def all; end",
            "method Shop.Cart.total 20-25: def total",
            "method Shop.Cart.empty? 27-29: def empty?",
            "method Shop.Cart.dyn 31-31: define_method(:dyn) { |x| x }",
            "constant Shop.Point 33-33: Point = Struct.new(:x, :y)",
            "function top 36-38: def top(x)",
        ],
        {
            "call .define_method @Shop.Cart.dyn", "call .helper @Shop.Cart.total",
            "call .include @Shop.Cart", "call .new @Shop.Cart.build", "call .require @",
            "call .require_relative @", "call .save! @Shop.Cart.total",
            "call .super @Shop.Cart.initialize", "call .x @top",
            "call Shop::Tax.apply @Shop.Cart.total", "call Struct.new @Shop.Point",
            "call item.price @Shop.Cart.total", "call items.sum @Shop.Cart.total",
            "call self.items @Shop.Cart.empty?", "call self.items.empty? @Shop.Cart.empty?",
            "inherit .Enumerable @Shop.Cart", "inherit Base.Model @Shop.Cart",
            "type .Struct @Shop.Point", "type Shop.Tax @Shop.Cart.total",
        },
        [
            ("json", "*", "", 0), ("../lib/store", "*", "", 1),
        ],
    ),
    Case(
        "php",
        r"""
        <?php
        namespace App\Models;
        use App\Contracts\{Store, Cache as Memo};
        use App\Base;
        use function App\helper;
        require_once __DIR__ . '/boot.php';
        /** A user. */
        #[Entity]
        abstract class User extends Base implements Store, \Countable {
            use Loggable;
            const MAX = 3;
            private ?Store $store = null;
            public function __construct(private Memo $memo, int $n) { parent::__construct(); }
            public static function find(int $id): ?Post {
                $user = self::load($id);
                $user->save(1)->go();
                helper();
                return new Post($id);
            }
            abstract function id(): int;
        }
        interface Sized { function size(); }
        trait Loggable { function log() { $this->write(); } }
        enum Suit: string { case Hearts = 'H'; }
        function top(array $x) { return $x; }
        """,
        [
            "module App.Models 2-25: namespace App\\Models;",
            "class App.Models.User 8-21: abstract class User extends Base implements "
            "Store, \\Countable [/** A user. */]",
            "constant App.Models.User.MAX 11-11: const MAX = 3;",
            "variable App.Models.User.store 12-12: private ?Store $store = null;",
            "method App.Models.User.__construct 13-13: public function __construct(private "
            "Memo $memo, int $n)",
            "method App.Models.User.find 14-19: public static function find(int $id): ?Post",
            "method App.Models.User.id 20-20: abstract function id(): int;",
            "interface App.Models.Sized 22-22: interface Sized",
            "method App.Models.Sized.size 22-22: function size();",
            "trait App.Models.Loggable 23-23: trait Loggable",
            "method App.Models.Loggable.log 23-23: function log()",
            "enum App.Models.Suit 24-24: enum Suit: string",
            "constant App.Models.Suit.Hearts 24-24: case Hearts = 'H';",
            "function App.Models.top 25-25: function top(array $x)",
        ],
        {
            "call $this.write @App.Models.Loggable.log", "call $user.save @App.Models.User.find",
            "call ().go @App.Models.User.find", "call .Post @App.Models.User.find",
            "call .helper @App.Models.User.find",
            "call parent.__construct @App.Models.User.__construct",
            "call self.load @App.Models.User.find", "inherit .Base @App.Models.User",
            "inherit .Countable @App.Models.User", "inherit .Loggable @App.Models.User",
            "inherit .Store @App.Models.User", "read .Entity @App.Models.User",
            "type .Memo @App.Models.User.__construct", "type .Post @App.Models.User.find",
            "type .Store @App.Models.User.store",
        },
        [
            ("App.Contracts", "Store", "", 0), ("App.Contracts", "Cache", "Memo", 0),
            ("App", "Base", "", 0), ("App", "helper", "", 0), ("boot.php", "*", "", 0),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_references_and_imports(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("lines", range(1, 40))
def test_the_first_of_equal_calls_is_the_one_that_is_named(lines: int) -> None:
    """A parser gives what it found in an order of its own, another one in each process."""
    source = "# a line\n" * lines + "Base.new.go\ndef other; end\n" + "Base.new.go\n" * lines
    references = parse_rows(source.encode(), "ruby")[4]
    rows = [row for row in references if row[1] == "go"]
    assert [(row[4], row[6]) for row in rows] == [(lines + 1, lines + 1)]
