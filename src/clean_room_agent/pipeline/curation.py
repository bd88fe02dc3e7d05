"""Which room an attempt works in: the first package, or a new one where failures name more.

Takes: a `Ground`, a built package. Gives: `Curation`: the current package with its base bytes.
Does not know: models, or what is done in the room. A fresh prompt is made every turn; the package
behind it is built anew only where a failure text names code that is not shown yet, once per name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clean_room_agent.errors import StoreError
from clean_room_agent.pipeline.doors import CodePointer
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.package import BuiltPackage, build_package
from clean_room_agent.pipeline.places import PackageLocaliser
from clean_room_agent.pipeline.templates import read_files
from clean_room_agent.records.log import EventLevel
from clean_room_agent.repair import suspiciousness
from clean_room_agent.retrieval.analysis import parse_task
from clean_room_agent.retrieval.resolve import Mark, MarkKind, resolve_mentions
from clean_room_agent.store.curated_reader import CuratedReader

# What a failure text says for certain; a bare word may mean anything.
_PRECISE = frozenset({MarkKind.PATH, MarkKind.TRACEBACK, MarkKind.SYMBOL})


class Curation:
    """The package of one attempt."""

    def __init__(
        self, ground: Ground, package: BuiltPackage, pointers: Sequence[CodePointer]
    ) -> None:
        self._ground = ground
        self._asked: set[str] = set()
        self._pointers: tuple[CodePointer, ...] = ()
        self.package = package
        self.files: Mapping[str, bytes] = {}
        self._show(package, tuple(pointers))

    def _show(self, package: BuiltPackage, pointers: tuple[CodePointer, ...]) -> None:
        self.package, self._pointers = package, pointers
        self.files = read_files(self._ground, sorted({pointer.file for pointer in pointers}))

    def follow(self, observation: str, attempt_id: str) -> None:
        """Build the package anew where `observation` names code that is not shown; log which."""
        missing = [name for name in self._unseen(observation) if name not in self._asked]
        ground = self._ground
        room, task = ground.room, ground.task
        if not missing:
            return
        self._asked.update(missing)
        before = self.package.package_id
        failing = suspiciousness(ground.spectrum)
        data: dict[str, object] = {"attempt_id": attempt_id, "named": missing, "before": before}
        try:
            built = build_package(room, task, failing=failing, observation=observation)
        except StoreError as error:
            # The user edits a file meanwhile: what was shown so far still is the task's base.
            data["kept"] = error.message
            room.event("package.kept", data, task.task_id, EventLevel.WARNING)
            return
        self._show(built, PackageLocaliser(built.package).locate(task))
        room.event("package.rebuilt", {**data, "now": built.package_id}, task.task_id)

    def _unseen(self, observation: str) -> list[str]:
        """List what the text names for certain and the package does not show, tests apart."""
        with CuratedReader(self._ground.room.root) as reader:
            marks = resolve_mentions(parse_task(observation), reader).marks
        certain = [m for m in marks if m.kind in _PRECISE and m.spread == 1]
        names = [_name(m) for m in certain if not m.file.is_test and not self._is_shown(m)]
        return sorted(set(names))

    def _is_shown(self, mark: Mark) -> bool:
        line = mark.symbol.symbol.span.start_line if mark.symbol else mark.line
        for pointer in self._pointers:
            if pointer.file != mark.file.path:
                continue
            if line is None or pointer.lines is None:
                return True
            if pointer.lines[0] <= line <= pointer.lines[1]:
                return True
        return False


def _name(mark: Mark) -> str:
    if mark.symbol is None:
        return mark.file.path
    return f"{mark.file.path}::{mark.symbol.symbol.qualified_name}"
