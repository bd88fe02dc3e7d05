"""Compare a logged run with its repetition and name the first difference.

Takes: the log and two runs of it. Gives: `Comparison`. Does not know: how a run is repeated.

Both runs are laid out as one line of events each: calls, packages with their decisions, turns,
results. Calls that were in flight together are compared as a set. A run that was cut short is only
compared as far as it came. What depends on the clock (the search by templates) can make a note,
never a divergence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from clean_room_agent.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, ModelCallError
from clean_room_agent.pipeline.replay_differences import (
    call_difference,
    decision_difference,
    package_difference,
    short,
)
from clean_room_agent.pipeline.search import OUT_OF_TIME
from clean_room_agent.pipeline.templates import NAME as TIMED
from clean_room_agent.records.calls import CallStage, LoggedRequest
from clean_room_agent.records.log import LoggedPackage, LoggedRun, Patch
from clean_room_agent.records.task import TaskId
from clean_room_agent.store.raw_reader import RawReader
from clean_room_agent.store.values import json_text

# Their calls are answered before the package that they name is logged.
BUILDING = frozenset(
    {CallStage.ANALYSIS, CallStage.SCOPE, CallStage.PRECISION, CallStage.REPRIORITISE}
)
# A run that ended so could not finish: a model failed, or somebody stopped it.
CUT_SHORT = frozenset({ModelCallError.exit_code, EXIT_INTERRUPTED, EXIT_TERMINATED})


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a run: equal keys mean that nothing differs. `group` joins calls in flight."""

    kind: str
    key: Hashable
    told: str
    group: tuple[str, int] | None = None
    request: LoggedRequest | None = None
    package: LoggedPackage | None = None


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference: where, what, and a few lines that show it."""

    where: str
    what: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and how it went."""

    calls: int
    packages: int
    decisions: int
    turns: int
    divergence: Divergence | None
    notes: tuple[str, ...]
    is_cut_short: bool


def is_cut_short(run: LoggedRun) -> bool:
    """Say whether a run did not come to an end of its own."""
    return run.end is None or run.end.exit_code in CUT_SHORT


def compare_runs(reader: RawReader, before: LoggedRun, after: LoggedRun) -> Comparison:
    """Compare `after`, the repetition, with `before`."""
    cut = is_cut_short(before)
    earlier, later = _Line(reader, before), _Line(reader, after)
    clock = _stopped_by_clock(before)
    divergence = _first(reader, earlier.items, later.items, may_go_on=cut or clock)
    notes: list[str] = []
    if clock and len(later.items) > len(earlier.items):
        notes.append("the clock stopped the logged run; the replay was faster and went on")
        cut = True
    if divergence is None and not cut:
        divergence = _compare_results(earlier, later, notes)
    if divergence is None and not cut:
        divergence = _compare_endings(earlier, later, notes)
    counted = Counter(item.kind for item in earlier.items)
    return Comparison(
        calls=counted["call"],
        packages=counted["package"],
        decisions=earlier.decisions,
        turns=counted["turn"],
        divergence=_with_error(divergence, before, after),
        notes=tuple(notes),
        is_cut_short=cut,
    )


def _stopped_by_clock(run: LoggedRun) -> bool:
    """Say whether the time of a model's attempts was up: a faster repetition may ask more."""
    stopped = str(run.end.summary.get("stopped", "")) if run.end else ""
    return any(
        part.endswith(OUT_OF_TIME) and not part.startswith(TIMED) for part in stopped.split("; ")
    )


def _with_error(
    divergence: Divergence | None, before: LoggedRun, after: LoggedRun
) -> Divergence | None:
    """Add how the repetition ended, where the logged run did not end so."""
    said = _error(after)
    if divergence is None or not said or said == _error(before):
        return divergence
    details = (*divergence.details, f"the replay ended with: {said}")
    return Divergence(divergence.where, divergence.what, details)


def _error(run: LoggedRun) -> str:
    return str(run.end.summary.get("error", "")) if run.end else ""


