"""`cra ask`: an answer whose every claim names the lines behind it, at a commit.

Takes: a question, perhaps a commit. Gives: printed claims, or the best places without a model.
Does not know: how the room is curated or a citation checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from clean_room_agent.commands.index import refresh_index
from clean_room_agent.commands.invocation import Invocation, recorded_run
from clean_room_agent.commands.output import Output
from clean_room_agent.commands.reasons import reasons
from clean_room_agent.commands.task_room import open_room
from clean_room_agent.pipeline.ask import Answered, Place, Question, answer_question
from clean_room_agent.pipeline.at_commit import open_at, resolve_commit
from clean_room_agent.pipeline.citations import CheckedCitation
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.pipeline.stages import asked_stages
from clean_room_agent.records.answers import Claim
from clean_room_agent.records.spelling import one_line
from clean_room_agent.records.task import Mode

PLACES_SHOWN = 8
ABBREVIATED = 10
NOT_SUPPORTED = 1


def ask(invocation: Invocation, text: str, *, at: str = "") -> int:
    """Answer, print, and return the exit code: 1 where no claim could be supported."""
    invocation.require_room()
    arguments = [text, "--at", at] if at else [text]
    stages = asked_stages(Mode.ASK, invocation.settings.config)
    with (
        recorded_run(invocation, "ask", arguments) as run,
        open_room(invocation, run, stages) as room,
    ):
        with _question(invocation, room, text, at) as (there, question):
            answered = answer_question(there, question)
        run.status, run.exit_code = outcome(answered)
        run.summary = {
            "task_id": answered.task.task_id,
            "claims": len(answered.claims),
            "refused": len(answered.refused),
        }
    invocation.output.end_progress()
    print_answer(invocation.output, answered)
    invocation.output.document(answer_document(answered))
    return run.exit_code


def outcome(answered: Answered) -> tuple[str, int]:
    """Return how a question ended; model-free places are all that was promised."""
    if answered.claims or not answered.has_model:
        return "completed", 0
    return "not_supported", NOT_SUPPORTED


@contextmanager
def _question(
    invocation: Invocation, room: TaskRoom, text: str, at: str
) -> Iterator[tuple[TaskRoom, Question]]:
    """Open the tree that is asked about: the working tree, or a commit's own."""
    if not at:
        refresh_index(invocation)
        yield room, Question(text, room.repository.head)
        return
    commit = resolve_commit(room.repository, at)
    with open_at(room, commit) as there:
        yield replace(room, repository=there), Question(text, commit, pinned=True)


def print_answer(output: Output, answered: Answered) -> None:
    """Print claims with their places; what was refused is counted, never stated."""
    for number, claim in enumerate(answered.claims, start=1):
        # On one line: a line break in the text could pass for a citation of ours.
        output.line(f"{number}. {' '.join(claim.text.split())}")
        for cited in claim.citations:
            output.line(f"     {place_of(cited)}")
    if answered.refused:
        told = "; ".join(_told(claim) for claim in answered.refused)
        count = len(answered.refused)
        output.line(f"note: {count} claim{'s' * (count > 1)} refused: {told}")
    if not answered.has_model:
        output.line("no model is configured: these are the best places, and no claim is made")
    elif not answered.claims:
        why = f": {one_line(answered.fault)}" if answered.fault else ""
        output.line(f"no answer could be supported{why}")
    if not answered.claims:
        _print_places(output, answered)
    output.line(f"more: cra trace {answered.task.task_id}; cra why PATH --task last")


def _print_places(output: Output, answered: Answered) -> None:
    for place in answered.places[:PLACES_SHOWN]:
        output.line(f"  {place_of(place.cited)} {place.symbol}".rstrip())
        output.line(f"        {reasons(place.decision)}")
    left = len(answered.places) - PLACES_SHOWN
    if left > 0:
        output.line(f"  and {left} more by score; see --json")
    if not answered.places and not answered.has_model:
        # With a model it was said above.
        gone = "what was shown is not there any more"
        output.line(f"  no code was shown: {one_line(answered.fault or gone)}")


def place_of(cited: CheckedCitation) -> str:
    """Return `path:start-end@commit`, the commit abbreviated."""
    at = cited.at[:ABBREVIATED]
    one = cited.citation
    return f"{one_line(one.path)}:{one.start_line}-{one.end_line}@{at}"


def _told(claim: Claim) -> str:
    return " ".join(claim.refused.split())


def answer_document(answered: Answered) -> dict[str, object]:
    """Return everything as JSON content, refused claims with their reasons."""
    answer, package = answered.answer, answered.built.package
    return {
        "task_id": answered.task.task_id,
        "run_id": answered.task.run_id,
        "question": answered.task.text,
        "commit": answer.commit_id,
        "answer_id": answer.answer_id,
        "package_id": answer.package_id,
        "request_id": answer.request_id,
        "model": answered.has_model,
        "claims": [
            {"text": claim.text, "citations": [_citation_document(c) for c in claim.citations]}
            for claim in answered.claims
        ],
        "refused": [
            {
                "text": claim.text,
                "reason": claim.refused,
                "citations": [
                    {"path": c.path, "start_line": c.start_line, "end_line": c.end_line}
                    for c in claim.citations
                ],
            }
            for claim in answered.refused
        ],
        "fault": answered.fault,
        "detail": answered.detail,
        "places": [_place_document(place) for place in answered.places],
        "tokens": package.tokens,
        "warnings": [warning for stage in package.stages for warning in stage.warnings],
    }


def _citation_document(cited: CheckedCitation) -> dict[str, object]:
    one = cited.citation
    return {
        "path": one.path,
        "start_line": one.start_line,
        "end_line": one.end_line,
        "blob_id": one.blob_id,
        "at": cited.at,
        "code": cited.code.decode("utf-8", "backslashreplace"),
    }


def _place_document(place: Place) -> dict[str, object]:
    return {
        **_citation_document(place.cited),
        "symbol": place.symbol,
        "score": round(place.decision.candidate.score, 6),
        "reason": place.decision.reason,
    }
