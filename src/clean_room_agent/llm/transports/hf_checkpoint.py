"""A checkpoint or adapter folder, checked before any library opens it.

Takes: a folder. Gives: `CheckedFolders`, `check_checkpoint`, `check_adapter`, `check_fit`; or
TransportError.
Does not know: torch, transformers, or who asks. Standard library only.

Nothing in a folder may be run: weights are safetensors only, every offset in them is checked
against the size of the file, no pickle and no Python file may lie beside them, and no
configuration may name code to import.
"""

from __future__ import annotations

import json
import math
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from clean_room_agent.llm.transports.digest import file_state, folder_digest
from clean_room_agent.llm.wire import TransportError
from clean_room_agent.records.calls import ReplyStatus

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
MAX_HEADER_BYTES = 100_000_000
MAX_JSON_BYTES = 200_000_000
# Formats that are, or may hold, pickles or native code; and code itself.
RUNNABLE = frozenset({
    ".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz", ".h5",
    ".keras", ".msgpack", ".py", ".pyc", ".so",
})  # fmt: skip
_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "BOOL": 8,
    "U8": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32,
    "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
# Where PEFT itself lives; an adapter may name nothing else to import.
_MEGATRON = "megatron.core"
_PEFT_PREFIX = "base_model.model."
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that may be opened. `shapes` are those of its tensors, by name."""

    folder: Path
    digest: str
    config: Mapping[str, object]
    shapes: Mapping[str, Shape]

    @property
    def context_tokens(self) -> int | None:
        """The longest sequence the model was made for."""
        inner = self.config.get("text_config")
        place = inner if isinstance(inner, dict) else self.config
        value = place.get("max_position_embeddings")
        return value if isinstance(value, int) else None


class CheckedFolders:
    """Remembers what was checked, until a file of the folder changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[object, Checkpoint]] = {}
        self._lock = threading.Lock()

    def model(self, folder: Path, pause: Callable[[], None] | None = None) -> Checkpoint:
        """As `check_checkpoint`."""
        return self._checked(folder, "model", lambda: check_checkpoint(folder, pause))

    def adapter(self, folder: Path, pause: Callable[[], None] | None = None) -> Checkpoint:
        """As `check_adapter`."""
        return self._checked(folder, "adapter", lambda: check_adapter(folder, pause))

    def _checked(self, folder: Path, kind: str, check: Callable[[], Checkpoint]) -> Checkpoint:
        with self._lock:
            known = self._known.get((folder, kind))
        try:
            # The state from before the check: what is written during it is seen the next time.
            state = [(str(path), file_state(path)) for path in sorted(folder.rglob("*"))]
            if known is not None and known[0] == state:
                return known[1]
            found = check()
        except OSError as error:
            raise _refused(folder, f"it cannot be read: {error}") from error
        with self._lock:
            self._known[folder, kind] = (state, found)
        return found


def check_checkpoint(folder: Path, pause: Callable[[], None] | None = None) -> Checkpoint:
    """Accept a model folder. Raises: TransportError (`unknown_model`, `refused`)."""
    _require(folder, "config.json", "a model")
    if (folder / ADAPTER_CONFIG).exists():
        raise _refused(folder, "it holds an adapter_config.json, which names another base model")
    checked = _check(folder, "config.json", pause)
    if not checked.shapes:
        raise _refused(folder, "it holds no weights in safetensors")
    _check_index(folder)
    return checked


def check_adapter(folder: Path, pause: Callable[[], None] | None = None) -> Checkpoint:
    """Accept a LoRA adapter folder. Raises: TransportError (`unknown_model`, `refused`)."""
    _require(folder, ADAPTER_CONFIG, "an adapter")
    checked = _check(folder, ADAPTER_CONFIG, pause)
    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise _refused(folder, f"it holds no {ADAPTER_WEIGHTS}")
    if checked.config.get("peft_type") != "LORA":
        raise _refused(folder, f"its type is {checked.config.get('peft_type')!r}, not LORA")
    _check_imports(folder, checked.config)
    return checked


