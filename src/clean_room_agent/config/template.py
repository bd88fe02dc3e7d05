"""The commented configuration file that `cra init` writes.

Takes: the schema. Gives: TOML text in which required fields are set and optional ones stand as
comments with their defaults. Does not know: where it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING

from clean_room_agent.config.schema import SECTIONS, FieldClass, all_fields

_HEAD = """\
# Settings of the Clean Room Agent for this repository. `cra config show --origin` prints what is
# in force and where each value comes from. Precedence: -c, CRA_* variables, this file, the user's
# file, built-in. Each field is Required, Optional (its default is shown) or Supplementary.
"""


def render_template(chosen: Mapping[str, object]) -> str:
    """Return the file text; `chosen` gives each required key, and others that are set."""
    lines = [_HEAD]
    for section, kind in SECTIONS.items():
        lines.append(f"[{section}]  # {(kind.__doc__ or '').splitlines()[0]}")
        for key, entry in all_fields().items():
            if not key.startswith(section + "."):
                continue
            category: FieldClass = entry.metadata["class"]
            lines.append(f"# {category.value.capitalize()}: {entry.metadata['doc']}")
            if entry.default is MISSING or key in chosen:
                lines.append(f"{entry.name} = {_toml(chosen[key])}")
            else:
                lines.append(f"# {entry.name} = {_toml(entry.default)}")
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)
