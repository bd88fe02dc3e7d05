"""What a GGUF file says of itself, read before native code is given the file.

Takes: a path. Gives: `read_header` and `GgufHeader`.
Does not know: llama.cpp, tensors, or who asks.

Every length in the file is checked against the bytes that are there, so a short or forged file is
refused and not followed.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from clean_room_agent.llm.transports.digest import State, file_state
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS = 10_000
MAX_ITEMS = 10_000_000
_STRING, _ARRAY = 8, 9
_FORMATS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
Value = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """`kind` is "model" or "adapter"; `context_tokens` is what the model was trained for."""

    kind: str
    architecture: str
    name: str
    context_tokens: int | None


def read_header(path: Path) -> GgufHeader:
    """Read the key-value part; arrays are passed over.

    Raises: TransportError: `unknown_model` for no such file, `refused` for another format.
    """
    if not path.is_file():
        raise TransportError(ReplyStatus.UNKNOWN_MODEL, f"there is no model file {path}")
    return _read(path, file_state(path))


@lru_cache(maxsize=64)
def _read(path: Path, state: State) -> GgufHeader:
    """Read once per state of the file: a large vocabulary takes a while to pass over."""
    del state
    try:
        with path.open("rb") as file:
            values = _values(file, path.stat().st_size)
    except (OSError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise TransportError(
            ReplyStatus.REFUSED, f"{path} is not a GGUF file that can be read: {error}"
        ) from error
    architecture = str(values.get("general.architecture", ""))
    context = values.get(f"{architecture}.context_length")
    return GgufHeader(
        kind=str(values.get("general.type", "model")),
        architecture=architecture,
        name=str(values.get("general.name", "")),
        context_tokens=context if isinstance(context, int) else None,
    )


def _values(file: BinaryIO, size: int) -> dict[str, Value]:
    if file.read(4) != MAGIC:
        raise ValueError("it does not begin with the bytes GGUF")
    version, _, keys = struct.unpack("<IQQ", file.read(20))
    if version not in VERSIONS:
        raise ValueError(f"version {version} is unknown")
    if keys > MAX_KEYS:
        raise ValueError(f"it claims {keys:,} keys")
    found: dict[str, Value] = {}
    for _ in range(keys):
        key = _string(file, size)
        found[key] = _value(file, size, _unsigned(file, "<I"))
    return found


def _value(file: BinaryIO, size: int, kind: int) -> Value:
    if kind == _STRING:
        return _string(file, size)
    if kind != _ARRAY:
        shape = _FORMATS.get(kind)
        if shape is None:
            raise ValueError(f"value type {kind} is unknown")
        value: int | float | bool = struct.unpack(shape, file.read(struct.calcsize(shape)))[0]
        return value
    item = _unsigned(file, "<I")
    count = _unsigned(file, "<Q")
    if item == _ARRAY or count > MAX_ITEMS:
        raise ValueError("it holds an array that cannot be meant")
    if item == _STRING:
        for _ in range(count):
            _skip(file, size, _unsigned(file, "<Q"))
    elif item in _FORMATS:
        _skip(file, size, count * struct.calcsize(_FORMATS[item]))
    else:
        raise ValueError(f"value type {item} is unknown")
    return None


def _string(file: BinaryIO, size: int) -> str:
    length = _unsigned(file, "<Q")
    _check_length(file, size, length)
    return file.read(length).decode("utf-8")


def _skip(file: BinaryIO, size: int, length: int) -> None:
    _check_length(file, size, length)
    file.seek(length, os.SEEK_CUR)


def _check_length(file: BinaryIO, size: int, length: int) -> None:
    if length > size - file.tell():
        raise ValueError("a length in it reaches past its end")


def _unsigned(file: BinaryIO, shape: str) -> int:
    value: int = struct.unpack(shape, file.read(struct.calcsize(shape)))[0]
    return value
