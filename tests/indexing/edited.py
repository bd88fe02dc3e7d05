"""A repository that random edits are made to: what people and git do to a checkout between indexes.

Takes: steps of an edit's name and three numbers. Gives: `Edited`, `EDITS`. Does not know: what is
compared. Every edit is total: one that makes no sense at the moment changes nothing, so that any
sequence of steps is valid and a failing one can be shortened.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.indexing.edited_files import (
    ATTRIBUTES,
    BRANCHES,
    IGNORES,
    MANIFESTS,
    PATHS,
    START,
    source,
)
from tests.support.git import GitRepo

Edit = Callable[["Edited", int, int, int], None]
EDITS: dict[str, Edit] = {}


def _edit(work: Edit) -> Edit:
    EDITS[work.__name__.strip("_")] = work
    return work


class Edited:
    """The repository under edits, its remote, and a second clone that others push from."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.repo = GitRepo(place / "repo")
        self.root = self.repo.root
        # Not every git of a user knows our directory; a plain `git add --all` must not take it.
        (self.root / ".git" / "info" / "exclude").write_text(".clean_room/\n")
        self.repo.commit(START, "start")
        self.git("clone", "--quiet", "--bare", str(self.root), str(place / "remote"))
        self.git("remote", "add", "origin", str(place / "remote"))
        (place / "outside.py").write_text("def alpha(): pass\n")
        self.serial = 0

    def git(self, *words: str, cwd: Path | None = None) -> bool:
        """Run git as a user would; what makes no sense now is refused by git itself."""
        return self.repo.run("-c", "protocol.file.allow=always", *words, cwd=cwd).returncode == 0

    def apply(self, name: str, a: int, b: int, c: int) -> None:
        try:
            EDITS[name](self, a, b, c)
        except OSError:
            return  # a path runs through a file or a link in a circle, or is a folder now

    def files(self) -> list[str]:
        """Regular files and links of the tree that may be edited, by path."""
        found = []
        for directory, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in (".git", ".clean_room", "sub")]
            found += [str(Path(directory, name).relative_to(self.root)) for name in names]
        return sorted(found)

    def pick(self, number: int, *, links: bool = False) -> str | None:
        """One of the files; a link only where asked for, as what it points at is not ours."""
        files = [path for path in self.files() if links or not (self.root / path).is_symlink()]
        return files[number % len(files)] if files else None

    def put(self, path: str, data: bytes) -> None:
        target = self.root / path
        if target.is_symlink():
            target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def commit(self, message: str = "change") -> None:
        self.repo._minute += 1
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "-m", message)


# the working tree -------------------------------------------------------------------------------


@_edit
def write(to: Edited, a: int, b: int, c: int) -> None:
    path = PATHS[a % len(PATHS)]
    to.put(path, source(path, b, c))


@_edit
def append(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        with (to.root / path).open("ab") as file:
            file.write(source(path, b, c))


@_edit
def same_size(to: Edited, a: int, b: int, c: int) -> None:
    """Other bytes, but the size and the time of the file are as they were."""
    path = to.pick(a)
    if path:
        place = to.root / path
        before = place.stat()
        place.write_bytes(place.read_bytes().replace(b"go", b"og").replace(b"one", b"neo"))
        os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))


