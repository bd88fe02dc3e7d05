"""`cra resume [ID]`: run again what was killed or failed; what was answered is not asked again.

Takes: a run or task id, or `last`. Gives: the result of the run's own verb, with its exit code.
Does not know: any verb. Recorded answers are used while prompts are equal; then it goes on live.
The settings are those that the run was made with, its -c words included; how the server is reached
is taken from now where it is configured now, and -c words of now win over both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from clean_room_agent.commands.again import (
    RECENT_RUNS,
    RESUME,
    AnswerOutput,
    asks_models,
    configured_now,
    find_run,
    invocation_of,
    is_alive,
    read_repeatable,
    require_repeatable,
    run_again,
)
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import open_log
from clean_room_agent.commands.runs import status_of
from clean_room_agent.errors import UsageError
from clean_room_agent.llm.opening import open_backend
from clean_room_agent.llm.replaying import Recording, read_recording
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import RecordedTransport
from clean_room_agent.llm.wire import Transport
from clean_room_agent.pipeline.replay import is_cut_short
from clean_room_agent.prompts.tokens import TokenCounter
from clean_room_agent.records.calls import ModelChoice
from clean_room_agent.records.log import LoggedRun
from clean_room_agent.records.spelling import counted
from clean_room_agent.store.raw_reader import RawReader

RESUMES = "run.resumes"


@dataclass(slots=True)
class _Answers:
    """Where the answers of a resumed run come from."""

    recording: Recording
    opened: list[RecordedTransport] = field(default_factory=list)

    def open(self, router: Router) -> Transport:
        live = open_backend(router, os.environ)
        self.opened.append(RecordedTransport(self.recording.answers, self.recording.served, live))
        return self.opened[-1]

    def counter(self, choice: ModelChoice) -> TokenCounter | None:
        return self.recording.counter(choice, live=True)

    @property
    def reused(self) -> int:
        return sum(transport.reused for transport in self.opened)


def resume(invocation: Invocation, word: str) -> int:
    """Finish a run; return the exit code of its verb.

    Raises:
        UsageError: there is nothing to resume, or the run named is finished or still at work.
    """
    invocation.require_room()
    with open_log(invocation) as reader:
        run = _find(reader, word)
        chain = _chain(reader, run)
        found = read_repeatable(reader, run)
        answers = _Answers(read_recording(reader, chain, faults=False))

    def told() -> Mapping[str, object]:
        return {"resumed": {"run_id": found.run_id, "reused": answers.reused}}

    inner = invocation_of(
        invocation,
        run,
        RESUME,
        AnswerOutput(as_json=invocation.json, quiet=invocation.quiet, extra=told),
        kept=configured_now(invocation),
        transport=answers.open,
        counter=answers.counter,
    )
    invocation.output.note(f"resuming {found.run_id} (cra {run.run.verb}, {status_of(run)})")
    invocation.output.note(_told_settings(invocation, inner))
    try:
        return run_again(inner, found)
    finally:
        inner.output.end_progress()
        if answers.opened:
            inner.output.line(f"resumed {found.run_id}: {_told_reuse(answers)}")


def _told_reuse(answers: _Answers) -> str:
    known = len(answers.recording.answers)
    if not known:
        return "it had no answered calls to reuse"
    return f"{answers.reused} of {counted(known, 'answered call')} reused"


def _told_settings(outer: Invocation, inner: Invocation) -> str:
    """Say whose settings are in force, and which server is asked."""
    router = Router(inner.settings.config)
    now = sorted(configured_now(outer) - _said_now(outer))
    parts = ["the settings of that run"]
    parts += [f"as configured now: {', '.join(now)}"] if now else []
    parts += [f"-c {word}" for word in outer.overrides]
    if not router.is_model_free:
        parts.append(f"{router.config.models.backend} at {router.base_url() or 'this process'}")
    return f"  with {'; '.join(parts)}"


def _said_now(outer: Invocation) -> frozenset[str]:
    return frozenset(word.partition("=")[0].strip() for word in outer.overrides)


def _find(reader: RawReader, word: str) -> LoggedRun:
    """Return the run to finish: the one named, or the newest that did not complete."""
    resumed = _resumed(reader)
    if word != "last":
        run = find_run(reader, word)
        while run.run.run_id in resumed:
            run = reader.read_run(resumed[run.run.run_id])
        require_repeatable(run)
        if not is_cut_short(run):
            raise UsageError(
                f"run {run.run.run_id} is finished ({status_of(run)}); nothing is left to resume",
                hint=f"cra trace {run.run.run_id}, or start it again",
            )
        return run
    for run in reader.read_runs(limit=RECENT_RUNS):
        if run.run.run_id in resumed or not asks_models(run):
            continue
        if is_cut_short(run) and not is_alive(run):
            return run
    raise UsageError("every run is finished; nothing is left to resume", hint="cra runs")


def _resumed(reader: RawReader) -> dict[str, str]:
    """Return for each run that was resumed the newest run that did so."""
    return {
        str(event.data["run_id"]): str(event.run_id) for event in reader.read_events(kind=RESUMES)
    }


def _chain(reader: RawReader, run: LoggedRun) -> list[str]:
    """Return the run and those that it resumed: what any of them was told counts."""
    before = {
        str(event.run_id): str(event.data["run_id"]) for event in reader.read_events(kind=RESUMES)
    }
    chain = [str(run.run.run_id)]
    while chain[-1] in before:
        chain.append(before[chain[-1]])
    return chain