class _Line:
    """One run as a line of events."""

    def __init__(self, reader: RawReader, run: LoggedRun) -> None:
        self.run = run
        self.reader = reader
        tasks = reader.read_tasks(run_id=run.run.run_id)
        self.tasks: list[TaskId] = [logged.task.task_id for logged in reversed(tasks)]
        self.decisions = 0
        self._turns = self._read_turns()
        self.items = self._lay_out()

    def _lay_out(self) -> list[Item]:
        packages = [p for task in self.tasks for p in self.reader.read_packages(task)]
        place = {p.package_id: number for number, p in enumerate(packages)}
        items: list[Item] = []
        laid = 0
        for number, request in enumerate(self.reader.read_requests(run_id=self.run.run.run_id)):
            own = place.get(request.package_id, len(packages))
            # A judge's call comes before its package, every other call after it.
            upto = own if request.stage in BUILDING else min(own + 1, len(packages))
            items += [self._package_item(n, p) for n, p in enumerate(packages[laid:upto], laid)]
            laid = max(laid, upto)
            items.append(_call_item(number, request, own))
            items += self._turns.get(request.request_id, [])
        items += [self._package_item(n, p) for n, p in enumerate(packages[laid:], laid)]
        return items

    def _package_item(self, number: int, package: LoggedPackage) -> Item:
        logged = self.reader.read_decisions(package.task_id, package_id=package.package_id)
        self.decisions += len(logged)
        decided = tuple(
            (d.decision.stage, d.decision.candidate.path, d.decision.candidate.symbol,
             d.decision.candidate.blob_id, d.decision.verdict)
            for d in logged
        )  # fmt: skip
        key = ("package", package.prompt_sha256, package.tokens, decided)
        return Item("package", key, f"package {number + 1} ({package.package_id})", package=package)

    def _read_turns(self) -> dict[str, list[Item]]:
        """Return the turns by the call that made them."""
        turns: dict[str, list[Item]] = {}
        for task in self.tasks:
            for number, attempt in enumerate(self.reader.read_attempts(task)):
                for turn in self.reader.read_turns(attempt.attempt_id):
                    edits = json_text(turn.replacements)
                    key = ("turn", number, turn.position, turn.action, turn.outcome, edits)
                    told = f"turn {turn.position} of attempt {number + 1}: {turn.outcome}"
                    turns.setdefault(turn.request_id, []).append(Item("turn", key, told))
        return turns

    def patches(self) -> list[tuple[Patch, str, str]]:
        """Return each patch in rank order with its generator and its last verdict."""
        found = []
        for task in self.tasks:
            by_attempt = {a.attempt_id: a.generator for a in self.reader.read_attempts(task)}
            for patch in self.reader.read_patches(task_id=task):
                verdicts = self.reader.read_validations(patch.patch_id)
                verdict = str(verdicts[-1].verdict) if verdicts else ""
                found.append((patch, by_attempt[patch.attempt_id], verdict))
        return found

    def is_timed(self) -> bool:
        """Say whether a search that the clock ends was part of the run."""
        attempts = [a for task in self.tasks for a in self.reader.read_attempts(task)]
        return any(a.generator == TIMED for a in attempts)


def _call_item(number: int, request: LoggedRequest, package: int) -> Item:
    choice = request.choice
    key = (
        request.stage,
        request.prompt_sha256,
        request.schema_sha256,
        str(choice["model"]),
        str(choice["adapter"]),
        json_text(choice["sampling"]),
    )
    told = f"call {number + 1} ({request.stage}, {request.request_id})"
    return Item("call", key, told, group=(request.stage, package), request=request)


def _groups(items: Sequence[Item]) -> list[list[Item]]:
    """Join calls of one stage and package that follow each other; everything else stands alone."""
    groups: list[list[Item]] = []
    for item in items:
        last = groups[-1][-1] if groups else None
        if last is not None and item.group is not None and last.group == item.group:
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _first(
    reader: RawReader, before: Sequence[Item], after: Sequence[Item], *, may_go_on: bool
) -> Divergence | None:
    earlier, later = _groups(before), _groups(after)
    for number, group in enumerate(earlier):
        other = later[number] if number < len(later) else []
        is_last = may_go_on and number == len(earlier) - 1
        missing = Counter(i.key for i in group) - Counter(i.key for i in other)
        surplus = Counter(i.key for i in other) - Counter(i.key for i in group)
        if missing or (surplus and not is_last):
            return _told(reader, group, other, missing, surplus)
    if len(later) > len(earlier) and not may_go_on:
        return Divergence(later[len(earlier)][0].told, "happened in the replay only")
    return None


