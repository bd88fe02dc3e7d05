"""`cra apply` and `cra undo`: a verified patch into the user's tree, and back, byte for byte.

Takes: a verified patch from the log. Gives: changed files, an intent and an outcome row in raw.
Does not know: how the patch was found. Never touches git's index, refs or config.
"""

from __future__ import annotations

import os
from pathlib import Path

from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.lookup import VerifiedPatch, find_verified, open_log
from clean_room_agent.errors import EditError, UsageError
from clean_room_agent.execute import EditPlan, FileEdit, apply_plan, plan_edits, recover
from clean_room_agent.execute.edits import open_root, read_file
from clean_room_agent.records.log import (
    Application,
    ApplicationAction,
    ApplicationPhase,
    ChangedFile,
)
from clean_room_agent.store.connect import state_dir
from clean_room_agent.store.faults import fault_point
from clean_room_agent.store.raw import new_id
from clean_room_agent.store.raw_reader import RawReader

JOURNAL = "apply.journal"


def apply(
    invocation: Invocation, word: str, *, dry_run: bool, allow_ci: bool, quiet: bool = False
) -> None:
    """Write the patch; `quiet` leaves the JSON document to the caller.

    Raises:
        UsageError: there is no verified patch.
        EditError: a file changed since; nothing was written.
    """
    invocation.require_room()
    output = invocation.output
    with open_log(invocation) as reader:
        found = find_verified(reader, word)
        _refuse_second(reader, found)
    files: list[str] = sorted({r.path for r in found.patch.replacements})
    if dry_run:
        output.raw(found.patch.diff)
    else:
        with recorded_run(invocation, "apply", [word]) as run:
            roll_back_interrupted(invocation, run)
            plan = plan_edits(invocation.root, found.patch.replacements, allow_ci=allow_ci)
            change = _Change(invocation, run, found.patch.patch_id, ApplicationAction.APPLY)
            change.carry_out(new_id("c"), plan, allow_ci=allow_ci)
            files = _paths(plan)
            run.summary = {"patch_id": found.patch.patch_id, "files": files}
        for path in files:
            output.line(f"changed {path}")
        output.line("undo: cra undo")
    if not quiet:
        output.document(_document(found, files, dry_run))


def undo(invocation: Invocation, word: str) -> None:
    """Take back an applied patch.

    Raises:
        UsageError: nothing is applied.
        EditError: a file changed since it was applied; nothing was written.
    """
    invocation.require_room()
    output = invocation.output
    with recorded_run(invocation, "undo", [word]) as run:
        roll_back_interrupted(invocation, run)
        with RawReader(invocation.root) as reader:
            applied = _applied(reader, word)
            plan = EditPlan(tuple(_backward(invocation.root, reader, f) for f in applied.files))
        change = _Change(invocation, run, applied.patch_id, ApplicationAction.UNDO)
        change.carry_out(applied.application_id, plan, allow_ci=True)
        run.summary = {"patch_id": applied.patch_id, "files": _paths(plan)}
    for path in _paths(plan):
        output.line(f"restored {path}")
    output.document({"undone": applied.patch_id, "files": _paths(plan)})


def roll_back_interrupted(invocation: Invocation, run: OpenRun) -> list[str]:
    """Undo what a killed `apply` left half done; return the paths put back."""
    journal = state_dir(invocation.root) / JOURNAL
    if not os.path.lexists(journal):
        return []
    with RawReader(invocation.root) as reader:
        intents = reader.read_open_applications()
    if not intents:
        # We log an intent before we write a journal: this one is not ours.
        raise EditError(
            "there is a journal of a change that was never logged; it was not followed",
            where=str(journal),
            hint="look at it, then remove it",
        )
    restored, conflicts = recover(invocation.root, journal)
    for intent in intents:
        run.raw.append_application(
            Application(
                intent.application_id,
                run.run_id,
                intent.patch_id,
                intent.action,
                ApplicationPhase.ROLLED_BACK,
                intent.files,
            )
        )
    for path in restored:
        invocation.output.note(f"put back after an interrupted change: {path}")
    for path in conflicts:
        invocation.output.note(f"left as it is, you edited it since: {path}")
    return restored


