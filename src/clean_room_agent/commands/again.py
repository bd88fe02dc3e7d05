"""Run a logged run again: the same verb, task, test command and configuration.

Takes: a logged run, an invocation. Gives: the invocation with the run's settings, its exit code.
Does not know: what is compared afterwards, or where answers come from.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from clean_room_agent.commands.invocation import Invocation, Repeats
from clean_room_agent.commands.lookup import RUN_PREFIX
from clean_room_agent.commands.output import Output
from clean_room_agent.config.schema import REPOSITORY_ONLY, all_fields
from clean_room_agent.errors import UsageError
from clean_room_agent.llm.rooms import CountOverride
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.wire import Transport
from clean_room_agent.records.log import LoggedRun, LoggedTask
from clean_room_agent.store.raw_reader import RawReader

REPLAY, RESUME = "replay", "resume"
# The verbs that ask models and can be run again from what the log has of them.
VERBS = ("context", "plan", "solve", "ask", "enrich")
RECENT_RUNS = 500
# How a server is reached changes no prompt: what is configured now wins over what was then.
CONNECTION = frozenset(
    {
        "models.base_url",
        "models.parallel",
        "models.connect_seconds",
        "models.first_token_seconds",
        "models.idle_seconds",
        "models.total_seconds",
        "models.retries",
        "models.allowed_hosts",
        "models.api_key_variable",
    }
)


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A logged run with its first task and what else its verb needs."""

    run: LoggedRun
    task: LoggedTask | None
    plan_id: str
    had_uncommitted: bool

    @property
    def run_id(self) -> str:
        return self.run.run.run_id

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.run.run.arguments


def find_run(reader: RawReader, word: str) -> LoggedRun:
    """Return the run that a run or task id means. Raises: UsageError."""
    if word.startswith(RUN_PREFIX):
        return reader.read_run(word)
    return reader.read_run(reader.read_task(word).task.run_id)


def is_alive(run: LoggedRun) -> bool:
    """Say whether a run without an end still is at work."""
    pid = run.run.pid
    return run.end is None and pid != os.getpid() and os.path.lexists(f"/proc/{pid}")


def asks_models(run: LoggedRun) -> bool:
    """Say whether a run is one of those that ask models: its verb does, and not only shows."""
    shows = run.run.arguments[:1] in (("--promote",), ("--status",))
    return run.run.verb in VERBS and not shows


def require_repeatable(run: LoggedRun) -> None:
    """Raise where a run cannot be run again.

    Raises:
        UsageError: its verb asks no model, is a dialogue, or it is still at work.
    """
    if not asks_models(run):
        words = " ".join((run.run.verb, *run.run.arguments[:1]))
        raise UsageError(
            f"run {run.run.run_id} ({words}) is not one that can be run again",
            hint=f"one of {', '.join(VERBS)}; see cra runs",
        )
    if is_alive(run):
        raise UsageError(
            f"run {run.run.run_id} is still at work", where=f"pid {run.run.pid}", hint="cra runs"
        )


def read_repeatable(reader: RawReader, run: LoggedRun) -> Repeatable:
    """Read what the verb of a run needs.

    Raises:
        UsageError: it was killed before its task was logged.
    """
    run_id = run.run.run_id
    tasks = reader.read_tasks(run_id=run_id)
    if not tasks and run.run.verb != "enrich" and not run.run.arguments:
        raise UsageError(f"run {run_id} was ended before it had a task", hint="start it again")
    task = tasks[-1] if tasks else None
    uncommitted = reader.read_events(run_id=run_id, kind="task.uncommitted")
    return Repeatable(run, task, _plan_of(reader, run, task), bool(uncommitted))


def _plan_of(reader: RawReader, run: LoggedRun, task: LoggedTask | None) -> str:
    """Return the id of the plan that a solve was given: `last` meant the newest one then."""
    words = run.run.arguments
    if "--plan" not in words[3:]:
        return ""
    for request in reader.read_requests(run_id=run.run.run_id):
        for _, source in reader.read_prompt_fragments(request.request_id):
            if source.startswith("plan:"):
                return source.removeprefix("plan:")
    word = words[words.index("--plan", 3) + 1]
    if word != "last" or task is None:
        return word
    for earlier in reader.read_tasks(limit=RECENT_RUNS):
        plans = reader.read_plans(earlier.task.task_id) if earlier.seq < task.seq else ()
        if plans:
            return plans[-1].plan_id
    return word


