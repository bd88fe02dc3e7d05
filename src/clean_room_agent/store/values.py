"""How Python values become column values and back: the one place where text is persisted.

Takes: records and plain values. Gives: TEXT, BLOB and canonical JSON; new ids; times.
Does not know: tables.

Every text that is logged passes `text` or `json_text`, so a redaction step has one place.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DAY_MS = 86_400_000
_last_ms = 0
_id_lock = threading.Lock()


def text(value: str) -> str:
    """Return `value` as it may be bound to TEXT: lone surrogates become visible escapes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value


def json_text(value: object) -> str:
    """Return the canonical JSON of a value or record: sorted keys, ASCII, no blanks.

    Raises: ValueError for NaN and infinities, TypeError for what has no JSON form.
    """
    return json.dumps(
        plain(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
    )


def from_json(value: str) -> Any:
    """Parse a JSON column."""
    return json.loads(value)


def mapping_from_json(value: str) -> Mapping[str, Any]:
    """Parse a JSON column that holds an object.

    Raises: TypeError: it holds something else.
    """
    found = from_json(value)
    if not isinstance(found, dict):
        raise TypeError("a JSON column holds no object")
    return found


def plain(value: object) -> object:
    """Turn records, mappings and sequences into what JSON knows; sets are sorted."""
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def path_bytes(path: str) -> bytes:
    """Return the bytes of a path: a name that is not UTF-8 survives."""
    return os.fsencode(path)


def path_text(path: bytes) -> str:
    """Return a stored path as the rest of the program knows it (surrogateescape)."""
    return os.fsdecode(path)


def now_text() -> str:
    """Return the time in UTC with milliseconds: `2026-11-20T13:15:02.123Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def new_id(prefix: str) -> str:
    """Return a new id such as `r-20261120-1m7q2xk9fd`: the day, its millisecond, 25 random bits.

    Ids of one process never collide and sort by creation; nothing may rely on their order.
    """
    global _last_ms
    with _id_lock:
        _last_ms = max(_last_ms + 1, time.time_ns() // 1_000_000)
        now = _last_ms
    day = datetime.fromtimestamp(now // 1000, UTC).strftime("%Y%m%d")
    chance = int.from_bytes(os.urandom(4), "big") >> 7
    return f"{prefix}-{day}-{_base32(now % _DAY_MS, 6)}{_base32(chance, 5)}"


def _base32(number: int, width: int) -> str:
    digits = [_ALPHABET[number >> (5 * place) & 31] for place in range(width)]
    return "".join(reversed(digits))
