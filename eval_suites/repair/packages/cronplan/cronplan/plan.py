"""Several jobs together: what is due, in which order, and what was missed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronplan.expression import Schedule, parse
from cronplan.walk import last_before, next_after, runs_between


@dataclass
class Job:
    """A named piece of work with a schedule."""

    name: str
    schedule: Schedule
    priority: int = 0
    last_run: datetime | None = None
    paused: bool = False

    def is_due(self, now: datetime) -> bool:
        """Whether a run has come up since the last one."""
        if self.paused:
            return False
        latest = last_before(self.schedule, now + timedelta(minutes=1))
        if latest is None:
            return False
        return self.last_run is None or self.last_run < latest

    def missed(self, now: datetime) -> int:
        """How many runs have come up since the last one, not counting it."""
        if self.last_run is None:
            return 0
        start = self.last_run + timedelta(minutes=1)
        return len(runs_between(self.schedule, start, now))


def read_jobs(lines: Iterable[str]) -> list[Job]:
    """Jobs from lines such as ``backup !2: 0 3 * * *``; ``#`` starts a comment."""
    jobs: list[Job] = []
    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        head, _, expression = text.partition(":")
        name, _, priority = head.partition("!")
        jobs.append(Job(name.strip(), parse(expression), int(priority or 0)))
    return jobs


def due(jobs: Iterable[Job], now: datetime) -> list[Job]:
    """The jobs to run now: the most important first, then by name."""
    ready = [job for job in jobs if job.is_due(now)]
    return sorted(ready, key=lambda job: (-job.priority, job.name))


def agenda(jobs: Iterable[Job], start: datetime, count: int) -> Iterator[tuple[datetime, str]]:
    """The next so many runs over all jobs in order of time."""
    queue: list[tuple[datetime, str, Schedule]] = []
    for job in jobs:
        first = next_after(job.schedule, start)
        if first is not None and not job.paused:
            queue.append((first, job.name, job.schedule))
    heapq.heapify(queue)
    for _ in range(count):
        if not queue:
            return
        at, name, schedule = heapq.heappop(queue)
        yield at, name
        following = next_after(schedule, at)
        if following is not None:
            heapq.heappush(queue, (following, name, schedule))


def clashes(jobs: Iterable[Job], start: datetime, end: datetime) -> dict[datetime, list[str]]:
    """The minutes at which more than one job starts."""
    starts: dict[datetime, list[str]] = {}
    for job in jobs:
        for at in runs_between(job.schedule, start, end):
            starts.setdefault(at, []).append(job.name)
    return {at: sorted(names) for at, names in sorted(starts.items()) if len(names) > 1}
