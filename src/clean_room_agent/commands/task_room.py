"""What every verb that works on a task opens: its room, with the models of the configuration.

Takes: an invocation and its open run. Gives: `TaskRoom`, its models closed at the end.
Does not know: what is done in the room.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clean_room_agent.commands.invocation import Invocation, OpenRun
from clean_room_agent.commands.output import Output
from clean_room_agent.errors import ModelCallError
from clean_room_agent.llm.router import Router
from clean_room_agent.pipeline.room import TaskRoom
from clean_room_agent.records.calls import CallStage

if TYPE_CHECKING:
    from clean_room_agent.llm.client import CallProgress, ModelClient

# The other stages tell more of themselves: the turn, the file.
_WORDS = {
    CallStage.ANALYSIS: "analysing the task",
    CallStage.SCOPE: "judging files",
    CallStage.PRECISION: "judging items",
    CallStage.REPRIORITISE: "ordering items",
    CallStage.TESTS: "writing tests",
    CallStage.SELECT: "comparing patches",
}


@contextmanager
def open_room(
    invocation: Invocation, run: OpenRun, stages: Sequence[CallStage]
) -> Iterator[TaskRoom]:
    """Open the room of a run with the models of its configuration; none in model-free mode.

    A run that repeats a logged one has its answers from where the invocation says. The models of
    `stages`, those that the body may ask, are checked first: nothing is done without them.

    Raises:
        ConfigError: an address, a key, an extra or a model is missing, or a window is too small.
        ModelCallError: a model failed, there or in the body; the message says how to go on.
    """
    models = _open_models(invocation, run)
    with open_task_room(invocation, run, models, stages) as room:
        yield room


def _open_models(invocation: Invocation, run: OpenRun) -> ModelClient | None:
    config = invocation.settings.config
    if Router(config).is_model_free:
        return None
    # Nothing that asks a model is loaded where there is none.
    from clean_room_agent.llm.opening import open_models

    return open_models(
        config,
        run.raw,
        run.run_id,
        os.environ,
        transport=invocation.transport_override,
        recorded_counter=invocation.counters_override,
    )


@contextmanager
def open_task_room(
    invocation: Invocation,
    run: OpenRun,
    models: ModelClient | None,
    stages: Sequence[CallStage],
) -> Iterator[TaskRoom]:
    """As `open_room`, with a client that is open already; it is closed here."""
    room = TaskRoom(
        invocation.repository,
        run.raw,
        run.run_id,
        invocation.settings.config,
        invocation.output.progress,
        invocation.output.note,
        models,
    )
    try:
        if models is not None:
            models.progress = _progress_of(invocation.output)
            models.require(stages)
        yield room
    except ModelCallError as error:
        raise _resumable(error, run) from error
    finally:
        if models is not None:
            models.close()


def _progress_of(output: Output) -> CallProgress:
    """Return the progress of calls as a verb prints it; a single call has no count."""

    def tell(stage: CallStage, done: int, total: int) -> None:
        if stage in _WORDS:
            counted = (done, total) if total > 1 else (0, 0)
            output.progress(_WORDS[stage], *counted)

    return tell


@contextmanager
def told_costs(run: OpenRun, room: TaskRoom) -> Iterator[None]:
    """Say in the run's summary what its calls cost, also where the body fails."""
    try:
        yield
    finally:
        run.summary = {**run.summary, **spent_document(room.models)}


def spent_document(models: ModelClient | None) -> dict[str, object]:
    """Return what the calls of models cost; zeros without a model."""
    usage = models.usage if models is not None else None
    return {
        "calls": usage.calls if usage else 0,
        "prompt_tokens": usage.prompt_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "model_seconds": round(usage.seconds, 3) if usage else 0.0,
        "calls_by_stage": dict(usage.by_stage) if usage else {},
    }


def _resumable(error: ModelCallError, run: OpenRun) -> ModelCallError:
    """Name the run to go on with: everything that was answered is in the log."""
    resume = f"cra resume {run.run_id}"
    hint = f"{error.hint}; this run: {resume}" if error.hint else resume
    return ModelCallError(error.message, where=error.where, hint=hint)
