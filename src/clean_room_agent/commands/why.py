"""`cra why PATH`: why a file or symbol was shown, or not, with every signal and judgment.

Takes: a path and a task. Gives: the recorded decisions, or the recorded reason that there is none.
Does not know: how signals are computed; only what the log and the index say.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.commands.context import decision_document
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import find_task, open_log
from clean_room_agent.commands.output import Output
from clean_room_agent.errors import UsageError
from clean_room_agent.records.calls import CallStage, LoggedRequest
from clean_room_agent.records.context import Decision, FragmentKind
from clean_room_agent.records.log import LoggedDecision, LoggedFragment
from clean_room_agent.records.spelling import one_line
from clean_room_agent.records.task import TaskId
from clean_room_agent.retrieval.roles import explain_role
from clean_room_agent.store.curated_reader import CuratedReader
from clean_room_agent.store.raw_reader import RawReader


@dataclass(frozen=True, slots=True)
class AskingCall:
    """A call, and the fragment of its prompt that asks about a candidate."""

    request: LoggedRequest
    fragment: LoggedFragment


@dataclass(frozen=True, slots=True)
class Found:
    """What the log holds of a path (and symbol) in the newest package of a task."""

    task_id: TaskId
    path: str
    symbol: str
    decisions: tuple[Decision, ...]
    shown: tuple[LoggedFragment, ...]
    asked: tuple[AskingCall, ...]


def why(invocation: Invocation, subject: str, task_word: str) -> None:
    """Print the answer.

    Raises:
        UsageError: the path is neither in the log of the task nor in the repository.
    """
    with open_log(invocation) as reader:
        found = _read(invocation, reader, subject, task_word)
    silent = "" if found.decisions else _why_silent(invocation, found.path)
    if found.symbol and not any(d.candidate.symbol == found.symbol for d in found.decisions):
        silent = _why_no_symbol(invocation, found.path, found.symbol)
    _print(invocation.output, subject, found, silent)
    invocation.output.document(_document(found, silent))


def _read(invocation: Invocation, reader: RawReader, subject: str, task_word: str) -> Found:
    path, _, symbol = subject.partition("::")
    path = normal_path(invocation, path) if path else ""
    task_id = find_task(reader, task_word).task.task_id
    package_id = reader.read_package(task_id).package_id
    every = reader.read_decisions(task_id, package_id=package_id)
    if not os.path.lexists(invocation.root / path) and "::" not in subject:
        path, symbol = _place_of_symbol(every, subject) or (path, symbol)
    wanted = ("", symbol)
    candidates = [d.decision for d in every if d.decision.candidate.path == path]
    fragments = [f for f in reader.read_fragments(package_id) if f.path == path and f.blob_id]
    return Found(
        task_id=task_id,
        path=path,
        symbol=symbol,
        decisions=tuple(d for d in candidates if not symbol or d.candidate.symbol in wanted),
        shown=tuple(f for f in fragments if not symbol or f.symbol in wanted),
        asked=_asking_calls(reader, task_id, package_id, path),
    )


def _document(found: Found, silent: str) -> dict[str, object]:
    return {
        "task_id": found.task_id,
        "path": found.path,
        "symbol": found.symbol,
        "shown": bool(found.shown),
        "reason": silent,
        "fragments": [_fragment_document(f) for f in found.shown],
        "decisions": [
            {**decision_document(d), "asked": [r.request_id for r in _asked_of(found.asked, d)]}
            for d in found.decisions
        ],
    }


def _asking_calls(
    reader: RawReader, task_id: str, package_id: str, path: str
) -> tuple[AskingCall, ...]:
    """Return the calls of judges that were asked about candidates of this path."""
    found = []
    for request in reader.read_requests(task_id=task_id):
        if request.package_id == package_id:
            for fragment, _ in reader.read_prompt_fragments(request.request_id):
                if fragment.kind is FragmentKind.CANDIDATE and fragment.path == path:
                    found.append(AskingCall(request, fragment))
    return tuple(found)


def _asked_of(asked: Sequence[AskingCall], decision: Decision) -> list[LoggedRequest]:
    """Return the calls that asked about the candidate of this decision at its stage."""
    candidate = decision.candidate
    start = candidate.span.start_byte if candidate.span else None
    return [
        call.request
        for call in asked
        if call.fragment.symbol == candidate.symbol
        and call.fragment.start_byte == start
        and call.request.stage in (decision.stage, CallStage.REPRIORITISE)
    ]


def normal_path(invocation: Invocation, path: str) -> str:
    """Return a path typed from the current directory, or already relative to the root."""
    root = invocation.root
    typed = os.path.normpath(Path.cwd() / path)
    inside = os.path.relpath(typed, root)
    if os.path.lexists(typed) and not inside.startswith(".."):
        return inside
    return os.path.normpath(path)


def _place_of_symbol(every: Sequence[LoggedDecision], name: str) -> tuple[str, str] | None:
    """Return the path and full name of the best candidate that a bare symbol name means."""
    for logged in every:
        candidate = logged.decision.candidate
        if candidate.symbol and name in (candidate.symbol, candidate.symbol.rsplit(".", 1)[-1]):
            return candidate.path, candidate.symbol
    return None


def _why_no_symbol(invocation: Invocation, path: str, symbol: str) -> str:
    """Say why a symbol has no decision of its own."""
    with CuratedReader(invocation.root) as reader:
        file = reader.read_file(path)
        rows = [] if file is None else reader.read_symbols(file.file_pk)
    known = [row.symbol.qualified_name for row in rows]
    if symbol not in known:
        near = difflib.get_close_matches(symbol, known, n=3)
        hint = f"its names are close: {', '.join(near)}" if near else ""
        raise UsageError(f"{path} defines no {symbol}", hint=hint)
    return "no decision of its own: its file was judged as a whole, or was not among the chosen"


def _why_silent(invocation: Invocation, path: str) -> str:
    """Say why a path has no decision, from the index and the working tree."""
    if path.startswith(("/", "..")) or not path:
        raise UsageError(f"the path is not in the repository: {path or '(empty)'}")
    if (invocation.root / path).is_dir():
        raise UsageError(f"{path} is a directory; ask for a file", hint=f"cra why {path}/FILE")
    with CuratedReader(invocation.root) as reader:
        file = reader.read_file(path)
        if file is not None:
            silent = "it is indexed, but no signal spoke for it: it never was a candidate"
            role, rule = explain_role(file)
            return f"{silent} (its role is {role}: {rule})" if role else silent
        skipped = reader.read_skipped(path)
    if skipped is not None:
        return f"it was not read into the index: {skipped}"
    if os.path.lexists(invocation.root / path):
        return "it is not in the index: ignored by .gitignore or .craignore, or added since"
    with CuratedReader(invocation.root) as reader:
        known = [file.path for file in reader.read_all_files()]
    near = difflib.get_close_matches(path, known, n=3)
    hint = f"close: {', '.join(near)}" if near else "cra search WORDS finds paths and symbols"
    raise UsageError(f"there is no such path in the repository or the log: {path}", hint=hint)


def _print(output: Output, subject: str, found: Found, silent: str) -> None:
    output.heading(f"{one_line(subject)}: {'shown' if found.shown else 'not shown'}")
    for fragment in found.shown:
        lines = f"lines {fragment.start_line}-{fragment.end_line}"
        output.line(f"  {fragment.detail}: {lines}, {fragment.tokens} tokens {fragment.symbol}")
    if silent:
        output.line(f"  {silent}")
    for decision in found.decisions:
        subject_name = decision.candidate.symbol or decision.candidate.path
        output.line(
            f"{decision.stage} ({decision.judge}), rank {decision.rank}: {decision.verdict} "
            f"{subject_name}"
        )
        output.line(f"  {decision.reason}")
        for request in _asked_of(found.asked, decision):
            model = request.choice["model"]
            output.line(f"  asked in {request.request_id} ({request.stage}, {model})")
        signals = sorted(decision.candidate.signals, key=lambda s: (-abs(s.contribution), s.name))
        for signal in signals:
            output.line(
                f"  {signal.contribution:+8.3f} = {signal.value:.3f} x {signal.weight:+.2f}  "
                f"{signal.name}" + (f": {signal.evidence}" if signal.evidence else "")
            )
        output.line(
            f"  {decision.candidate.score:+8.3f} in all, {decision.candidate.tokens} tokens"
        )


def _fragment_document(fragment: LoggedFragment) -> dict[str, object]:
    return {
        "symbol": fragment.symbol,
        "detail": fragment.detail,
        "start_line": fragment.start_line,
        "end_line": fragment.end_line,
        "tokens": fragment.tokens,
        "sha256": fragment.content_sha256,
    }
