"""Packages as the retrieval stages make them, and a real client over scripted answers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from clean_room_agent.execute.edits import replace_ranges
from clean_room_agent.execute.material import Material
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import Chunk, Final, WireRequest
from clean_room_agent.prompts.framing import make_frame
from clean_room_agent.prompts.tokens import UpperBoundCounter
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.code import BlobId
from clean_room_agent.records.context import (
    Candidate,
    ContextPackage,
    Decision,
    Fragment,
    FragmentKind,
    StageRecord,
    TaskAnalysis,
    Verdict,
)
from clean_room_agent.records.task import Mode, Task, TaskId
from clean_room_agent.repo.syntax import parse_blob
from clean_room_agent.retrieval.precision.units import Unit, cut_units, whole_file
from clean_room_agent.store.curated_reader import FileRow, SymbolRow
from tests.llm.support import RUN, OpenClient, open_client

TASK = TaskId("t-1")
CALC = b"""import os


def add(a, b):
    return a - b


def sub(a, b):
    return a - b
"""
COUNTER = UpperBoundCounter()
Files = Mapping[str, bytes]


def blob_id(data: bytes) -> BlobId:
    return BlobId(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())


def units_of(path: str, data: bytes, *, whole: bool) -> list[Unit]:
    language = "python" if path.endswith(".py") else None
    row = FileRow(1, path, 1, blob_id(data), len(data), language, False, data.count(b"\n"))
    if whole or language is None:
        return [whole_file(row, data)]
    parsed = parse_blob(row.blob_id, data, language)
    rows = [SymbolRow(1, ordinal, symbol) for ordinal, symbol in enumerate(parsed.symbols)]
    return cut_units(row, rows, [found.line for found in parsed.imports], data)


def fragment(kind: FragmentKind, content: bytes, template: str = "") -> Fragment:
    return Fragment(kind, content, COUNTER.count(content), template=template)


def package_of(files: Files, *, whole: bool = False, task: str = "fix add") -> ContextPackage:
    """A package that shows every item of every file (or each file whole)."""
    frame = make_frame("task", {}, task.encode())
    parts = [
        fragment(FragmentKind.INSTRUCTION, b"Below: a task, then code.\n", "context/3"),
        fragment(FragmentKind.FRAMING, frame.opening),
        fragment(FragmentKind.TASK, task.encode()),
        fragment(FragmentKind.FRAMING, frame.closing),
    ]
    decisions: list[Decision] = []
    for path, data in files.items():
        parts.append(fragment(FragmentKind.FRAMING, f"=== file {json.dumps(path)}\n".encode()))
        for unit in units_of(path, data, whole=whole):
            decisions.append(decide(unit))
            parts += show(unit, len(decisions) - 1)
    analysis = TaskAnalysis(task, task, (), (), (), (), (), (), ())
    stage = StageRecord("precision", "ranked", tuple(decisions), (), 0.0)
    return ContextPackage(task, analysis, (stage,), tuple(parts), 30_000, COUNTER.name)


def decide(unit: Unit) -> Decision:
    file = unit.file
    candidate = Candidate(unit.kind, file.path, unit.name, unit.span, file.blob_id, 9, ())
    return Decision(candidate, "precision", "ranked", 1, Verdict.INCLUDED, "named", unit.detail)


def show(unit: Unit, decision: int) -> list[Fragment]:
    frame = make_frame("code", {"at": unit.span.start_line}, unit.content)
    code = replace(
        fragment(FragmentKind.CODE, unit.content),
        path=unit.file.path,
        symbol=unit.name,
        blob_id=unit.file.blob_id,
        span=unit.span,
        detail=unit.detail,
        decision=decision,
    )
    opening = fragment(FragmentKind.FRAMING, frame.opening)
    return [opening, code, fragment(FragmentKind.FRAMING, frame.closing)]


def material_of(files: Files | None = None, *, whole: bool = False) -> Material:
    shown = {"calc.py": CALC} if files is None else files
    return Material(TASK, package_of(shown, whole=whole), "", shown)


@dataclass(frozen=True)
class Room:
    """A client whose task and package are in the log, and what was sent."""

    opened: OpenClient
    transport: ScriptedTransport
    material: Material

    @property
    def client(self) -> ModelClient:
        return self.opened.client

    @property
    def prompts(self) -> list[str]:
        return [request.prompt for request in self.transport.requests]


class CutTransport(ScriptedTransport):
    """A server that stops every answer at its output limit."""

    def stream(self, request: WireRequest, cancel: threading.Event) -> Iterator[Chunk]:
        for chunk in super().stream(request, cancel):
            yield Chunk(chunk.text, Final("length") if chunk.final else None)


Answer = object
Script = Callable[[WireRequest], str]


def script_of(answers: tuple[Answer, ...]) -> Script:
    """Each call gets the next answer, the last one again and again; data is sent as JSON."""
    left = list(answers)

    def script(request: WireRequest) -> str:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer if isinstance(answer, str) else json.dumps(answer)

    return script


@contextmanager
def room(
    root: Path,
    material: Material,
    *answers: Answer,
    style: str = "blocks",
    cut: bool = False,
    settings: tuple[str, ...] = (),
) -> Iterator[Room]:
    """Open a client that gets `answers`, with the task and the package logged."""
    transport = (CutTransport if cut else ScriptedTransport)(script_of(answers))
    words = (f'coding.edit_format="{style}"', *settings)
    with open_client(root, transport, *words) as opened:
        text = material.package.task_text
        opened.raw.append_task(Task(TASK, RUN, Mode.SOLVE, text, "c0ffee"))
        prompt = b"".join(part.content for part in material.package.fragments)
        package_id = opened.raw.append_package(TASK, material.package, prompt)
        yield Room(opened, transport, replace(material, package_id=package_id))


def apply_all(files: Files, replacements: tuple[Replacement, ...]) -> dict[str, bytes]:
    """The files as they become; what was not replaced is as before."""
    after = dict(files)
    for path in {replacement.path for replacement in replacements}:
        mine = [replacement for replacement in replacements if replacement.path == path]
        after[path] = replace_ranges(files.get(path), mine)
    return after
