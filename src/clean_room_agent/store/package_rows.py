"""How a context package becomes rows, and decisions and fragments become records again.

Takes: an `Appender` and a package; rows. Gives: rows; records. Row and record in one place.
Does not know: how a package is rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clean_room_agent.records.code import BlobId, Span
from clean_room_agent.records.context import (
    Candidate,
    ContextPackage,
    Decision,
    Detail,
    Fragment,
    FragmentKind,
    Signal,
    StageRecord,
    SubjectKind,
    TaskAnalysis,
    Verdict,
)
from clean_room_agent.records.log import LoggedDecision, LoggedFragment
from clean_room_agent.records.task import TaskId
from clean_room_agent.store.append import Appender, Value
from clean_room_agent.store.values import (
    from_json,
    json_text,
    new_id,
    path_bytes,
    path_text,
    text,
)

STAGES = "SELECT stage_id, name, judge, warnings, seconds FROM stages"
DECISIONS = (
    "SELECT d.seq, d.package_id, d.stage_id, d.task_id, d.position, d.kind, d.path, d.symbol,"
    " d.blob_id, d.start_byte, d.end_byte, d.start_line, d.end_line, d.tokens, d.rank, d.verdict,"
    " d.detail, d.reason, d.signals, s.name, s.judge"
    " FROM retrieval_decisions d JOIN stages s ON s.stage_id = d.stage_id"
)
FRAGMENTS = (
    "SELECT seq, package_id, position, kind, template, path, symbol, blob_id, start_byte, end_byte,"
    " start_line, end_line, detail, decision, tokens, content_sha256 FROM context_fragments"
)


def append_package(
    appender: Appender,
    task_id: TaskId,
    package: ContextPackage,
    prompt_bytes: bytes,
    package_id: str,
) -> None:
    """Insert everything that a package is made of."""
    appender.insert(
        "context_packages",
        {
            "package_id": package_id,
            "task_id": task_id,
            "prompt_sha256": appender.put_prompt(prompt_bytes),
            "tokens": package.tokens,
            "budget_tokens": package.budget_tokens,
            "counter": text(package.counter),
        },
    )
    appender.insert(
        "analyses",
        {"task_id": task_id, "package_id": package_id, "analysis": json_text(package.analysis)},
    )
    position = 0
    for index, stage in enumerate(package.stages):
        owner: dict[str, Value] = {"task_id": task_id, "package_id": package_id}
        owner["stage_id"] = _insert_stage(appender, owner, index, stage)
        for decision in stage.decisions:
            appender.insert("retrieval_decisions", owner | _decision_row(position, decision))
            position += 1
    for index, fragment in enumerate(package.fragments):
        sha256 = appender.put_prompt(fragment.content)
        owned: dict[str, Value] = {"package_id": package_id, "content_sha256": sha256}
        appender.insert("context_fragments", owned | fragment_row(index, fragment))


def analysis_of(row: Sequence[Any]) -> TaskAnalysis:
    """Rebuild the analysis of a task text."""
    found: dict[str, Any] = from_json(row[0])
    frames = tuple((str(p), int(n), str(f)) for p, n, f in found.pop("traceback_frames"))
    fields: dict[str, Any] = {
        name: tuple(item) if isinstance(item, list) else item for name, item in found.items()
    }
    return TaskAnalysis(traceback_frames=frames, **fields)


def stage_of(row: Sequence[Any]) -> tuple[str, StageRecord]:
    """Rebuild a stage, without its decisions, beside its id."""
    stage_id, name, judge, warnings, seconds = row
    return stage_id, StageRecord(name, judge, (), tuple(from_json(warnings)), seconds)


def decision_of(row: Sequence[Any]) -> LoggedDecision:
    """Rebuild a decision from a row of `DECISIONS`."""
    seq, package_id, stage_id, task_id, position, *rest = row
    kind, path, symbol, blob_id, *span_values = rest[:8]
    tokens, rank, verdict, detail, reason, signals, stage, judge = rest[8:]
    candidate = Candidate(
        kind=SubjectKind(kind),
        path=path_text(path),
        symbol=symbol,
        span=Span(*span_values) if span_values[0] is not None else None,
        blob_id=BlobId(blob_id),
        tokens=tokens,
        signals=tuple(Signal(**signal) for signal in from_json(signals)),
    )
    decision = Decision(
        candidate=candidate,
        stage=stage,
        judge=judge,
        rank=rank,
        verdict=Verdict(verdict),
        reason=reason,
        detail=Detail(detail) if detail is not None else None,
    )
    return LoggedDecision(seq, package_id, stage_id, TaskId(task_id), position, decision)


def fragment_of(row: Sequence[Any]) -> LoggedFragment:
    """Rebuild a fragment, without its bytes, from a row of `FRAGMENTS`."""
    seq, package_id, position, kind, template, path, symbol, blob_id, *rest = row
    start_byte, end_byte, start_line, end_line, detail, decision, tokens, sha256 = rest
    return LoggedFragment(
        seq=seq,
        package_id=package_id,
        position=position,
        kind=FragmentKind(kind),
        template=template,
        path=path_text(path),
        symbol=symbol,
        blob_id=BlobId(blob_id) if blob_id is not None else None,
        start_byte=start_byte,
        end_byte=end_byte,
        start_line=start_line,
        end_line=end_line,
        detail=Detail(detail) if detail is not None else None,
        decision=decision,
        tokens=tokens,
        content_sha256=sha256,
    )


def _insert_stage(
    appender: Appender, owner: dict[str, Value], position: int, stage: StageRecord
) -> str:
    stage_id = new_id("s")
    row: dict[str, Value] = {
        "stage_id": stage_id,
        "position": position,
        "name": text(stage.name),
        "judge": text(stage.judge),
        "warnings": json_text(stage.warnings),
        "seconds": stage.seconds,
    }
    appender.insert("stages", owner | row)
    return stage_id


def _decision_row(position: int, decision: Decision) -> dict[str, Value]:
    candidate = decision.candidate
    return {
        "position": position,
        "kind": candidate.kind,
        "path": path_bytes(candidate.path),
        "symbol": text(candidate.symbol),
        "blob_id": candidate.blob_id,
        **_span_columns(candidate.span),
        "tokens": candidate.tokens,
        "rank": decision.rank,
        "score": candidate.score,
        "verdict": decision.verdict,
        "detail": decision.detail,
        "reason": text(decision.reason),
        "signals": json_text(candidate.signals),
    }


def fragment_row(position: int, fragment: Fragment) -> dict[str, Value]:
    """Return the columns that every table of fragments shares."""
    return {
        "position": position,
        "kind": fragment.kind,
        "template": text(fragment.template),
        "path": path_bytes(fragment.path),
        "symbol": text(fragment.symbol),
        "blob_id": fragment.blob_id,
        **_span_columns(fragment.span),
        "detail": fragment.detail,
        "decision": fragment.decision,
        "tokens": fragment.tokens,
    }


def _span_columns(span: Span | None) -> dict[str, Value]:
    return {
        "start_byte": span.start_byte if span else None,
        "end_byte": span.end_byte if span else None,
        "start_line": span.start_line if span else None,
        "end_line": span.end_line if span else None,
    }
