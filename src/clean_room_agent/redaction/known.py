"""The secrets of this process: what the environment holds under a secret name.

Takes: the environment, once. Gives: places in bytes where such a value stands.
Does not know: what set the variables. The values are kept in memory only.

A key that a person exported is found wherever it turns up, also where its look gives it away to
no rule. Short values and those that read as words are left alone: they would hit ordinary text.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping

from clean_room_agent.redaction.found import Found, disjoint

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:[A-Z]*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE)|PAT|CREDENTIALS?)(?:_|$|\d)"
)
_LEAST_BYTES = 8
_WORD = re.compile(rb"[A-Za-z]+|[0-9]+|/.*", re.DOTALL)


def secret_values(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """Return the values of variables whose names say secret, the longest first."""
    values = {
        value.encode("utf-8", "replace")  # what cannot be encoded is found nowhere
        for name, value in environment.items()
        if _SECRET_NAME.search(name.upper()) and len(value) >= _LEAST_BYTES
    }
    return tuple(sorted((v for v in values if not _WORD.fullmatch(v)), key=lambda v: (-len(v), v)))


@functools.cache
def _own_values() -> tuple[bytes, ...]:
    return secret_values(os.environ)


def known_spans(data: bytes, values: tuple[bytes, ...] | None = None) -> tuple[Found, ...]:
    """Return where a secret of the environment stands; `values` are this process's by default."""
    found = []
    for value in _own_values() if values is None else values:
        at = data.find(value)
        while at >= 0:
            found.append(Found("environment", at, at + len(value)))
            at = data.find(value, at + len(value))
    return disjoint(found) if found else ()
