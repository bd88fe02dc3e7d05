"""Put a mark in the place of each secret: what is kept or sent instead of it.

Takes: text or bytes, and the salt of a repository. Gives: the same with `[secret:KIND:xxxxxxxx]`.
Does not know: where the salt is kept, or what the text is.

The eight digits are of a salted hash: equal secrets of one repository have equal marks, and
without the salt, which stays in a file of mode 0600, nothing can be tried against them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from clean_room_agent.redaction.found import Found, disjoint
from clean_room_agent.redaction.known import known_spans
from clean_room_agent.redaction.secrets import secret_spans

_SHORTEST = 8
# Escapes may hide a secret from the first look; documents that are not larger are taken apart.
_LARGE_JSON = 1 << 16
_JSON_STARTS = ("{", "[", '"')


@dataclass(frozen=True, slots=True)
class Redactor:
    """Redacts with one repository's salt. The salt shows itself in no repr."""

    salt: bytes = field(repr=False)

    def data(self, data: bytes) -> bytes:
        """Return bytes with marks. Redacting twice changes nothing more."""
        while found := spans_of(data):
            # A mark may bring together what stood apart; marks themselves are never found.
            data = self._marked(data, found)
        return data

    def text(self, text: str) -> str:
        """Return text with marks; undecodable bytes of a path or output survive."""
        if len(text) < _SHORTEST:
            return text
        data = text.encode("utf-8", "surrogatepass")
        clean = self.data(data)
        return clean.decode("utf-8", "surrogatepass") if clean is not data else text

    def column(self, text: str) -> str:
        """Return what may enter a TEXT column: JSON stays JSON, its strings are redacted."""
        if len(text) < _SHORTEST:
            return text
        if not text.startswith(_JSON_STARTS):
            return self.text(text)
        suspicious = bool(spans_of(text.encode("utf-8", "surrogatepass")))
        if not suspicious and ("\\" not in text or len(text) > _LARGE_JSON):
            return text
        try:
            document = json.loads(text)
            clean = self._strings(document)
            return self._json(clean) if suspicious or clean != document else text
        except (ValueError, RecursionError):
            # No JSON, or nested deeper than can be walked: it is redacted as plain text.
            return self.text(text)

    def blob(self, data: bytes) -> bytes:
        """Return bytes that may be kept as a blob: a JSON document stays one."""
        try:
            return self.column(data.decode("utf-8")).encode("utf-8")
        except UnicodeDecodeError:
            return self.data(data)

    def _json(self, document: object) -> str:
        """Write a document whose strings are redacted, without what only a key makes suspicious."""
        written = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        data = written.encode("ascii")
        # A key block that runs over several strings would take their borders with it.
        while rest := [hit for hit in spans_of(data) if hit.kind != "private-key"]:
            data = self._marked(data, rest)
        return data.decode("ascii")

    def _strings(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._strings(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._strings(item) for key, item in value.items()}
        return value

    def _marked(self, data: bytes, found: Sequence[Found]) -> bytes:
        parts, at = [], 0
        for hit in found:
            parts += [data[at : hit.start], self._mark(hit.kind, data[hit.start : hit.end])]
            at = hit.end
        return b"".join([*parts, data[at:]])

    def _mark(self, kind: str, secret: bytes) -> bytes:
        digest = hashlib.sha256(self.salt + secret).hexdigest()[:8]
        return f"[secret:{kind}:{digest}]".encode("ascii")


def spans_of(data: bytes) -> tuple[Found, ...]:
    """Return all that must not be kept: what looks like a secret, and this process's own."""
    return disjoint([*secret_spans(data), *known_spans(data)])
