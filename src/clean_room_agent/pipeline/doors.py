"""The three doors of solving: where to look, what to try, which patch to believe.

Takes: records of a task. Gives: the protocols `Localiser`, `PatchGenerator` and `Selector`, and
what is carried through them. Does not know: any implementation; `composition` chooses them.

The doors are those that Agentless and CodeMonkeys share once both are taken apart (S2): locate
gives pointers, generate turns pointers into patches, select picks one. Each has several
implementations, which the same contract test runs through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clean_room_agent.records.answers import Selection
from clean_room_agent.records.attempt import PatchCandidate
from clean_room_agent.records.log import Patch
from clean_room_agent.records.task import Task


@dataclass(frozen=True, slots=True)
class CodePointer:
    """A place worth looking at: lines are 1-based and inclusive, None = the whole file."""

    file: str
    symbol: str
    lines: tuple[int, int] | None
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Plausible:
    """A patch that passed in the task's own tree, with who proposed it.

    `flags` name what was proposed beside it and left out, or looks like a trick.
    """

    candidate: PatchCandidate
    generator: str
    attempt_id: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """What a generator did. `is_cut`: a budget stopped it, so that more of it might find more."""

    generator: str
    plausible: tuple[Plausible, ...]
    stopped: str
    is_cut: bool
    seconds: float
    tried: int
    attempts: int = 1
    turns: int = 0


class Localiser(Protocol):
    """Says where in the repository a task is likely to be solved."""

    @property
    def name(self) -> str: ...

    def locate(self, task: Task) -> tuple[CodePointer, ...]:
        """Return the places, best first."""


class PatchGenerator(Protocol):
    """Proposes patches and keeps those that pass; logs an attempt and everything it tries."""

    @property
    def name(self) -> str: ...

    def generate(self, pointers: Sequence[CodePointer], task: Task, already: int = 0) -> Generated:
        """Return the plausible patches; none is no error.

        `already` patches of earlier generators passed: with any, this one only compares, and has
        `solve.tie_break_seconds` for it.

        Raises:
            ModelCallError: a model failed; what was done until then is logged.
        """


class Selector(Protocol):
    """Picks one of several logged patches; the log then says why."""

    @property
    def name(self) -> str: ...

    def select(self, patches: Sequence[Patch], task: Task) -> Selection:
        """Choose among at least one patch, given in rank order, and log the choice.

        The answer is a patch that a fresh tree confirmed wherever there is one.
        """
