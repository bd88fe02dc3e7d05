"""What is configured, and what the server says of it: for `cra models` and `cra doctor`.

Takes: a router and a transport. Gives: one `Surveyed` for each model that a stage may ask.
Does not know: how it is printed. Nothing is generated; no prompt leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.llm.rooms import missing_adapter, narrow
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.wire import ServedModel, Transport, TransportError
from clean_room_agent.records.calls import CallStage, ModelChoice, ReplyStatus


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One model with the stages that ask it; `problem` is "" where it can be used as configured."""

    choice: ModelChoice
    stages: tuple[CallStage, ...]
    served: ServedModel | None
    status: ReplyStatus
    problem: str
    counts_tokens: bool

    @property
    def usable(self) -> bool:
        return not self.problem


def survey(router: Router, transport: Transport) -> tuple[Surveyed, ...]:
    """Ask the server about every configured (role, model, adapter), in the order of the stages.

    A role without a model is left out: `Router.roles_without_model` names it.
    """
    missing = {stage for stages in router.roles_without_model().values() for stage in stages}
    stages: dict[tuple[str, str, str], list[CallStage]] = {}
    choices: dict[tuple[str, str, str], ModelChoice] = {}
    for stage in CallStage:
        if stage in missing:
            continue
        choice = router.choose(stage)
        key = (choice.role, choice.model, choice.adapter)
        stages.setdefault(key, []).append(stage)
        choices.setdefault(key, choice)
    return tuple(_ask(choices[key], tuple(stages[key]), transport) for key in stages)


def _ask(choice: ModelChoice, stages: tuple[CallStage, ...], transport: Transport) -> Surveyed:
    try:
        served = transport.describe(choice.model)
        counted = transport.count_tokens(choice.model, "token")
    except TransportError as error:
        return Surveyed(choice, stages, None, error.status, error.message, False)
    problem = _shortfall(choice, served)
    return Surveyed(choice, stages, served, ReplyStatus.OK, problem, counted is not None)


def _shortfall(choice: ModelChoice, served: ServedModel) -> str:
    """Say what keeps a reachable model from being used as configured."""
    if served.context_tokens is not None and served.context_tokens < choice.context_tokens:
        return (
            f"it is served with {served.context_tokens:,} tokens, "
            f"models.context_tokens asks for {choice.context_tokens:,}"
        )
    return narrow(choice) or missing_adapter(choice, served)
