"""`cra context`: the package for a task as it would be sent, with reasons and tokens.

Takes: a task text. Gives: printed fragments and decisions, or a document to paste.
Does not know: how they were judged, or how a form is written.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.pasting import Pasted, PasteForm, paste
from clean_room_agent.commands.reasons import reasons
from clean_room_agent.commands.task_room import open_room
from clean_room_agent.errors import UsageError
from clean_room_agent.pipeline.package import BuiltPackage, build_package, reader_counter
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.records.context import Decision, FragmentKind, Verdict
from clean_room_agent.records.spelling import counted, one_line
from clean_room_agent.records.task import Mode, Task, TaskId
from clean_room_agent.redaction import for_prompt
from clean_room_agent.store.raw import new_id

MAX_TASK_BYTES = 256 * 1024
EXCLUDED_SHOWN = 10
SHOWN_KINDS = (FragmentKind.CODE, FragmentKind.INSTRUCTION_FILE)


@dataclass(frozen=True, slots=True)
class ContextView:
    """What of a package is printed: the exact prompt, every candidate, or one form to paste."""

    prompt: bool = False
    all_decisions: bool = False
    form: PasteForm | None = None


def task_text(argument: str, file: Path | None, what: str = "task") -> str:
    """Return the task (or what else is asked for) from the argument, a file, or stdin for `-`.

    Raises:
        UsageError: it is given twice or not at all, empty, too long, or cannot be read.
    """
    if bool(argument) == (file is not None):
        raise UsageError(f"give the {what} as one argument, or with --file", hint="see --help")
    try:
        if file is not None:
            text = file.read_text("utf-8")
        else:
            text = _stdin_text() if argument == "-" else argument
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"the {what} cannot be read: {why}",
            where=str(file or "stdin"),
            hint=f"--file takes a text file, from where you are; or give the {what} in quotes",
        ) from error
    return checked_text(text, what)


def _stdin_text() -> str:
    """All of stdin; bytes that are no UTF-8 are refused as in a file, whatever the locale is."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")
    return sys.stdin.read()


def checked_text(text: str, what: str = "task") -> str:
    """Return a task as it may be logged and curated for.

    Raises:
        UsageError: it is empty or too long.
    """
    if not text.strip():
        raise UsageError(f"the {what} is empty")
    if len(text.encode("utf-8", "surrogateescape")) > MAX_TASK_BYTES:
        raise UsageError(
            f"the {what} is longer than {MAX_TASK_BYTES} bytes; nothing is cut silently"
        )
    return text


def read_form(word: str) -> PasteForm | None:
    """Return the form that a word names, None for no word. Raises: UsageError."""
    if not word:
        return None
    try:
        return PasteForm(word)
    except ValueError:
        known = ", ".join(PasteForm)
        raise UsageError(
            f"no form is called {word!r}", hint=f"--format is one of {known}"
        ) from None


def context(invocation: Invocation, text: str, view: ContextView) -> None:
    """Refresh the index, build and log the package, print it.

    Raises:
        UsageError: two views were asked for that both fill stdout.
    """
    _refuse_two_views(invocation, view)
    invocation.require_room()
    stages = asked_stages(Mode.CONTEXT, invocation.settings.config)
    with (
        recorded_run(invocation, "context", [text]) as run,
        open_room(invocation, run, stages) as room,
    ):
        refresh_index(invocation)
        base = invocation.repository.head or ""
        task = Task(TaskId(new_id("t")), run.run_id, Mode.CONTEXT, for_prompt(text), base)
        run.raw.append_task(task)
        built = build_package(room, task)
        run.summary = {"task_id": task.task_id, "tokens": built.package.tokens}
        counter = reader_counter(room, Mode.CONTEXT)
        pasted = None if view.form is None else paste(task, built, view.form, counter)
    if pasted is not None:
        _hand_out(invocation.output, task, built, pasted)
        return
    if view.prompt:
        invocation.output.raw(built.prompt)
    else:
        _print(invocation.output, task, built, view)
    invocation.output.document(_document(task, built, view))


def _refuse_two_views(invocation: Invocation, view: ContextView) -> None:
    if view.form is None:
        return
    others = {"--prompt": view.prompt, "--all": view.all_decisions, "--json": invocation.json}
    for option in (name for name, is_given in others.items() if is_given):
        raise UsageError(
            f"--format and {option} both say what is printed",
            hint="--json is the record of a machine, with ids; --format json is for pasting",
        )


