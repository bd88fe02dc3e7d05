"""`cra runs`: what was run, how it ended, how long it took.

Takes: the raw log. Gives: a table. Does not know: single tasks; see `trace`.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.lookup import open_log
from clean_room_agent.errors import UsageError
from clean_room_agent.records.log import LoggedRun

OTHER_COLUMNS_WIDTH = 76
MIN_SUBJECT_WIDTH = 20
VERBS = (
    *("index", "enrich", "search", "symbol", "context", "ask", "chat", "plan", "solve", "replay"),
    *("apply", "undo", "gc"),
)


def runs(invocation: Invocation, *, limit: int, verb: str) -> None:
    """Print the newest runs first."""
    if verb and verb not in VERBS:
        raise UsageError(f"no verb {verb!r} is logged", hint=f"one of {', '.join(VERBS)}")
    with open_log(invocation) as reader:
        logged = reader.read_runs(limit=limit, verb=verb or None)
    rows = [
        (
            entry.run.run_id,
            entry.run.started_at[:19].replace("T", " "),
            entry.run.verb,
            status_of(entry),
            _seconds(entry),
            _subject(entry),
        )
        for entry in logged
    ]
    invocation.output.table(("run", "started (UTC)", "verb", "status", "s", "subject"), rows)
    invocation.output.document({"runs": [_document(entry) for entry in logged]})


def status_of(entry: LoggedRun) -> str:
    """Return how a run ended; without an end, whether its process is still there."""
    if entry.end is not None:
        return entry.end.status
    return "running" if Path(f"/proc/{entry.run.pid}").exists() else "killed"


def _seconds(entry: LoggedRun) -> str:
    if entry.end is None:
        return ""
    started = datetime.fromisoformat(entry.run.started_at)
    return f"{(datetime.fromisoformat(entry.end.ended_at) - started).total_seconds():.1f}"


def _subject(entry: LoggedRun) -> str:
    words = " ".join(entry.run.arguments).replace("\n", " ")
    width = max(MIN_SUBJECT_WIDTH, shutil.get_terminal_size().columns - OTHER_COLUMNS_WIDTH)
    return words if len(words) <= width else words[: width - 1] + "…"


def _document(entry: LoggedRun) -> dict[str, object]:
    return {
        "run_id": entry.run.run_id,
        "verb": entry.run.verb,
        "arguments": list(entry.run.arguments),
        "started_at": entry.run.started_at,
        "ended_at": entry.end.ended_at if entry.end else None,
        "status": status_of(entry),
        "exit_code": entry.end.exit_code if entry.end else None,
        "summary": dict(entry.end.summary) if entry.end else {},
    }
