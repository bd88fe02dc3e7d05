"""What a verb prints, kept as the answer of a tool.

Takes: what a verb says. Gives: `Collected`: its text, its document, its progress told on.
Does not know: the verb, or the protocol. Nothing reaches stdout, which belongs to the protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from clean_room_agent.commands.output import SCHEMA_VERSION, Output
from clean_room_agent.records.spelling import encodable

TELL_SECONDS = 0.2


class Collected(Output):
    """An output that keeps text and document side by side."""

    def __init__(self, tell: Callable[[str], None], *, quiet: bool) -> None:
        super().__init__(as_json=False, quiet=quiet)
        self._tell = tell
        self._parts: list[str] = []
        self._told = ("", 0.0)
        self._colour = False
        self.content: dict[str, object] = {}

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def _say(self, text: str) -> None:
        self._parts.append(text)

    def raw(self, data: bytes) -> None:
        """Keep exact text; bytes that are none are spelled out."""
        self._parts.append(data.decode("utf-8", "backslashreplace"))

    def document(self, content: Mapping[str, object]) -> None:
        self.content = {"schema_version": SCHEMA_VERSION, **content}

    def progress(self, phase: str, done: int, total: int, detail: str = "") -> None:
        """Tell the client how far a step is, now and then; stderr as any verb does."""
        super().progress(phase, done, total, detail)
        last, at = self._told
        now = time.monotonic()
        if phase == last and now - at < TELL_SECONDS:
            return
        self._told = (phase, now)
        count = f" {done:,}/{total:,}" if total else ""
        self._tell(encodable(f"{phase}{count} {detail}".strip()))
