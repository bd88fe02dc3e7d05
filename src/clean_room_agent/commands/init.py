"""`cra init`: write the room's configuration, keep it out of git, change nothing on a second run.

Takes: a repository. Gives: `.clean_room/config.toml` and a line in git's `info/exclude`.
Does not know: any other verb.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from clean_room_agent.commands.invocation import Invocation, refuse_shipped_room
from clean_room_agent.commands.model_story import (
    SOLVE,
    FoundServer,
    choose_models,
    find_ollama,
    next_commands,
)
from clean_room_agent.config import project_config_path, render_template
from clean_room_agent.errors import StoreError
from clean_room_agent.llm.router import MODEL_FREE, OLLAMA_URL

EXCLUDE_LINE = "/.clean_room/"


def init(invocation: Invocation, *, offline: bool) -> None:
    """Write the configuration unless there is one; never overwrite.

    Raises:
        ConfigError: the repository ships a `.clean_room` of its own.
        StoreError: the directory cannot be written.
    """
    repository, output = invocation.repository, invocation.output
    path = project_config_path(repository.root)
    refuse_shipped_room(invocation)
    exists = path.is_file()
    found = None if offline or exists else find_ollama()
    try:
        excluded = _exclude(repository.common_dir / "info" / "exclude")
        if not exists:
            _write_new(path, render_template(_values(found)))
    except OSError as error:
        raise StoreError(
            f"cannot write: {error.strerror}", where=str(error.filename or path.parent)
        ) from error
    config = invocation.settings.config
    output.line(f"{'kept' if exists else 'wrote'} {path.relative_to(repository.root)}")
    if excluded:
        output.line("added /.clean_room/ to .git/info/exclude")
    if offline and config.models.backend != MODEL_FREE:
        output.line("--offline changed nothing: this file names a model server, and it is yours")
    left = _say_next(invocation, found)
    output.document(
        {
            "config": str(path),
            "created": not exists,
            "excluded": excluded,
            "backend": config.models.backend,
            "models": {"coding": config.coding.model, "reasoning": config.reasoning.model},
            "next": left,
        }
    )


def _values(found: FoundServer | None) -> dict[str, object]:
    if found is None:
        return {"models.backend": MODEL_FREE}
    coding, reasoning = choose_models(found.installed)
    return {
        "models.backend": "ollama",
        "coding.model": coding,
        "reasoning.model": reasoning,
    }


def _say_next(invocation: Invocation, found: FoundServer | None) -> list[str]:
    """Print the commands that are left; return them."""
    output, config = invocation.output, invocation.settings.config
    if config.models.backend != "ollama":
        first = [] if config.models.backend == MODEL_FREE else ["cra models"]
        output.line(f"next: {', then '.join([*first, SOLVE])}")
        return [*first, SOLVE]
    address = config.models.base_url or OLLAMA_URL
    state = found or find_ollama(address)
    models = (config.coding.model, config.reasoning.model)
    if not state.reachable:
        output.line(f"no Ollama answers at {address}: install or start it;")
        output.line('or work without models: in the file, under [models], backend = "none"')
    output.line(f"models: {models[0]} writes code, {models[1]} judges and plans")
    left = next_commands(state, models)
    output.line("next:")
    for command in left:
        output.line(f"  {command}")
    return left


def _write_new(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.parent.chmod(0o700)
    temporary = path.with_suffix(f".{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        # A second init that came first wins: its file is as good as ours.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _exclude(path: Path) -> bool:
    """Add our line to `info/exclude` once; return whether it was added now."""
    present = path.read_bytes() if path.is_file() else b""
    if EXCLUDE_LINE.encode() in present.splitlines():
        return False
    path.parent.mkdir(exist_ok=True)
    separator = b"" if not present or present.endswith(b"\n") else b"\n"
    with path.open("ab") as stream:
        stream.write(separator + EXCLUDE_LINE.encode() + b"\n")
    return True
