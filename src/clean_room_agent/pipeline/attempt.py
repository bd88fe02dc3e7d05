"""One attempt of a model: propose, apply, verify, and a fresh prompt with what failed.

Takes: a `Ground`, a client, a curated room, the limits. Gives: `AttemptResult`; each turn is logged
with its test run. Does not know: other attempts, or which patch is believed.

Each turn is one edit relative to the base; the worktree holds the base again afterwards. The next
prompt is made anew from the package: it holds what the last turn did, never a transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clean_room_agent.errors import BudgetError, EditError, ModelCallError
from clean_room_agent.execute.implement import Proposal, propose_edit
from clean_room_agent.execute.material import Feedback, Material, plain_failure
from clean_room_agent.execute.reflect import reflect
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.pipeline.changes import Change, change_of, narrowed, normal_form
from clean_room_agent.pipeline.curation import Curation
from clean_room_agent.pipeline.doors import Plausible
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.limits import Ending, Meter
from clean_room_agent.pipeline.model_candidate import make_candidate
from clean_room_agent.pipeline.package import is_empty
from clean_room_agent.pipeline.stages import MODEL_GENERATOR
from clean_room_agent.pipeline.stuck import Move, find_stuck
from clean_room_agent.pipeline.trying import Tried, try_change
from clean_room_agent.records.answers import LoggedPlan, Turn, TurnOutcome
from clean_room_agent.records.attempt import Replacement
from clean_room_agent.records.log import EventLevel
from clean_room_agent.store.raw import new_id
from clean_room_agent.validation.screen import screen_replacements

DETAILS_TOLD = 3


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended, with the patch that passed, if there is one."""

    ending: Ending
    plausible: Plausible | None
    turns: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one proposal."""

    outcome: TurnOutcome
    said: str
    move: Move
    change: Change | None = None
    tried: Tried | None = None


class ModelAttempt:
    """One attempt; `number` counts from 0 and is added to the seed."""

    def __init__(
        self,
        ground: Ground,
        client: ModelClient,
        curation: Curation,
        meter: Meter,
        number: int,
        plan: LoggedPlan | None = None,
    ) -> None:
        self.attempt_id = new_id("a")
        self._ground, self._client, self._curation = ground, client, curation
        self._meter, self._number, self._plan = meter, number, plan
        self._limits = ground.room.config.attempts
        self._feedback: tuple[Feedback, ...] = ()
        self._notes: tuple[tuple[str, str], ...] = ()
        self._moves: list[Move] = []
        self._fewest = len(ground.targets.fail_to_pass)
        self._steps = self._rows = self._format_errors = 0
        self._reflected = False
        self._plausible: Plausible | None = None

    def run(self) -> AttemptResult:
        """Take turns until a patch passes or a limit is reached; log how it ended."""
        ending, why = Ending.INTERRUPTED, ""
        try:
            ending = self._take_turns()
        except BudgetError as error:
            ending, why = Ending.WINDOW, error.message
        except ModelCallError as error:
            ending, why = Ending.MODEL, error.message
            raise
        finally:
            found = ending is Ending.PLAUSIBLE
            data = {"attempt_id": self.attempt_id, "limit": ending, "turns": self._rows, "why": why}
            level = EventLevel.INFO if found else EventLevel.WARNING
            self._ground.room.event("attempt.ended", data, self._ground.task.task_id, level)
        return AttemptResult(ending, self._plausible, self._rows)

    def _take_turns(self) -> Ending:
        if is_empty(self._curation.package.package):
            # Asked all the same, a model makes code up: nothing that it could mend is shown.
            return Ending.EMPTY_ROOM
        while True:
            if shared := self._meter.reached():
                return shared
            if self._steps >= self._limits.steps:
                return Ending.STEPS
            self._turn()
            if self._plausible is not None:
                return Ending.PLAUSIBLE
            if self._format_errors >= self._limits.format_errors:
                return Ending.FORMAT_ERRORS
            reason = find_stuck(self._moves, self._fewest)
            if reason and self._reflected:
                return Ending.STUCK
            if reason:
                if shared := self._meter.reached():
                    return shared
                self._reflect(reason)

    def _turn(self) -> None:
        """Ask for one edit, try it, log it, and keep what the next prompt is told."""
        self._progress()
        material = self._material()
        proposal = propose_edit(self._client, material, seed_offset=self._number)
        self._steps += 1
        self._warn(proposal)
        result = self._judge(proposal)
        self._moves.append(result.move)
        unusable = result.outcome is TurnOutcome.UNUSABLE
        self._format_errors = self._format_errors + 1 if unusable else 0
        self._log_turn(proposal, result)
        if result.outcome is not TurnOutcome.SOLVED:
            self._learn(proposal, result)

    def _material(self) -> Material:
        ground, room = self._ground, self._curation
        return Material(
            task_id=ground.task.task_id,
            package=room.package.package,
            package_id=room.package.package_id,
            files=room.files,
            failing=ground.failing,
            failing_source=ground.baseline.source,
            plan=self._plan.plan if self._plan else None,
            plan_source=f"plan:{self._plan.plan_id}" if self._plan else "",
            feedback=self._feedback,
            notes=self._notes,
        )

    def _judge(self, proposal: Proposal) -> _Outcome:
        """Decide what became of a proposal; a change is tried without edits of tests."""
        if proposal.no_change:
            return _untried(TurnOutcome.NO_CHANGE, "the edit changes nothing", is_error=False)
        if proposal.problem:
            return _untried(TurnOutcome.UNUSABLE, proposal.problem)
        accepted, flags = screen_replacements(proposal.replacements)
        if not accepted:
            return _untried(TurnOutcome.REFUSED, _left_out(flags))
        try:
            change = change_of(accepted, self._ground.read)
            if not narrowed(change):
                said = "the edit changes nothing that is part of a patch"
                return _untried(TurnOutcome.NO_CHANGE, said, is_error=False)
            tried = try_change(self._ground, narrowed(change))
        except EditError as error:
            return _untried(TurnOutcome.REFUSED, f"{error.where}: {error.message}")
        return self._outcome(proposal, change, tried, flags)

    def _outcome(
        self, proposal: Proposal, change: Change, tried: Tried, flags: tuple[str, ...]
    ) -> _Outcome:
        said = f"{tried.said}; {_left_out(flags)}" if flags else tried.said
        still = [t for t in self._ground.targets.fail_to_pass if t in tried.failing]
        details = "\n".join(text for _, text in tried.logged.details(tried.failing))
        seen = f"{said}\n{plain_failure(details)}"
        move = Move(normal_form(change), seen, len(still), is_error=False)
        if not tried.holds:
            return _Outcome(TurnOutcome.REVERTED, said, move, change, tried)
        candidate = make_candidate(change, proposal.summary, self._ground.spectrum)
        self._plausible = Plausible(candidate, MODEL_GENERATOR, self.attempt_id, flags)
        return _Outcome(TurnOutcome.SOLVED, said, move, change, tried)

    def _log_turn(self, proposal: Proposal, result: _Outcome) -> None:
        run_id = result.tried.logged.test_run_id if result.tried else ""
        self._append(
            proposal.request_id,
            proposal.summary or "edit",
            result.outcome,
            result.said,
            proposal.replacements,
            run_id,
        )

    def _learn(self, proposal: Proposal, result: _Outcome) -> None:
        """Keep the last turn for the next prompt; follow what its failures name."""
        tried, diff = result.tried, b""
        if result.change is not None:
            diff = self._ground.room.repository.diff(result.change.before, result.change.after)
        source = tried.logged.source if tried else f"request:{proposal.request_id}"
        details = tried.logged.details(tried.failing[:DETAILS_TOLD]) if tried else ()
        self._feedback = (Feedback(diff, result.outcome, result.said, details, source),)
        if details:
            text = "\n\n".join(plain_failure(text) for _, text in details)
            self._curation.follow(text, self.attempt_id)

    def _reflect(self, reason: str) -> None:
        """Ask once why the attempt is stuck; its answer is a note in the next prompts."""
        self._reflected = True
        self._ground.room.progress("the model reflects", 0, 0, reason)
        offset = self._number
        found = reflect(self._client, self._material(), reason, seed_offset=offset)
        action = f"reflect: {reason}"
        self._append(found.request_id, action, TurnOutcome.REFLECTED, found.note, (), "")
        if found.note:
            self._notes = ((found.note, f"request:{found.request_id}"),)
        # The move that was repeated stays: made once more, the attempt is stuck again.
        counted = [move.failing for move in self._moves if move.failing is not None]
        self._fewest = min([self._fewest, *counted])
        self._moves = self._moves[-1:]

    def _append(
        self,
        request_id: str,
        action: str,
        outcome: TurnOutcome,
        observation: str,
        replacements: Sequence[Replacement],
        test_run_id: str,
    ) -> None:
        self._ground.room.raw.append_turn(
            Turn(
                turn_id=new_id("n"),
                attempt_id=self.attempt_id,
                position=self._rows,
                request_id=request_id,
                action=action,
                outcome=outcome,
                observation=observation,
                replacements=tuple(replacements),
                test_run_id=test_run_id,
            )
        )
        self._rows += 1

    def _warn(self, proposal: Proposal) -> None:
        for warning in proposal.warnings:
            data = {"attempt_id": self.attempt_id, "warning": warning}
            self._ground.room.event(
                "attempt.warning", data, self._ground.task.task_id, EventLevel.WARNING
            )

    def _progress(self) -> None:
        told = f"attempt {self._number + 1} of {self._limits.attempts}"
        self._ground.room.progress("the model edits", self._steps + 1, self._limits.steps, told)


def _untried(outcome: TurnOutcome, said: str, *, is_error: bool = True) -> _Outcome:
    """An answer of which nothing was run."""
    return _Outcome(outcome, said, Move(outcome, said, None, is_error))


def _left_out(flags: Sequence[str]) -> str:
    """Say which edits were not tried, and why."""
    return f"left out, tests and configuration are no part of a patch: {', '.join(flags)}"
