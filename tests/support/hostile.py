"""Repositories that carry one or every way of making git run a program (reliability case G).

Each `Vector` plants one attack whose program leaves a marker, and knows the ordinary git command
that falls for it: the negative control. `hostile_repo` builds a repository with chosen vectors.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.git import GitRepo, plain_environment

ODD_FILTER = "q7$(x)&;'.%s"
_HOOKS = (
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
    "post-index-change",
)


class HostileRepo(GitRepo):
    """A repository with attacks in it; `ran()` names those whose program was started."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.markers = root.parent / f"{root.name}-markers"
        self.markers.mkdir()
        self.programs = root.parent / f"{root.name}-programs"
        self.programs.mkdir()
        self.missing_blob = ""

    def program(self, name: str, *, then: str = "exit 0") -> Path:
        """Write a program that leaves the marker `name`."""
        place = self.programs / name
        place.write_text(f"#!/bin/sh\n: > '{self.markers / name}'\n{then}\n")
        place.chmod(0o755)
        return place

    def configure(self, *settings: tuple[str, str]) -> None:
        for key, value in settings:
            self.git("config", key, value)

    def ran(self) -> list[str]:
        return sorted(marker.name for marker in self.markers.iterdir())


@dataclass(frozen=True)
class Vector:
    """One attack: what it commits, how it is armed, and the plain command that it catches."""

    name: str
    plant: Callable[[HostileRepo], object]
    control: Callable[[HostileRepo], object]
    prepare: Callable[[HostileRepo], object] = lambda repo: None


def _command(*arguments: str) -> Callable[[HostileRepo], object]:
    return lambda repo: repo.run(*arguments)


def _touched(*arguments: str) -> Callable[[HostileRepo], object]:
    def control(repo: HostileRepo) -> object:
        for name in ("a.py", "notes.txt"):
            place = repo.root / name
            place.write_text(place.read_text().replace("1", "2"))
        return repo.run(*arguments)

    return control


def _key(key: str, *, then: str = "exit 0") -> Callable[[HostileRepo], None]:
    def plant(repo: HostileRepo) -> None:
        program = repo.program(re.sub(r"[^\w.]", "_", key), then=then)
        repo.configure((key, shlex.quote(str(program))))

    return plant


def _attributes(line: str) -> Callable[[HostileRepo], object]:
    """Commit an attribute while no driver is configured, as an attacker would."""

    def prepare(repo: HostileRepo) -> None:
        with (repo.root / ".gitattributes").open("a") as attributes:
            attributes.write(line + "\n")
        repo.commit(message="attributes")

    return prepare


def _hooks(repo: HostileRepo) -> None:
    for name in _HOOKS:
        hook = repo.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(repo.program(f"hook-{name}").read_bytes())
        hook.chmod(0o755)


def _hooks_path(repo: HostileRepo) -> None:
    folder = repo.root / "tools" / "hooks"
    folder.mkdir(parents=True)
    for name in _HOOKS:
        (folder / name).write_bytes(repo.program(f"hookspath-{name}").read_bytes())
        (folder / name).chmod(0o755)
    repo.configure(("core.hooksPath", "tools/hooks"))


def _run_hooks(repo: HostileRepo) -> None:
    repo.run("commit", "--allow-empty", "-m", "x")
    repo.run("update-ref", "refs/heads/another", "HEAD")
    repo.run("read-tree", "HEAD")
    repo.run("worktree", "add", "-q", "--detach", str(repo.root.parent / f"{repo.root.name}-x"))


def _include(repo: HostileRepo) -> None:
    program = repo.program("include.path")
    (repo.root / ".git" / "more").write_text(f"[core]\n\tfsmonitor = {program}\n")
    repo.configure(("include.path", "more"))


def _include_if(repo: HostileRepo) -> None:
    program = repo.program("includeIf")
    (repo.root / ".git" / "more-if").write_text(f"[core]\n\tfsmonitor = {program}\n")
    repo.configure(("includeIf.gitdir:/.path", "more-if"))