def check_fit(adapter: Checkpoint, base: Mapping[str, Shape]) -> None:
    """Check each adapter tensor's name and shape against the base. Raises: TransportError."""
    for name, shape in adapter.shapes.items():
        inner = name.removeprefix(_PEFT_PREFIX)
        module, _, kind = inner.rpartition(".lora_")
        if not name.startswith(_PEFT_PREFIX) or (module and kind not in ("A.weight", "B.weight")):
            raise _refused(adapter.folder, f"its tensor {name} is no plain LoRA weight")
        wanted = base.get(f"{module}.weight" if module else inner)
        if wanted is None:
            raise _refused(adapter.folder, f"the base has no part for its tensor {name}")
        if not module:
            fits = shape == wanted
        elif len(shape) != 2 or len(wanted) != 2:
            fits = False
        else:
            fits = shape[1] == wanted[1] if kind == "A.weight" else shape[0] == wanted[0]
        if not fits:
            raise _refused(adapter.folder, f"its tensor {name} has the wrong shape {shape}")


def read_shapes(path: Path) -> dict[str, Shape]:
    """Read the header of a safetensors file, checked against the size of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > min(size - 8, MAX_HEADER_BYTES):
            raise _refused(path, "the length of its header reaches past its end")
        header = _object(file.read(length), path)
    header.pop("__metadata__", None)
    found: dict[str, Shape] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        shape, span = _tensor(path, name, entry)
        found[name] = shape
        spans.append(span)
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise _refused(path, "its tensors overlap or leave holes")
        at = end
    if at != size - 8 - length:
        raise _refused(path, f"its tensors take {at:,} bytes, its data has {size - 8 - length:,}")
    return found


def _tensor(path: Path, name: str, entry: object) -> tuple[Shape, tuple[int, int]]:
    try:
        if not isinstance(entry, dict):
            raise TypeError("no object")
        bits, shape, span = _BITS[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        begin, end = span
        if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
            raise ValueError("a number is none")
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, f"its header says of {name!r} what cannot be: {error}") from error
    if begin > end or math.prod(shape) * bits != (end - begin) * 8:
        raise _refused(path, f"the offsets of {name!r} do not agree with its shape")
    return shape, (begin, end)


def _check(folder: Path, config_name: str, pause: Callable[[], None] | None) -> Checkpoint:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in folder.rglob("*"):
        if path.suffix.lower() in RUNNABLE:
            raise _refused(path, "formats that can run code are not opened; use safetensors")
    shapes: dict[str, Shape] = {}
    for path in files:
        if path.suffix == ".safetensors":
            shapes |= read_shapes(path)
    configs = {path.name: _config(path) for path in files if path.suffix == ".json"}
    for name, config in configs.items():
        for key in ("auto_map", "custom_pipelines", "custom_generate"):
            if isinstance(config.get(key), str | list | dict) and config[key]:
                raise _refused(folder / name, f"it names code to run ({key})")
    telling = [path for path in files if path.suffix in (".safetensors", ".json", ".jinja")]
    return Checkpoint(folder, folder_digest(telling, pause), configs[config_name], shapes)


def _check_imports(folder: Path, config: Mapping[str, object]) -> None:
    mapping = config.get("auto_mapping")
    library = mapping.get("parent_library") if isinstance(mapping, dict) else None
    if mapping and not str(library).startswith("transformers."):
        raise _refused(folder, f"it names code to import (auto_mapping: {library})")
    if config.get("megatron_config") or config.get("megatron_core") not in (None, _MEGATRON):
        raise _refused(folder, "it names code to import (megatron)")


def _check_index(folder: Path) -> None:
    path = folder / "model.safetensors.index.json"
    if not path.exists():
        return
    parts = _config(path).get("weight_map")
    for part in set(parts.values()) if isinstance(parts, dict) else {None}:
        if not isinstance(part, str) or PurePath(part).name != part:
            raise _refused(path, f"it names a file that does not lie beside it: {part!r}")
        if not part.endswith(".safetensors") or not (folder / part).is_file():
            raise _refused(path, f"it names {part!r}, which is not there or no safetensors")


def _config(path: Path) -> dict[str, object]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _refused(path, "it is too large")
    return _object(path.read_bytes(), path)


def _object(data: bytes, path: Path) -> dict[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"it holds no JSON: {error}") from error
    if not isinstance(value, dict):
        raise _refused(path, "it holds no JSON object")
    return value


def _require(folder: Path, name: str, what: str) -> None:
    if not (folder / name).is_file():
        raise TransportError(
            ReplyStatus.UNKNOWN_MODEL, f"{folder} is not the folder of {what}: it has no {name}"
        )


def _refused(path: Path, why: str) -> TransportError:
    return TransportError(ReplyStatus.REFUSED, f"{path} is refused: {why}")
