"""`cra replay ID`: run a logged run again from its own answers; name the first divergence, or none.

Takes: a run or task id. Gives: exit code 0 where nothing differs, 1 at a divergence.
Does not know: how two runs are compared. No network, no server; the user's tree is only read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from clean_room_agent.commands.again import (
    RECENT_RUNS,
    REPLAY,
    Repeatable,
    SilentOutput,
    asks_models,
    find_run,
    invocation_of,
    is_alive,
    read_repeatable,
    require_repeatable,
    run_again,
)
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import open_log
from clean_room_agent.commands.output import Output
from clean_room_agent.errors import ConfigError, CraError, RepositoryError, StoreError, UsageError
from clean_room_agent.llm.replaying import Recording, read_recording
from clean_room_agent.llm.router import Router
from clean_room_agent.llm.transports.scripted import RecordedTransport
from clean_room_agent.pipeline.replay import Comparison, compare_runs
from clean_room_agent.records.log import LoggedRun
from clean_room_agent.records.spelling import one_line
from clean_room_agent.store.raw_reader import RawReader

EXIT_DIVERGED = 1
MOST_MOVED = 10
# An error of the replayed verb that is an error of the replay itself, and no finding.
_OUR_OWN = (ConfigError, StoreError)


def replay(invocation: Invocation, word: str) -> int:
    """Run again, compare, print; return the exit code.

    Raises:
        UsageError: there is no such run, or it cannot be run again.
        ConfigError: its tokenizer is another one now.
    """
    invocation.require_room()
    with open_log(invocation) as reader:
        run = _find(reader, word)
        found = read_repeatable(reader, run)
        recording = read_recording(reader, [found.run_id], faults=True)
        moved = _moved(invocation, reader, found)
    _print_moved(invocation.output, moved)
    said = _repeat(invocation, found, recording)
    with open_log(invocation) as reader:
        again = _newest_replay(reader, found.run_id)
        if again is None:
            raise UsageError(f"the run could not be started again: {said}", hint="cra doctor")
        comparison = compare_runs(reader, run, again)
    invocation.output.end_progress()
    _print(invocation.output, found, again, comparison)
    invocation.output.document(_document(found, again, comparison, moved))
    return EXIT_DIVERGED if comparison.divergence else 0


def _find(reader: RawReader, word: str) -> LoggedRun:
    """Return the run a word names; `last` is the newest one that can be run again."""
    if word != "last":
        run = find_run(reader, word)
        require_repeatable(run)
        return run
    for run in reader.read_runs(limit=RECENT_RUNS):
        if asks_models(run) and not is_alive(run):
            return run
    raise UsageError("no run in the log can be replayed yet", hint="cra context TASK")


def _repeat(invocation: Invocation, found: Repeatable, recording: Recording) -> str:
    """Run the verb again without a server; return the error it ended with, if it did."""

    def recorded(_router: Router) -> RecordedTransport:
        return RecordedTransport(recording.answers, recording.served)

    inner = invocation_of(
        invocation,
        found.run,
        REPLAY,
        SilentOutput(quiet=invocation.quiet or invocation.json),
        transport=recorded,
        counter=recording.counter,
    )
    try:
        run_again(inner, found)
    except _OUR_OWN:
        ended = found.run.end.exit_code if found.run.end else 0
        if ended not in {error.exit_code for error in _OUR_OWN}:
            raise
    except CraError as error:
        # How it ended is in the log of the replay, and is compared there.
        return error.message
    return ""


def _newest_replay(reader: RawReader, run_id: str) -> LoggedRun | None:
    for run in reader.read_runs(limit=RECENT_RUNS, verb=REPLAY):
        if run.run.pid == os.getpid():
            events = reader.read_events(run_id=run.run.run_id, kind="run.replays")
            if any(event.data["run_id"] == run_id for event in events):
                return run
    return None


def _moved(invocation: Invocation, reader: RawReader, found: Repeatable) -> list[str]:
    """Say how the repository differs from the one of the run: its commit, and the files shown."""
    if found.task is None or "--at" in found.arguments[1:]:
        return []
    told = []
    base, head = found.task.task.base_commit, invocation.repository.head or ""
    if base != head:
        told.append(f"HEAD was {base[:12] or '(none)'}, and is {head[:12] or '(none)'}")
    changed = [
        path
        for path, blob_id in sorted(_shown(reader, found).items())
        if _blob_now(invocation, path) != blob_id
    ]
    told += [f"{one_line(path)} is not as it was shown" for path in changed[:MOST_MOVED]]
    if len(changed) > MOST_MOVED:
        told.append(f"and {len(changed) - MOST_MOVED} more files are not as they were shown")
    return told


def _shown(reader: RawReader, found: Repeatable) -> dict[str, str]:
    """Return every path that a package of the run shows, with its content."""
    shown: dict[str, str] = {}
    for task in reader.read_tasks(run_id=found.run_id):
        for package in reader.read_packages(task.task.task_id):
            for fragment in reader.read_fragments(package.package_id):
                if fragment.blob_id is not None:
                    shown.setdefault(fragment.path, fragment.blob_id)
    return shown


def _blob_now(invocation: Invocation, path: str) -> str | None:
    limit = invocation.settings.config.index.max_file_bytes
    try:
        data = invocation.repository.read_file(path, limit_bytes=limit)
    except RepositoryError:
        return None
    return invocation.repository.hash_bytes(data)


def _print_moved(output: Output, moved: Sequence[str]) -> None:
    if moved:
        output.heading("the repository has moved since; a divergence is to be expected:")
        for line in moved:
            output.line(f"  {line}")


def _print(output: Output, found: Repeatable, again: LoggedRun, comparison: Comparison) -> None:
    counted = (
        f"{comparison.calls} calls, {comparison.packages} packages, "
        f"{comparison.decisions} decisions, {comparison.turns} turns"
    )
    divergence = comparison.divergence
    if divergence is None:
        upto = ", as far as the logged run came" if comparison.is_cut_short else ""
        output.heading(f"no divergence: {counted}{upto}")
    else:
        output.heading(f"first divergence at {divergence.where}: {divergence.what}")
        for line in divergence.details:
            output.line(f"  {line}")
    for note in comparison.notes:
        output.line(f"note: {note}")
    output.line(f"logged: {found.run_id} ({found.run.run.verb}), replayed as {again.run.run_id}")


def _document(
    found: Repeatable, again: LoggedRun, comparison: Comparison, moved: Sequence[str]
) -> dict[str, object]:
    divergence = comparison.divergence
    return {
        "run_id": found.run_id,
        "verb": found.run.run.verb,
        "replay_run_id": again.run.run_id,
        "diverged": divergence is not None,
        "divergence": None
        if divergence is None
        else {
            "where": divergence.where,
            "what": divergence.what,
            "details": list(divergence.details),
        },
        "moved": list(moved),
        "notes": list(comparison.notes),
        "calls": comparison.calls,
        "packages": comparison.packages,
        "decisions": comparison.decisions,
        "turns": comparison.turns,
        "cut_short": comparison.is_cut_short,
    }