def _worktree_config(repo: HostileRepo) -> None:
    repo.configure(("extensions.worktreeConfig", "true"))
    repo.git("config", "--worktree", "core.fsmonitor", str(repo.program("config.worktree")))


def _show_signature(repo: HostileRepo) -> None:
    tree, head = repo.git("rev-parse", "HEAD^{tree}"), repo.git("rev-parse", "HEAD")
    who = "Ada Example <ada@example.org> 1700009999 +0000"
    signed = (
        f"tree {tree}\nparent {head}\nauthor {who}\ncommitter {who}\n"
        "gpgsig -----BEGIN PGP SIGNATURE-----\n \n abcd\n -----END PGP SIGNATURE-----\n\nsigned\n"
    )
    repo.git("update-ref", "refs/heads/main", repo.raw_commit(signed.encode()))
    repo.configure(
        ("log.showSignature", "true"), ("gpg.program", str(repo.program("log.showSignature")))
    )


def _remote(name: str, url: str, *more: tuple[str, str]) -> Callable[[HostileRepo], None]:
    def plant(repo: HostileRepo) -> None:
        program = str(repo.program(name))
        filled = [(key, value.replace("PROGRAM", program)) for key, value in more]
        filled = [(key.replace("PROGRAM", program), value) for key, value in filled]
        repo.configure((f"remote.{name}.url", url.replace("PROGRAM", program)), *filled)

    return plant


def _promisor(repo: HostileRepo) -> None:
    blob = repo.git("rev-parse", "HEAD:a.py")
    (repo.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    repo.missing_blob = blob
    program = repo.program("promisor")
    repo.configure(
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "far"),
        ("remote.far.promisor", "true"),
        ("remote.far.url", "https://example.invalid/x"),
        (f"url.ext::{program} .insteadOf", "https://example.invalid/"),
        ("protocol.ext.allow", "always"),
    )


def _bare_shaped(repo: HostileRepo) -> None:
    inner = repo.root / "vendor" / "data"
    for folder in ("objects", "refs", "tree"):
        (inner / folder).mkdir(parents=True)
        (inner / folder / "keep").write_text("")
    (inner / "HEAD").write_text("ref: refs/heads/main\n")
    program = repo.program("bare-shaped")
    (inner / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = tree\n"
        f"\tfsmonitor = {program}\n"
    )
    repo.commit(message="vendor some data")


def _submodule(repo: HostileRepo) -> None:
    inner = GitRepo(repo.root.parent / f"{repo.root.name}-inner")
    inner.commit({"in.py": "1\n"})
    allow = ("-c", "protocol.file.allow=always")
    repo.git(*allow, "submodule", "--quiet", "add", str(inner.root), "sub")
    repo.commit(message="add a submodule")


def _in_submodule(repo: HostileRepo) -> None:
    program = repo.program("submodule")
    repo.git("config", "core.fsmonitor", str(program), cwd=repo.root / "sub")


def _in_bare(repo: HostileRepo) -> object:
    return repo.run("status", cwd=repo.root / "vendor" / "data")


