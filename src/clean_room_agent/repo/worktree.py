"""Makes, lists and removes worktrees of a commit for a person to open; runs nothing doing so.

Takes: a `Repository`, a commit, a destination. Gives: `Worktree`, `Removal`, `Export`.
Does not know: tasks, sandboxes. `git worktree add --no-checkout` is the one call that opens the
real git directory (with every override of `shadow`); the files are written by us from blobs, and
the index is filled through the shadow, so no hook, filter or download has a chance.

Only worktrees registered by us, by a file of ours in their administrative directory that names
the very place, are listed or removed. What a worktree cannot hide: it shares refs, stash and
history with the user's repository; attempts that must not see those run on an export.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError, ShellError
from clean_room_agent.records.code import CommitId
from clean_room_agent.repo import listing, objects
from clean_room_agent.repo.git import Repository, open_repository
from clean_room_agent.repo.materialise import Written, write_tree
from clean_room_agent.repo.safe_read import read_regular
from clean_room_agent.repo.salvage import Work, salvage
from clean_room_agent.repo.shadow import command, environment
from clean_room_agent.repo.working import dirty_paths

_REGISTRATION = "cra-worktree"
_UNFINISHED = "cra-unfinished"
_SMALL_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Worktree:
    """A linked worktree of ours at `path`, made for `base`; `admin` is git's record of it.

    `written` says what of the commit is not in it or is only a pointer; a listing knows it not.
    `is_finished` is false when its making was interrupted: nobody has worked there then.
    """

    name: str
    path: Path
    base: CommitId
    admin: Path
    is_locked: bool = False
    exists: bool = True
    is_finished: bool = True
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a removal. `salvaged` lists files put into the salvage folder."""

    removed: bool
    reasons: tuple[str, ...]
    salvaged: tuple[Path, ...] = ()


def create_worktree(
    repository: Repository, commit: CommitId, destination: Path, *, name: str = ""
) -> Worktree:
    """Make a detached worktree of `commit` at `destination`, which must not exist yet.

    A person sees a clean `git status` there. Refs, config, stash and the index of the user's
    checkout stay as they are.

    Raises:
        RepositoryError: git refuses, an object is missing, or the place cannot be written;
            nothing is left behind then.
    """
    objects.require_id(commit)
    place = destination.absolute()
    if os.path.lexists(place):
        raise RepositoryError("a worktree needs a path that does not exist", where=str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    place = Path(os.path.realpath(place.parent)) / place.name
    _add(repository, commit, place)
    admin = _admin_of(repository, place)
    try:
        (admin / _UNFINISHED).touch()
        text = f"{commit}\n{os.fsencode(place).hex()}\n{name or place.name}\n"
        (admin / _REGISTRATION).write_text(text, encoding="utf-8", errors="surrogateescape")
        written = write_tree(repository.shadow, commit, place)
        _fill_index(repository, commit, place, admin / "index", written)
        (admin / _UNFINISHED).unlink()
    except BaseException:
        _delete(place, admin)
        raise
    return Worktree(name or place.name, place, commit, admin, written=written)


def _add(repository: Repository, commit: CommitId, place: Path) -> None:
    words = ("worktree", "add", "--quiet", "--detach", "--no-checkout", "--", str(place), commit)
    real = {"GIT_DIR": str(repository.git_dir), "GIT_WORK_TREE": str(repository.root)}
    try:
        made = shell.run(
            command(words), cwd=repository.root, env=environment(real), timeout_seconds=120.0
        )
        made.check("git worktree add")
    except ShellError as error:
        raise RepositoryError(
            f"no worktree could be made: {error.message}", where=str(place)
        ) from error


def _admin_of(repository: Repository, place: Path) -> Path:
    """Return git's administrative directory of the worktree at `place`, checked both ways."""
    text = read_regular(place / ".git", limit_bytes=_SMALL_FILE_BYTES) or b""
    admin = Path(os.path.realpath(place / os.fsdecode(text.removeprefix(b"gitdir: ").strip())))
    if not text.startswith(b"gitdir: ") or admin.parent != repository.common_dir / "worktrees":
        raise RepositoryError("this is no worktree of the repository", where=str(place))
    return admin


def _fill_index(
    repository: Repository, commit: CommitId, place: Path, index: Path, written: Written
) -> None:
    """Write the worktree's index, with file statuses, through the shadow."""
    extra = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(place)}
    repository.shadow.run("read-tree", commit, extra=extra).check("filling the worktree's index")
    # What was not written must not look deleted; submodules have their empty directory.
    absent = [skip.path for skip in written.skipped if not (place / skip.path).is_dir()]
    if absent:
        repository.shadow.run(
            *("update-index", "--skip-worktree", "-z", "--stdin"),
            input_bytes=b"".join(os.fsencode(path) + b"\0" for path in absent),
            extra=extra,
        ).check("marking what was not written")
    repository.shadow.run("update-index", "-q", "--refresh", extra=extra).check("reading statuses")


def list_worktrees(repository: Repository, *, under: Path | None = None) -> list[Worktree]:
    """List the worktrees that we registered, by name; those below `under` if it is given.

    A worktree whose directory is gone is listed with `exists` false.
    """
    found = []
    admins = repository.common_dir / "worktrees"
    prefix = None if under is None else Path(os.path.realpath(under))
    for admin in sorted(admins.iterdir()) if admins.is_dir() else []:
        worktree = _registered(repository, admin)
        if worktree is not None and (prefix is None or worktree.path.is_relative_to(prefix)):
            found.append(worktree)
    return found


