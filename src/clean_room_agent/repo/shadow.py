"""A git directory of our own, and the only way `git` is ever started.

Takes: the place of the user's objects, and a path where our shadow git directory may lie.
Gives: git processes that read the user's objects but obey no configuration, hook, filter,
driver, alias or replace ref of the repository, the user or the caller's environment.
Does not know: what a command's output means. Does not guard against a defect in git's own
object parser: a hostile pack is still parsed by git.

The shadow is checked byte for byte before each use and rebuilt when anything in it is not ours:
a repository can ship a directory of that name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clean_room_agent import shell
from clean_room_agent.errors import RepositoryError
from clean_room_agent.repo.safe_read import read_regular

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
_TIMEOUT_SECONDS = 300.0
_MAX_OUTPUT_BYTES = 1 << 30
# Never inside a repository: git would take the place for a prefix, or for a repository.
_NOWHERE = Path("/")

# Highest precedence, so they also win inside the few calls that must open the real repository.
_OVERRIDES = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.askPass=",
    "core.editor=false",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.gitProxy=",
    "credential.helper=",
    "protocol.allow=never",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gpg.program=false",
    "log.showSignature=false",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "worktree.useRelativePaths=false",
)

_ENVIRONMENT = {
    "PATH": _SYSTEM_PATH,
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_FLUSH": "0",
    "GIT_EDITOR": "false",
    "GIT_PAGER": "cat",
    "GIT_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
}


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a git child: an allow-list built from nothing."""
    return {**_ENVIRONMENT, **(extra or {})}


@lru_cache(maxsize=1)
def git_program() -> str:
    """Return the absolute path of git: from the system directories, else from the caller's PATH.

    Only absolute PATH entries count, so a `git` that lies in a repository is never found by
    standing in it.
    """
    own = [entry for entry in os.environ.get("PATH", "").split(":") if entry.startswith("/")]
    found = shutil.which("git", path=_SYSTEM_PATH) or shutil.which("git", path=":".join(own))
    if found is None:
        raise RepositoryError("the git program was not found", hint="install git 2.38 or newer")
    return found


def command(arguments: Sequence[str], *, more: Sequence[str] = ()) -> list[str]:
    """Return the argument list of git with every override in front of `arguments`."""
    words = [git_program(), "--no-pager"]
    for setting in (*_OVERRIDES, *more):
        words += ("-c", setting)
    return [*words, *arguments]


@dataclass(frozen=True, slots=True)
class Shadow:
    """Our git directory at `path`, which reads objects from `objects` and obeys nothing else."""

    path: Path
    objects: Path
    object_format: str
    shallow: bytes = b""

    def run(
        self,
        *arguments: str,
        input_bytes: bytes = b"",
        extra: Mapping[str, str] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> shell.Completed:
        """Run git to its end in the shadow; the exit code is the caller's to check."""
        self.ensure()
        return shell.run(
            command(arguments),
            cwd=_NOWHERE,
            env=self._environment(extra),
            input_bytes=input_bytes,
            timeout_seconds=timeout_seconds,
            max_output_bytes=_MAX_OUTPUT_BYTES,
        )

    def stream(self, *arguments: str, what: str) -> Iterator[bytes]:
        """Yield git's output in blocks; raises `ShellError` at the end on a failure."""
        self.ensure()
        return shell.stream(
            command(arguments), cwd=_NOWHERE, env=self._environment(None), what=what
        )

    def ensure(self) -> Path:
        """Return the shadow's path, after making sure that every byte in it is ours."""
        if not self._is_ours():
            self._rebuild()
        return self.path

    def _environment(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return environment({"GIT_DIR": str(self.path), **(extra or {})})

    def _files(self) -> dict[str, bytes]:
        files = {
            "HEAD": b"ref: refs/heads/none\n",
            "config": _config(self.object_format),
            "objects/info/alternates": _quoted(self.objects) + b"\n",
        }
        if self.shallow:
            files["shallow"] = self.shallow
        return files

    def _is_ours(self) -> bool:
        files = self._files()
        try:
            status = self.path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                return False
            names = {"HEAD", "config", "objects", "refs", *files} - {"objects/info/alternates"}
            if _names(self.path) != names or _names(self.path / "refs"):
                return False
            if _names(self.path / "objects") != {"info"}:
                return False
            if _names(self.path / "objects" / "info") != {"alternates"}:
                return False
        except OSError:
            return False
        return all(
            read_regular(self.path / name, limit_bytes=len(data) + 1) == data
            for name, data in files.items()
        )

    def _rebuild(self) -> None:
        _make_private_directory(self.path.parent)
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            (fresh / "objects" / "info").mkdir(parents=True, mode=0o700)
            (fresh / "refs").mkdir(mode=0o700)
            fresh.chmod(0o700)
            for name, data in self._files().items():
                (fresh / name).write_bytes(data)
            self._put_in_place(fresh)
        except OSError as error:
            raise RepositoryError(
                f"cannot make our own git directory: {error.strerror}", where=str(self.path)
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _put_in_place(self, fresh: Path) -> None:
        """Rename `fresh` into place unless another process has just put one there that is ours."""
        for _ in range(5):
            try:
                fresh.rename(self.path)
                return
            except OSError:
                if self._is_ours():
                    return
            aside = fresh.with_name(f"{fresh.name}.old")
            with contextlib.suppress(FileNotFoundError):
                self.path.rename(aside)
                if aside.is_dir() and not aside.is_symlink():
                    shutil.rmtree(aside)
                else:
                    aside.unlink()
        raise OSError(errno.EBUSY, "another process keeps replacing it")


def _names(directory: Path) -> set[str]:
    return {child.name for child in directory.iterdir()}


def _config(object_format: str) -> bytes:
    lines = ["[core]", "\trepositoryformatversion = 1", "\tbare = true", "\tfilemode = true"]
    if object_format != "sha1":
        lines += ["[extensions]", f"\tobjectformat = {object_format}"]
    return ("\n".join(lines) + "\n").encode("ascii")


def _quoted(path: Path) -> bytes:
    """Return one line for the alternates file; git unquotes a C-style quoted line."""
    raw = os.fsencode(path)
    plain = all(byte >= 0x20 and byte not in b'"\\' for byte in raw)
    if plain and not raw.startswith(b"#"):
        return raw
    body = b"".join(
        bytes((byte,)) if byte >= 0x20 and byte not in b'"\\' else b"\\%03o" % byte for byte in raw
    )
    return b'"' + body + b'"'


def _make_private_directory(path: Path) -> None:
    """Create `path` as 0700 if it is absent; refuse a link or another owner's directory."""
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700, parents=True)
        status = path.lstat()
    except OSError as error:
        raise RepositoryError(
            f"cannot make the state directory: {error.strerror}", where=str(path)
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise RepositoryError(
            "the state directory is a link, a file or another user's",
            where=str(path),
            hint="move it away; a repository must not ship it",
        )