def _told(
    reader: RawReader,
    group: Sequence[Item],
    other: Sequence[Item],
    missing: Counter[Hashable],
    surplus: Counter[Hashable],
) -> Divergence:
    """Name the first event of a group that has no equal on the other side."""
    gone = next((item for item in group if missing[item.key]), None)
    new = next((item for item in other if surplus[item.key]), None)
    if gone is None:
        assert new is not None
        return Divergence(new.told, "happened in the replay only")
    if new is None:
        return Divergence(gone.told, "did not happen in the replay")
    if gone.kind != new.kind:
        return Divergence(gone.told, f"the replay did another thing: {new.told}")
    if gone.request is not None and new.request is not None:
        what, details = call_difference(reader, gone.request, new.request)
    elif gone.package is not None and new.package is not None:
        what, details = decision_difference(reader, gone.package, new.package)
        if not what:
            what, details = package_difference(reader, gone.package, new.package)
    else:
        what, details = "ended otherwise", (f"- {gone.told}", f"+ {new.told}")
    return Divergence(gone.told, what, details)


def _compare_results(before: _Line, after: _Line, notes: list[str]) -> Divergence | None:
    """Compare plans, answers and descriptions; they follow from answers and so must be equal."""
    for name, earlier, later in (
        ("plan", _plans(before), _plans(after)),
        ("answer", _answers(before), _answers(after)),
        ("description", _descriptions(before), _descriptions(after)),
    ):
        for number, (one, two) in enumerate(zip(earlier, later, strict=False), start=1):
            if one != two:
                details = (short(f"- {one}"), short(f"+ {two}"))
                return Divergence(f"{name} {number}", "is another one", details)
        if len(earlier) != len(later):
            what = f"{len(earlier)} were logged, {len(later)} in the replay"
            return Divergence(f"{name}s", what)
    return _compare_patches(before, after, notes)


def _plans(line: _Line) -> list[str]:
    return [json_text(p.plan) for task in line.tasks for p in line.reader.read_plans(task)]


def _answers(line: _Line) -> list[str]:
    return [json_text(a.claims) for task in line.tasks for a in line.reader.read_answers(task)]


def _descriptions(line: _Line) -> list[str]:
    run_id = line.run.run.run_id
    return [
        json_text((e.path, e.blob_id, e.description))
        for e in line.reader.read_enrichments()
        if e.run_id == run_id
    ]


def _compare_patches(before: _Line, after: _Line, notes: list[str]) -> Divergence | None:
    """Compare the models' patches; those of a timed search only make a note."""
    earlier, later = before.patches(), after.patches()
    told = [[(p.diff, v) for p, g, v in found if g != TIMED] for found in (earlier, later)]
    if told[0] != told[1] and not (before.is_timed() or after.is_timed()):
        return Divergence("patches", f"{len(told[0])} were logged, {len(told[1])} others now")
    if [(p.diff, v) for p, _, v in earlier] != [(p.diff, v) for p, _, v in later]:
        notes.append("the timed search found other patches this time; no call depends on them")
    return None


def _compare_endings(before: _Line, after: _Line, notes: list[str]) -> Divergence | None:
    """Compare how the runs ended."""
    one, two = before.run.end, after.run.end
    if one is None or two is None or (one.status, one.exit_code) == (two.status, two.exit_code):
        return None
    what = f"the run ended {one.status} ({one.exit_code}), the replay {two.status}"
    what += f" ({two.exit_code})"
    if before.is_timed() or after.is_timed():
        notes.append(f"{what}: a timed search had the last word")
        return None
    return Divergence("the end", what)
