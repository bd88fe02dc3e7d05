"""`cra enrich`: descriptions of files by a model, into the log; `--promote` lets them be read.

Takes: a repository with an index. Gives: printed counts and descriptions.
Does not know: how a file is chosen or described.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, OpenRun, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.task_room import open_room
from clean_room_agent.errors import BudgetError, UsageError
from clean_room_agent.llm.router import Router
from clean_room_agent.pipeline.enrich import (
    EnrichReport,
    Standing,
    promote,
    read_standing,
)
from clean_room_agent.pipeline.enrich import (
    enrich as describe_files,
)
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.records.answers import Enrichment
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.spelling import one_line
from clean_room_agent.records.task import Mode, RunId

NOTHING_DESCRIBED = 1
ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class EnrichRequest:
    """What is asked: descriptions, their promotion, or how far both are.

    `as_of` is a logged run that is replayed: what it described waits again.
    """

    paths: tuple[str, ...]
    promote: bool
    status: bool
    as_of: RunId | None = None


def enrich(invocation: Invocation, request: EnrichRequest) -> int:
    """Do what is asked and return the exit code.

    Raises:
        UsageError: the options exclude each other, or a path has no description.
        ConfigError: descriptions are asked for and no model is configured.
    """
    if request.promote and request.status:
        raise UsageError("--promote and --status exclude each other")
    if request.paths and not request.promote:
        raise UsageError("paths are named with --promote only", hint="cra enrich --promote PATH")
    invocation.require_room()
    words = [w for w, given in (("--promote", request.promote), ("--status", request.status))
             if given]  # fmt: skip
    describes = not request.promote and not request.status
    stages = asked_stages(Mode.ENRICH, invocation.settings.config) if describes else ()
    with (
        recorded_run(invocation, "enrich", [*words, *request.paths]) as run,
        open_room(invocation, run, stages) as room,
    ):
        refresh_index(invocation)
        if request.promote:
            _promote(invocation.output, room, run, request.paths)
        elif request.status:
            _status(invocation.output, read_standing(room))
        else:
            _describe(invocation, room, run, request.as_of)
    return run.exit_code


def _describe(invocation: Invocation, room: TaskRoom, run: OpenRun, as_of: RunId | None) -> None:
    models = room.models
    if models is None:
        # Names the lines to add to the configuration.
        Router(room.config).choose(CallStage.ENRICH)
        raise AssertionError("a model-free router chose a model")
    report = EnrichReport()
    try:
        describe_files(room, models, report, as_of=as_of)
    finally:
        run.summary = {"described": len(report.described), "remaining": report.remaining}
    run.status, run.exit_code = _outcome(report)
    invocation.output.end_progress()
    _print(invocation.output, report, room.config.enrich.tokens)
    invocation.output.document(_document(report, run))


def _outcome(report: EnrichReport) -> tuple[str, int]:
    """A run that described something, or had nothing to do, did what it is for."""
    if report.described or report.remaining == 0:
        return "completed", 0
    if report.remaining == len(report.skipped):
        return "nothing_describable", 0
    if report.next_tokens and not report.unusable:
        return "budget", BudgetError.exit_code
    return "nothing_described", NOTHING_DESCRIBED


def _print(output: Output, report: EnrichReport, budget: int) -> None:
    for one in report.described[:ROWS_SHOWN]:
        output.line(f"{one_line(one.path)}: {one.description.purpose}")
    if len(report.described) > ROWS_SHOWN:
        output.line(f"and {len(report.described) - ROWS_SHOWN} more; see cra enrich --status")
    for word, pairs in (
        ("skipped", report.skipped),
        ("no usable answer", report.unusable),
        ("passed over", report.passed_over),
    ):
        for path, reason in pairs[:ROWS_SHOWN]:
            output.line(f"{word}: {one_line(path)}: {reason}")
        if len(pairs) > ROWS_SHOWN:
            output.line(f"{word}: {len(pairs) - ROWS_SHOWN} more; see --json")
    if report.next_tokens:
        output.line(
            f"the budget of {budget:,} tokens has no room for the next file: one needs "
            f"{report.next_tokens:,} left at least; -c enrich.tokens=N raises it"
        )
    if report.skipped and report.remaining == len(report.skipped):
        output.line("what remains cannot be described, for the reasons above")
    output.line(
        f"{len(report.described)} described, {report.remaining} of {report.total} remain, "
        f"{report.tokens:,} tokens"
    )
    if report.described:
        output.line("no prompt shows them before: cra enrich --promote [PATH ...]")


def _promote(output: Output, room: TaskRoom, run: OpenRun, paths: tuple[str, ...]) -> None:
    chosen, rule = promote(room, paths)
    run.summary = {"promoted": len(chosen), "rule": rule}
    for one in chosen:
        output.line(f"promoted {one_line(one.path)}: {one.description.purpose}")
    output.line(f"{len(chosen)} promoted ({one_line(rule)})")
    output.document({"run_id": run.run_id, "rule": rule, "promoted": [_row(one) for one in chosen]})


def _status(output: Output, standing: Standing) -> None:
    for one in standing.described:
        mark = "promoted" if one.enrichment_id in standing.promoted else "in the log only"
        output.line(f"{one_line(one.path)} ({one.model}, {mark})")
        output.line(f"  {one.description.purpose}")
        for name, phrases in (
            ("concepts", one.description.concepts),
            ("relations", one.description.relations),
        ):
            if phrases:
                output.line(f"  {name}: {'; '.join(phrases)}")
    promoted = sum(one.enrichment_id in standing.promoted for one in standing.described)
    output.line(
        f"{len(standing.described)} of {standing.total} contents described, {promoted} promoted"
    )
    output.document(
        {
            "total": standing.total,
            "described": [
                {**_row(one), "promoted": one.enrichment_id in standing.promoted}
                for one in standing.described
            ],
        }
    )


def _document(report: EnrichReport, run: OpenRun) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "described": [_row(one) for one in report.described],
        "skipped": [{"path": path, "reason": reason} for path, reason in report.skipped],
        "unusable": [
            {"path": path, "reason": reason, "detail": report.details[path]}
            for path, reason in report.unusable
        ],
        "passed_over": [{"path": path, "reason": reason} for path, reason in report.passed_over],
        "total": report.total,
        "remaining": report.remaining,
        "tokens": report.tokens,
        "next_tokens": report.next_tokens,
    }


def _row(one: Enrichment) -> dict[str, object]:
    return {
        "enrichment_id": one.enrichment_id,
        "path": one.path,
        "blob_id": one.blob_id,
        "model": one.model,
        "purpose": one.description.purpose,
        "concepts": list(one.description.concepts),
        "relations": list(one.description.relations),
    }