@_edit
def empty(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        to.put(path, b"")


@_edit
def binary(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        to.put(path, bytes([0, b % 256, c % 256]) * (1 + a % 5))


@_edit
def crlf(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        data = (to.root / path).read_bytes()
        to.put(path, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"# crlf\r\n")


@_edit
def delete(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a, links=True):
        (to.root / path).unlink()


@_edit
def delete_folder(to: Edited, a: int, b: int, c: int) -> None:
    path = to.pick(a)
    if path and "/" in path:
        shutil.rmtree(to.root / path.split("/", 1)[0])


@_edit
def rename(to: Edited, a: int, b: int, c: int) -> None:
    target = PATHS[b % len(PATHS)]
    if path := to.pick(a, links=True):
        (to.root / target).parent.mkdir(parents=True, exist_ok=True)
        if c % 2:
            to.git("mv", "-f", "--", path, target)
        elif not (to.root / target).is_dir():
            (to.root / path).rename(to.root / target)


@_edit
def rename_case(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a, links=True):
        (to.root / path).rename((to.root / path).with_name(Path(path).name.swapcase()))


@_edit
def rename_test(to: Edited, a: int, b: int, c: int) -> None:
    """A test becomes a source, or the other way round."""
    if path := to.pick(a):
        old = to.root / path
        name = old.name.removeprefix("test_")
        old.rename(old.with_name(name if name != old.name else f"test_{name}"))


@_edit
def copy(to: Edited, a: int, b: int, c: int) -> None:
    path = to.pick(a)
    if path:
        to.put(PATHS[b % len(PATHS)], (to.root / path).read_bytes())


@_edit
def chmod(to: Edited, a: int, b: int, c: int) -> None:
    path = to.pick(a)
    if path:
        (to.root / path).chmod(0o755 if b % 2 else 0o644)


@_edit
def touch(to: Edited, a: int, b: int, c: int) -> None:
    path = to.pick(a)
    if path:
        os.utime(to.root / path, ns=(10**18, 10**18 + b))


@_edit
def link(to: Edited, a: int, b: int, c: int) -> None:
    """A file becomes a link, to a file, a folder, or nothing."""
    if path := to.pick(a, links=True):
        (to.root / path).unlink()
        (to.root / path).symlink_to(
            ("one.py", "../pkg", "nothing", str(to.place / "outside.py"))[b % 4]
        )


@_edit
def swap_kind(to: Edited, a: int, b: int, c: int) -> None:
    """A file becomes a folder that holds it, or a folder one file."""
    path = to.pick(a)
    if path is None:
        return
    place = to.root / path
    if c % 2 and "/" in path:
        folder = to.root / path.split("/", 1)[0]
        shutil.rmtree(folder)
        folder.write_bytes(source(path, b, c))
    else:
        data = place.read_bytes()
        place.unlink()
        to.put(f"{path}/one.py", data)


@_edit
def manifest(to: Edited, a: int, b: int, c: int) -> None:
    path = sorted(MANIFESTS)[a % len(MANIFESTS)]
    to.put(path, MANIFESTS[path][b % 2].encode())


@_edit
def ignore(to: Edited, a: int, b: int, c: int) -> None:
    name = (".gitignore", ".craignore", "pkg/.gitignore", "pkg/.craignore")[a % 4]
    to.put(name, IGNORES[b % len(IGNORES)].encode())


@_edit
def attributes(to: Edited, a: int, b: int, c: int) -> None:
    name = (".gitattributes", "pkg/.gitattributes")[a % 2]
    to.put(name, ATTRIBUTES[b % len(ATTRIBUTES)].encode())


@_edit
def exclude(to: Edited, a: int, b: int, c: int) -> None:
    text = ".clean_room/\n" + IGNORES[a % len(IGNORES)]
    (to.root / ".git" / "info" / "exclude").write_text(text)


@_edit
def secret(to: Edited, a: int, b: int, c: int) -> None:
    to.put((".env", "pkg/id_rsa", "lib/.npmrc")[a % 3], b"TOKEN=1\n")


# the index and the commits ----------------------------------------------------------------------


@_edit
def commit(to: Edited, a: int, b: int, c: int) -> None:
    to.commit(("change", "Fix alpha crash in one", "Add thing\n\nwith go and base")[a % 3])


@_edit
def commit_part(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        to.repo._minute += 1
        to.git("add", "--", path)
        to.git("commit", "--quiet", "-m", "part of alpha")


@_edit
def add_intent(to: Edited, a: int, b: int, c: int) -> None:
    to.git(*(("add", "-N", "."), ("add", "--all"), ("reset", "--quiet"))[a % 3])


@_edit
def untrack(to: Edited, a: int, b: int, c: int) -> None:
    if path := to.pick(a):
        to.git("rm", "--quiet", "--cached", "--", path)


@_edit
def hide(to: Edited, a: int, b: int, c: int) -> None:
    """Flags that make git believe a file is as it was, or left out."""
    flags = ("--skip-worktree", "--assume-unchanged", "--no-skip-worktree", "--no-assume-unchanged")
    if path := to.pick(a):
        to.git("update-index", flags[b % 4], "--", path)


@_edit
def branch(to: Edited, a: int, b: int, c: int) -> None:
    to.git("switch", "--quiet", "--force-create", BRANCHES[a % 3])


@_edit
def switch(to: Edited, a: int, b: int, c: int) -> None:
    to.git("switch", "--quiet", "--discard-changes", BRANCHES[a % 3])


@_edit
def switch_carrying(to: Edited, a: int, b: int, c: int) -> None:
    to.git("switch", "--quiet", BRANCHES[a % 3])


@_edit
def delete_branch(to: Edited, a: int, b: int, c: int) -> None:
    to.git("branch", "--quiet", "-D", BRANCHES[a % 3])


@_edit
def detach(to: Edited, a: int, b: int, c: int) -> None:
    to.git("checkout", "--quiet", "--force", "--detach", f"HEAD~{a % 3}")


@_edit
def orphan(to: Edited, a: int, b: int, c: int) -> None:
    to.serial += 1
    to.git("switch", "--quiet", "--orphan", f"orphan{to.serial}")


@_edit
def reset(to: Edited, a: int, b: int, c: int) -> None:
    to.git("reset", "--quiet", ("--hard", "--mixed", "--soft")[b % 3], f"HEAD~{a % 3}")


@_edit
def back(to: Edited, a: int, b: int, c: int) -> None:
    to.git("reset", "--quiet", "--hard", "HEAD@{1}")


@_edit
def amend(to: Edited, a: int, b: int, c: int) -> None:
    to.git("commit", "--quiet", "--amend", "--all", "--allow-empty", "-m", f"amended {a % 3}")


@_edit
def force_push(to: Edited, a: int, b: int, c: int) -> None:
    """Somebody else rewrites main; it is fetched and taken over."""
    peer = to.place / "peer"
    if not peer.exists():
        to.git("clone", "--quiet", str(to.place / "remote"), str(peer))
    to.git("fetch", "--quiet", cwd=peer)
    to.git("reset", "--quiet", "--hard", f"origin/main~{a % 2}", cwd=peer)
    to.repo._minute += 1
    path = PATHS[b % len(PATHS)]
    if not (peer / path).is_dir() and not any(p.is_file() for p in (peer / path).parents):
        (peer / path).parent.mkdir(parents=True, exist_ok=True)
        (peer / path).write_bytes(source(path, b, c))
    to.git("add", "--all", cwd=peer)
    to.git("commit", "--quiet", "-m", "theirs", cwd=peer)
    to.git("push", "--quiet", "--force", "origin", "HEAD:main", cwd=peer)
    to.git("fetch", "--quiet", "origin")
    to.git("reset", "--quiet", "--hard", "origin/main")


@_edit
def push(to: Edited, a: int, b: int, c: int) -> None:
    to.git("push", "--quiet", "--force", "origin", "HEAD:main")


@_edit
def merge(to: Edited, a: int, b: int, c: int) -> None:
    """A merge that may be left in conflict, with its stages in git's index."""
    to.repo._minute += 1
    to.git("merge", "--quiet", "--no-edit", BRANCHES[a % 3], *(("-X", "ours") if b % 2 else ()))
    if c % 2:
        to.git("merge", "--abort")


@_edit
def pick_commit(to: Edited, a: int, b: int, c: int) -> None:
    to.repo._minute += 1
    if not to.git("cherry-pick", f"{BRANCHES[a % 3]}~{b % 2}"):
        to.git("cherry-pick", "--abort")


@_edit
def rebase(to: Edited, a: int, b: int, c: int) -> None:
    if not to.git("rebase", "--quiet", BRANCHES[a % 3]):
        to.git("rebase", "--abort")


@_edit
def stash(to: Edited, a: int, b: int, c: int) -> None:
    to.git("stash", *(("push", "--quiet", "-u"), ("pop", "--quiet"), ("push", "--quiet"))[a % 3])


@_edit
def clean(to: Edited, a: int, b: int, c: int) -> None:
    to.git("clean", "-fdq", "--exclude=.clean_room")


# how the repository is stored -------------------------------------------------------------------


@_edit
def pack(to: Edited, a: int, b: int, c: int) -> None:
    to.git(*(("pack-refs", "--all"), ("gc", "--quiet", "--prune=now"), ("repack", "-adq"))[a % 3])


@_edit
def prune(to: Edited, a: int, b: int, c: int) -> None:
    """What a rewritten history left behind is gone from the object store too."""
    to.git("reflog", "expire", "--expire=now", "--all")
    to.git("gc", "--quiet", "--prune=now")


@_edit
def replace_object(to: Edited, a: int, b: int, c: int) -> None:
    if a % 2:
        to.git("replace", "-f", "HEAD", "HEAD~1")
    else:
        to.git("replace", "-d", "HEAD")


@_edit
def graft(to: Edited, a: int, b: int, c: int) -> None:
    head = to.repo.run("rev-parse", "HEAD").stdout.strip()
    place = to.root / ".git" / "info" / "grafts"
    place.write_bytes(head + b"\n" if a % 2 and len(head) == 40 else b"")


@_edit
def tag(to: Edited, a: int, b: int, c: int) -> None:
    to.git("tag", "-f", ("one", "HEAD", "main")[a % 3])


@_edit
def sparse(to: Edited, a: int, b: int, c: int) -> None:
    if a % 3:
        to.git("sparse-checkout", "set", ("pkg", "web", "lib")[b % 3])
    else:
        to.git("sparse-checkout", "disable")


@_edit
def index_version(to: Edited, a: int, b: int, c: int) -> None:
    ways = (("--index-version", "4"), ("--split-index",), ("--no-split-index",))
    to.git("update-index", *ways[a % 3])


@_edit
def submodule(to: Edited, a: int, b: int, c: int) -> None:
    """Another repository comes as a submodule, moves on, or goes."""
    other = to.place / "other"
    if not other.exists():
        GitRepo(other).commit({"inner.py": "def alpha(): pass\n"})
    if a % 3 == 0:
        to.git("submodule", "--quiet", "add", "--force", str(other), "sub")
    elif a % 3 == 1:
        (other / "inner.py").write_text(f"def alpha{b}(): pass\n")
        to.git("commit", "--quiet", "--all", "-m", "inner", cwd=other)
        to.git("submodule", "--quiet", "update", "--remote")
    else:
        to.git("rm", "--quiet", "-rf", "sub")


@_edit
def nested(to: Edited, a: int, b: int, c: int) -> None:
    """An untracked repository inside the tree, or a plain folder again."""
    place = to.root / "lib" / "nested"
    if place.exists():
        shutil.rmtree(place / ".git", ignore_errors=True)
    else:
        to.put("lib/nested/deep.py", source("deep.py", b, c))
        to.git("init", "--quiet", str(place))
