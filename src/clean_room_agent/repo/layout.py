"""Finds a repository from files alone: top level, git directory, common directory, and facts.

Takes: a path. Gives: `Layout`, or a `RepositoryError` that says what to do. Does not know: how
objects are read. Obeys nothing that the repository configures; `config` is parsed by git as a
plain file, without includes, only to learn the format and to refuse what points elsewhere.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.safe_read import read_git_file, read_regular
from clean_room_agent.repo.shadow import command, environment

_SMALL_FILE_BYTES = 1 << 16
_CONFIG_BYTES = 1 << 22
_SHALLOW_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a repository lies and how it is stored. All paths are absolute and resolved."""

    root: Path
    git_dir: Path
    common_dir: Path
    object_format: str
    ref_storage: str
    is_partial: bool
    shallow: bytes


def find_layout(path: Path) -> Layout:
    """Find the repository that holds `path`, walking up, without starting git inside it.

    Raises:
        RepositoryError: none there, bare, bare-shaped, owned by another user, or its
            `core.worktree` names another directory.
    """
    root, entry, git_dir = _walk_up(path)
    common_dir = _common_dir(git_dir)
    _check_owner(root, entry, git_dir)
    linked = common_dir != git_dir
    shared = _read_config(common_dir / "config")
    private = {}
    if _truth(shared.get("extensions.worktreeconfig", ["false"])[-1]):
        private = _read_config(git_dir / "config.worktree")
    own = {**({} if linked else shared), **private}
    _check_worktree(root, git_dir, own)
    return Layout(
        root=root,
        git_dir=git_dir,
        common_dir=common_dir,
        object_format=shared.get("extensions.objectformat", ["sha1"])[-1].lower(),
        ref_storage=shared.get("extensions.refstorage", ["files"])[-1].split(":")[0].lower(),
        is_partial=_is_partial(shared),
        shallow=read_git_file(common_dir / "shallow", limit_bytes=_SHALLOW_BYTES) or b"",
    )


def _walk_up(path: Path) -> tuple[Path, Path, Path]:
    """Return top level, its `.git` entry, and the git directory behind that entry."""
    try:
        start = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise RepositoryError(f"cannot open: {error.strerror}", where=str(path)) from error
    if not start.is_dir():
        start = start.parent
    for directory in (start, *start.parents):
        entry = directory / ".git"
        git_dir = _resolve_entry(entry)
        if git_dir is not None:
            return directory, entry, git_dir
        if _looks_like_git_dir(directory):
            raise _bare(directory)
    raise RepositoryError(
        "not a git repository, nor is any directory above",
        where=str(start),
        hint="run `git init` and commit, or name a directory inside a repository",
    )


def _bare(directory: Path) -> RepositoryError:
    return RepositoryError(
        "this directory is, or is shaped like, a bare git repository",
        where=str(directory),
        hint="name the top level of a checkout; a bare repository has no files to work on",
    )


def _resolve_entry(entry: Path) -> Path | None:
    try:
        status = entry.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RepositoryError(f"cannot read: {error.strerror}", where=str(entry)) from error
    if stat.S_ISREG(status.st_mode):
        return _follow_gitfile(entry)
    target = Path(os.path.realpath(entry))
    return target if _looks_like_git_dir(target) else None


def _follow_gitfile(entry: Path) -> Path:
    text = read_regular(entry, limit_bytes=_SMALL_FILE_BYTES) or b""
    if not text.startswith(b"gitdir: "):
        raise RepositoryError("this .git file names no git directory", where=str(entry))
    named = os.fsdecode(text[len(b"gitdir: ") :].rstrip(b"\r\n"))
    target = Path(os.path.realpath(entry.parent / named))
    if not _looks_like_git_dir(target):
        raise RepositoryError(
            f"this .git file names {target}, which is no git directory",
            where=str(entry),
            hint="`git worktree repair` in the main checkout mends a moved worktree",
        )
    return target


def _looks_like_git_dir(directory: Path) -> bool:
    """As git itself decides: HEAD, and objects and refs here or in the common directory."""
    if not os.path.lexists(directory / "HEAD"):
        return False
    if (directory / "commondir").is_file():
        return True
    return (directory / "objects").is_dir() and (directory / "refs").is_dir()


def _common_dir(git_dir: Path) -> Path:
    text = read_regular(git_dir / "commondir", limit_bytes=_SMALL_FILE_BYTES)
    if text is None:
        return git_dir
    common = Path(os.path.realpath(git_dir / os.fsdecode(text.rstrip(b"\r\n"))))
    if not (common / "objects").is_dir():
        raise RepositoryError(
            f"its common directory {common} is not there",
            where=str(git_dir),
            hint="the main checkout was moved or deleted",
        )
    return common


def _check_owner(root: Path, entry: Path, git_dir: Path) -> None:
    """Leave the ruling on another owner's repository to git and the user's `safe.directory`."""
    mine = os.geteuid()
    try:
        owners = {path.lstat().st_uid for path in (root, entry, git_dir)}
    except OSError as error:
        raise RepositoryError(f"cannot read: {error.strerror}", where=str(root)) from error
    if owners == {mine}:
        return
    user = {key: os.environ[key] for key in ("HOME", "XDG_CONFIG_HOME") if key in os.environ}
    kept = environment(user)
    for key in ("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_GLOBAL"):
        del kept[key]
    if sudo := os.environ.get("SUDO_UID"):
        kept["SUDO_UID"] = sudo
    asked = shell.run(
        command(("-C", str(root), "rev-parse", "--git-dir")),
        cwd=Path("/"),
        env=kept,
        timeout_seconds=30.0,
    )
    if asked.returncode != 0:
        words = asked.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(
            f"git refuses this repository of another owner: {words}",
            where=str(root),
            hint=f"if you trust it: git config --global --add safe.directory {root}",
        )


def _read_config(path: Path) -> dict[str, list[str]]:
    """Parse one config file, as a file: no include is followed and nothing is obeyed."""
    if read_git_file(path, limit_bytes=1) is None:
        return {}
    listed = shell.run(
        command(("config", "--file", str(path), "--no-includes", "-z", "--list")),
        cwd=Path("/"),
        env=environment({"GIT_DIR": "/dev/null/none"}),
        timeout_seconds=30.0,
        max_output_bytes=_CONFIG_BYTES,
    )
    if listed.returncode != 0:
        words = listed.stderr.decode("utf-8", "replace").strip()
        raise RepositoryError(f"git cannot parse its configuration: {words}", where=str(path))
    values: dict[str, list[str]] = {}
    for record in listed.stdout.split(b"\0"):
        key, has_value, value = record.partition(b"\n")
        text = os.fsdecode(value) if has_value else "true"
        values.setdefault(os.fsdecode(key), []).append(text)
    return values


def _check_worktree(root: Path, git_dir: Path, own: dict[str, list[str]]) -> None:
    named = own.get("core.worktree", [""])[-1]
    if named:
        target = Path(os.path.realpath(git_dir / named))
        if target != root:
            raise RepositoryError(
                f"its core.worktree names another directory: {target} instead of {root}",
                where=str(git_dir),
                hint="unset core.worktree in this repository, or work in that directory",
            )
    elif _truth(own.get("core.bare", ["false"])[-1]):
        raise _bare(git_dir)


def _is_partial(shared: dict[str, list[str]]) -> bool:
    if "extensions.partialclone" in shared:
        return True
    return any(
        key.startswith("remote.") and key.endswith(".promisor") and _truth(values[-1])
        for key, values in shared.items()
    )


def _truth(value: str) -> bool:
    return value.lower() in ("true", "yes", "on", "1")
