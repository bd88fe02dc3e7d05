"""The folder of an embedding model, checked before any library opens it.

Takes: a folder as sentence-transformers saves it. Gives: `CheckedFolder`, or ConfigError.
Does not know: torch, sentence-transformers, or who asks. Standard library only.

Nothing in a folder may be run: weights are safetensors only, no pickle and no Python file may lie
in it, no configuration may name code, and the modules it lists are sentence-transformers' own: a
library that trusts the folder imports that list as it stands, whatever it names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.digest import folder_digest
from clean_room_agent.llm.transports.hf_checkpoint import MAX_JSON_BYTES, RUNNABLE, read_shapes
from clean_room_agent.llm.wire import TransportError

MODULES = "modules.json"
_OWN = "sentence_transformers."
_CODE_KEYS = ("auto_map", "custom_pipelines", "custom_generate", "custom_kwargs")
_TELLING = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A folder that may be opened, named by the bytes of its files."""

    folder: Path
    digest: str


def check_folder(folder: Path) -> CheckedFolder:
    """Accept the folder of an embedding model. Raises: ConfigError saying what is refused."""
    if not (folder / MODULES).is_file():
        raise ConfigError(
            f"this is not the folder of an embedding model: it has no {MODULES}",
            where=str(folder),
            hint="save the model with SentenceTransformer(...).save(FOLDER)",
        )
    try:
        found = sorted(folder.rglob("*"))
        _refuse_linked(found)
        files = [path for path in found if path.is_file()]
        _check_files(folder, files)
        telling = [path for path in files if path.suffix in _TELLING]
        return CheckedFolder(folder, folder_digest(telling))
    except TransportError as error:
        raise ConfigError(error.message, where=str(folder)) from error
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}", where=str(folder)) from error


def _refuse_linked(found: list[Path]) -> None:
    """A linked folder is opened by the libraries, and its files would be in no check."""
    for path in found:
        if path.is_symlink() and path.is_dir():
            raise _refused(path, "a link to a folder; copy what it names")


def _check_files(folder: Path, files: list[Path]) -> None:
    weights = False
    for path in files:
        if path.suffix.lower() in RUNNABLE:
            raise _refused(path, "formats that can run code are not opened; use safetensors")
        if path.suffix == ".safetensors":
            weights |= bool(read_shapes(path))
        if path.suffix == ".json":
            _check_config(path)
    if not weights:
        raise _refused(folder, "it holds no weights in safetensors")
    _check_modules(folder)


def _check_config(path: Path) -> None:
    value = _read(path)
    if not isinstance(value, dict):
        return
    for key in _CODE_KEYS:
        if value.get(key):
            raise _refused(path, f"it names code to run ({key})")


def _check_modules(folder: Path) -> None:
    path = folder / MODULES
    modules = _read(path)
    if not isinstance(modules, list) or not modules:
        raise _refused(path, "it lists no modules")
    for module in modules:
        kind = module.get("type") if isinstance(module, dict) else None
        if not isinstance(kind, str) or not kind.startswith(_OWN):
            raise _refused(path, f"it names code to import ({kind})")
        place = module.get("path", "")
        if (
            not isinstance(place, str)
            or place.startswith("/")
            or ".." in PurePosixPath(place).parts
        ):
            raise _refused(path, f"it names a place outside the folder ({place})")


def _read(path: Path) -> object:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _refused(path, "it is too large")
    try:
        value: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"it holds no JSON: {error}") from error
    return value


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path.name} is refused: {why}", where=str(path))
