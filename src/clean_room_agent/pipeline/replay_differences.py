"""What differs between a logged call or package and its repetition, in a few lines.

Takes: the log, two calls or two packages. Gives: a sentence and a short diff.
Does not know: which difference comes first.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from clean_room_agent.records.calls import LoggedRequest
from clean_room_agent.records.log import LoggedDecision, LoggedFragment, LoggedPackage
from clean_room_agent.store.raw_reader import RawReader

MOST_LINES = 12
MOST_CHARACTERS = 200
Difference = tuple[str, tuple[str, ...]]


def call_difference(reader: RawReader, before: LoggedRequest, after: LoggedRequest) -> Difference:
    """Say what differs between two calls: their stage, how they were asked, or a fragment."""
    if before.stage != after.stage:
        return f"the replay asked for {after.stage} instead", (f"+ {after.request_id}",)
    if before.prompt_sha256 != after.prompt_sha256:
        pieces = [
            [fragment for fragment, _ in reader.read_prompt_fragments(request.request_id)]
            for request in (before, after)
        ]
        return _fragment_difference(reader, pieces[0], pieces[1])
    if before.schema_sha256 != after.schema_sha256:
        found = [_text(reader, sha) for sha in (before.schema_sha256, after.schema_sha256)]
        return "its schema is another one", _diff(found[0], found[1])
    told = [
        {name: request.choice[name] for name in ("model", "adapter", "sampling")}
        for request in (before, after)
    ]
    return "another model or sampling was asked", (f"- {told[0]}", f"+ {told[1]}")


def package_difference(
    reader: RawReader, before: LoggedPackage, after: LoggedPackage
) -> Difference:
    """Say which fragment of a package differs, or that only its size does."""
    if before.prompt_sha256 == after.prompt_sha256:
        sizes = (f"- {before.tokens} tokens", f"+ {after.tokens} tokens")
        return "its tokens were counted otherwise", sizes
    pieces = [reader.read_fragments(package.package_id) for package in (before, after)]
    return _fragment_difference(reader, pieces[0], pieces[1])


def decision_difference(
    reader: RawReader, before: LoggedPackage, after: LoggedPackage
) -> Difference:
    """Say which decision differs first; "" where all are equal."""
    earlier, later = (
        reader.read_decisions(package.task_id, package_id=package.package_id)
        for package in (before, after)
    )
    for one, two in zip(earlier, later, strict=False):
        if _decided(one) != _decided(two):
            details = (f"- {_decided(one)}", f"+ {_decided(two)}")
            return f"decision {one.position} differs", details
    if len(earlier) != len(later):
        return f"{len(earlier)} candidates were decided, {len(later)} in the replay", ()
    return "", ()


def _decided(logged: LoggedDecision) -> str:
    candidate = logged.decision.candidate
    name = f"::{candidate.symbol}" if candidate.symbol else ""
    blob = candidate.blob_id[:12]
    return f"{logged.decision.stage} {candidate.path}{name} [{blob}] {logged.decision.verdict}"


def _fragment_difference(
    reader: RawReader, before: Sequence[LoggedFragment], after: Sequence[LoggedFragment]
) -> Difference:
    for one, two in zip(before, after, strict=False):
        if one.content_sha256 != two.content_sha256:
            name = f" of {one.path}" if one.path else ""
            found = [_text(reader, fragment.content_sha256) for fragment in (one, two)]
            what = f"fragment {one.position} ({one.kind}{name}) differs"
            return what, _diff(found[0], found[1])
    longer = before if len(before) > len(after) else after
    extra = longer[min(len(before), len(after))]
    sign = "-" if longer is before else "+"
    content = _text(reader, extra.content_sha256).splitlines()[:MOST_LINES]
    what = f"{len(before)} fragments were logged, {len(after)} in the replay"
    return what, tuple(short(f"{sign} {line}") for line in content)


def _text(reader: RawReader, sha256: str) -> str:
    return reader.read_blob(sha256).decode("utf-8", "backslashreplace") if sha256 else ""


def _diff(before: str, after: str) -> tuple[str, ...]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))
    changed = [short(line) for line in lines[2:]]
    more = len(changed) - MOST_LINES
    return (*changed[:MOST_LINES], *([f"... and {more} lines more"] if more > 0 else []))


def short(line: str) -> str:
    """Return a line of a difference; a longer one ends with dots."""
    return line if len(line) <= MOST_CHARACTERS else line[:MOST_CHARACTERS] + "..."
