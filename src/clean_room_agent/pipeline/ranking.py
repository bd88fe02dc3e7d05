"""Plausible patches of all generators in one order, logged as patches.

Takes: what generators found, base bytes. Gives: `Patch`es, best first; equal ones once, with how
often they were proposed. Does not know: who decides, or how a patch is graded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clean_room_agent.pipeline.changes import Change, change_of, normal_form
from clean_room_agent.pipeline.doors import Plausible
from clean_room_agent.pipeline.ground import Ground
from clean_room_agent.pipeline.places import split_paths
from clean_room_agent.pipeline.templates import read_files
from clean_room_agent.records.attempt import PatchCandidate, Replacement
from clean_room_agent.records.log import Patch
from clean_room_agent.repair import Evidence, RankedPatch, rank_plausible
from clean_room_agent.repair.source import parse_quietly
from clean_room_agent.store.raw import new_id

MAX_LOGGED_PATCHES = 20


@dataclass(frozen=True, slots=True)
class _Group:
    """Plausible patches that mean the same: the first one found stands for them."""

    first: Plausible
    change: Change
    votes: int
    generators: tuple[str, ...]


def log_ranked(ground: Ground, found: Sequence[Plausible]) -> tuple[Patch, ...]:
    """Rank distinct patches, append the best to the log and return them; the rest is dropped."""
    groups = _grouped(ground, found)
    ranked = _rank(ground, [group.first.candidate for group in groups.values()])
    by_candidate = {group.first.candidate.candidate_id: group for group in groups.values()}
    patches = []
    for rank, entry in enumerate(ranked[:MAX_LOGGED_PATCHES], start=1):
        group = by_candidate[entry.candidate.candidate_id]
        patches.append(_patch(ground, rank, entry, group))
        ground.room.raw.append_patch(patches[-1])
    if len(ranked) > MAX_LOGGED_PATCHES:
        data = {"kept": MAX_LOGGED_PATCHES, "found": len(ranked), "order": "rank"}
        ground.room.event("patches.capped", data, ground.task.task_id)
    return tuple(patches)


def _grouped(ground: Ground, found: Sequence[Plausible]) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for plausible in found:
        change = change_of(plausible.candidate.replacements, ground.read)
        form = normal_form(change)
        known = groups.get(form)
        if known is None:
            groups[form] = _Group(plausible, change, 1, (plausible.generator,))
        else:
            generators = tuple(dict.fromkeys((*known.generators, plausible.generator)))
            groups[form] = replace(known, votes=known.votes + 1, generators=generators)
    return groups


def _patch(ground: Ground, rank: int, entry: RankedPatch, group: _Group) -> Patch:
    candidate = entry.candidate
    return Patch(
        patch_id=new_id("p"),
        attempt_id=group.first.attempt_id,
        candidate_id=candidate.candidate_id,
        rank=rank,
        diff=ground.room.repository.diff(group.change.before, group.change.after),
        replacements=candidate.replacements,
        score={
            "template": candidate.template,
            "summary": candidate.summary,
            **entry.terms,
            "generator": group.first.generator,
            "generators": list(group.generators),
            "votes": group.votes,
            "flags": list(group.first.flags),
        },
    )


def _rank(ground: Ground, candidates: Sequence[PatchCandidate]) -> list[RankedPatch]:
    """Order by belief. The terms read Python files that exist; other edits they do not see."""
    _, tests = split_paths(ground.spectrum, ground.test_files)
    paths = sorted({r.path for c in candidates for r in c.replacements})
    sources = {
        path: data
        for path, data in read_files(ground, paths).items()
        if path.endswith(".py") and parse_quietly(data) is not None
    }
    shown = {c.candidate_id: _readable(c, sources) for c in candidates}
    evidence = Evidence(read_files(ground, tests))
    whole = {c.candidate_id: c for c in candidates}
    parsed = [c for c in shown.values() if c.replacements]
    ranked = rank_plausible(parsed, sources, evidence)
    other = [_unread(c) for c in shown.values() if not c.replacements]
    found = [replace(r, candidate=whole[r.candidate.candidate_id]) for r in (*ranked, *other)]
    return sorted(found, key=lambda r: -r.score)


def _readable(candidate: PatchCandidate, sources: Mapping[str, bytes]) -> PatchCandidate:
    kept: tuple[Replacement, ...] = tuple(r for r in candidate.replacements if r.path in sources)
    return replace(candidate, replacements=kept)


def _unread(candidate: PatchCandidate) -> RankedPatch:
    """A patch of files that no term can read: its place alone speaks for it."""
    terms = {"suspicion": math.log(max(candidate.suspiciousness, 1e-9)), "unread": -1.0}
    return RankedPatch(candidate, sum(terms.values()), terms)