class _Change:
    """One logged change of the user's tree: intent, change, outcome."""

    def __init__(
        self, invocation: Invocation, run: OpenRun, patch_id: str, action: ApplicationAction
    ) -> None:
        self._invocation = invocation
        self._run = run
        self._patch_id = patch_id
        self._action = action

    def carry_out(self, application_id: str, plan: EditPlan, *, allow_ci: bool) -> None:
        contents = [c for f in plan.files for c in (f.before, f.after) if c is not None]
        self._append(application_id, ApplicationPhase.INTENT, plan, contents)
        journal = state_dir(self._invocation.root) / JOURNAL
        try:
            apply_plan(
                self._invocation.root,
                plan,
                journal=journal,
                allow_ci=allow_ci,
                between=fault_point,
            )
        except EditError:
            self._append(application_id, ApplicationPhase.ROLLED_BACK, plan, [])
            raise
        self._append(application_id, ApplicationPhase.DONE, plan, [])

    def _append(
        self, application_id: str, phase: ApplicationPhase, plan: EditPlan, contents: list[bytes]
    ) -> None:
        files = tuple(
            ChangedFile(
                f.path, f.before_sha256 or None, f.after_sha256 or None, bool(f.mode & 0o100)
            )
            for f in plan.files
        )
        self._run.raw.append_application(
            Application(
                application_id, self._run.run_id, self._patch_id, self._action, phase, files
            ),
            contents,
        )


def _refuse_second(reader: RawReader, found: VerifiedPatch) -> None:
    if _standing(reader, found.patch.patch_id):
        raise EditError("this patch is applied already", hint="cra undo takes it back")


def _standing(reader: RawReader, patch_id: str | None) -> list[Application]:
    """Return the applications that are done and not undone, oldest first."""
    standing: dict[str, Application] = {}
    for row in reader.read_applications(patch_id=patch_id):
        if row.phase is not ApplicationPhase.DONE:
            continue
        if row.action is ApplicationAction.APPLY:
            standing[row.application_id] = row
        else:
            standing.pop(row.application_id, None)
    return list(standing.values())


def _applied(reader: RawReader, word: str) -> Application:
    """Return the newest application that stands, narrowed by `word`."""
    wanted = None if word == "last" else find_verified(reader, word).patch.patch_id
    standing = _standing(reader, wanted)
    if not standing:
        raise UsageError("nothing is applied that could be undone", hint="cra runs --verb apply")
    return standing[-1]


def _backward(root: Path, reader: RawReader, file: ChangedFile) -> FileEdit:
    before = None if file.after_sha256 is None else reader.read_blob(file.after_sha256)
    after = None if file.before_sha256 is None else reader.read_blob(file.before_sha256)
    with open_root(root) as root_fd:
        present = read_file(root_fd, file.path, allow_ci=True)
    if (None if present is None else present[0]) != before:
        raise EditError(
            "the file changed since the patch was applied; nothing was undone",
            where=file.path,
            hint="take your later change away first, or revert the patch by hand",
        )
    mode = present[1] if present is not None else (0o755 if file.executable else 0o644)
    return FileEdit(file.path, before, after, mode)


def _paths(plan: EditPlan) -> list[str]:
    return [file.path for file in plan.files]


def _document(found: VerifiedPatch, files: list[str], dry_run: bool) -> dict[str, object]:
    return {
        "task_id": found.task.task.task_id,
        "patch_id": found.patch.patch_id,
        "applied": not dry_run,
        "files": [os.fsencode(p).decode("utf-8", "backslashreplace") for p in files],
        "patch": found.patch.diff.decode("utf-8", "backslashreplace"),
    }
