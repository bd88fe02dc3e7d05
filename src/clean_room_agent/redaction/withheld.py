"""Say why an item of a file may not be shown: a secret or a control token stands in it.

Takes: the whole bytes of the file, then ranges of items. Gives: a reason, or "".
Does not know: prompts or decisions. The file is looked at as a whole, so that a border of an item
in the middle of a secret hides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clean_room_agent.redaction.controls import control_spans
from clean_room_agent.redaction.found import Found
from clean_room_agent.redaction.marks import spans_of


@dataclass(frozen=True, slots=True)
class Unshowable:
    """What of one file may not be shown; made once for a file and asked for each item."""

    data: bytes = field(repr=False)
    secrets: tuple[Found, ...]
    controls: tuple[Found, ...]

    def why(self, start: int, end: int) -> str:
        """Return why `data[start:end]` is left out whole, with kind and line; "" to show it."""
        secret = _first(self.secrets, start, end)
        if secret is not None:
            line = secret.line_in(self.data)
            return f"holds what looks like a secret: {secret.kind} at line {line}"
        token = _first(self.controls, start, end)
        if token is not None:
            # Spelled with blanks: the reason itself may be shown to a model.
            name = " ".join(token.kind)
            return f"holds a control token of models: {name} at line {token.line_in(self.data)}"
        return ""


def unshowable(data: bytes) -> Unshowable:
    """Look through a whole file."""
    return Unshowable(data, spans_of(data), control_spans(data))


def why_withheld(data: bytes) -> str:
    """Return why these bytes may not be shown at all, "" where they may."""
    return unshowable(data).why(0, len(data))


def _first(found: Sequence[Found], start: int, end: int) -> Found | None:
    return next((hit for hit in found if hit.start < end and hit.end > start), None)