def _registered(repository: Repository, admin: Path) -> Worktree | None:
    """Return the worktree of `admin` if our file in it agrees with git's own pointers."""
    text = read_regular(admin / _REGISTRATION, limit_bytes=_SMALL_FILE_BYTES)
    pointer = read_regular(admin / "gitdir", limit_bytes=_SMALL_FILE_BYTES)
    ours = admin.parent == repository.common_dir / "worktrees" and not admin.is_symlink()
    if text is None or pointer is None or not ours:
        return None
    lines = text.decode("utf-8", "surrogateescape").split("\n", 2)
    if len(lines) != 3:
        return None
    try:
        path = Path(os.fsdecode(bytes.fromhex(lines[1])))
    except ValueError:
        return None
    named = Path(os.path.realpath(admin / os.fsdecode(pointer.rstrip(b"\n"))))
    if named != path / ".git":
        return None
    back = read_regular(path / ".git", limit_bytes=_SMALL_FILE_BYTES)
    if back is not None and os.path.realpath(path / os.fsdecode(back[8:].strip())) != str(admin):
        return None
    return Worktree(
        name=lines[2].rstrip("\n"),
        path=path,
        base=CommitId(lines[0]),
        admin=admin,
        is_locked=(admin / "locked").exists(),
        exists=back is not None,
        is_finished=not (admin / _UNFINISHED).exists(),
    )


def remove_worktree(
    repository: Repository, worktree: Worktree, *, salvage_to: Path | None = None
) -> Removal:
    """Remove a worktree of ours, or say why not: locked, in use, or holding work.

    Work (changed or untracked files, commits on top of the base) stops a removal unless
    `salvage_to` is given; then a patch against the base and copies of the untracked files are
    put there first. Ignored files are not work. Locked and used ones are always left alone.
    """
    current = _registered(repository, worktree.admin)
    if current is None or current.path != worktree.path:
        return Removal(False, ("not registered by us",))
    if current.is_locked:
        return Removal(False, ("locked",))
    if not current.exists:
        shutil.rmtree(current.admin)
        return Removal(True, ("its directory was gone",))
    if users := _users_of(current.path):
        return Removal(False, (f"in use by process {', '.join(map(str, users))}",))
    reasons: tuple[str, ...] = ("its making was interrupted",)
    salvaged: tuple[Path, ...] = ()
    if current.is_finished:
        if nested := _nested_in(repository, current):
            return Removal(False, (f"holds a repository of its own: {nested[0]}",))
        work = _work_in(repository, current)
        reasons = _reasons(current, work)
        if reasons and salvage_to is None:
            return Removal(False, reasons)
        if reasons and salvage_to is not None:
            salvaged = salvage(repository, work, salvage_to)
    _delete(current.path, current.admin)
    if os.path.lexists(current.path):
        raise RepositoryError("some files could not be removed", where=str(current.path))
    return Removal(True, reasons, salvaged)


def discard_worktree(repository: Repository, worktree: Worktree) -> None:
    """Remove a worktree that its maker has just made and finished with, whatever is in it.

    Only for content that exists elsewhere; a locked or foreign one is left alone.
    """
    current = _registered(repository, worktree.admin)
    if current is not None and current.path == worktree.path and not current.is_locked:
        _delete(current.path, current.admin)


def _users_of(path: Path) -> list[int]:
    """Processes that stand in `path`, as far as this user may see (Linux)."""
    found = []
    prefix = str(path)
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                where = str((entry / "cwd").readlink())
                if where == prefix or where.startswith(prefix + "/"):
                    found.append(int(entry.name))
    return sorted(found)


def _nested_in(repository: Repository, worktree: Worktree) -> list[str]:
    """List repositories made inside since: no patch and no copy would hold their history."""
    inner = open_repository(worktree.path, shadow=repository.shadow.path)
    present = listing.list_all(inner.layout, repository.shadow)
    return [p.path for p in present if not p.tracked and p.mode == listing.MODE_NESTED]


def _work_in(repository: Repository, worktree: Worktree) -> Work:
    """Compare the worktree with its base: HEAD, and every path by its bytes."""
    inner = open_repository(worktree.path, shadow=repository.shadow.path)
    present = [listed.path for listed in listing.list_all(inner.layout, repository.shadow)]
    tree = objects.read_tree(repository.shadow, worktree.base)
    changed = dirty_paths(worktree.path, tree, present, repository.object_format)
    return Work(
        root=worktree.path,
        base=worktree.base,
        head=inner.head,
        # A link that leads out was never written: its absence is nobody's work.
        changed=tuple(path for path in changed if not _never_written(worktree.path, tree, path)),
    )


def _reasons(worktree: Worktree, work: Work) -> tuple[str, ...]:
    reasons = []
    if work.head != worktree.base:
        reasons.append(f"ahead: HEAD is {work.head}")
    if work.changed:
        reasons.append(f"dirty or untracked: {len(work.changed)} paths, first {work.changed[0]!r}")
    return tuple(reasons)


def _never_written(root: Path, tree: dict[str, objects.TreeEntry], path: str) -> bool:
    absent = not os.path.lexists(root / path)
    return absent and path in tree and tree[path].mode == objects.MODE_LINK


def _delete(place: Path, admin: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(admin, ignore_errors=True)
    with contextlib.suppress(OSError):
        admin.parent.rmdir()


def export_tree(repository: Repository, commit: CommitId, destination: Path) -> Written:
    """Write the files of `commit` into `destination` (new or empty), with no git data at all.

    Raises:
        RepositoryError: the place holds something already, or an object is missing.
    """
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise RepositoryError("an export needs an empty directory", where=str(destination))
    return write_tree(repository.shadow, commit, destination)


__all__ = [
    "Removal",
    "Worktree",
    "create_worktree",
    "discard_worktree",
    "export_tree",
    "list_worktrees",
    "remove_worktree",
]
