"""An index that followed changes equals one made from nothing."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from clean_room_agent.indexing import index_repository
from clean_room_agent.repo.git import open_repository
from clean_room_agent.store.curated_reader import CuratedReader, TextTable
from clean_room_agent.store.kept import count_kept, drop_kept
from tests.indexing.support import dump, index, rows
from tests.support.git import GitRepo

FILES = {
    "pkg/__init__.py": "from .core import Base, helper as help_me\nfrom .more import *\n",
    "pkg/core.py": "class Base:\n    def alpha(self):\n        return self.beta()\n"
    "    def beta(self):\n        return helper(1)\n\n\ndef helper(x):\n    return x\n",
    "pkg/more.py": "from pkg.core import Base\nclass Child(Base):\n    def go(self):\n"
    "        self.alpha()\n        self.beta()\n\ndef extra():\n    return Child().go()\n",
    "pkg/use.py": "import pkg\nfrom pkg import Child, help_me, extra\n\n\nclass Deep(Child):\n"
    "    def run(self, thing):\n        self.alpha()\n        thing.gamma()\n        help_me(2)\n"
    "        pkg.core.helper(3)\n        return extra()\n",
    "tests/test_core.py": "from pkg.core import helper\n\ndef test_it():\n    assert helper(1)\n",
    "web/a.ts": "import { b } from './b';\nexport function a(): number { return b(); }\n",
    "web/b.ts": "export function b(): number { return 1; }\n",
    "notes.md": "alpha and beta\n",
}


def _assert_equals_fresh(repo: GitRepo) -> None:
    followed = dump(repo.root)
    shutil.rmtree(repo.root / ".clean_room")
    index(repo.root)
    fresh = dump(repo.root)
    for name in fresh:
        assert followed[name] == fresh[name], name


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    repo = GitRepo(tmp_path / "repo")
    (repo.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    repo.commit(FILES, "start")
    return repo


def _append(path: str, text: str):
    def change(repo: GitRepo) -> None:
        place = repo.root / path
        place.write_text(place.read_text() + text)

    return change


def _replace(path: str, old: str, new: str):
    def change(repo: GitRepo) -> None:
        place = repo.root / path
        assert old in place.read_text()
        place.write_text(place.read_text().replace(old, new))

    return change


CHANGES = {
    "comment": _append("pkg/core.py", "# alpha\n"),
    "ordinals shift": _replace("pkg/core.py", "class Base:", "def first(): pass\n\nclass Base:"),
    "method renamed": _replace("pkg/core.py", "def beta", "def delta"),
    "method overridden": _append("pkg/more.py", "class Other:\n    def gamma(self): pass\n"),
    "ambiguous": _append("pkg/core.py", "class A:\n    def go(self): 1\n    def gamma(self): 1\n"),
    "base changed": _replace("pkg/more.py", "Child(Base)", "Child"),
    "import removed": _replace("pkg/more.py", "from pkg.core import Base\n", ""),
    "alias changed": _replace("pkg/__init__.py", "helper as help_me", "helper"),
    "star removed": _replace("pkg/__init__.py", "from .more import *\n", ""),
    "function added": _append("pkg/use.py", "def beta(): return help_me(1)\n"),
    "class renamed": _replace("pkg/core.py", "class Base", "class Basic"),
    "file added": lambda repo: repo.write({"pkg/new.py": "from .core import Base\nalpha = Base\n"}),
    "file deleted": lambda repo: (repo.root / "pkg/more.py").unlink(),
    "file renamed": lambda repo: repo.git("mv", "pkg/more.py", "pkg/less.py"),
    "committed rename": lambda repo: (repo.git("mv", "web/b.ts", "web/c.ts"), repo.commit()),
    "same content twice": lambda repo: repo.write({"pkg/copy.py": FILES["pkg/core.py"]}),
    "became binary": lambda repo: repo.write({"pkg/use.py": b"\0\1"}),
    "became executable": lambda repo: (repo.root / "pkg/use.py").chmod(0o755),
    "commit": lambda repo: repo.commit({"pkg/use.py": "x = 1\n"}, "Fix the alpha crash"),
    "ignored": lambda repo: repo.write({".gitignore": "pkg/use.py\nnotes.md\n"}),
    "craignored": lambda repo: repo.write({".craignore": "pkg/\n"}),
}  # fmt: skip


@pytest.mark.reliability(case=82)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_index_that_followed_one_change_equals_a_fresh_one(repo: GitRepo, change) -> None:
    index(repo.root)
    change(repo)
    index(repo.root)
    _assert_equals_fresh(repo)


@pytest.mark.reliability(case=82)
@pytest.mark.parametrize("seed", range(8))
def test_an_index_that_followed_modules_come_and_gone_equals_a_fresh_one(
    repo: GitRepo, seed: int
) -> None:
    chance = random.Random(seed)
    paths = [
        "pkg/one.py",
        "pkg/two.py",
        "lib/one.py",
        "one.py",
        "tests/test_one.py",
        "pkg/sub/a.py",
    ]
    lines = [
        "from .one import thing", "from pkg.one import Kind as Sort", "import one",
        "import pkg.one",
        "from pkg import two", "from .two import *", "from . import one as first", "thing()",
        "one.thing()", "first.thing()", "x.go()", "class Kind(Sort): pass", "from one import thing",
        "class Sort(pkg.one.Kind):", "    def go(self): self.run(); self.alpha()",
        "    def run(self): thing()", "def thing(): two.thing()", "class Low(Sort): pass",
    ]  # fmt: skip
    repo.write({f"pkg/fill{n}.py": f"def fill{n}(): pass\n" for n in range(30)})
    index(repo.root)
    for _ in range(8):
        for path in chance.sample(paths, chance.choice((1, 1, 2))):
            if (repo.root / path).exists() and chance.random() < 0.6:
                (repo.root / path).unlink()
            else:
                text = "\n".join(chance.choices(lines, k=chance.randint(1, 9)))
                repo.write({path: text + "\n"})
        index(repo.root)
    _assert_equals_fresh(repo)


@pytest.mark.reliability(case=82)
@pytest.mark.parametrize("seed", range(6))
def test_an_index_that_followed_many_changes_equals_a_fresh_one(repo: GitRepo, seed: int) -> None:
    chance = random.Random(seed)
    paths = ["pkg/core.py", "pkg/more.py", "pkg/use.py", "pkg/__init__.py", "tests/test_core.py"]
    lines = [
        "class Base: pass", "class Child(Base): pass", "from .core import *", "helper()",
        "from .more import Child as Base", "def helper(): return alpha()", "def alpha(): Base.go()",
        "import pkg.core as core", "core.helper()", "class Deep(core.Base):",
        "    def go(self): self.alpha()",
        "    def alpha(self): x.go()", "class Other(Child):", "    def beta(self): super().go()",
    ]  # fmt: skip
    index(repo.root)
    for _ in range(6):
        for path in chance.sample(paths, chance.choice((1, 1, 2))):
            text = "\n".join(chance.choices(lines, k=chance.randint(1, 9)))
            (repo.root / path).write_text(text + "\n")
        index(repo.root)
    _assert_equals_fresh(repo)


@pytest.mark.reliability(case=82)
def test_switching_branches_and_back_equals_a_fresh_index(repo: GitRepo) -> None:
    index(repo.root)
    before = dump(repo.root)
    repo.git("switch", "--quiet", "-c", "other")
    repo.git("rm", "--quiet", "pkg/use.py")
    repo.commit({"pkg/core.py": "def alpha(): pass\n"}, "other branch")
    index(repo.root)
    _assert_equals_fresh(repo)
    repo.git("switch", "--quiet", "main")
    index(repo.root)
    assert dump(repo.root) == before


@pytest.mark.reliability(case=81)
def test_a_rewritten_history_drops_stale_commits(repo: GitRepo) -> None:
    repo.commit({"pkg/use.py": "x = 1\n"}, "to be dropped")
    index(repo.root)
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    repo.commit({"pkg/use.py": "x = 2\n"}, "instead")
    report = index(repo.root)
    assert report.new_commits == 1
    assert [row[2] for row in dump(repo.root)["commits"]].count("to be dropped") == 0
    _assert_equals_fresh(repo)


def test_nothing_changed_means_nothing_is_written(repo: GitRepo) -> None:
    index(repo.root)
    database = repo.root / ".clean_room" / "curated.sqlite"
    later = database.stat().st_mtime_ns + 10_000_000_000
    for path in FILES:
        os.utime(repo.root / path, ns=(1, later - 100_000_000_000))
    index(repo.root)
    before = database.read_bytes()
    report = index(repo.root)
    assert (report.parsed_blobs, report.new_commits, report.reused_blobs) == (0, 0, len(FILES))
    assert database.read_bytes() == before
    assert not (database.parent / "curated.sqlite-wal").exists()


def test_only_the_changed_blob_is_parsed(repo: GitRepo) -> None:
    index(repo.root)
    (repo.root / "pkg/core.py").write_text("def alpha(): pass\n")
    report = index(repo.root)
    assert (report.parsed_blobs, report.reused_blobs) == (1, len(FILES) - 1)


def test_full_parses_everything_again_and_changes_nothing(repo: GitRepo) -> None:
    index(repo.root)
    before = dump(repo.root)
    report = index(repo.root, full=True)
    assert report.parsed_blobs == len(FILES)
    assert dump(repo.root) == before


def test_an_unborn_branch_and_an_empty_repository_are_indexed(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path / "repo")
    assert index(repo.root).files == 0
    repo.write({"a.py": "x = 1\n"})
    report = index(repo.root)
    assert (report.files, report.commits, report.head) == (1, 0, "")


@pytest.mark.reliability(case=75)
def test_a_module_whose_name_is_no_text_comes_and_goes(repo: GitRepo) -> None:
    index(repo.root)
    odd = repo.root / os.fsdecode(b"pkg/od\xffd.py")
    odd.write_text("def helper(x): pass\n")
    index(repo.root)
    odd.unlink()
    index(repo.root)
    _assert_equals_fresh(repo)


def _two_branches(repo: GitRepo) -> None:
    """`main`, and `side` with another content at one path and a file of its own; on `main`."""
    repo.git("switch", "-c", "side")
    repo.commit(
        {"pkg/core.py": "def onlyaside():\n    return 1\n", "side.py": "alpha = 1\n"}, "fix side"
    )
    repo.git("switch", "main")
    repo.commit({"pkg/new.py": "def newest():\n    return 2\n"}, "on main")


def test_a_branch_that_was_seen_is_not_parsed_again(repo: GitRepo) -> None:
    _two_branches(repo)
    index(repo.root)
    before = dump(repo.root)
    repo.git("switch", "side")
    there = index(repo.root)
    assert (there.parsed_blobs, there.new_commits) == (2, 1)
    repo.git("switch", "main")
    back = index(repo.root)
    assert (back.parsed_blobs, back.new_commits) == (0, 1)
    assert dump(repo.root) == before
    repo.git("switch", "side")
    assert index(repo.root).parsed_blobs == 0
    _assert_equals_fresh(repo)


def test_contents_of_another_branch_never_show(repo: GitRepo) -> None:
    _two_branches(repo)
    repo.git("switch", "side")
    index(repo.root)
    asked = ("onlyaside", "alpha")

    def shown() -> list[object]:
        with CuratedReader(repo.root) as reader:
            table = TextTable.BLOBS
            return [
                reader.count_symbols_named(asked),
                [symbol.symbol.name for symbol in reader.read_symbols_named(asked[0], limit=9)],
                [len(reader.search_term(table, term, [(1.0, 1.0, 1.0)])) for term in asked],
                [reader.count_hits(table, term, at_most=99) for term in asked],
                reader.count_rows(table),
            ]

    on_side = shown()
    assert on_side[1] == ["onlyaside"]
    repo.git("switch", "main")
    report = index(repo.root)
    # The control: the rows are there, and a reader that does not go through the files sees them.
    assert rows(repo.root, "SELECT count(*) FROM symbols WHERE name = 'onlyaside'") == [(1,)]
    followed = shown()
    assert followed[1] == [] and "onlyaside" not in followed[0]  # type: ignore[operator]
    shutil.rmtree(repo.root / ".clean_room")
    fresh = index(repo.root)
    assert followed == shown()
    assert (report.symbols, report.references) == (fresh.symbols, fresh.references)


@pytest.mark.parametrize(("kept_blobs", "parsed"), [(0.0, 2), (0.125, 1), (1.0, 0)])
def test_no_more_contents_are_kept_than_the_bound_says(
    repo: GitRepo, kept_blobs: float, parsed: int
) -> None:
    _two_branches(repo)
    repo.git("switch", "side")
    index(repo.root)
    repo.git("switch", "main")
    index_repository(open_repository(repo.root), repo_path=repo.root, kept_blobs=kept_blobs)
    kept = len(rows(repo.root, "SELECT 1 FROM kept_blobs"))
    assert kept == 2 - parsed
    assert rows(repo.root, "SELECT count(*) FROM parsed_blobs") == [(len(FILES) + 1 + kept,)]
    repo.git("switch", "side")
    assert index(repo.root).parsed_blobs == parsed
    _assert_equals_fresh(repo)


def test_what_is_kept_for_other_branches_can_be_dropped(repo: GitRepo) -> None:
    assert count_kept(repo_path=repo.root) == 0  # and no database is made to say so
    assert not (repo.root / ".clean_room" / "curated.sqlite").exists()
    _two_branches(repo)
    repo.git("switch", "side")
    index(repo.root)
    repo.git("switch", "main")
    index(repo.root)
    assert count_kept(repo_path=repo.root) == 2
    before = dump(repo.root)
    drop_kept(repo_path=repo.root)
    assert count_kept(repo_path=repo.root) == 0
    assert dump(repo.root) == before
    repo.git("switch", "side")
    assert index(repo.root).parsed_blobs == 2


def test_a_branch_that_git_forgot_is_dropped_with_all_its_commits(repo: GitRepo) -> None:
    for number in range(12):
        repo.commit({"notes.md": f"alpha {number}\n"}, f"note {number}")
    index(repo.root)
    repo.git("reset", "--hard", "HEAD~2")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--prune=now", "--quiet")
    repo.commit({"notes.md": "alpha again\n"}, "fix another way")
    index(repo.root)
    _assert_equals_fresh(repo)