def _paged(repo: HostileRepo) -> None:
    """A pager starts only on a terminal, so give git one."""
    ours, theirs = pty.openpty()
    environment = plain_environment(repo.home)
    with subprocess.Popen(
        ["git", "-p", "log"],
        cwd=repo.root,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as child:
        os.close(theirs)
        child.wait(timeout=30)
    os.close(ours)


def _credential(repo: HostileRepo) -> object:
    return repo.run(
        "credential", "fill", stdin=b"protocol=https\nhost=example.invalid\nusername=u\n\n"
    )


def _two_sides(repo: HostileRepo) -> None:
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({".gitattributes": "merged.txt merge=mine\n", "merged.txt": "side\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({".gitattributes": "merged.txt merge=mine\n", "merged.txt": "main\n"})


VECTORS = (
    Vector("core.fsmonitor", _key("core.fsmonitor"), _command("status")),
    Vector("hooks", _hooks, _run_hooks),
    Vector("core.hooksPath", _hooks_path, _run_hooks),
    Vector(
        "filter-clean",
        _key(f"filter.{ODD_FILTER}.clean", then="cat"),
        _touched("status"),
        _attributes(f"*.py filter={ODD_FILTER}"),
    ),
    Vector(
        "filter-smudge",
        _key("filter.z9k.smudge", then="cat"),
        lambda repo: repo.run("worktree", "add", "--detach", str(repo.root.parent / "smudged")),
        _attributes("pkg/*.py filter=z9k"),
    ),
    Vector(
        "filter-process",
        _key("filter.0.p/q.process"),
        _touched("diff"),
        _attributes("a.py filter=0.p/q"),
    ),
    Vector("diff.external", _key("diff.external"), _touched("diff")),
    Vector(
        "textconv",
        _key("diff.conv.textconv", then="cat"),
        _command("log", "-p"),
        _attributes("*.txt diff=conv"),
    ),
    Vector(
        "diff-command",
        _key("diff.cmd.command"),
        _touched("diff"),
        _attributes("*.txt diff=cmd"),
    ),
    Vector("merge-driver", _key("merge.mine.driver"), _command("merge", "side"), _two_sides),
    Vector("core.pager", _key("core.pager", then="cat > /dev/null"), _paged),
    Vector("core.editor", _key("core.editor"), _command("commit", "--allow-empty")),
    Vector(
        "alias",
        lambda repo: repo.configure(("alias.st", f"!{repo.program('alias')}")),
        _command("st"),
    ),
    Vector("include.path", _include, _command("status")),
    Vector("includeIf", _include_if, _command("status")),
    Vector("config.worktree", _worktree_config, _command("status")),
    Vector(
        "gpg.program",
        lambda repo: (_key("gpg.program")(repo), repo.configure(("commit.gpgSign", "true")))[0],
        _command("commit", "--allow-empty", "-m", "x"),
    ),
    Vector("log.showSignature", _show_signature, _command("log", "-1")),
    Vector(
        "core.sshCommand",
        _remote("ssh", "ssh://example.invalid/x", ("core.sshCommand", "PROGRAM")),
        _command("fetch", "ssh"),
    ),
    Vector(
        "core.gitProxy",
        _remote("proxy", "git://example.invalid/x", ("core.gitProxy", "PROGRAM")),
        _command("fetch", "proxy"),
    ),
    Vector(
        "insteadOf-ext",
        _remote(
            "ext",
            "https://example.invalid/x",
            ("url.ext::PROGRAM .insteadOf", "https://example.invalid/"),
            ("protocol.ext.allow", "always"),
        ),
        _command("fetch", "ext"),
    ),
    Vector("credential.helper", _key("credential.helper"), _credential),
    Vector("core.askPass", _key("core.askPass"), _credential),
    Vector("promisor", _promisor, lambda repo: repo.run("cat-file", "-p", repo.missing_blob)),
    Vector("submodule", _in_submodule, _command("status"), _submodule),
    Vector("bare-shaped", lambda repo: None, _in_bare, _bare_shaped),
)


def hostile_repo(root: Path, *vectors: Vector) -> HostileRepo:
    """Build a small repository at `root` and plant `vectors`; nothing has run when it returns."""
    repo = HostileRepo(root)
    repo.commit({"a.py": "x = 1\n", "notes.txt": "line 1\n", "merged.txt": "base\n"}, "first")
    repo.commit({"pkg/b.py": "y = 1\n"}, "second")
    for vector in vectors:
        vector.prepare(repo)
    for vector in vectors:
        vector.plant(repo)
    for marker in repo.markers.iterdir():
        marker.unlink()
    return repo
