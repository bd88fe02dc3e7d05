"""The optional parts of the package: how each is installed, and an error where one is missing.

Takes: the name of an extra, modules that it brings. Gives: `install_hint`, `require_extra`.
Does not know: what a module is for. Nothing is imported here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from clean_room_agent.errors import ConfigError


def install_hint(extra: str) -> str:
    """Say how an extra is installed: from a registry, or in a checkout of the source."""
    return (
        f"pip install 'clean-room-agent[{extra}]'; "
        f"in a checkout of the source: pip install -e '.[{extra}]'"
    )


def require_extra(extra: str, modules: Sequence[str], *, wanted_by: str) -> None:
    """Raise where one of the modules is not installed.

    Raises: ConfigError naming the first that is missing, what wants it, and the extra.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ConfigError(
                f"{wanted_by} needs {module}, which is not installed",
                where=wanted_by,
                hint=install_hint(extra),
            )
