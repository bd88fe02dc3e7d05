"""`cra --version --json`: versions that a bug report needs.

Takes: nothing. Gives: one JSON document. Does not know: any repository.
"""

from __future__ import annotations

import platform

from clean_room_agent import __version__
from clean_room_agent.commands.output import Output
from clean_room_agent.store.migrations import schema_versions


def print_version() -> None:
    """Print program, Python and schema versions as one JSON document."""
    Output(as_json=True, quiet=True).document(
        {
            "version": __version__,
            "python": platform.python_version(),
            "schemas": schema_versions(),
        }
    )
