"""Named places where a test can make this process die or a write fail.

Takes: `CRA_FAULT=point:n:kill|eio|enospc`, read once at import. Gives: `fault_point`.
Does not know: what is written at the place.

`point` is the name of one place, or `*` for all; the fault strikes at the n-th passage. Unset, a
passage costs one function call and one comparison.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass

from clean_room_agent.errors import ConfigError

VARIABLE = "CRA_FAULT"
_ERRORS = {"eio": errno.EIO, "enospc": errno.ENOSPC}


@dataclass(slots=True)
class _Armed:
    point: str
    remaining: int
    effect: str


_armed: _Armed | None = None


def arm(specification: str | None) -> None:
    """Set, or with `None` clear, the one fault of this process.

    Raises: ConfigError if the specification is not `point:n:effect`.
    """
    global _armed
    if not specification:
        _armed = None
        return
    point, _, rest = specification.partition(":")
    count, _, effect = rest.partition(":")
    if not point or not count.isdigit() or (effect != "kill" and effect not in _ERRORS):
        raise ConfigError(f"bad fault: {specification!r}", where=VARIABLE, hint="point:n:kill|eio")
    _armed = _Armed(point, int(count), effect)


def fault_point(name: str) -> None:
    """Pass the place `name`; die or raise OSError here if the armed fault says so."""
    if _armed is None or _armed.point not in (name, "*"):
        return
    _armed.remaining -= 1
    if _armed.remaining != 0:
        return
    if _armed.effect == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    code = _ERRORS[_armed.effect]
    raise OSError(code, f"{os.strerror(code)} (fault at {name})")


arm(os.environ.get(VARIABLE))