def _hand_out(output: Output, task: Task, built: BuiltPackage, pasted: Pasted) -> None:
    """Print a document to paste and nothing else; who takes content gets the ids beside it."""
    output.raw(pasted.text.encode("utf-8"))
    ids = {"task_id": task.task_id, "run_id": task.run_id, "package_id": built.package_id}
    output.document({**ids, **pasted.document})


def _print(output: Output, task: Task, built: BuiltPackage, view: ContextView) -> None:
    package = built.package
    output.heading(
        f"{package.tokens:,} of {package.budget_tokens:,} tokens, "
        f"{counted(sum(f.kind is FragmentKind.CODE for f in package.fragments), 'code fragment')} "
        f"({package.counter})"
    )
    decisions = package.decisions
    for fragment in package.fragments:
        if fragment.kind not in SHOWN_KINDS or fragment.span is None:
            continue
        lines = f"{fragment.span.start_line}-{fragment.span.end_line}"
        name = f" {fragment.symbol}" if fragment.symbol else ""
        path = one_line(fragment.path)
        level = fragment.detail if fragment.kind is FragmentKind.CODE else "instructions"
        output.line(f"{fragment.tokens:>6,}  {path}:{lines}{name} [{level}]")
        if fragment.decision is not None:
            output.line(f"        {reasons(decisions[fragment.decision])}")
    framing = sum(f.tokens for f in package.fragments if f.kind not in SHOWN_KINDS)
    output.line(f"{framing:>6,}  instruction, task and framing")
    _print_excluded(output, decisions, view)
    for stage in package.stages:
        for warning in stage.warnings:
            output.line(f"note ({stage.name}): {warning}")
    output.line(f"more: cra why PATH --task {task.task_id}; cra context ... --prompt")


def _print_excluded(output: Output, decisions: tuple[Decision, ...], view: ContextView) -> None:
    excluded = [d for d in decisions if d.verdict is Verdict.EXCLUDED]
    excluded.sort(key=lambda d: (-d.candidate.score, d.candidate.path, d.candidate.symbol))
    shown = excluded if view.all_decisions else excluded[:EXCLUDED_SHOWN]
    heading = ", the best:" if len(shown) < len(excluded) else ":" * bool(shown)
    output.line(f"not shown: {len(excluded):,} candidates" + heading)
    for decision in shown:
        subject = decision.candidate
        name = f"::{subject.symbol}" if subject.symbol else ""
        output.line(f"        {one_line(subject.path)}{name}: {decision.reason}")


def _document(task: Task, built: BuiltPackage, view: ContextView) -> dict[str, object]:
    package = built.package
    kept = [d for d in package.decisions if view.all_decisions or d.verdict is Verdict.INCLUDED]
    return {
        "task_id": task.task_id,
        "run_id": task.run_id,
        "package_id": built.package_id,
        "budget_tokens": package.budget_tokens,
        "tokens": package.tokens,
        "counter": package.counter,
        "fragments": [
            {
                "kind": f.kind,
                "path": f.path,
                "symbol": f.symbol,
                "start_line": f.span.start_line if f.span else None,
                "end_line": f.span.end_line if f.span else None,
                "detail": f.detail,
                "tokens": f.tokens,
                "sha256": f.sha256,
                "decision": f.decision,
                "text": f.content.decode("utf-8", "backslashreplace"),
            }
            for f in package.fragments
        ],
        "decisions": [decision_document(d) for d in kept],
        "excluded": sum(d.verdict is Verdict.EXCLUDED for d in package.decisions),
        "warnings": [w for stage in package.stages for w in stage.warnings],
    }


def decision_document(decision: Decision) -> dict[str, object]:
    """Return a decision as JSON content, with every signal."""
    subject = decision.candidate
    return {
        "stage": decision.stage,
        "judge": decision.judge,
        "kind": subject.kind,
        "path": subject.path,
        "symbol": subject.symbol,
        "rank": decision.rank,
        "score": round(subject.score, 6),
        "tokens": subject.tokens,
        "verdict": decision.verdict,
        "detail": decision.detail,
        "reason": decision.reason,
        "signals": [
            {
                "name": s.name,
                "value": round(s.value, 6),
                "weight": s.weight,
                "contribution": round(s.contribution, 6),
                "evidence": s.evidence,
            }
            for s in subject.signals
        ],
    }
