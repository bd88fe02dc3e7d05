"""`cra doctor`: every problem of this machine, repository and store in one pass, with a next step.

Takes: nothing it needs; each check stands alone. Gives: findings; exit code 0 unless one fails.
Does not know: how to repair what it finds; each finding names the verb that does.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clean_room_agent import __version__, shell
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.errors import CraError, RepositoryError, ShellError
from clean_room_agent.records.spelling import counted

LOW_DISK_BYTES = 1024**3
MIN_GIT = (2, 31)
WAL_RESET_FIXED = (3, 51, 3)


class Level(StrEnum):
    """How bad a finding is; only `fail` changes the exit code."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing."""

    level: Level
    subject: str
    message: str
    hint: str = ""


Check = Callable[[Invocation], Iterator[Finding]]


def doctor(invocation: Invocation) -> int:
    """Run every check, print every finding, return the exit code."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings.extend(check(invocation))
        except CraError as error:
            if all(finding.message != _told(error) for finding in findings):
                name = check.__name__.strip("_")
                findings.append(Finding(Level.FAIL, name, _told(error), error.hint))
    for finding in findings:
        invocation.output.line(f"{finding.level:4}  {finding.subject}: {finding.message}")
        if finding.hint:
            first, *more = finding.hint.splitlines()
            invocation.output.line(f"      next: {first}")
            for line in more:
                invocation.output.line(f"            {line}")
    failed = sum(f.level is Level.FAIL for f in findings)
    warned = sum(f.level is Level.WARN for f in findings)
    invocation.output.line(f"{len(findings)} checks, {failed} failed, {counted(warned, 'warning')}")
    invocation.output.document(
        {
            "version": __version__,
            "findings": [
                {"level": f.level, "subject": f.subject, "message": f.message, "hint": f.hint}
                for f in findings
            ],
        }
    )
    return 1 if failed else 0


def _told(error: CraError) -> str:
    """The message, with the place that it does not name itself."""
    return error.message if error.where in error.message else f"{error.message} ({error.where})"


def _python(_invocation: Invocation) -> Iterator[Finding]:
    yield Finding(
        Level.OK,
        "python",
        f"{platform.python_version()} on {platform.system()} {platform.release()}",
    )


def _git(_invocation: Invocation) -> Iterator[Finding]:
    try:
        done = shell.run(
            ["git", "--version"], cwd=Path("/"), env={"PATH": os.defpath, "LC_ALL": "C"}
        )
    except ShellError as error:
        yield Finding(Level.FAIL, "git", error.message, "install git 2.31 or newer")
        return
    words = done.stdout.decode().split()
    version = tuple(int(part) for part in words[2].split(".")[:2])
    level = Level.OK if version >= MIN_GIT else Level.FAIL
    yield Finding(level, "git", words[2], "" if level is Level.OK else "install git 2.31 or newer")


def _sqlite(_invocation: Invocation) -> Iterator[Finding]:
    from clean_room_agent.store.connect import sqlite_version

    version = sqlite_version()
    shown = ".".join(map(str, version))
    note = (
        "" if version >= WAL_RESET_FIXED else " (before 3.51.3: writers are serialised by our lock)"
    )
    yield Finding(Level.OK, "sqlite", shown + note)


def _sandbox(_invocation: Invocation) -> Iterator[Finding]:
    from clean_room_agent.sandbox import select_backend

    name = "auto"
    backend = select_backend(name)
    yield Finding(Level.OK, "sandbox", f"{backend.name} enforces")
    for feature, state in backend.matrix().items():
        yield Finding(Level.OK, "sandbox", f"{feature}: {state}")


def _repository(invocation: Invocation) -> Iterator[Finding]:
    repository = invocation.repository
    if repository.head is None:
        yield Finding(Level.WARN, "repository", "no commit yet", "make a first commit")
    else:
        yield Finding(Level.OK, "repository", f"{repository.root} at {repository.head[:12]}")
    if repository.is_shallow:
        yield Finding(Level.WARN, "history", "shallow clone: history signals are weaker")
    free = shutil.disk_usage(repository.root).free
    level = Level.OK if free > LOW_DISK_BYTES else Level.WARN
    yield Finding(level, "disk", f"{free / 1024**3:.1f} GiB free")


def _configuration(invocation: Invocation) -> Iterator[Finding]:
    try:
        settings = invocation.settings
    except RepositoryError:
        return
    changed = sum(origin != "built-in" for origin in settings.origins.values())
    yield Finding(Level.OK, "configuration", f"valid, {counted(changed, 'setting')} changed")


def _models(invocation: Invocation) -> Iterator[Finding]:
    """The server, each model as served, and the commands that are left to do."""
    from contextlib import closing

    from clean_room_agent.llm.opening import open_backend
    from clean_room_agent.llm.router import MODEL_LINES, Router, lines_hint
    from clean_room_agent.llm.survey import survey

    config = invocation.settings.config
    router = Router(config)
    if router.is_model_free:
        yield Finding(Level.OK, "models", 'backend = "none": model-free mode')
        return
    with closing(open_backend(router, os.environ)) as transport:
        found = survey(router, transport)
    for entry in found:
        subject = f"{entry.choice.role} model {entry.choice.model}"
        if entry.usable and entry.served:
            window = entry.served.context_tokens
            told = f"{window:,} tokens" if window is not None else "a window it does not tell"
            yield Finding(Level.OK, subject, f"served with {told}")
        else:
            yield Finding(Level.FAIL, subject, entry.problem, "see `cra models`")
    for role in router.roles_without_model():
        hint = lines_hint(MODEL_LINES[role])
        yield Finding(Level.FAIL, f"{role} model", f"[{role}] names no model", hint)
    if router.config.models.backend == "ollama":
        away = [entry.choice.model for entry in found if entry.served is None]
        left = _steps_left(invocation, router.base_url(), away)
        if left:
            yield Finding(Level.OK, "first steps", "; then ".join(left))


def _embedding(invocation: Invocation) -> Iterator[Finding]:
    """Only where [embed] is on: what is away there is away for every verb that reads the index."""
    from clean_room_agent.llm.embedding import find_folder, require_embedding

    config = invocation.settings.config.embed
    if config.enabled:
        require_embedding(config)
        yield Finding(Level.OK, "embeddings", f"the model in {find_folder(config.model)}")


def _steps_left(invocation: Invocation, base_url: str, away: list[str]) -> list[str]:
    """Return the commands still to do; a first solve is none where one was run."""
    from clean_room_agent.commands.model_story import SOLVE, find_ollama, next_commands
    from clean_room_agent.store.connect import Role, database_path
    from clean_room_agent.store.raw_reader import RawReader

    left = next_commands(find_ollama(base_url), away)
    if database_path(Role.RAW, invocation.root).exists():
        with RawReader(invocation.root) as reader:
            if reader.read_runs(limit=1, verb="solve"):
                left.remove(SOLVE)
    return left


def _stores(invocation: Invocation) -> Iterator[Finding]:
    from clean_room_agent.store.audit import check_databases

    for database in check_databases(invocation.root):
        subject = f"{database.name} store"
        if database.message:
            derivable = database.name in ("curated", "vectors")
            hint = "move the file aside, then cra index" if derivable else "cra verify"
            yield Finding(Level.FAIL, subject, database.message, hint)
        else:
            size = f"{database.size_bytes / 1024**2:.1f} MiB"
            yield Finding(Level.OK, subject, f"intact, {size}")


def _leftovers(invocation: Invocation) -> Iterator[Finding]:
    from clean_room_agent.commands.apply import JOURNAL
    from clean_room_agent.commands.gc import find_leftovers
    from clean_room_agent.store.connect import state_dir

    if (state_dir(invocation.root) / JOURNAL).exists():
        yield Finding(
            Level.WARN, "apply", "a change of your tree was interrupted", "cra undo, or cra apply"
        )
    leftovers = find_leftovers(invocation)
    if leftovers:
        yield Finding(
            Level.WARN, "leftovers", f"{len(leftovers)} from finished or dead runs", "cra gc"
        )


CHECKS: tuple[Check, ...] = (
    *(_python, _git, _sqlite, _sandbox, _repository, _configuration, _models, _embedding),
    *(_stores, _leftovers),
)
