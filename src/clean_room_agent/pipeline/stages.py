"""Which stages of a mode may ask a model.

Takes: a mode, the configuration. Gives: stages in their order. Does not know: any implementation;
a verb that only curates asks here and so loads no generator and no sandbox.
"""

from __future__ import annotations

from clean_room_agent.config import Config
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.task import Mode

MODEL_GENERATOR = "llm"
JUDGING_STAGES = (
    CallStage.ANALYSIS,
    CallStage.SCOPE,
    CallStage.PRECISION,
    CallStage.REPRIORITISE,
)


def asked_stages(mode: Mode, config: Config) -> tuple[CallStage, ...]:
    """Return every stage that a run of a mode may ask a model for; it reads the package last."""
    if mode is Mode.ENRICH:
        return (CallStage.ENRICH,)
    found = [*JUDGING_STAGES, reader_of(mode)]
    attempts = config.attempts
    if mode is Mode.SOLVE:
        wanted = {
            CallStage.REFLECT: MODEL_GENERATOR in attempts.generators,
            CallStage.PLAN: attempts.plan,
            CallStage.TESTS: attempts.selector == "majority",
            CallStage.SELECT: attempts.selector == "model",
        }
        found += [stage for stage, is_wanted in wanted.items() if is_wanted]
    return tuple(found)


def reader_of(mode: Mode) -> CallStage:
    """The stage whose model reads the package of a task."""
    return {Mode.ASK: CallStage.ASK, Mode.PLAN: CallStage.PLAN}.get(mode, CallStage.IMPLEMENT)
