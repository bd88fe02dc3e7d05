"""What one turn of the execute room is handed, checked to be of one piece.

Takes: a context package, the base bytes behind it, what tests and earlier turns said. Gives:
`Material`, `Feedback`. Does not know: where any of it is kept, or which stage asks next.

Every edit of a turn is relative to `Material.files`, the base, never to an earlier edit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from clean_room_agent.errors import EditError
from clean_room_agent.records.answers import Plan
from clean_room_agent.records.context import ContextPackage, Fragment, FragmentKind
from clean_room_agent.records.task import TaskId

FAILURE_TEXT = "failure-text/1"
# Names under it that pytest and Python's tempfile make up; others were chosen by the code.
_TEMPORARY = r"(?<![\w./-])/(?:private/)?(?:tmp|var/tmp|dev/shm|var/folders(?:/[^/\s]+){1,3})"
# What a machine or a clock puts into a failure text; the rest of the text is never touched.
_NOISE = (
    (re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b"), "at 0xADDRESS"),
    (re.compile(r"\b0x[0-9a-fA-F]{9,16}\b"), "0xADDRESS"),
    (re.compile(_TEMPORARY + r"/pytest-of-[^/\s]+/pytest-\d+"), "/TMP"),
    (re.compile(_TEMPORARY + r"/tmp[a-z0-9_]{8}\b"), "/TMP"),
    (
        re.compile(r"\b(in|took|after) \d+(?:\.\d+)? ?(?:s|ms|sec|secs|seconds)\b(?: \([\d:]+\))?"),
        r"\1 TIME",
    ),
)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one earlier turn of this attempt did, told to the next fresh prompt.

    `diff` is what was tried (b"" if unusable), `outcome` a `TurnOutcome`, `observation` why it was
    refused or which tests still fail, `details` few (test id, failure text) pairs, whole; `source`
    is "test_run:ID" or "request:ID".
    """

    diff: bytes
    outcome: str
    observation: str
    details: tuple[tuple[str, str], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that a prompt of this room is made of.

    `files` holds the whole base bytes of every file of which something is shown, and each shown
    piece of code is the bytes of its span there. `failing` are the baseline's failing tests with
    their whole failure texts, `notes` are (text, source). Of `feedback`, newest last, only the
    newest are shown.
    """

    task_id: TaskId
    package: ContextPackage
    package_id: str
    files: Mapping[str, bytes]
    failing: tuple[tuple[str, str], ...] = ()
    failing_source: str = ""
    plan: Plan | None = None
    plan_source: str = ""
    feedback: tuple[Feedback, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for fragment in self.code:
            if not self._is_current(fragment):
                raise EditError(
                    "the package shows other bytes than the base has; no edit is asked for",
                    where=fragment.path,
                    hint="index again, then solve again",
                )

    @property
    def code(self) -> tuple[Fragment, ...]:
        """The pieces of code that the package shows, in its order."""
        return tuple(f for f in self.package.fragments if f.kind is FragmentKind.CODE)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files an answer may name, in the package's order; JSON can spell each of them."""
        shown = dict.fromkeys(fragment.path for fragment in self.code)
        return tuple(path for path in shown if _is_spellable(path))

    def _is_current(self, fragment: Fragment) -> bool:
        base, span = self.files.get(fragment.path), fragment.span
        if base is None or span is None:
            return False
        return base[span.start_byte : span.end_byte] == fragment.content


def plain_failure(text: str) -> str:
    """Return a failure text without what differs between two equal runs.

    Replaced: memory addresses, directories made for one run, and durations as test runners
    print them. Applied to every failure text that a prompt of this room shows (template
    `failure-text/1`), so that prompts are reproducible.
    """
    for pattern, plain in _NOISE:
        text = pattern.sub(plain, text)
    return text


def _is_spellable(path: str) -> bool:
    """A name that is not UTF-8 has no form in JSON, so no answer can name it."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
