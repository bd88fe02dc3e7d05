"""Write a plan to a tree: all files or none, also when killed in between.

Takes: an `EditPlan`, a root, a journal path outside version control. Gives: nothing; the tree is
changed. Does not know: why. A journal that is still there means that the writer died; `recover`
rolls the tree back from it before anything else is done.

Does not guard against: somebody editing the same file between the check and the rename of one
file (the window is one system call); a recovered tree in which the user edited a half-applied
file, which is reported and left alone.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clean_room_agent.errors import EditError
from clean_room_agent.execute.edits import EditPlan, FileEdit, open_root, read_file
from clean_room_agent.execute.paths import check_path, open_parent

JOURNAL_VERSION = 1


def invert(plan: EditPlan) -> EditPlan:
    """Return the plan that takes a tree back to where `plan` found it."""
    return EditPlan(tuple(FileEdit(f.path, f.after, f.before, f.mode) for f in plan.files))


def apply_plan(
    root: Path,
    plan: EditPlan,
    *,
    journal: Path,
    allow_ci: bool = False,
    between: Callable[[str], None] = lambda _name: None,
) -> None:
    """Write every file of `plan` below `root`, or leave the tree as it was.

    `between` is called at each write point by name (fault injection).

    Raises:
        EditError: a file is not as planned any more, or a write failed; the tree is as before.
    """
    if journal.exists():
        raise EditError(
            "an earlier change was interrupted and not yet rolled back",
            where=str(journal),
            hint="run `cra doctor` and look at the files it names",
        )
    with open_root(root) as root_fd:
        for file in plan.files:
            _require(root_fd, file.path, file.before, allow_ci)
        _write_journal(journal, plan)
        between("apply.after_journal")
        done: list[FileEdit] = []
        try:
            for file in plan.files:
                _require(root_fd, file.path, file.before, allow_ci)
                _write(root_fd, file, allow_ci)
                done.append(file)
                between("apply.between_files")
        except (OSError, EditError) as error:
            for file in reversed(done):
                _write(root_fd, FileEdit(file.path, file.after, file.before, file.mode), allow_ci)
            journal.unlink()
            if isinstance(error, EditError):
                raise
            raise EditError(
                f"writing failed ({error.strerror}); every file was put back", where=str(root)
            ) from error
        journal.unlink()


def recover(root: Path, journal: Path) -> tuple[list[str], list[str]]:
    """Roll back a half-applied plan. Return the paths put back, and those left for the user.

    A file that is neither as before nor as planned was edited since: it is left alone.
    """
    entries = _read_journal(journal)
    restored, conflicts = [], []
    with open_root(root) as root_fd:
        for entry in entries["files"]:
            path = os.fsdecode(base64.b64decode(entry["path"]))
            before = None if entry["before"] is None else base64.b64decode(entry["before"])
            found = read_file(root_fd, path, allow_ci=True)
            now = "" if found is None else hashlib.sha256(found[0]).hexdigest()
            if now == entry["after_sha256"]:
                _write(root_fd, FileEdit(path, None, before, entry["mode"] & 0o777), allow_ci=True)
                restored.append(path)
            elif now != entry["before_sha256"]:
                conflicts.append(path)
    journal.unlink()
    return restored, conflicts


def _read_journal(journal: Path) -> dict[str, Any]:
    """Read a journal that we wrote, or refuse what only looks like one."""
    regular = journal.is_file() and not journal.is_symlink()
    try:
        entries = json.loads(journal.read_text("ascii")) if regular else None
    except ValueError:
        entries = None
    if not isinstance(entries, dict) or entries.get("version") != JOURNAL_VERSION:
        raise EditError(
            "this is no journal of this version; nothing was changed",
            where=str(journal),
            hint="look at it, then remove it",
        )
    return entries


def _require(root_fd: int, path: str, expected: bytes | None, allow_ci: bool) -> None:
    found = read_file(root_fd, path, allow_ci=allow_ci)
    present = None if found is None else found[0]
    if present != expected:
        raise EditError(
            "the file changed since the edit was made; nothing was written",
            where=path,
            hint="put yours aside, or take the patch by hand: cra apply --dry-run > fix.patch",
        )


def _write(root_fd: int, file: FileEdit, allow_ci: bool) -> None:
    parts = check_path(file.path, allow_ci=allow_ci)
    with open_parent(root_fd, parts, create=file.after is not None) as parent:
        if file.after is None:
            os.unlink(parts[-1], dir_fd=parent)
            return
        temporary = f".cra-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600, dir_fd=parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(file.after)
                os.fchmod(stream.fileno(), file.mode)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(temporary, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)
            raise
        os.fsync(parent)


def _write_journal(journal: Path, plan: EditPlan) -> None:
    entries = [
        {
            "path": base64.b64encode(os.fsencode(file.path)).decode("ascii"),
            "before": None
            if file.before is None
            else base64.b64encode(file.before).decode("ascii"),
            "before_sha256": file.before_sha256,
            "after_sha256": file.after_sha256,
            "mode": file.mode,
        }
        for file in plan.files
    ]
    text = json.dumps({"version": JOURNAL_VERSION, "files": entries})
    journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = journal.with_name(f"{journal.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(journal)
