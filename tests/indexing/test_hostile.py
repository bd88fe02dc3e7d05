"""Hostile trees are indexed as far as they can be, and say what was left out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clean_room_agent.errors import StoreBusyError
from clean_room_agent.store.connect import Role
from clean_room_agent.store.locks import write_lock
from tests.indexing.support import dump, index, rows
from tests.support.git import GitRepo

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo(tmp_path / "repo")


@pytest.mark.reliability(case=75)
def test_odd_bytes_and_odd_names_are_indexed_or_say_why(repo: GitRepo) -> None:
    names = {
        b"latin.py": b"# caf\xe9\ndef alpha(): pass\n",
        b"wide.py": "def beta(): pass\n".encode("utf-16"),
        b"nul.py": b"x = 1\0\n",
        b"new\nline.py": b"def gamma(): pass\n",
        b"esc\x1b[31m.py": b"def delta(): pass\n",
        b"bytes\xff.py": b"def epsilon(): pass\n",
        b"l" * 252 + b".py": b"def zeta(): pass\n",
    }
    for name, data in names.items():
        (repo.root / os.fsdecode(name)).write_bytes(data)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "-m", "odd")
    report = index(repo.root)
    assert report.files == len(names)
    assert report.not_parsed == {"binary": 1, "not_text": 1, "partial": 1}
    found = rows(repo.root, "SELECT path FROM files ORDER BY path")
    assert [row[0] for row in found] == sorted(names)
    defined = {str(row[0]) for row in rows(repo.root, "SELECT name FROM symbols")}
    assert defined == {"alpha", "gamma", "delta", "epsilon", "zeta"}
    assert index(repo.root).parsed_blobs == 0


@pytest.mark.reliability(case=76)
def test_large_files_stay_within_stated_caps(repo: GitRepo) -> None:
    with (repo.root / "huge.py").open("wb") as file:
        file.truncate(1 << 30)  # sparse
    repo.write(
        {
            "long.py": "x = '" + "a" * 60_000 + "'\n",
            "big.py": "x = 1\n" * 200_000,
            "ok.py": "y = 1\n",
        }
    )
    report = index(repo.root)
    assert [(item.path, item.reason) for item in report.skipped] == [
        ("huge.py", "too large: 1073741824 bytes")
    ]
    assert report.not_parsed == {"too_large": 2}
    assert report.symbols == 1


@pytest.mark.reliability(case=76)
def test_memory_does_not_grow_with_the_tree(repo: GitRepo) -> None:
    body = "".join(f"def function_{n}(a, b):\n    return a.call_{n}(b)\n" for n in range(900))
    repo.write({f"pkg/m{n}.py": f"# {n}\n{body}" for n in range(150)})
    script = (
        "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from clean_room_agent.repo.git import open_repository\n"
        "from clean_room_agent.indexing import index_repository\n"
        "root = Path(sys.argv[1])\n"
        "index_repository(open_repository(root), repo_path=root)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(repo.root), str(SOURCE)],
        capture_output=True, check=True, env={"PATH": os.environ["PATH"]}, timeout=120,
    )  # fmt: skip
    assert int(done.stdout) < 200_000


@pytest.mark.reliability(case=77)
def test_a_hostile_file_is_marked_and_the_run_goes_on(repo: GitRepo) -> None:
    repo.write({"deep.py": "[" * 49_000, "ok.py": "def alpha(): pass\n"})
    index(repo.root)
    query = "SELECT display, status FROM files JOIN parsed_blobs USING (blob_pk)"
    statuses = {row[0]: row[1] for row in rows(repo.root, query)}
    assert statuses["ok.py"] == "parsed"
    assert statuses["deep.py"] in {"partial", "crashed", "timeout"}


@pytest.mark.reliability(case=78)
def test_links_and_special_files_are_not_followed(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("password = 'alpha'\n")
    (repo.root / "loop").symlink_to(".")
    (repo.root / "root").symlink_to("/")
    (repo.root / "out.py").symlink_to("../secret.py")
    os.mkfifo(repo.root / "pipe.py")
    repo.commit({"ok.py": "x = 1\n"})
    report = index(repo.root)
    assert report.files == 1
    assert {item.path for item in report.skipped} >= {"loop", "root", "out.py"}
    assert rows(
        repo.root, "SELECT count(*) FROM blob_text WHERE identifiers LIKE '%password%'"
    ) == [(0,)]


@pytest.mark.reliability(case=80)
def test_text_built_for_backtracking_costs_linear_time(repo: GitRepo) -> None:
    repo.commit(
        {
            "a.py": '"""' + "aA_" * 300_000 + '"""\n',
            "tsconfig.json": '{"x": "' + "\\\\" * 100_000 + "/*" * 10_000,
            "b.ts": "import './b';\n",
        },
        message="fix" * 15_000 + " bug" * 15_000,
    )
    started = time.monotonic()
    index(repo.root)
    assert time.monotonic() - started < 20


@pytest.mark.reliability(case=83)
def test_what_git_ignores_reaches_no_table(repo: GitRepo) -> None:
    repo.write(
        {
            ".gitignore": "*.log\nbuild/\n!keep.log\n", "sub/.gitignore": "local.py\n",
            ".craignore": "private/\n", "a.log": "alpha", "keep.log": "beta",
            "build/x.py": "alpha = 1", "sub/local.py": "alpha = 1", "sub/other.py": "beta = 1",
            "private/k.py": "alpha = 1",
        }
    )  # fmt: skip
    (repo.root / ".git/info/exclude").write_text("excluded.py\n")
    repo.write({"excluded.py": "alpha = 1"})
    index(repo.root)
    paths = {str(row[0]) for row in rows(repo.root, "SELECT display FROM files")}
    checked = repo.run("check-ignore", "--stdin", "-z", stdin="\0".join(paths).encode())
    assert checked.stdout == b""
    assert paths == {".gitignore", "sub/.gitignore", ".craignore", "keep.log", "sub/other.py"}
    assert dump(repo.root)["found"] == []


@pytest.mark.reliability(case=60)
@pytest.mark.parametrize("rebuild", [False, True], ids=["first index", "update"])
def test_a_kill_in_the_middle_leaves_an_index_that_the_next_run_completes(
    repo: GitRepo, rebuild: bool
) -> None:
    (repo.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
    for n in range(20):
        repo.commit({f"m{k}.py": f"def alpha_{n}_{k}(): pass\n" * 50 for k in range(n + 10)})
    if rebuild:
        repo.git("checkout", "--quiet", "HEAD~9")
        index(repo.root)
        before = dump(repo.root)
        repo.git("checkout", "--quiet", "main")
    script = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from clean_room_agent.repo.git import open_repository\n"
        "from clean_room_agent.indexing import index_repository\n"
        "root = Path(sys.argv[1])\n"
        "def die(phase, done, total):\n"
        "    if phase == sys.argv[3]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "index_repository(open_repository(root), repo_path=root, progress=die)\n"
    )
    for phase in ("scan", "parse", "edges"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(repo.root), str(SOURCE), phase],
            env={"PATH": os.environ["PATH"]}, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL
        if rebuild:
            assert dump(repo.root) == before
    index(repo.root)
    followed = dump(repo.root)
    index(repo.root, full=True)
    assert dump(repo.root) == followed


@pytest.mark.reliability(case=63)
def test_a_second_index_waits_and_then_names_the_holder(repo: GitRepo, monkeypatch) -> None:
    repo.commit({"a.py": "x = 1\n"})
    index(repo.root)
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from clean_room_agent.store.connect import Role\n"
        "from clean_room_agent.store.locks import write_lock\n"
        "with write_lock(Role.CURATED, repo_path=Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(repo.root), str(SOURCE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]},
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with (
            pytest.raises(StoreBusyError, match=str(other.pid)),
            write_lock(Role.CURATED, repo_path=repo.root, wait_seconds=0.1),
        ):
            raise AssertionError("the lock was not held")
        other.kill()
    assert index(repo.root).files == 1
