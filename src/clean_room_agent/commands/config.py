"""`cra config show`: the effective configuration, each value with its origin.

Takes: the loaded settings. Gives: printed lines. Does not know: what a value does.
"""

from __future__ import annotations

from clean_room_agent.commands.invocation import Invocation


def show(invocation: Invocation, *, origin: bool) -> None:
    """Print every setting in template order."""
    settings = invocation.settings
    for key, value in settings.values.items():
        shown = list(value) if isinstance(value, tuple) else value
        invocation.output.line(
            f"{key} = {shown!r}" + (f"    # {settings.origins[key]}" if origin else "")
        )
    invocation.output.document(
        {
            "values": {
                key: {
                    "value": list(v) if isinstance(v, tuple) else v,
                    "origin": settings.origins[key],
                }
                for key, v in settings.values.items()
            }
        }
    )
