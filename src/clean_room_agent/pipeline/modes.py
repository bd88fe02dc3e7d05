"""Which stages a mode runs, and what its execute step makes.

Takes: nothing. Gives: the table. Does not know: how a stage works.
"""

from __future__ import annotations

from dataclasses import dataclass

from clean_room_agent.records.task import Mode

RETRIEVAL_STAGES = ("analysis", "scope", "precision", "assembly")


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """One pipeline: its retrieval stages in order, and the generator of its execute step."""

    stages: tuple[str, ...]
    generator: str


MODES: dict[Mode, ModeSpec] = {
    Mode.CONTEXT: ModeSpec(RETRIEVAL_STAGES, generator=""),
    Mode.SOLVE: ModeSpec(RETRIEVAL_STAGES, generator="templates"),
}
