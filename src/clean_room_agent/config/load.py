"""Read the configuration once, from all its layers, with the origin of each value.

Takes: the repository root, `-c` overrides, an environment mapping. Gives: `Config` and origins.
Does not know: what any value is used for. Only `commands` calls this.

Precedence, high to low: `-c section.key=value`, `CRA_SECTION_KEY`,
`<repo>/.clean_room/config.toml`,
`$XDG_CONFIG_HOME/cra/config.toml`, built-in. Unknown keys are errors with the nearest known key.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from clean_room_agent.config.schema import (
    ALLOWED_VALUES,
    REPOSITORY_ONLY,
    SECTIONS,
    Config,
    all_fields,
)
from clean_room_agent.errors import ConfigError
from clean_room_agent.redaction import secret_spans

ENVIRONMENT_PREFIX = "CRA_"
_NOT_CONFIG = frozenset({"CRA_HOME", "CRA_FAULT", "CRA_CHANNEL_FD", "CRA_DEBUG"})
CONFIG_NAME = "config.toml"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """The effective configuration; `origins` names for each dotted key where its value is from."""

    config: Config
    origins: Mapping[str, str]
    values: Mapping[str, object]


def project_config_path(root: Path) -> Path:
    """Return where the repository's own configuration lives."""
    return root / ".clean_room" / CONFIG_NAME


def user_config_path(environment: Mapping[str, str]) -> Path | None:
    """Return the user's configuration file, or None when no home is known."""
    if base := environment.get("CRA_HOME"):
        return Path(base) / CONFIG_NAME
    if base := environment.get("XDG_CONFIG_HOME"):
        return Path(base) / "cra" / CONFIG_NAME
    home = environment.get("HOME")
    return Path(home) / ".config" / "cra" / CONFIG_NAME if home else None


def load_config(
    root: Path, *, overrides: Sequence[str], environment: Mapping[str, str]
) -> LoadedConfig:
    """Merge every layer and check each key, type and allowed value.

    Raises:
        ConfigError: a file cannot be read or parsed; a key is unknown, of the wrong type, not
            allowed; or a required key is set nowhere (the lines to add are named).
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for key, entry in all_fields().items():
        if entry.default is not MISSING:
            values[key], origins[key] = entry.default, "built-in"
    user = user_config_path(environment)
    own = project_config_path(root)
    for path in (user, own):
        if path is not None and path.is_file():
            _merge(values, origins, _read_file(path), str(path), is_own=path == own)
    _merge(values, origins, _read_environment(environment), "environment")
    _merge(values, origins, _read_overrides(overrides), "-c")
    missing = [key for key in all_fields() if key not in values]
    if missing:
        section, name = missing[0].split(".")
        raise ConfigError(
            f"the required setting {missing[0]} is set nowhere",
            where=str(project_config_path(root)),
            hint=f'run `cra init --offline`, or add the lines: [{section}]  {name} = "none"',
        )
    sections = {
        name: section(**{k.split(".")[1]: v for k, v in values.items() if k.startswith(name + ".")})
        for name, section in SECTIONS.items()
    }
    return LoadedConfig(Config(**sections), origins, values)


def _merge(
    values: dict[str, object],
    origins: dict[str, str],
    layer: Mapping[str, object],
    origin: str,
    *,
    is_own: bool = False,
) -> None:
    known = all_fields()
    for key, value in layer.items():
        if key not in known:
            near = _near_key(key, known)
            hint = f"did you mean {near}?" if near else "see `cra config show`"
            raise ConfigError(f"unknown setting {key}", where=origin, hint=hint)
        if key in REPOSITORY_ONLY and not is_own:
            raise ConfigError(
                f"{key} is decided for one repository, in its own .clean_room/config.toml",
                where=origin,
            )
        _refuse_secret(key, value, origin)
        values[key] = _checked(key, value, known[key].type, origin)
        origins[key] = origin if origin != "environment" else f"environment {_variable(key)}"


def _checked(key: str, value: object, kind: Any, origin: str) -> object:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind == "tuple[str, ...]" and isinstance(value, list | tuple):
        value = tuple(value)
    kinds = {"str": str, "int": int, "float": float, "bool": bool, "tuple[str, ...]": tuple}
    if not isinstance(value, kinds[kind]) or (isinstance(value, bool) and kind != "bool"):
        wanted = (
            'a list of strings, like ["/opt"]' if kind.startswith("tuple") else f"of type {kind}"
        )
        raise ConfigError(f"{key} must be {wanted}, not {value!r}", where=origin)
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(key, value, origin)
    allowed = ALLOWED_VALUES.get(key)
    if allowed is not None and value not in allowed:
        raise ConfigError(f"{key} must be one of {', '.join(allowed)}, not {value!r}", where=origin)
    return value


def _refuse_secret(key: str, value: object, origin: str) -> None:
    """Refuse a secret in a setting, without repeating it: settings are shown and logged."""
    for text in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(text, str):
            continue
        is_name = key != "models.api_key_variable" or re.fullmatch(r"[A-Za-z_]\w*|", text)
        if not is_name or secret_spans(text.encode("utf-8", "surrogatepass")):
            raise ConfigError(
                f"{key} holds what looks like a secret, or is no name of a variable",
                where=origin,
                hint="put the secret in an environment variable, and name that variable in "
                "models.api_key_variable",
            )


def _check_number(key: str, value: float, origin: str) -> None:
    minimum = all_fields()[key].metadata.get("minimum")
    if minimum is None and not 0 < value < math.inf:
        raise ConfigError(f"{key} must be a number above 0, not {value!r}", where=origin)
    if minimum is not None and not minimum <= value < math.inf:
        raise ConfigError(f"{key} must be at least {minimum:g}, not {value!r}", where=origin)


def _read_file(path: Path) -> dict[str, object]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "correct that line; or move the file aside, then cra init writes a new one"
        raise ConfigError(f"not valid TOML: {error}", where=str(path), hint=hint) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    flat: dict[str, object] = {}
    for section, content in document.items():
        if not isinstance(content, dict):
            raise ConfigError(f"{section} must stand in a [section]", where=str(path))
        flat.update({f"{section}.{name}": value for name, value in content.items()})
    return flat


def _variable(key: str) -> str:
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def _near_key(key: str, known: Iterable[str]) -> str:
    """The setting that was meant: one of the same section, or one spelled nearly the same."""
    section = key.partition(".")[0] + "."
    siblings = [name for name in known if name.startswith(section)]
    near = difflib.get_close_matches(key, siblings, n=1, cutoff=0.4)
    near = near or difflib.get_close_matches(key, known, n=1, cutoff=0.7)
    return near[0] if near else ""


def _read_environment(environment: Mapping[str, str]) -> dict[str, object]:
    by_variable = {_variable(key): key for key in all_fields()}
    found: dict[str, object] = {}
    for name, text in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name in _NOT_CONFIG:
            continue
        if name not in by_variable:
            near = difflib.get_close_matches(name, by_variable, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else ""
            raise ConfigError("unknown setting", where=f"environment variable {name}", hint=hint)
        found[by_variable[name]] = _parse(text)
    return found


def _read_overrides(overrides: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for item in overrides:
        key, separator, text = item.partition("=")
        if not separator:
            raise ConfigError(f"expected section.key=value, not {item!r}", where="-c")
        found[key.strip()] = _parse(text.strip())
    return found


def _parse(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