def recorded_overrides(run: LoggedRun, *, kept: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the run's configuration as `-c` words.

    `kept` keys stay as they are configured now, and so does what only the repository's own file
    may say.
    """
    known = all_fields().keys() - REPOSITORY_ONLY
    return tuple(
        f"{key}={json.dumps(value)}"
        for key, value in sorted(run.run.config.items())
        if key in known and key not in kept
    )


def configured_now(invocation: Invocation) -> frozenset[str]:
    """Return the keys of the connection that are set explicitly now."""
    origins = invocation.settings.origins
    return frozenset(key for key in CONNECTION if origins[key] != "built-in")


class AnswerOutput(Output):
    """Prints like any verb, and adds `extra` to its document."""

    def __init__(self, *, as_json: bool, quiet: bool, extra: Callable[[], Mapping[str, object]]):
        super().__init__(as_json=as_json, quiet=quiet)
        self._extra = extra

    def document(self, content: Mapping[str, object]) -> None:
        super().document({**content, **self._extra()})


class SilentOutput(Output):
    """Shows progress alone: the verb that runs inside another one prints no result."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(as_json=True, quiet=quiet)

    def document(self, content: Mapping[str, object]) -> None:
        """Print nothing; the outer verb has a document of its own."""

    def note(self, text: str) -> None:
        """Print nothing: it was said when the run was first made."""


def invocation_of(
    outer: Invocation,
    run: LoggedRun,
    verb: str,
    output: Output,
    *,
    kept: frozenset[str] = frozenset(),
    transport: Callable[[Router], Transport],
    counter: CountOverride,
) -> Invocation:
    """Return the invocation under which a verb runs again, with the settings of its run.

    What `-c` says now is added at the end, and so wins.
    """
    inner = replace(
        outer,
        overrides=(*recorded_overrides(run, kept=kept), *outer.overrides),
        transport_override=transport,
        counters_override=counter,
        repeats=Repeats(verb, run.run.run_id),
    )
    # The cached property: every use of the copy prints through this.
    inner.__dict__["output"] = output
    return inner


def run_again(invocation: Invocation, found: Repeatable) -> int:
    """Call the run's own verb as it was called; return its exit code."""
    return _RUN[found.run.run.verb](invocation, found)


def _text(found: Repeatable) -> str:
    return found.task.task.text if found.task is not None else found.arguments[0]


def _context(invocation: Invocation, found: Repeatable) -> int:
    from clean_room_agent.commands import context

    view = context.ContextView(prompt=False, all_decisions=False)
    context.context(invocation, _text(found), view)
    return 0


def _plan(invocation: Invocation, found: Repeatable) -> int:
    from clean_room_agent.commands import plan

    return plan.plan(invocation, _text(found))


def _ask(invocation: Invocation, found: Repeatable) -> int:
    from clean_room_agent.commands import ask

    pinned = "--at" in found.arguments[1:]
    # As a word it may mean another commit by now.
    commit = found.task.task.base_commit if found.task else found.arguments[-1]
    return ask.ask(invocation, _text(found), at=commit if pinned else "")


def _solve(invocation: Invocation, found: Repeatable) -> int:
    from clean_room_agent.commands import solve

    words = found.arguments
    fix = words[3 : words.index("--plan", 3)] if found.plan_id else words[3:]
    command = found.task.task.test_command if found.task else None
    request = solve.SolveRequest(
        text=_text(found),
        test_command=shlex.join(command.words) if command else words[2],
        fix=tuple(fix),
        # What was uncommitted then took part; where nothing was, nothing does now.
        dirty="include" if found.had_uncommitted or found.task is None else "ignore",
        apply_patch=False,
        plan=found.plan_id,
    )
    return solve.solve(invocation, request)


def _enrich(invocation: Invocation, found: Repeatable) -> int:
    from clean_room_agent.commands import enrich

    repeats = invocation.repeats
    # A resumed run goes on with what waits now; a replay describes once more what waited then.
    as_of = found.run.run.run_id if repeats is not None and repeats.verb == REPLAY else None
    request = enrich.EnrichRequest((), promote=False, status=False, as_of=as_of)
    return enrich.enrich(invocation, request)


_RUN: dict[str, Callable[[Invocation, Repeatable], int]] = {
    "context": _context,
    "plan": _plan,
    "solve": _solve,
    "ask": _ask,
    "enrich": _enrich,
}
